//! The digests of one trail: the I/O between rounds and objects.
//!
//! A round is saved before its first digest is written and cleared after its last. Digests do not hold up log files:
//! what cannot be written is tried again later, and the error is told in GetTrailStatus.

use crate::digest::{compress, sha256_hex};
use crate::keys::{KeyError, SigningKeys};
use crate::name::ChainName;
use crate::off_thread::off_thread;
use crate::rounds::{self, Next};
use crate::{BucketError, LogBucket, NowMs, ObjectHeaders};
use bytes::Bytes;
use event::EventTime;
use registry::{
    DeliveredCut, DigestLink, DigestState, Documents, Expected, PendingDigests, Registry, RegistryError, Trail,
    Versioned,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Waits between tries to write digests.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What digests are made with.
#[derive(Clone)]
pub(crate) struct DigestTools {
    pub(crate) states: Documents<DigestState>,
    pub(crate) cuts: Documents<DeliveredCut>,
    pub(crate) keys: SigningKeys,
    pub(crate) bucket: Arc<dyn LogBucket>,
    pub(crate) interval: Duration,
    pub(crate) now_ms: NowMs,
}

/// Why a round is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DigestError {
    #[error("cannot deliver a digest to bucket `{0}`: {1}")]
    Bucket(String, BucketError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("cannot write a digest: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot compress a digest: {0}")]
    Io(#[from] std::io::Error),
    #[error("the newest digest ends at {0}, and it is earlier now: the clock was ahead; digests go on from there")]
    ClockIsBehind(EventTime),
}

/// Makes the digests of one trail.
pub(crate) struct Digester {
    arn: String,
    tools: DigestTools,
    state: DigestState,
    saved: Expected,
    /// When what failed is tried again, and after which wait.
    retry: Option<(Instant, Duration)>,
}

/// A digest that is signed.
struct Signed {
    chain: String,
    body: Bytes,
    metadata: Vec<(&'static str, String)>,
    link: DigestLink,
}

impl DigestTools {
    pub(crate) fn new(
        registry: &Registry,
        keys: SigningKeys,
        bucket: Arc<dyn LogBucket>,
        interval: Duration,
        now_ms: NowMs,
    ) -> Result<DigestTools, RegistryError> {
        Ok(DigestTools { states: registry.documents()?, cuts: registry.documents()?, keys, bucket, interval, now_ms })
    }

    /// Seconds of a window.
    fn window(&self) -> i64 {
        i64::try_from(self.interval.as_secs()).unwrap_or(i64::MAX).max(1)
    }

    /// The delivered cuts of a trail that are in no digest, in the order of the journal.
    fn waiting(&self, state: &DigestState) -> Vec<Versioned<DeliveredCut>> {
        let is_own = |cut: &Versioned<DeliveredCut>| {
            cut.trail_arn == state.trail_arn
                && cut.trail_created_ms == state.trail_created_ms
                && cut.from >= state.digested_to
        };
        self.cuts.list().into_iter().filter(is_own).collect()
    }

    /// Removes what is kept of a trail that is gone.
    pub(crate) fn forget(&self, arn: &str) -> Result<(), RegistryError> {
        for cut in self.cuts.list().into_iter().filter(|cut| cut.trail_arn == arn) {
            self.cuts.delete(&DeliveredCut::key_of(arn, cut.from), cut.version)?;
        }
        match self.states.get(arn) {
            Some(state) => self.states.delete(arn, state.version),
            None => Ok(()),
        }
    }
}

impl Digester {
    /// The digests of a trail, from their saved state.
    pub(crate) fn new(tools: DigestTools, trail: &Trail) -> Digester {
        let arn = trail.arn();
        let found = tools.states.get(&arn);
        let saved = found.as_ref().map_or(Expected::Absent, |found| Expected::At(found.version));
        let state = match found {
            Some(found) if found.trail_created_ms == trail.created_ms => DigestState::clone(&found),
            // Names of an earlier trail must not come again.
            Some(earlier) => DigestState { covered_to: earlier.covered_to, ..DigestState::of(trail) },
            None => DigestState::of(trail),
        };
        Digester { arn, tools, state, saved, retry: None }
    }

    /// The digests that a trail left behind when it was deleted and the process died: what they would have listed is
    /// listed in backfill digests.
    pub(crate) async fn backfill(tools: DigestTools, left: Versioned<DigestState>) -> Result<(), DigestError> {
        let mut state = DigestState::clone(&left);
        let arn = state.trail_arn.clone();
        if !tools.waiting(&state).is_empty() && state.pending.as_ref().is_none_or(|round| round.backfill_at.is_none()) {
            state.pending = rounds::backfill(&state, (tools.now_ms)());
        }
        let files = tools.waiting(&state).iter().map(|cut| cut.files.len()).sum::<usize>();
        let mut digester = Digester { arn, tools, state, saved: Expected::At(left.version), retry: None };
        if files > 0 && digester.state.pending.is_some() {
            digester.save(digester.state.clone()).await?;
            digester.carry_out().await?;
            tracing::info!(trail = digester.arn, files, "log files of a deleted trail are in backfill digests");
        }
        let (tools, arn) = (digester.tools, digester.arn);
        off_thread(move || tools.forget(&arn)).await?;
        Ok(())
    }

    /// Keeps what the next digests have to list, once a cut is delivered. Doing it again changes nothing.
    pub(crate) async fn note(&self, delivered: DeliveredCut) -> Result<(), RegistryError> {
        let cuts = self.tools.cuts.clone();
        let put = move || {
            let key = DeliveredCut::key_of(&delivered.trail_arn, delivered.from);
            let expected = cuts.get(&key).map_or(Expected::Absent, |found| Expected::At(found.version));
            cuts.put(delivered, expected).map(drop)
        };
        off_thread(put).await
    }

    /// When digests are to be looked after.
    pub(crate) fn due(&self, trail: &Trail) -> Option<Instant> {
        let now = Instant::now();
        if let Some((at, _)) = self.retry {
            return Some(at);
        }
        if self.state.pending.is_some() {
            return Some(now);
        }
        let now_ms = (self.tools.now_ms)();
        match rounds::next(trail, &self.state, self.tools.window(), now_ms, 0) {
            Next::Never => None,
            Next::At(at_ms) => Some(now + Duration::from_millis(at_ms.saturating_sub(now_ms))),
            Next::Now(_) => Some(now),
        }
    }

    /// Makes what is due, when everything before `delivered_to` is delivered.
    pub(crate) async fn tend(&mut self, trail: &Trail, delivered_to: u64) {
        if self.retry.is_some_and(|(at, _)| at > Instant::now()) {
            return;
        }
        let done = self.make_due(trail, delivered_to).await;
        self.settle(done).await;
    }

    async fn make_due(&mut self, trail: &Trail, delivered_to: u64) -> Result<(), DigestError> {
        self.finish_pending(Some(trail)).await?;
        let window = self.tools.window();
        while let Next::Now(round) = rounds::next(trail, &self.state, window, (self.tools.now_ms)(), delivered_to) {
            self.begin(*round).await?;
            self.carry_out().await?;
        }
        let ahead = EventTime(self.state.covered_to);
        let now = i64::try_from((self.tools.now_ms)() / 1000).unwrap_or(i64::MAX);
        // Names of digests must not come again, so nothing can be done but to tell.
        if self.state.chains.is_some() && ahead.0 > now.saturating_add(window) {
            return Err(DigestError::ClockIsBehind(ahead));
        }
        Ok(())
    }

    /// Tells why digests that are due are not made: they come after the log files, and the bucket does not take these.
    pub(crate) async fn held_up(&mut self, trail: &Trail, code: Option<&str>) -> Result<(), RegistryError> {
        let is_due = self.due(trail).is_some_and(|at| at <= Instant::now());
        if !is_due || code.is_none() || self.state.latest_error.as_deref() == code {
            return Ok(());
        }
        self.save(DigestState { latest_error: code.map(str::to_owned), ..self.state.clone() }).await
    }

    /// Before the process ends: log files that no digest lists yet get theirs now.
    pub(crate) async fn make_early(&mut self, trail: &Trail, delivered_to: u64) {
        let done = async {
            self.finish_pending(Some(trail)).await?;
            if self.state.chains.is_some() && !self.tools.waiting(&self.state).is_empty() {
                self.begin(rounds::early(trail, &self.state, (self.tools.now_ms)(), delivered_to)).await?;
                self.carry_out().await?;
            }
            Ok(())
        };
        let done = done.await;
        self.settle(done).await;
    }

    /// Ends the chains: logging has stopped, or the trail is gone, and everything is delivered.
    pub(crate) async fn conclude(&mut self, trail: &Trail, delivered_to: u64) -> Result<(), DigestError> {
        self.finish_pending(None).await?;
        if let Some(round) = rounds::last(trail, &self.state, (self.tools.now_ms)(), delivered_to) {
            self.begin(round).await?;
            self.carry_out().await?;
        }
        Ok(())
    }

    /// Does again what was saved and not finished. Where the trail points elsewhere since, and a try has failed, it goes there.
    async fn finish_pending(&mut self, trail: Option<&Trail>) -> Result<(), DigestError> {
        let Some(round) = &self.state.pending else { return Ok(()) };
        let place = |trail: &Trail| (trail.s3_bucket_name.clone(), trail.s3_key_prefix.clone());
        if let Some(newest) = trail.filter(|newest| self.retry.is_some() && place(newest) != place(&round.trail)) {
            let mut moved = round.clone();
            (moved.trail.s3_bucket_name, moved.trail.s3_key_prefix) = place(newest);
            self.begin(moved).await?;
        }
        self.carry_out().await
    }

    async fn begin(&mut self, round: PendingDigests) -> Result<(), RegistryError> {
        self.save(DigestState { pending: Some(round), ..self.state.clone() }).await
    }

    /// Writes the digests of the pending round, and notes that they are there.
    async fn carry_out(&mut self) -> Result<(), DigestError> {
        let Some(round) = self.state.pending.clone() else { return Ok(()) };
        let (tools, state) = (self.tools.clone(), self.state.clone());
        let signed = off_thread(move || sign(&tools, &state)).await?;
        let mut links = BTreeMap::new();
        for Signed { chain, body, metadata, link } in signed {
            let headers = ObjectHeaders { metadata, ..ObjectHeaders::LOG_FILE }.encrypted_for(&round.trail);
            let put = self.tools.bucket.put(&link.bucket, &link.object, body, headers);
            put.await.map_err(|error| DigestError::Bucket(link.bucket.clone(), error))?;
            tracing::debug!(trail = self.arn, bucket = link.bucket, key = link.object, "digest delivered");
            links.insert(chain, link);
        }
        let now_ms = (self.tools.now_ms)();
        self.save(rounds::done(&self.state, links, now_ms)).await?;
        self.retry = None;
        let (tools, created_ms, arn) = (self.tools.clone(), self.state.trail_created_ms, self.arn.clone());
        off_thread(move || {
            let is_done = |cut: &Versioned<DeliveredCut>| {
                cut.trail_arn == arn && (cut.trail_created_ms != created_ms || cut.from < round.to)
            };
            for cut in tools.cuts.list().into_iter().filter(is_done) {
                tools.cuts.delete(&DeliveredCut::key_of(&arn, cut.from), cut.version)?;
            }
            Ok(())
        })
        .await
    }

    /// Notes a failure, and when to try again.
    async fn settle(&mut self, done: Result<(), DigestError>) {
        let Err(error) = done else {
            self.retry = None;
            return;
        };
        let wait = self.retry.map_or(RETRY.0, |(_, wait)| (wait * 2).min(RETRY.1));
        self.retry = Some((Instant::now() + wait, wait));
        tracing::warn!(trail = self.arn, %error, wait_ms = wait.as_millis() as u64, "digests cannot be delivered");
        let code = match &error {
            DigestError::Bucket(_, error) => error.code().map(str::to_owned),
            DigestError::ClockIsBehind(_) => Some("ClockIsBehind".to_owned()),
            _ => None,
        };
        if code != self.state.latest_error
            && let Err(error) = self.save(DigestState { latest_error: code, ..self.state.clone() }).await
        {
            tracing::warn!(trail = self.arn, %error, "cannot save why digests are not delivered");
        }
    }

    async fn save(&mut self, state: DigestState) -> Result<(), RegistryError> {
        let (states, document, expected) = (self.tools.states.clone(), state.clone(), self.saved);
        let version = off_thread(move || states.put(document, expected)).await?;
        (self.state, self.saved) = (state, Expected::At(version));
        Ok(())
    }
}

/// Makes and signs the digests of the pending round.
fn sign(tools: &DigestTools, state: &DigestState) -> Result<Vec<Signed>, DigestError> {
    let Some(round) = &state.pending else { return Ok(Vec::new()) };
    let waiting = tools.waiting(state);
    let cuts: Vec<&DeliveredCut> = waiting.iter().map(|cut| &*cut.document).collect();
    let mut signed = Vec::new();
    for (chain, mut digest) in rounds::digests(state, round, &cuts) {
        let region = ChainName::of(&round.trail, &chain).region;
        let signer = tools.keys.signer(region, EventTime(round.backfill_at.unwrap_or(round.end)))?;
        digest.digest_public_key_fingerprint = signer.fingerprint.clone();
        let json = digest.to_json()?;
        let hash = sha256_hex(&json);
        let signature = signer.sign(&digest.string_to_sign(&hash))?;
        let mut metadata =
            vec![("signature", signature.clone()), ("signature-algorithm", digest.digest_signature_algorithm.clone())];
        if let Some(at) = round.backfill_at {
            metadata.push(("backfill-generation-timestamp", EventTime(at).to_string()));
        }
        let link = DigestLink { bucket: digest.digest_s3_bucket, object: digest.digest_s3_object, hash, signature };
        signed.push(Signed { chain, body: Bytes::from(compress(&json)?), metadata, link });
    }
    Ok(signed)
}
