//! Is a trail's transparency log what it should be? Its tree, from its entries; its tiles and its checkpoint; checkpoints that were
//! seen earlier or elsewhere; and the log files that it tells of, record by record. I/O, over an [`Archive`].

use super::archived::ArchivedLog;
use super::audit_file::{Expected, FileVerdict, check_file};
use super::leaf::Leaf;
use super::merkle::{Hash, TILE_WIDTH, TileId, Tree, leaf_hash};
use super::note::{Checkpoint, VerifierKey};
use super::seen::LogKeys;
use super::source::{ReadError, bundle, tile};
use crate::verify::{Archive, ArchiveError, Plain, delivered_at};
use bytes::Bytes;
use event::EventTime;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
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
    pub keys: LogKeys,
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
    /// The times whose files are all listed, here or in `before`: nothing was wrong with the digests of these.
    pub covered: Vec<(EventTime, EventTime)>,
    /// Files, by [`file_name`], that digests list which were passed over.
    pub before: HashSet<String>,
    /// Log files that were delivered before then must be in a log; `None` where nobody asked for one, which may be switched off.
    pub logged_until: Option<EventTime>,
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
    /// until then.
    #[serde(default)]
    pub compared_until: i64,
}

impl AuditedLog {
    /// Whether log files delivered at a time, of these entries, were compared.
    fn has(&self, delivered: EventTime) -> bool {
        (self.compared_from..=self.compared_until).contains(&delivered.0)
    }

    /// The times that are compared after a run over these, which compares what is new in the old ones, too.
    fn times_with(old: Option<&AuditedLog>, start: EventTime, end: EventTime) -> (i64, i64) {
        match old {
            Some(old) if start.0 <= old.compared_until && end.0 >= old.compared_from => {
                (start.0.min(old.compared_from), end.0.max(old.compared_until))
            }
            _ => (start.0, end.0),
        }
    }
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
    /// About a witness that is to be asked and says nothing.
    Witness {
        /// Where it is.
        place: String,
        /// What is missing.
        why: String,
    },
}

impl std::fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AuditFinding::Log { origin, why } => {
                write!(f, "Transparency log\t{}\tINVALID: {}", Plain(origin), Plain(why))
            }
            AuditFinding::File { bucket, key, why } => {
                write!(f, "Log file\ts3://{}/{}\tINVALID: {}", Plain(bucket), Plain(key), Plain(why))
            }
            AuditFinding::Witness { place, why } => write!(f, "Witness\t{}\tINVALID: {}", Plain(place), Plain(why)),
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
    let logs = logs(&request).await?;
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

/// All logs of the trail, the oldest first: also those at places to which the digests lead, where it delivered before or since.
async fn logs(request: &AuditRequest) -> Result<Vec<ArchivedLog>, ArchiveError> {
    let (account, region, name) = &request.trail;
    let trail = (account.as_str(), region.as_str(), name.as_str());
    let here = (request.bucket.as_str(), request.prefix.as_deref().unwrap_or_default());
    let mut logs = ArchivedLog::of_trail(&request.archive, here.0, Some(here.1), trail).await?;
    let files = request.digests.files.values();
    let mut elsewhere: BTreeSet<_> =
        files.filter_map(|file| Some((file.bucket.as_str(), prefix_of(&file.key)?))).collect();
    elsewhere.remove(&here);
    for (bucket, prefix) in elsewhere {
        // Who may read the digests and log files of another bucket may not be allowed to look for more.
        logs.extend(ArchivedLog::of_trail(&request.archive, bucket, Some(prefix), trail).await.unwrap_or_default());
    }
    logs.sort_by(|one, other| began(one).cmp(began(other)));
    Ok(logs)
}

/// The key prefix of the trail that delivered a log file, without the slash at its end.
fn prefix_of(key: &str) -> Option<&str> {
    let (prefix, _) = key.split_at(key.rfind("AWSLogs/")?);
    if prefix.is_empty() { Some(prefix) } else { prefix.strip_suffix('/') }
}

/// When a log began, as its folder is called.
fn began(log: &ArchivedLog) -> &str {
    log.folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The name that a log in that folder must have.
fn origin_of(request: &AuditRequest, log: &ArchivedLog) -> String {
    let (account, region, name) = &request.trail;
    format!("opentrail/{account}/{region}/{name}/{}", began(log))
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
        match self.request.keys.signer(&note, origin) {
            Ok(key) => Ok(Some(Head { checkpoint, key })),
            Err(why) => {
                self.log_finding(origin, format!("checkpoint: {why}"));
                Ok(None)
            }
        }
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
        // One line tells enough, however many have seen more.
        if let Some(seen) = seen.last().filter(|seen| seen.checkpoint.size > *size) {
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
            let (compared_from, compared_until) = AuditedLog::times_with(old, self.request.start, self.request.end);
            let origin = origin.clone();
            self.results.memory.push(AuditedLog { origin, size: *size, root, key, compared_from, compared_until });
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
        let AuditRequest { start, end, memory, digests, .. } = self.request;
        let listed = digests.files.get(file_name(&file.key)).map(|listed| listed.is_valid);
        let known = memory
            .iter()
            .find(|known| known.origin == origin && delivered.is_some_and(|delivered| known.has(delivered)));
        let is_asked = is_within(delivered, *start, *end) || listed.is_some() || known.is_some();
        let is_compared = known.is_some_and(|known| index < known.size);
        // What the digests say of a file that was touched, or is gone, is said already.
        if is_asked && !is_compared && listed != Some(false) {
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
        let Listed { folders, covered, before, .. } = &self.request.digests;
        let Some(time) = delivered else { return };
        // Its name tells the time by five minutes.
        let is_covered =
            covered.iter().any(|(from, to)| time >= *from && EventTime(time.0.saturating_add(SLOT)) <= *to);
        let is_listed = is_listed || before.contains(file_name(&file.key));
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

    /// Log files that digests list and no log tells of, though it tells of later ones, or there was time enough to.
    fn missing_files(&mut self, heads: &[(&ArchivedLog, Head)]) {
        // Before the first log began, nothing was logged.
        let Some(began) = heads.first().and_then(|(log, _)| time_of(began(log))) else { return };
        let newest = self.newest.unwrap_or(began);
        if self.results.logs.iter().any(|log| !log.is_valid) {
            return;
        }
        let (absent, behind) = unlogged(&self.request.digests, &self.logged, began, newest);
        for (bucket, key) in absent {
            let why = "the transparency log does not tell of it".to_owned();
            self.results.findings.push(AuditFinding::File { bucket, key, why });
        }
        if let Some((_, last)) = heads.last().filter(|_| behind > 0) {
            let files = if behind == 1 { "1 log file that was" } else { &format!("{behind} log files that were") };
            let why = format!(
                "its newest log file is of {newest}, and digests list {files} delivered since: its end was cut off, or it is not written any more"
            );
            self.log_finding(&last.checkpoint.origin, why);
        }
    }
}

/// Of the files that digests list and no log tells of: those that it tells later ones of, by bucket and key, and how many others there
/// was time enough to tell of.
fn unlogged(
    listed: &Listed,
    logged: &HashSet<String>,
    began: EventTime,
    newest: EventTime,
) -> (Vec<(String, String)>, u64) {
    let (mut absent, mut behind) = (Vec::new(), 0);
    let unlogged = listed.files.iter().filter(|(name, file)| file.is_valid && !logged.contains(*name));
    for (_, file) in unlogged {
        let Some(time) = delivered_at(&file.key).filter(|time| *time > began) else { continue };
        let ended = EventTime(time.0.saturating_add(SLOT));
        if ended <= newest {
            absent.push((file.bucket.clone(), file.key.clone()));
        } else if listed.logged_until.is_some_and(|until| ended <= until) {
            behind += 1;
        }
    }
    (absent, behind)
}

/// Whether a log file belongs to a range: its name tells the time rounded down. One that tells none belongs to all.
fn is_within(delivered: Option<EventTime>, start: EventTime, end: EventTime) -> bool {
    delivered.is_none_or(|time| time.0.saturating_add(SLOT) > start.0 && time <= end)
}

/// `YYYYMMDDTHHMMSSZ`.
fn time_of(stamp: &str) -> Option<EventTime> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: EventTime = EventTime(1_768_471_200 + 110); // 10:01:50
    const END: EventTime = EventTime(START.0 + 7200);

    #[test]
    fn a_key_tells_the_prefix_of_its_trail() {
        let key = "AWSLogs/1/CloudTrail/r/2026/01/15/1_CloudTrail_r_20260115T1000Z_a.json.gz";
        assert_eq!(prefix_of(key), Some(""));
        assert_eq!(prefix_of(&format!("AWSLogs/of/{key}")), Some("AWSLogs/of"));
        assert_eq!((prefix_of(&format!("no{key}")), prefix_of("x.json.gz")), (None, None));
    }

    #[test]
    fn a_file_whose_slot_began_before_the_start_is_compared_too() {
        let slot = |seconds: i64| Some(EventTime(1_768_471_200 + seconds));
        assert!(is_within(slot(0), START, END) && is_within(None, START, END));
        assert!(!is_within(slot(-SLOT), START, END) && !is_within(slot(7500), START, END));
    }

    #[test]
    fn a_file_that_digests_list_is_in_the_log_or_it_is_told() {
        let at = |seconds: i64| EventTime(1_768_471_200 + seconds); // 10:00:00
        let key =
            |slot: &str| format!("AWSLogs/1/CloudTrail/r/2026/01/15/1_CloudTrail_r_20260115T{slot}Z_{slot}.json.gz");
        let file = |slot: &str| {
            let listed = ListedFile { bucket: "b".to_owned(), key: key(slot), is_valid: true };
            (file_name(&key(slot)).to_owned(), listed)
        };
        let files: HashMap<String, ListedFile> = ["0955", "1005", "1010", "1020", "1200"].map(file).into();
        let logged = HashSet::from(["1010".to_owned()]);
        let told = |newest: EventTime, logged_until| {
            unlogged(&Listed { files: files.clone(), logged_until, ..Listed::default() }, &logged, at(-60), newest)
        };
        assert_eq!(told(at(600), None), (vec![("b".to_owned(), key("1005"))], 0), "nobody asked for a log");
        assert_eq!(told(at(600), Some(at(3600))).1, 1, "that of 10:20; for that of 12:00 there was no time yet");
        assert_eq!(told(at(600), Some(at(1499))).1, 0, "its slot had not ended");
    }

    #[test]
    fn only_what_was_compared_is_remembered_as_compared() {
        let first = AuditedLog { compared_from: 100, compared_until: 200, ..AuditedLog::default() };
        assert!(first.has(EventTime(200)) && !first.has(EventTime(201)) && !first.has(EventTime(99)));
        assert_eq!(AuditedLog::times_with(None, EventTime(5), EventTime(7)), (5, 7));
        assert_eq!(AuditedLog::times_with(Some(&first), EventTime(150), EventTime(300)), (100, 300));
        // In between nothing was compared.
        assert_eq!(AuditedLog::times_with(Some(&first), EventTime(250), EventTime(300)), (250, 300));
        let before_there_was_an_end: AuditedLog =
            serde_json::from_str(r#"{"origin":"o","size":7,"root":"","compared_from":0}"#).unwrap();
        assert!(!before_there_was_an_end.has(EventTime(150)));
    }
}
