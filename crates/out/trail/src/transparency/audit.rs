//! Is a trail's transparency log what it should be? Its tree, from its entries; its tiles and its checkpoint; checkpoints that were
//! seen earlier or elsewhere; and the log files that it tells of, record by record. I/O, over an [`Archive`].

use super::archived::ArchivedLog;
use super::audit_file::{Expected, FileVerdict, check_file};
use super::leaf::Leaf;
use super::merkle::{Hash, TILE_WIDTH, TileId, Tree, leaf_hash};
use super::note::{Checkpoint, VerifierKey};
use super::seen::key_of_log;
use super::source::{ReadError, bundle, tile};
use crate::verify::{Archive, ArchiveError, delivered_at};
use bytes::Bytes;
use event::EventTime;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Bundles that are read ahead.
const AHEAD: usize = 32;
/// File names tell the delivery time by slots of this many seconds.
const SLOT: i64 = 300;

/// What is to be looked at.
pub struct AuditRequest {
    /// Where it lies.
    pub archive: Arc<dyn Archive>,
    /// The bucket of the logs.
    pub bucket: String,
    /// The key prefix of the trail.
    pub prefix: Option<String>,
    /// Account, home Region and name of the trail.
    pub trail: (String, String, String),
    /// Keys that its logs may be signed with; without any, signatures are not verified.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints that were seen, and where.
    pub seen: Vec<Seen>,
    /// Log files delivered from then on are compared with the log,
    pub start: EventTime,
    /// until then.
    pub end: EventTime,
    /// What earlier runs have seen.
    pub memory: Vec<AuditedLog>,
    /// What the digests say.
    pub digests: Listed,
    /// How many log files are read at once, at least 1.
    pub parallel: usize,
}

/// A checkpoint that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who, for people.
    pub place: String,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

/// What digests say of the log files of one Region.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// What log files of that Region begin with, one for each kind.
    pub folders: Vec<String>,
    /// The times whose files are all listed: nothing was wrong with the digests of these, and none of them was passed over.
    pub covered: Option<(EventTime, EventTime)>,
    /// The files, by [`file_name`] of their keys.
    pub files: HashMap<String, ListedFile>,
}

/// A log file that a digest lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Whether it is as it was delivered.
    pub is_valid: bool,
}

/// What a run remembers of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedLog {
    /// Its name.
    pub origin: String,
    /// Entries that were verified.
    pub size: u64,
    /// The root over them, lower-case hex.
    pub root: String,
    /// The key that signed it, `NAME+ID+KEY`; empty where that was not verified.
    #[serde(default)]
    pub key: String,
    /// Log files delivered from then on were compared with it, seconds since the epoch.
    #[serde(default)]
    pub compared_from: i64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFinding {
    /// About the log itself.
    Log {
        /// Its name.
        origin: String,
        /// What is wrong.
        why: String,
    },
    /// About a log file that it tells of, or does not.
    File {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

impl std::fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AuditFinding::Log { origin, why } => write!(f, "Transparency log\t{origin}\tINVALID: {why}"),
            AuditFinding::File { bucket, key, why } => write!(f, "Log file\ts3://{bucket}/{key}\tINVALID: {why}"),
        }
    }
}

/// What an audit comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditResults {
    /// Each log, the oldest first.
    pub logs: Vec<LogVerdict>,
    /// Log files that were compared, record by record.
    pub files: u64,
    /// Checkpoints seen elsewhere that the logs agree with.
    pub agreed: u64,
    /// All that is wrong.
    pub findings: Vec<AuditFinding>,
    /// What to remember.
    pub memory: Vec<AuditedLog>,
}

/// What is to be said of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerdict {
    /// Its name.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// Whether its signature was verified.
    pub is_signed: bool,
    /// Whether nothing is wrong with it.
    pub is_valid: bool,
}

/// What a log file is called but for when and where it was delivered: 16 letters and digits that no other file has.
pub fn file_name(key: &str) -> &str {
    let name = key.rsplit('_').next().unwrap_or(key);
    name.strip_suffix(".json.gz").unwrap_or(name)
}

/// Looks at all logs of a trail. Empty results where it has none.
///
/// # Errors
/// [`ArchiveError`] when nothing can be said.
pub async fn audit(request: AuditRequest) -> Result<AuditResults, ArchiveError> {
    let (account, region, name) = &request.trail;
    let trail = (account.as_str(), region.as_str(), name.as_str());
    let logs = ArchivedLog::of_trail(&request.archive, &request.bucket, request.prefix.as_deref(), trail).await?;
    let mut audit = Audit { request: &request, results: AuditResults::default(), logged: HashSet::new(), newest: None };
    let mut heads = Vec::new();
    let mut seen = request.seen.clone();
    for log in &logs {
        let origin = origin_of(&request, log);
        let Some(head) = audit.head(log, &origin).await? else { continue };
        // A log says where the one before it ended.
        if let Some(Leaf::Link { size, root, origin: before }) = audit.first(log, head.checkpoint.size).await? {
            let place = format!("the log after it, {origin}");
            seen.push(Seen { place, checkpoint: Checkpoint { origin: before, size, root } });
        }
        heads.push((log, head));
    }
    for remembered in &request.memory {
        if let Some(root) = hex::decode(&remembered.root).ok().and_then(|root| root.try_into().ok()) {
            let checkpoint = Checkpoint { origin: remembered.origin.clone(), size: remembered.size, root };
            seen.push(Seen { place: "an earlier run".to_owned(), checkpoint });
        }
    }
    for (log, head) in &heads {
        audit.log(log, head, &seen).await?;
    }
    audit.missing_logs(&heads, &seen);
    audit.missing_files(&heads);
    let kept = request.memory.iter().filter(|old| heads.iter().all(|(_, head)| head.checkpoint.origin != old.origin));
    audit.results.memory.extend(kept.cloned());
    Ok(audit.results)
}

/// The name that a log in that folder must have.
fn origin_of(request: &AuditRequest, log: &ArchivedLog) -> String {
    let (account, region, name) = &request.trail;
    let began = log.folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("opentrail/{account}/{region}/{name}/{began}")
}

/// What a log says of itself.
struct Head {
    checkpoint: Checkpoint,
    /// The key that has signed it; `None` where no key is known.
    key: Option<VerifierKey>,
}

struct Audit<'a> {
    request: &'a AuditRequest,
    results: AuditResults,
    /// [`file_name`] of all files that logs tell of.
    logged: HashSet<String>,
    /// Delivery of the newest of them.
    newest: Option<EventTime>,
}

/// A file whose entries are being read.
struct OpenFile {
    bucket: String,
    key: String,
    hash: Hash,
    records: u32,
    /// Hash and ID of its records.
    events: Vec<(Hash, String)>,
}

type Comparing = JoinHandle<Result<FileVerdict, ArchiveError>>;

impl Audit<'_> {
    fn log_finding(&mut self, origin: &str, why: impl Into<String>) {
        self.results.findings.push(AuditFinding::Log { origin: origin.to_owned(), why: why.into() });
    }

    /// Passes on what cannot be told; what is told is a finding.
    fn said<T>(&mut self, origin: &str, read: Result<T, ReadError>) -> Result<Option<T>, ArchiveError> {
        match read {
            Ok(done) => Ok(Some(done)),
            Err(ReadError::Failed(why)) => Err(ArchiveError::Failed(origin.to_owned(), why)),
            Err(error) => {
                self.log_finding(origin, error.to_string());
                Ok(None)
            }
        }
    }

    /// The log's checkpoint, if it can be believed.
    async fn head(&mut self, log: &ArchivedLog, origin: &str) -> Result<Option<Head>, ArchiveError> {
        let read = log.checkpoint().await;
        let Some((note, checkpoint)) = self.said(origin, read)? else { return Ok(None) };
        if checkpoint.origin != origin {
            self.log_finding(origin, format!("its checkpoint is that of {}", checkpoint.origin));
            return Ok(None);
        }
        let key = key_of_log(&self.request.keys, origin);
        if let Some(Err(why)) = key.as_ref().map(|key| note.verified_by(key)) {
            self.log_finding(origin, format!("checkpoint: {why}"));
            return Ok(None);
        }
        Ok(Some(Head { checkpoint, key }))
    }

    /// The first entry.
    async fn first(&mut self, log: &ArchivedLog, size: u64) -> Result<Option<Leaf>, ArchiveError> {
        if size == 0 {
            return Ok(None);
        }
        match bundle(log, 0, size).await {
            Ok(entries) => Ok(entries.first().and_then(|entry| Leaf::parse(entry))),
            Err(ReadError::Failed(why)) => Err(ArchiveError::Failed(log.folder.clone(), why)),
            // Told when the whole log is read.
            Err(_) => Ok(None),
        }
    }

    /// One log: its tree, what others have seen of it, its files.
    async fn log(&mut self, log: &ArchivedLog, head: &Head, seen: &[Seen]) -> Result<(), ArchiveError> {
        let Checkpoint { origin, size, root } = &head.checkpoint;
        let before = self.results.findings.len();
        let mut seen: Vec<&Seen> = seen.iter().filter(|seen| seen.checkpoint.origin == *origin).collect();
        seen.sort_by_key(|seen| seen.checkpoint.size);
        for seen in seen.iter().filter(|seen| seen.checkpoint.size > *size) {
            let (there, place) = (seen.checkpoint.size, &seen.place);
            self.log_finding(
                origin,
                format!("it has {size} entries, and {place} has seen {there}: its end was cut off"),
            );
        }
        let grown = self.grow(log, head, &seen).await?;
        if let Some(grown) = &grown
            && grown != root
        {
            self.log_finding(origin, "its entries do not lead to the root of its checkpoint");
        }
        let is_valid = self.results.findings.len() == before && grown.is_some();
        self.results.logs.push(LogVerdict {
            origin: origin.clone(),
            size: *size,
            is_signed: head.key.is_some(),
            is_valid,
        });
        let old = self.request.memory.iter().find(|old| old.origin == *origin);
        if is_valid {
            let key = head.key.as_ref().map(ToString::to_string).unwrap_or_default();
            let root = hex::encode(root);
            let compared_from = self.request.start.0.min(old.map_or(i64::MAX, |old| old.compared_from));
            self.results.memory.push(AuditedLog { origin: origin.clone(), size: *size, root, key, compared_from });
        } else {
            self.results.memory.extend(old.cloned());
        }
        Ok(())
    }

    /// Reads all entries, and compares with tiles and with what others have seen; gives the root. `None` where parts of it are missing.
    async fn grow(&mut self, log: &ArchivedLog, head: &Head, seen: &[&Seen]) -> Result<Option<Hash>, ArchiveError> {
        let Checkpoint { origin, size, .. } = &head.checkpoint;
        let size = *size;
        let mut seen: VecDeque<&Seen> = seen.iter().copied().filter(|seen| seen.checkpoint.size <= size).collect();
        let (mut tree, mut open) = (Tree::default(), None);
        let mut comparing: VecDeque<(OpenFile, Comparing)> = VecDeque::new();
        let read = |index| {
            let log = log.clone();
            tokio::spawn(async move {
                let row = tile(&log, TileId { level: 0, index }, size).await;
                (index, bundle(&log, index, size).await, row)
            })
        };
        let mut bundles = futures_util::stream::iter((0..size.div_ceil(TILE_WIDTH)).map(read)).buffered(AHEAD);
        while let Some(read) = bundles.next().await {
            let (index, entries, row) =
                read.map_err(|error| ArchiveError::Failed(origin.clone(), error.to_string()))?;
            let (Some(entries), Some(row)) = (self.said(origin, entries)?, self.said(origin, row)?) else {
                return Ok(None);
            };
            let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            if hashes != row {
                self.log_finding(origin, format!("its entries from {} on differ from its tile", index * TILE_WIDTH));
            }
            let mut full = Vec::new();
            for (entry, hash) in entries.iter().zip(hashes) {
                self.compare_seen(&tree, &mut seen, origin);
                tree.append(hash, |tile, row| full.push((tile, row)));
                open = self.take(origin, tree.size() - 1, entry, open, &mut comparing).await?;
            }
            for (id, row) in full.into_iter().filter(|(id, _)| id.level > 0) {
                self.compare_tile(log, origin, id, size, &row).await?;
            }
        }
        self.compare_seen(&tree, &mut seen, origin);
        let partial: Vec<(TileId, Vec<Hash>)> = tree.partial().map(|(id, row)| (id, row.to_vec())).collect();
        for (id, row) in partial.into_iter().filter(|(id, _)| id.level > 0) {
            self.compare_tile(log, origin, id, size, &row).await?;
        }
        if open.is_some() {
            self.log_finding(origin, "it ends amid the events of a log file");
        }
        while let Some(next) = comparing.pop_front() {
            self.compared(next).await?;
        }
        Ok(Some(tree.root()))
    }

    /// Compares with checkpoints that were seen when the log had this size.
    fn compare_seen(&mut self, tree: &Tree, seen: &mut VecDeque<&Seen>, origin: &str) {
        while let Some(next) = seen.front().filter(|seen| seen.checkpoint.size <= tree.size()) {
            if next.checkpoint.root == tree.root() {
                self.results.agreed += 1;
            } else {
                let (there, place) = (next.checkpoint.size, &next.place);
                self.log_finding(
                    origin,
                    format!("its first {there} entries are not those that {place} has seen: it was rewritten"),
                );
            }
            seen.pop_front();
        }
    }

    async fn compare_tile(
        &mut self,
        log: &ArchivedLog,
        origin: &str,
        id: TileId,
        size: u64,
        row: &[Hash],
    ) -> Result<(), ArchiveError> {
        let read = tile(log, id, size).await;
        if let Some(found) = self.said(origin, read)?
            && found != row
        {
            self.log_finding(origin, format!("tile {} of level {} differs from its entries", id.index, id.level));
        }
        Ok(())
    }

    /// Takes the next entry: a file, or an event of the file that is open.
    async fn take(
        &mut self,
        origin: &str,
        index: u64,
        entry: &Bytes,
        open: Option<OpenFile>,
        comparing: &mut VecDeque<(OpenFile, Comparing)>,
    ) -> Result<Option<OpenFile>, ArchiveError> {
        let mut file = match (Leaf::parse(entry), open) {
            (Some(Leaf::Event { position, hash, id }), Some(mut file)) if position as usize == file.events.len() => {
                file.events.push((hash, id));
                file
            }
            (Some(Leaf::File { records, hash, bucket, key }), None) => {
                OpenFile { bucket, key, hash, records, events: Vec::new() }
            }
            (Some(Leaf::Link { .. }), None) if index == 0 => return Ok(None),
            _ => {
                self.log_finding(origin, format!("entry {index} is out of place"));
                return Ok(None);
            }
        };
        if file.events.len() < file.records as usize {
            return Ok(Some(file));
        }
        self.logged.insert(file_name(&file.key).to_owned());
        let delivered = delivered_at(&file.key);
        self.newest = self.newest.max(delivered);
        let is_asked = delivered.is_none_or(|time| time >= self.request.start && time <= self.request.end);
        let known = self.request.memory.iter().find(|known| known.origin == origin && index < known.size);
        let is_asked = is_asked && known.zip(delivered).is_none_or(|(known, time)| time.0 < known.compared_from);
        let listed = self.request.digests.files.get(file_name(&file.key)).map(|listed| listed.is_valid);
        // What the digests say of a file that was touched, or is gone, is said already.
        if is_asked && listed != Some(false) {
            self.look_for_digest(&file, delivered, listed.is_some());
            while comparing.len() >= self.request.parallel.max(1) {
                let Some(next) = comparing.pop_front() else { break };
                self.compared(next).await?;
            }
            let expected = Expected { hash: file.hash, events: std::mem::take(&mut file.events) };
            let (archive, bucket, key) = (Arc::clone(&self.request.archive), file.bucket.clone(), file.key.clone());
            let task = tokio::spawn(async move { check_file(archive.as_ref(), &bucket, &key, expected).await });
            comparing.push_back((file, task));
        }
        Ok(None)
    }

    /// A file that the log tells of must be in a digest, once there is one of its time.
    fn look_for_digest(&mut self, file: &OpenFile, delivered: Option<EventTime>, is_listed: bool) {
        let Listed { folders, covered, .. } = &self.request.digests;
        let (Some((from, to)), Some(time)) = (covered, delivered) else { return };
        // Its name tells the time by five minutes.
        let is_covered = time >= *from && EventTime(time.0.saturating_add(SLOT)) <= *to;
        if !is_listed && is_covered && folders.iter().any(|folder| file.key.starts_with(folder.as_str())) {
            let (bucket, key) = (file.bucket.clone(), file.key.clone());
            let why = "it is in the transparency log, and no digest lists it".to_owned();
            self.results.findings.push(AuditFinding::File { bucket, key, why });
        }
    }

    async fn compared(&mut self, (file, task): (OpenFile, Comparing)) -> Result<(), ArchiveError> {
        let verdict = task.await.map_err(|error| ArchiveError::Failed(file.key.clone(), error.to_string()))??;
        self.results.files += 1;
        let why = match verdict {
            FileVerdict::Same => return Ok(()),
            FileVerdict::Gone => "not found, and the transparency log tells of it".to_owned(),
            FileVerdict::Differs(why) => format!("differs from what the transparency log says: {why}"),
        };
        self.results.findings.push(AuditFinding::File { bucket: file.bucket, key: file.key, why });
        Ok(())
    }

    /// Logs that somebody has seen and that are not there.
    fn missing_logs(&mut self, heads: &[(&ArchivedLog, Head)], seen: &[Seen]) {
        let (account, region, name) = &self.request.trail;
        let trail = format!("opentrail/{account}/{region}/{name}/");
        let is_there = |origin: &str| heads.iter().any(|(_, head)| head.checkpoint.origin == origin);
        let mut told: HashSet<&str> = HashSet::new();
        for Seen { place, checkpoint } in seen.iter().filter(|seen| seen.checkpoint.origin.starts_with(&trail)) {
            let origin = checkpoint.origin.as_str();
            // What a later log tells of may lie in another bucket; what is wrong with its checkpoint is said already.
            let is_told = self
                .results
                .findings
                .iter()
                .any(|finding| matches!(finding, AuditFinding::Log { origin: told, .. } if told == origin));
            if !is_there(origin) && !is_told && !place.starts_with("the log after it") && told.insert(origin) {
                let why = format!("not found, and {place} has seen {} entries of it", checkpoint.size);
                self.results.findings.push(AuditFinding::Log { origin: origin.to_owned(), why });
            }
        }
    }

    /// Log files that digests list and no log tells of, though it tells of later ones.
    fn missing_files(&mut self, heads: &[(&ArchivedLog, Head)]) {
        // Before the first log began, nothing was logged.
        let began = heads.first().and_then(|(log, _)| began_at(&log.folder));
        let (Some(began), Some(newest)) = (began, self.newest) else { return };
        if self.results.logs.iter().any(|log| !log.is_valid) {
            return;
        }
        for (name, listed) in self.request.digests.files.iter().filter(|(_, listed)| listed.is_valid) {
            let is_between = delivered_at(&listed.key)
                .is_some_and(|time| time > began && EventTime(time.0.saturating_add(SLOT)) <= newest);
            if is_between && !self.logged.contains(name) {
                let (bucket, key) = (listed.bucket.clone(), listed.key.clone());
                let why = "the transparency log does not tell of it".to_owned();
                self.results.findings.push(AuditFinding::File { bucket, key, why });
            }
        }
    }
}

fn began_at(folder: &str) -> Option<EventTime> {
    let stamp = folder.trim_end_matches('/').rsplit('/').next()?;
    let part = |from: usize, to: usize| stamp.get(from..to);
    EventTime::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    ))
}
