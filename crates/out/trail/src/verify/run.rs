//! Fetching: digests ahead of the walk, log files side by side, verdicts in the order of the chain.

use super::archive::{Archive, ArchiveError, Body};
use super::check::{LogCheck, Parsed, parse, verify};
use super::keys::{KeySource, PublicKeys};
use super::report::{Counts, Finding, Verdict};
use super::state::{Memory, Stretch};
use super::tail::{Listed, Tail, by_log_files, by_status};
use super::walk::{Outcome, Then, Walk, sort_keys};
use crate::digest::ListedFile;
use crate::off_thread::joined;
use event::EventTime;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

pub use super::walk::Chain;

/// Digests that are fetched before they are asked for.
const AHEAD: usize = 32;
/// Verdicts that may wait for one that takes longer, for each file that is read at once.
const WAITING: usize = 8;
/// How often a file is tried whose transfer breaks off.
const TRIES: usize = 4;
/// The largest digest file as stored, bytes.
const DIGEST_FILE_MAX: usize = 64 << 20;

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
    /// What was verified before.
    pub memory: Memory,
}

/// What a verification comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Results {
    /// Digest files.
    pub digests: Counts,
    /// Backfill digest files.
    pub backfill: Counts,
    /// Log files.
    pub logs: Counts,
    /// Stretches of digests that are missing and could not be named.
    pub missing: u64,
    /// The times that valid digests cover.
    pub found: Option<(EventTime, EventTime)>,
    /// Digests that were verified by an earlier run and not looked at again.
    pub remembered_digests: u64,
    /// Log files of these.
    pub remembered_logs: u64,
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

impl Results {
    /// Whether something is not as it was delivered.
    pub fn is_bad(&self) -> bool {
        self.digests.invalid + self.backfill.invalid + self.logs.invalid + self.missing > 0
    }
}

/// In the order of the chain.
enum Item {
    Finding(Finding),
    /// A digest, and whether it is genuine; its log files follow.
    Digest(Finding, Box<Parsed>, bool),
    Log(ListedFile, JoinHandle<Result<Verdict, ArchiveError>>),
    Skipped(Box<Stretch>),
}

struct Context {
    archive: Arc<dyn Archive>,
    keys: Arc<dyn KeySource>,
    request: Request,
    permits: Arc<Semaphore>,
    benches: Benches,
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
    let context =
        Context { archive, keys, request, permits: Arc::new(Semaphore::new(parallel)), benches: Benches::default() };
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
        let (standard, backfill) = self.list(bucket).await?;
        let until = EventTime(end.0.saturating_add(7200));
        let keys = self.keys.keys(*start, until).await?;
        if keys.is_empty() {
            return Err(VerifyError::NoKeys(*start, until));
        }
        let newest = standard.last().and_then(|key| chain.end_of(key));
        let mut listed = Listed::default();
        let walked = self.walk(standard, keys, false, &mut listed, items).await?;
        if let Some(finding) = self.cut_tail(newest, &walked, &listed).await? {
            let _ = items.send(Item::Finding(finding)).await;
        }
        self.walk(backfill, PublicKeys::default(), true, &mut listed, items).await?;
        Ok(())
    }

    async fn list(&self, bucket: &str) -> Result<(Vec<String>, Vec<String>), ArchiveError> {
        let Request { chain, start, end, .. } = &self.request;
        let prefix = chain.digest_folder();
        let after = chain.digest_key(EventTime(start.0 - 60), false);
        let last = chain.digest_key(EventTime(end.0.saturating_add(3600)), true);
        let folder_of_last = last.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}0"));
        // `0` comes after `/`: everything that sorts behind the folder of the last day.
        let keys = self.archive.list(bucket, &prefix, &after, &|key| key > folder_of_last.as_str()).await?;
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
        let Request { chain, bucket, start, end, memory, .. } = &self.request;
        let remembered = if backfill { Vec::new() } else { memory.stretches.clone() };
        let mut walk = Walk::new(chain, bucket, keys_listed, *start, backfill, remembered);
        let mut ahead = Ahead::new(self);
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
                && let Some(at) = parsed.backfill_at
                && keys.find(&parsed.digest.digest_public_key_fingerprint).is_none()
            {
                keys.extend(self.keys.keys(EventTime(at.0 - 3600), EventTime(at.0 + 3600)).await?);
            }
            let (findings, then) = match &fetched {
                Err(why) => walk.take(Outcome::Bad(why.clone())),
                Ok(parsed) => match parsed.signature.as_deref().or(walk.signature()) {
                    None => walk.take(Outcome::Unsigned(parsed)),
                    Some(signature) => match verify(parsed, (bucket, key), signature, &keys, &chain.home_region) {
                        Ok(()) => walk.take(Outcome::Good(parsed)),
                        Err(why) => walk.take(Outcome::Bad(why)),
                    },
                },
            };
            // What comes after the digest and its log files: the gap before it.
            let gaps = findings.iter().filter(|finding| matches!(finding, Finding::Gap { .. })).count();
            let (before, after) = findings.split_at(findings.len() - gaps);
            let parsed = fetched.ok().filter(|_| then == Then::CheckLogs);
            for (number, finding) in before.iter().enumerate() {
                let item = match &parsed {
                    Some(parsed) if number + 1 == before.len() => {
                        let genuine = matches!(finding, Finding::Digest { verdict: Verdict::Valid, .. });
                        Item::Digest(finding.clone(), Box::new(parsed.clone()), genuine)
                    }
                    _ => Item::Finding(finding.clone()),
                };
                let _ = items.send(item).await;
            }
            if let Some(parsed) = parsed {
                if !skipped {
                    covered_from = Some(parsed.start);
                }
                for log in parsed.digest.log_files {
                    listed.add(&log.s3_bucket, &log.s3_object);
                    let checking = self.check_log(&log).await;
                    let _ = items.send(Item::Log(log, checking)).await;
                }
            }
            if let Then::Skip(stretch) = then {
                skipped = true;
                let _ = items.send(Item::Skipped(stretch)).await;
            }
            for finding in after {
                let _ = items.send(Item::Finding(finding.clone())).await;
            }
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

    /// Starts to check a log file, once there is room for one more.
    async fn check_log(&self, log: &ListedFile) -> JoinHandle<Result<Verdict, ArchiveError>> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let (archive, log, benches) = (Arc::clone(&self.archive), log.clone(), self.benches.clone());
        tokio::spawn(async move {
            let verdict = insist(|| check_log(archive.as_ref(), &log, &benches)).await;
            drop(permit);
            match verdict {
                Err(ArchiveError::NotFound) => Ok(Verdict::invalid("not found")),
                other => other,
            }
        })
    }

    /// Whether the end of the chain was cut off.
    async fn cut_tail(
        &self,
        newest: Option<EventTime>,
        walked: &Walked,
        listed: &Listed,
    ) -> Result<Option<Finding>, ArchiveError> {
        let Request { chain, bucket, start, end, now, latest_delivery, .. } = &self.request;
        let Some(newest) = newest else {
            let is_home = chain.region == chain.home_region;
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
        if walked.window <= 0 || newest.0 + walked.window >= end.0.min(now.0) {
            return Ok(None);
        }
        let folder = chain.log_folder();
        let (year, month, day, ..) = covered_from.civil();
        let after = format!("{folder}{year:04}/{month:02}/{day:02}/");
        let (year, month, day, ..) = end.civil();
        let last = format!("{folder}{year:04}/{month:02}/{day:02}0");
        let keys = self.archive.list(bucket, &folder, &after, &|key| key > last.as_str()).await?;
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

type Fetched = Result<Result<Parsed, String>, ArchiveError>;

/// Digests that are being fetched.
struct Ahead<'a> {
    context: &'a Context,
    fetching: HashMap<String, JoinHandle<Fetched>>,
}

impl<'a> Ahead<'a> {
    fn new(context: &'a Context) -> Ahead<'a> {
        Ahead { context, fetching: HashMap::new() }
    }

    /// A digest, or why it is none; begins to fetch some of those that come next.
    async fn fetch<'k>(
        &mut self,
        bucket: &str,
        key: &str,
        upcoming: impl Iterator<Item = &'k str>,
    ) -> Result<Result<Parsed, String>, ArchiveError> {
        let this = self.fetching.remove(key).unwrap_or_else(|| self.begin(bucket, key));
        for next in upcoming.take(AHEAD) {
            if self.fetching.len() < AHEAD && !self.fetching.contains_key(next) {
                let fetching = self.begin(bucket, next);
                self.fetching.insert(next.to_owned(), fetching);
            }
        }
        match joined(this).await {
            Err(ArchiveError::NotFound) => Ok(Err("not found".to_owned())),
            other => other,
        }
    }

    fn begin(&self, bucket: &str, key: &str) -> JoinHandle<Fetched> {
        let archive = Arc::clone(&self.context.archive);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        tokio::spawn(async move { insist(|| fetch_digest(archive.as_ref(), &bucket, &key)).await })
    }
}

async fn fetch_digest(archive: &dyn Archive, bucket: &str, key: &str) -> Fetched {
    let object = archive.get(bucket, key).await?;
    let mut bytes = Vec::new();
    match object.body {
        Body::File(file) => {
            let read = file.take(DIGEST_FILE_MAX as u64).read_to_end(&mut bytes);
            read.map_err(|error| ArchiveError::Failed(key.to_owned(), error.to_string()))?;
        }
        Body::Stream(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() > DIGEST_FILE_MAX {
                    return Ok(Err("invalid format".to_owned()));
                }
            }
        }
    }
    Ok(parse(key, &bytes, &object.metadata, archive.keeps_metadata()))
}

/// Inflaters and buffers that were used and may be used again: making them costs as much as a small file.
#[derive(Clone, Default)]
struct Benches(Arc<Mutex<Vec<Bench>>>);

struct Bench {
    check: LogCheck,
    buffer: Vec<u8>,
}

impl Benches {
    fn take(&self) -> Bench {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Bench { check: LogCheck::new(), buffer: vec![0; 64 * 1024] })
    }

    fn give_back(&self, bench: Bench) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bench);
    }
}

async fn check_log(archive: &dyn Archive, log: &ListedFile, benches: &Benches) -> Result<Verdict, ArchiveError> {
    let object = archive.get(&log.s3_bucket, &log.s3_object).await?;
    match object.body {
        Body::Stream(mut chunks) => {
            let mut bench = benches.take();
            while let Some(chunk) = chunks.next().await {
                match chunk {
                    Ok(chunk) => bench.check.push(&chunk),
                    Err(error) => {
                        bench.check.reset();
                        benches.give_back(bench);
                        return Err(error);
                    }
                }
            }
            let verdict = bench.check.finish(&log.hash_value);
            benches.give_back(bench);
            Ok(verdict)
        }
        // Read right here, though it may wait for the disk: the threads of the runtime have nothing else to do, and handing
        // each small file to another thread and back costs as much as reading it.
        Body::File(mut file) => {
            let mut bench = benches.take();
            let Bench { check, buffer } = &mut bench;
            let read = loop {
                match file.read(buffer) {
                    Ok(0) => break Ok(()),
                    Ok(count) => check.push(buffer.get(..count).unwrap_or_default()),
                    Err(error) => break Err(ArchiveError::Failed(log.s3_object.clone(), error.to_string())),
                }
            };
            let verdict = check.finish(&log.hash_value);
            benches.give_back(bench);
            read.map(|()| verdict)
        }
    }
}

/// Tries again what failed, for a connection may break off; what is not there is not there.
async fn insist<T, F: Future<Output = Result<T, ArchiveError>>>(work: impl Fn() -> F) -> Result<T, ArchiveError> {
    let mut wait = Duration::from_millis(200);
    for _ in 1..TRIES {
        match work().await {
            Err(ArchiveError::Failed(what, why)) => tracing::debug!(what, why, "trying again"),
            done => return done,
        }
        tokio::time::sleep(wait).await;
        wait *= 3;
    }
    work().await
}

/// The bucket that the digests of a chain say they lie in, for a folder of which nobody said.
///
/// # Errors
/// [`ArchiveError`] when there are none, or they cannot be read.
pub async fn bucket_of(archive: &dyn Archive, chain: &Chain) -> Result<String, ArchiveError> {
    let folder = chain.digest_folder();
    let keys = archive.list("", &folder, "", &|_| false).await?;
    for key in keys.iter().rev().filter(|key| chain.end_of(key).is_some()) {
        if let Ok(parsed) = fetch_digest(archive, "", key).await? {
            return Ok(parsed.digest.digest_s3_bucket);
        }
    }
    Err(ArchiveError::Failed(folder, "no digests lie there: name the bucket, the prefix and the Region".to_owned()))
}

/// Counts what is found, and keeps what to remember.
struct Ledger<'a> {
    progress: &'a mut dyn Progress,
    results: Results,
    start: EventTime,
    end: EventTime,
    memory: Memory,
    /// Finished stretches of this run, newest first.
    done: Vec<Stretch>,
    current: Option<Stretch>,
    /// The digest whose log files are being told, and whether all were valid so far.
    open: Option<(Box<Parsed>, bool)>,
    saved: std::time::Instant,
}

/// How often what is to be remembered is handed over.
const REMEMBER_EVERY: Duration = Duration::from_secs(2);

impl<'a> Ledger<'a> {
    fn new(request: &Request, progress: &'a mut dyn Progress) -> Ledger<'a> {
        Ledger {
            progress,
            results: Results::default(),
            start: request.start,
            end: request.end,
            memory: request.memory.clone(),
            done: Vec::new(),
            current: None,
            open: None,
            saved: std::time::Instant::now(),
        }
    }

    async fn take(&mut self, item: Item) -> Result<(), VerifyError> {
        match item {
            Item::Log(log, checking) => {
                let verdict = joined(checking).await?;
                self.results.logs.add(&verdict);
                if let Some((_, all_valid)) = &mut self.open {
                    *all_valid &= verdict == Verdict::Valid;
                }
                self.progress.found(&Finding::Log { bucket: log.s3_bucket, key: log.s3_object, verdict });
                return Ok(());
            }
            Item::Finding(finding) => {
                self.close();
                self.done.extend(self.current.take());
                self.count(&finding);
            }
            Item::Digest(finding, parsed, genuine) => {
                self.close();
                self.count(&finding);
                self.progress.expect(parsed.digest.log_files.len() as u64);
                if genuine {
                    let (from, to) = (parsed.start.max(self.start), parsed.end.min(self.end));
                    let found = self.results.found.unwrap_or((from, to));
                    self.results.found = Some((found.0.min(from), found.1.max(to)));
                    self.open = parsed.backfill_at.is_none().then_some((parsed, true));
                }
            }
            Item::Skipped(stretch) => {
                self.close();
                self.results.remembered_digests += stretch.digests;
                self.results.remembered_logs += stretch.logs;
                let (from, to) =
                    (EventTime(stretch.oldest_start).max(self.start), EventTime(stretch.newest_end).min(self.end));
                let found = self.results.found.unwrap_or((from, to));
                self.results.found = Some((found.0.min(from), found.1.max(to)));
                self.memory.stretches.retain(|known| *known != *stretch);
                self.current = Some(match self.current.take() {
                    None => *stretch,
                    Some(current) => current.joined(*stretch),
                });
            }
        }
        if self.saved.elapsed() > REMEMBER_EVERY {
            self.saved = std::time::Instant::now();
            let memory = self.to_remember();
            self.progress.remember(&memory);
        }
        Ok(())
    }

    /// The log files of the open digest are all told.
    fn close(&mut self) {
        match self.open.take() {
            None => {}
            Some((_, false)) => self.done.extend(self.current.take()),
            Some((parsed, true)) => {
                let one = Stretch::of(&parsed);
                self.current = Some(match self.current.take() {
                    None => one,
                    Some(current) => current.joined(one),
                });
            }
        }
    }

    fn count(&mut self, finding: &Finding) {
        match finding {
            Finding::Digest { backfill: true, verdict, .. } => self.results.backfill.add(verdict),
            Finding::Digest { verdict, .. } => self.results.digests.add(verdict),
            Finding::Missing { .. } => self.results.missing += 1,
            Finding::Gap { .. } | Finding::Log { .. } => {}
        }
        self.progress.found(finding);
    }

    fn to_remember(&self) -> Memory {
        let mut stretches: Vec<Stretch> =
            self.done.iter().chain(&self.current).chain(&self.memory.stretches).cloned().collect();
        stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.newest_end));
        Memory { stretches, ..self.memory.clone() }
    }

    fn finish(mut self) -> Results {
        self.close();
        let memory = self.to_remember();
        self.progress.remember(&memory);
        self.results
    }
}
