//! One verification: from digest to digest, each digest's log files side by side, what is found in the order of the chain.

use super::archive::{Archive, ArchiveError};
use super::check::{Parsed, verify};
use super::fetch::{Ahead, Fetcher};
use super::keys::{KeySource, PublicKeys};
use super::ledger::{Item, Ledger, Results};
use super::report::{Finding, Verdict};
use super::state::Memory;
use super::tail::{Listed, Tail, by_log_files, by_status};
use super::walk::{Chain, Outcome, Then, Walk, sort_keys};
use event::EventTime;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Verdicts that may wait for one that takes longer, for each file that is read at once.
const WAITING: usize = 8;

/// What is to be verified.
#[derive(Debug, Clone)]
pub struct Request {
    /// The chain.
    pub chain: Chain,
    /// The bucket in which its newest digests lie.
    pub bucket: String,
    /// Log files delivered from then on,
    pub start: EventTime,
    /// until then.
    pub end: EventTime,
    /// The present.
    pub now: EventTime,
    /// How many files are read at once, at least 1.
    pub parallel: usize,
    /// When the trail last delivered digests, where that is known.
    pub latest_delivery: Option<EventTime>,
    /// Whether the trail, as far as is known, delivers to this place, and with digests: then each log file gets into one.
    pub is_going_on: bool,
    /// What was verified before.
    pub memory: Memory,
}

/// Who is told what is found, as it is found.
pub trait Progress: Send {
    /// Something was found out.
    fn found(&mut self, finding: &Finding);
    /// A digest lists so many log files.
    fn expect(&mut self, log_files: u64);
    /// What to remember, now and then and at the end.
    fn remember(&mut self, memory: &Memory);
}

/// Why nothing can be said about the archive.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There are no keys to verify with.
    #[error("No public keys found between {0} and {1}")]
    NoKeys(EventTime, EventTime),
}

struct Context {
    fetcher: Fetcher,
    keys: Arc<dyn KeySource>,
    request: Request,
}

/// Verifies. Needs a tokio runtime with several threads to use several processors, and keeps them busy: it should have
/// nothing else to do.
///
/// # Errors
/// [`VerifyError`] when nothing can be said; what is wrong with the archive is not an error but a finding.
pub async fn validate(
    archive: Arc<dyn Archive>,
    keys: Arc<dyn KeySource>,
    request: Request,
    progress: &mut dyn Progress,
) -> Result<Results, VerifyError> {
    let parallel = request.parallel.max(1);
    let mut ledger = Ledger::new(&request, progress);
    let context = Context { fetcher: Fetcher::new(archive, parallel), keys, request };
    let (items, incoming) = mpsc::channel(parallel * WAITING);
    let produce = async {
        let items = items;
        context.walk_all(&items).await
    };
    let consume = async {
        // Gone at the end, so that a producer whose consumer has failed finds nobody listening.
        let mut incoming = incoming;
        while let Some(item) = incoming.recv().await {
            ledger.take(item).await?;
        }
        Ok::<(), VerifyError>(())
    };
    let (produced, consumed) = tokio::join!(produce, consume);
    consumed.and(produced)?;
    Ok(ledger.finish())
}

impl Context {
    async fn walk_all(&self, items: &mpsc::Sender<Item>) -> Result<(), VerifyError> {
        let Request { chain, bucket, start, end, .. } = &self.request;
        let until = EventTime(end.0.saturating_add(7200));
        let ((standard, backfill), keys) = tokio::try_join!(self.list(bucket), self.keys.keys(*start, until))?;
        if keys.is_empty() {
            return Err(VerifyError::NoKeys(*start, until));
        }
        let newest = standard.last().and_then(|key| chain.end_of(key));
        let mut listed = Listed::default();
        let walked = self.walk(standard, keys, false, &mut listed, items).await?;
        // Backfill digests list what came late, so what nobody lists is known after them.
        self.walk(backfill, PublicKeys::default(), true, &mut listed, items).await?;
        if let Some(finding) = self.cut_tail(newest, &walked, &listed).await? {
            let _ = items.send(Item::Finding(finding)).await;
        }
        Ok(())
    }

    async fn list(&self, bucket: &str) -> Result<(Vec<String>, Vec<String>), ArchiveError> {
        let Request { chain, start, end, .. } = &self.request;
        let prefix = chain.digest_folder();
        let after = chain.digest_key(EventTime(start.0 - 60), false);
        let last = chain.digest_key(EventTime(end.0.saturating_add(3600)), true);
        let folder_of_last = last.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}0"));
        // `0` comes after `/`: everything that sorts behind the folder of the last day.
        let keys = self.fetcher.archive.list(bucket, &prefix, &after, &|key| key > folder_of_last.as_str()).await?;
        Ok(sort_keys(chain, keys, *start, *end))
    }

    async fn walk(
        &self,
        keys_listed: Vec<String>,
        mut keys: PublicKeys,
        backfill: bool,
        listed: &mut Listed,
        items: &mpsc::Sender<Item>,
    ) -> Result<Walked, VerifyError> {
        let Request { chain, bucket, start, end, now, memory, .. } = &self.request;
        let remembered = if backfill { Vec::new() } else { memory.stretches.clone() };
        let mut walk = Walk::new(chain, bucket, keys_listed, *start, backfill, remembered);
        let mut ahead = Ahead::new(&self.fetcher);
        let mut covered_from = None;
        let mut skipped = false;
        loop {
            if walk.needs_keys
                && let Some((bucket, _)) = walk.wanted()
            {
                let (standard, backfills) = self.list(bucket).await?;
                walk.set_keys(if backfill { backfills } else { standard });
            }
            let Some((bucket, key)) = walk.wanted() else { break };
            let fetched = ahead.fetch(bucket, key, walk.upcoming()).await?;
            if let (true, Ok(parsed)) = (backfill, &fetched)
                && keys.find(&parsed.digest.digest_public_key_fingerprint).is_none()
            {
                // A folder may not know when it was made: then some time after its window.
                let (from, to) = parsed.backfill_at.map_or((parsed.end, *now), |at| (at, at));
                keys.extend(self.keys.keys(EventTime(from.0 - 3600), EventTime(to.0 + 3600)).await?);
            }
            let (findings, then) = match &fetched {
                Err(why) => walk.take(Outcome::Bad(why.clone())),
                Ok(parsed) => {
                    let signature = parsed.signature.as_deref().or(walk.signature());
                    match verify(parsed, (bucket, key), signature, &keys, &chain.home_region) {
                        Ok(()) if signature.is_none() => walk.take(Outcome::Unsigned(parsed)),
                        Ok(()) => walk.take(Outcome::Good(parsed)),
                        Err(why) => walk.take(Outcome::Bad(why)),
                    }
                }
            };
            let parsed = fetched.ok().filter(|_| then == Then::CheckLogs);
            if let (Some(parsed), false) = (&parsed, skipped) {
                covered_from = Some(parsed.start);
            }
            skipped |= matches!(then, Then::Skip(_));
            self.tell(findings, parsed, then, listed, items).await;
            // Nobody listens any more: the consumer has failed and tells why.
            if items.is_closed() {
                break;
            }
        }
        for finding in walk.unmet(*end) {
            let _ = items.send(Item::Finding(finding)).await;
        }
        Ok(Walked { window: walk.window, covered_from })
    }

    /// Tells what was found at one digest, has its log files checked, and tells what comes after them: the gap before it.
    async fn tell(
        &self,
        findings: Vec<Finding>,
        parsed: Option<Parsed>,
        then: Then,
        listed: &mut Listed,
        items: &mpsc::Sender<Item>,
    ) {
        let (gaps, mut before): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| matches!(finding, Finding::Gap { .. }));
        // Of the others the one about the digest itself is the last.
        let own = parsed.as_ref().and_then(|_| before.pop());
        for finding in before {
            let _ = items.send(Item::Finding(finding)).await;
        }
        if let (Some(finding), Some(mut parsed)) = (own, parsed) {
            let genuine = matches!(finding, Finding::Digest { verdict: Verdict::Valid, .. });
            let logs = std::mem::take(&mut parsed.digest.log_files);
            let _ =
                items.send(Item::Digest { finding, parsed: Box::new(parsed), logs: logs.len() as u64, genuine }).await;
            for log in logs {
                listed.add(&log.s3_bucket, &log.s3_object);
                let checking = self.fetcher.check_log(&log).await;
                let _ = items.send(Item::Log(log, checking)).await;
            }
        }
        if let Then::Skip(stretch) = then {
            let _ = items.send(Item::Skipped(stretch)).await;
        }
        for gap in gaps {
            let _ = items.send(Item::Finding(gap)).await;
        }
    }

    /// Whether the end of the chain was cut off.
    async fn cut_tail(
        &self,
        newest: Option<EventTime>,
        walked: &Walked,
        listed: &Listed,
    ) -> Result<Option<Finding>, ArchiveError> {
        let Request { chain, bucket, start, end, now, latest_delivery, is_going_on, .. } = &self.request;
        let Some(newest) = newest else {
            // Of an organization, what the trail says may be of other accounts: this one may never have had any.
            let is_home = chain.region == chain.home_region && chain.organization.is_none();
            let inside = |time: &EventTime| time > start && time <= end;
            return Ok(latest_delivery.filter(inside).filter(|_| is_home).map(|latest| Finding::Missing {
                backfill: false,
                from: start.to_string(),
                to: None,
                why: format!("the trail delivered digests until {latest}"),
            }));
        };
        let covered_from = walked.covered_from.unwrap_or(newest);
        let tail = Tail { newest, window: walked.window, covered_from, end: *end, now: *now };
        if let Some(finding) = latest_delivery.and_then(|latest| by_status(&tail, latest)) {
            return Ok(Some(finding));
        }
        if !is_going_on || walked.window <= 0 || newest.0 + walked.window >= end.0.min(now.0) {
            return Ok(None);
        }
        let mut keys = Vec::new();
        for folder in chain.log_folders() {
            let (year, month, day, ..) = covered_from.civil();
            let after = format!("{folder}{year:04}/{month:02}/{day:02}/");
            let (year, month, day, ..) = end.civil();
            let last = format!("{folder}{year:04}/{month:02}/{day:02}0");
            keys.extend(self.fetcher.archive.list(bucket, &folder, &after, &|key| key > last.as_str()).await?);
        }
        Ok(by_log_files(&tail, bucket, keys.iter().map(String::as_str), listed))
    }
}

/// What a walk has seen.
struct Walked {
    /// The longest window, seconds.
    window: i64,
    /// Start of the oldest digest of the unbroken run of digests that were looked at.
    covered_from: Option<EventTime>,
}
