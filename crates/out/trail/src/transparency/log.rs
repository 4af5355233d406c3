//! One trail's log: the I/O between the cuts that wait and the objects of the log.
//!
//! A round is saved before its first tile is written and cleared after its checkpoint. What it writes follows from the saved tree
//! and the waiting cuts, which never change, so that a round that was cut off is made again to the byte: there are never two trees
//! of one size.

use super::layout::CHECKPOINT;
use super::leaf::Leaf;
use super::merkle::Hash;
use super::note::{Checkpoint, Note, VerifierKey};
use super::rounds::{Edge, Objects};
use super::source::checkpoint_of;
use super::spool::{Noted, cut_of};
use super::witnessing::{Attending, Published, attend};
use super::{Inner, LogStatus};
use crate::keys::{KeyError, LogSigner};
use crate::off_thread::off_thread;
use crate::{BucketError, Encryption, ObjectHeaders};
use bytes::Bytes;
use event::EventTime;
use futures_util::{StreamExt, TryStreamExt};
use registry::{Expected, PendingRound, RegistryError, TransparencyLog};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// Waits between tries to write a log.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Entries that one round takes, bytes: what waited long is written in several.
const ROUND_MAX: usize = 4 << 20;
/// Cuts that one round takes: their names are saved with it.
const CUTS_MAX: usize = 1000;
/// Objects that are written at once.
const PARALLEL: usize = 8;
/// How long witnesses may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a log is not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("cannot write to bucket `{0}`: {1}")]
    Bucket(String, BucketError),
    #[error("cannot read from bucket `{0}` what the log is there: {1}")]
    Unread(String, BucketError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("cannot read what waits to be logged: {0}")]
    Spool(#[from] std::io::Error),
}

/// Whether a store that fails so may answer later: all but one that does not let its objects be read.
fn may_pass(error: &BucketError) -> bool {
    match error {
        BucketError::Unreachable(_) | BucketError::NoSuchBucket(_) => true,
        BucketError::Refused { code, .. } => {
            let is_lasting = matches!(
                code.as_str(),
                "AccessDenied" | "AllAccessDisabled" | "Forbidden" | "NotImplemented" | "MethodNotAllowed"
            );
            !is_lasting && !code.starts_with("KMS.")
        }
    }
}

/// Writes the log of one trail.
pub(crate) struct LogTask {
    arn: String,
    house: Arc<Inner>,
    /// What is saved, and where it stands in the registry.
    state: Option<TransparencyLog>,
    saved: Expected,
    signer: Option<LogSigner>,
    kms_key_id: Option<String>,
    /// What lies in the bucket was compared with what is saved.
    is_compared: bool,
    published: watch::Sender<Option<Published>>,
}

/// Where a log is to lie: what its origin and its folder begin with.
struct Home {
    origin: String,
    bucket: String,
    folder: String,
}

impl LogTask {
    /// The log of a trail, from its saved state.
    pub(crate) fn new(house: Arc<Inner>, arn: &str) -> LogTask {
        let found = house.states.get(arn);
        let saved = found.as_ref().map_or(Expected::Absent, |found| Expected::At(found.version));
        let state = found.map(|found| TransparencyLog::clone(&found));
        let arn = arn.to_owned();
        let published = watch::Sender::new(None);
        LogTask { arn, house, state, saved, signer: None, kms_key_id: None, is_compared: false, published }
    }

    /// Writes what waits, whenever something does, until told to stop; then once more.
    pub(crate) async fn run(mut self, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let (cosigned, mut signatures) = mpsc::channel(16);
        let last = watch::Sender::new(false);
        let mut witnesses = JoinSet::new();
        for witness in self.house.witnesses.iter() {
            let (house, seen) = (Arc::clone(&self.house), self.published.subscribe());
            let attending =
                Attending { house, arn: self.arn.clone(), witness: Arc::clone(witness), cosigned: cosigned.clone() };
            witnesses.spawn(attend(attending, seen, last.subscribe()));
        }
        drop(cosigned);
        let mut wait: Option<Duration> = None;
        loop {
            wait = match self.work().await {
                Ok(()) => None,
                Err(error) => {
                    let wait = wait.map_or(RETRY.0, |wait| (wait * 2).min(RETRY.1));
                    tracing::warn!(trail = self.arn, %error, wait_ms = wait.as_millis() as u64, "the transparency log cannot be written");
                    self.house.tell(&self.arn, |status| status.last_error = Some(error.to_string()));
                    Some(wait)
                }
            };
            if *stop.borrow() {
                break;
            }
            loop {
                tokio::select! {
                    () = wake.notified(), if wait.is_none() => break,
                    () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => break,
                    Some(note) = signatures.recv() => self.cosign(&note).await,
                    _ = stop.changed() => break,
                }
            }
        }
        // Witnesses see the last checkpoint, too, if they answer soon.
        last.send_replace(true);
        let words = async {
            while let Some(note) = signatures.recv().await {
                self.cosign(&note).await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, words).await;
    }

    /// Finishes the round under way and writes what waits.
    pub(crate) async fn work(&mut self) -> Result<(), LogError> {
        self.compare().await?;
        self.finish_pending().await?;
        loop {
            let (spool, arn) = (self.house.spool.clone(), self.arn.clone());
            let waiting = off_thread(move || spool.waiting(&arn)).await?;
            let taken = self.state.as_ref().map_or((0, 0), |state| state.taken);
            let (done, waiting): (Vec<String>, Vec<String>) =
                waiting.into_iter().partition(|name| cut_of(name).is_none_or(|cut| cut < taken));
            self.remove(done).await?;
            self.house.tell(&self.arn, |status| status.waiting = waiting.len() as u64);
            if waiting.is_empty() {
                break;
            }
            let Some(round) = self.read_round(waiting).await? else { continue };
            self.write_round(round).await?;
        }
        self.publish();
        self.house.tell(&self.arn, |status| status.last_error = None);
        Ok(())
    }

    /// Whether the log in the bucket is ahead of what is saved here: then the registry is an older one that was put back, and to go
    /// on would make a second tree under the same name. A new log begins instead.
    async fn compare(&mut self) -> Result<(), LogError> {
        let Some(state) = self.state.clone().filter(|_| !self.is_compared) else { return Ok(()) };
        let (house, public) = (Arc::clone(&self.house), state.public_key.clone());
        self.signer = off_thread(move || house.keys.log_signer_of(&public)).await;
        let read = self.house.bucket.get(&state.bucket, &format!("{}{CHECKPOINT}", state.folder)).await;
        if let Err(error) = &read
            && may_pass(error)
        {
            return Err(LogError::Unread(state.bucket.clone(), error.clone()));
        }
        self.is_compared = true;
        let Some((note, there)) = read.ok().flatten().and_then(|bytes| checkpoint_of(&bytes).ok()) else {
            // It may not be there yet, or reading may not be allowed.
            return Ok(());
        };
        let key = key_of(&state);
        if key.as_ref().is_none_or(|key| note.verified_by(key).is_err()) {
            return Ok(());
        }
        let known = state.pending.as_ref().map_or(state.tree.size, |round| round.size);
        let root = Edge::load(&state.tree).map(|edge| edge.tree.root());
        let differs = there.size == state.tree.size && root != Some(there.root);
        if there.size > known || differs {
            tracing::error!(
                trail = self.arn,
                origin = state.origin,
                there = there.size,
                here = known,
                "the transparency log in the bucket is ahead of the registry, which seems to be an older one; a new log begins"
            );
            self.begin(&home_of(&state), Some(there)).await?;
        } else if there.size == state.tree.size {
            // Signatures of witnesses that it has already.
            self.publish();
            self.published.send_modify(|published| {
                if let Some(published) = published {
                    published.note.join(&note);
                }
            });
        }
        Ok(())
    }

    /// Does again what was saved and not finished.
    async fn finish_pending(&mut self) -> Result<(), LogError> {
        let Some((state, pending)) = self.state.clone().and_then(|state| Some((state.clone(), state.pending?))) else {
            return Ok(());
        };
        let noted = self.read_all(&pending.cuts).await;
        let done = match &noted {
            Ok(noted) => match grown(&state, noted).await {
                Some(grown) => self.carry_out(&state, &pending, noted, grown).await?,
                None => false,
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => false,
            Err(_) => noted.map(|_| false)?,
        };
        if !done {
            let origin = &state.origin;
            tracing::error!(
                trail = self.arn,
                origin,
                "what was being logged is damaged; a new transparency log begins"
            );
            let root = Edge::load(&state.tree).map_or([0; 32], |edge| edge.tree.root());
            let before = Checkpoint { origin: origin.clone(), size: state.tree.size, root };
            self.begin(&home_of(&state), Some(before)).await?;
        }
        Ok(())
    }

    /// The waiting cuts that the next round takes: of one place, and not too many. A damaged one is put aside.
    async fn read_round(&self, waiting: Vec<String>) -> Result<Option<Vec<Noted>>, LogError> {
        let (spool, arn) = (self.house.spool.clone(), self.arn.clone());
        let read = move || {
            let mut round: Vec<Noted> = Vec::new();
            let mut bytes = 0;
            for name in waiting.iter().take(CUTS_MAX) {
                let noted = match spool.read(&arn, name) {
                    Ok(noted) => noted,
                    Err(error) if error.kind() == ErrorKind::InvalidData => {
                        tracing::error!(trail = arn, %error, "a cut that waits to be logged is put aside");
                        spool.put_aside(&arn, name)?;
                        break;
                    }
                    Err(error) => return Err(error),
                };
                let place = |noted: &Noted| (noted.head.bucket.clone(), noted.head.folder.clone());
                bytes += noted.len();
                if round.last().is_some_and(|last| place(last) != place(&noted) || bytes > ROUND_MAX) {
                    break;
                }
                round.push(noted);
            }
            Ok(round)
        };
        let round = off_thread(read).await?;
        Ok((!round.is_empty()).then_some(round))
    }

    async fn read_all(&self, names: &[String]) -> std::io::Result<Vec<Noted>> {
        let (spool, arn, names) = (self.house.spool.clone(), self.arn.clone(), names.to_vec());
        off_thread(move || names.iter().map(|name| spool.read(&arn, name)).collect()).await
    }

    /// Saves a round, and carries it out.
    async fn write_round(&mut self, noted: Vec<Noted>) -> Result<(), LogError> {
        let Some(head) = noted.first().map(|noted| noted.head.clone()) else { return Ok(()) };
        let home = Home { origin: head.origin, bucket: head.bucket, folder: head.folder };
        let fits = |state: &TransparencyLog| {
            let here = home_of(state);
            (here.origin, here.bucket, here.folder) == (home.origin.clone(), home.bucket.clone(), home.folder.clone())
        };
        self.kms_key_id = head.kms_key_id;
        if self.signer.is_none() || !self.state.as_ref().is_some_and(fits) {
            let before = self.state.as_ref().and_then(|state| {
                let root = Edge::load(&state.tree)?.tree.root();
                Some(Checkpoint { origin: state.origin.clone(), size: state.tree.size, root })
            });
            self.begin(&home, before).await?;
        }
        let Some(state) = self.state.clone() else { return Ok(()) };
        let Some(grown) = grown(&state, &noted).await else { return Ok(()) };
        let edge = &grown.0;
        let pending = PendingRound {
            cuts: noted.iter().map(Noted::name).collect(),
            size: edge.tree.size(),
            root: hex::encode(edge.tree.root()),
        };
        self.save(TransparencyLog { pending: Some(pending.clone()), ..state }).await?;
        let Some(state) = self.state.clone() else { return Ok(()) };
        self.carry_out(&state, &pending, &noted, grown).await.map(drop)
    }

    /// Writes tiles, bundles and, last, the checkpoint of a round; then notes that it is done. `false` where what it takes is not what
    /// was saved.
    async fn carry_out(
        &mut self,
        state: &TransparencyLog,
        pending: &PendingRound,
        noted: &[Noted],
        (edge, mut objects): (Edge, Objects),
    ) -> Result<bool, LogError> {
        let Some(signer) = self.signer.clone() else { return Ok(false) };
        let root: Hash = edge.tree.root();
        if edge.tree.size() != pending.size || hex::encode(root) != pending.root {
            return Ok(false);
        }
        self.kms_key_id = noted.last().and_then(|noted| noted.head.kms_key_id.clone());
        objects.extend(edge.partial());
        let headers = self.headers("application/octet-stream");
        let puts = objects.into_iter().map(|(path, bytes)| self.put(state, path, Bytes::from(bytes), headers.clone()));
        futures_util::stream::iter(puts).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        let note = signed(&signer, &Checkpoint { origin: state.origin.clone(), size: pending.size, root });
        self.put_checkpoint(state, &note).await?;
        let taken = noted.last().map_or(state.taken, |noted| (noted.head.trail_created_ms, noted.head.to));
        let latest_ms = Some((self.house.now_ms)());
        let done = TransparencyLog { tree: edge.save(), taken, pending: None, latest_ms, ..state.clone() };
        self.save(done).await?;
        tracing::debug!(trail = self.arn, size = pending.size, "transparency log written");
        self.publish();
        self.remove(pending.cuts.clone()).await?;
        Ok(true)
    }

    /// Begins a new log; its first entry says where the one before it ended.
    async fn begin(&mut self, home: &Home, before: Option<Checkpoint>) -> Result<(), LogError> {
        let now_ms = (self.house.now_ms)();
        let house = Arc::clone(&self.house);
        let signer = off_thread(move || house.keys.log_signer(now_ms)).await?;
        // No log has the name of another, however fast they follow.
        let earlier = self.state.as_ref().and_then(|state| parse_stamp(&state.began)).unwrap_or(i64::MIN);
        let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX).max(earlier.saturating_add(1));
        let began = stamp(now);
        let mut edge = Edge::default();
        if let Some(Checkpoint { origin, size, root }) = before.filter(|before| before.size > 0) {
            edge.append(&Leaf::Link { size, root, origin }.to_bytes(), &mut Objects::new());
        }
        let state = TransparencyLog {
            trail_arn: self.arn.clone(),
            origin: format!("{}/{began}", home.origin),
            bucket: home.bucket.clone(),
            folder: format!("{}{began}/", home.folder),
            public_key: hex::encode(signer.public),
            tree: edge.save(),
            taken: self.state.as_ref().map_or((0, 0), |state| state.taken),
            pending: None,
            latest_ms: None,
            began,
        };
        tracing::info!(trail = self.arn, origin = state.origin, bucket = state.bucket, "a transparency log begins");
        self.save(state).await?;
        (self.signer, self.is_compared) = (Some(signer), true);
        Ok(())
    }

    /// Tells witnesses and the status page of the checkpoint that is written.
    fn publish(&self) {
        let (Some(state), Some(signer)) = (&self.state, &self.signer) else { return };
        let Some(edge) = Edge::load(&state.tree).filter(|_| state.latest_ms.is_some()) else { return };
        let checkpoint = Checkpoint { origin: state.origin.clone(), size: edge.tree.size(), root: edge.tree.root() };
        let is_new = |published: &Option<Published>| published.as_ref().is_none_or(|old| old.checkpoint != checkpoint);
        self.house.tell(&self.arn, |status| *status = LogStatus { ..LogStatus::of(state, status) });
        self.published.send_if_modified(|published| {
            let is_new = is_new(published);
            if is_new {
                let (bucket, folder) = (state.bucket.clone(), state.folder.clone());
                *published = Some(Published {
                    note: signed(signer, &checkpoint),
                    checkpoint: checkpoint.clone(),
                    bucket,
                    folder,
                });
            }
            is_new
        });
    }

    /// Adds a witness's signature to the checkpoint, if it is still the newest.
    async fn cosign(&mut self, note: &Note) {
        let Some(published) = self.published.borrow().clone() else { return };
        let Some(state) = self.state.clone().filter(|_| published.note.text() == note.text()) else { return };
        let mut both = published.note;
        both.join(note);
        if let Err(error) = self.put_checkpoint(&state, &both).await {
            tracing::warn!(trail = self.arn, %error, "cannot write a witness's signature");
        }
        // No new checkpoint: nobody is told.
        self.published.send_if_modified(|published| {
            if let Some(published) = published {
                published.note = both;
            }
            false
        });
    }

    async fn put_checkpoint(&self, state: &TransparencyLog, note: &Note) -> Result<(), LogError> {
        let headers = self.headers("text/plain; charset=utf-8");
        self.put(state, CHECKPOINT.to_owned(), Bytes::from(note.to_string()), headers).await
    }

    async fn put(
        &self,
        state: &TransparencyLog,
        path: String,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> Result<(), LogError> {
        let key = format!("{}{path}", state.folder);
        let put = self.house.bucket.put(&state.bucket, &key, body, headers).await;
        put.map_err(|error| LogError::Bucket(state.bucket.clone(), error))
    }

    fn headers(&self, content_type: &'static str) -> ObjectHeaders {
        let encryption = match &self.kms_key_id {
            Some(key) => Encryption::Kms { key_arn: key.clone(), trail_arn: self.arn.clone() },
            None => Encryption::Store,
        };
        ObjectHeaders { content_type, content_encoding: "", metadata: Vec::new(), encryption }
    }

    async fn remove(&self, names: Vec<String>) -> Result<(), LogError> {
        if names.is_empty() {
            return Ok(());
        }
        let (spool, arn) = (self.house.spool.clone(), self.arn.clone());
        off_thread(move || names.iter().try_for_each(|name| spool.remove(&arn, name))).await?;
        Ok(())
    }

    async fn save(&mut self, state: TransparencyLog) -> Result<(), RegistryError> {
        let (states, document, expected) = (self.house.states.clone(), state.clone(), self.saved);
        let version = off_thread(move || states.put(document, expected)).await?;
        (self.state, self.saved) = (Some(state), Expected::At(version));
        Ok(())
    }
}

/// The tree with the entries of these cuts, and the objects that become full; `None` where what is saved is damaged.
async fn grown(state: &TransparencyLog, noted: &[Noted]) -> Option<(Edge, Objects)> {
    let (tree, pieces): (_, Vec<Bytes>) =
        (state.tree.clone(), noted.iter().flat_map(|noted| noted.bundle.iter().cloned()).collect());
    off_thread(move || {
        let mut edge = Edge::load(&tree)?;
        let mut objects = Objects::new();
        pieces.iter().for_each(|piece| edge.append_all(piece, &mut objects));
        Some((edge, objects))
    })
    .await
}

fn signed(signer: &LogSigner, checkpoint: &Checkpoint) -> Note {
    let text = checkpoint.text();
    let signature = signer.sign(&text);
    Note::new(text, &VerifierKey::of_log(&checkpoint.origin, signer.public), &signature)
}

/// The key of a log.
pub(crate) fn key_of(state: &TransparencyLog) -> Option<VerifierKey> {
    let public = hex::decode(&state.public_key).ok()?.try_into().ok()?;
    Some(VerifierKey::of_log(&state.origin, public))
}

fn home_of(state: &TransparencyLog) -> Home {
    let origin = state.origin.strip_suffix(state.began.as_str()).unwrap_or(&state.origin).trim_end_matches('/');
    let folder = state.folder.strip_suffix(&format!("{}/", state.began)).unwrap_or(&state.folder);
    Home { origin: origin.to_owned(), bucket: state.bucket.clone(), folder: folder.to_owned() }
}

/// `YYYYMMDDTHHMMSSZ`.
fn stamp(seconds: i64) -> String {
    EventTime(seconds).to_string().replace(['-', ':'], "")
}

fn parse_stamp(stamp: &str) -> Option<i64> {
    let part = |from: usize, to: usize| stamp.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    EventTime::parse(&text).map(|time| time.0)
}
