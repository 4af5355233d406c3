//! Fetching: digests ahead of the walk, log files side by side. What breaks off is tried again.

use super::archive::{Archive, ArchiveError, Body};
use super::check::{LogCheck, Parsed, parse};
use super::report::Verdict;
use super::walk::Chain;
use crate::digest::ListedFile;
use crate::off_thread::joined;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Digests that are fetched before they are asked for.
const AHEAD: usize = 32;
/// How often a file is tried whose transfer breaks off.
const TRIES: usize = 4;
/// A log file up to this size, as stored, is at hand whole before it is inflated, bytes.
const GATHERED_MAX: usize = 256 << 10;
/// The largest digest file as stored, bytes.
const DIGEST_FILE_MAX: usize = 64 << 20;

/// Reads an archive, so many log files at once.
pub(crate) struct Fetcher {
    pub(crate) archive: Arc<dyn Archive>,
    permits: Arc<Semaphore>,
    benches: Benches,
}

/// A log file that is being checked.
pub(crate) type Checking = JoinHandle<Result<Verdict, ArchiveError>>;

impl Fetcher {
    pub(crate) fn new(archive: Arc<dyn Archive>, parallel: usize) -> Fetcher {
        Fetcher { archive, permits: Arc::new(Semaphore::new(parallel)), benches: Benches::default() }
    }

    /// Starts to check a log file, once there is room for one more.
    pub(crate) async fn check_log(&self, log: &ListedFile) -> Checking {
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
}

type Fetched = Result<Result<Parsed, String>, ArchiveError>;

/// Digests that are being fetched.
pub(crate) struct Ahead<'a> {
    fetcher: &'a Fetcher,
    fetching: HashMap<String, JoinHandle<Fetched>>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(fetcher: &'a Fetcher) -> Ahead<'a> {
        Ahead { fetcher, fetching: HashMap::new() }
    }

    /// A digest, or why it is none; begins to fetch some of those that come next.
    pub(crate) async fn fetch<'k>(
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
        let archive = Arc::clone(&self.fetcher.archive);
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

/// Inflaters and buffers that were used and may be used again: making them costs as much as a small file. One is taken
/// only while there is something to be computed, so that there are as many as processors, and they stay in their caches.
#[derive(Clone, Default)]
struct Benches(Arc<Mutex<Vec<Bench>>>);

struct Bench {
    check: LogCheck,
    buffer: Vec<u8>,
}

impl Benches {
    fn take(&self) -> Bench {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Bench { check: LogCheck::new(), buffer: vec![0; GATHERED_MAX] })
    }

    fn give_back(&self, bench: Bench) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bench);
    }

    /// Lends a bench; one on which something failed is not given back.
    fn with<T>(&self, work: impl FnOnce(&mut Bench) -> Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        let mut bench = self.take();
        let done = work(&mut bench)?;
        self.give_back(bench);
        Ok(done)
    }
}

async fn check_log(archive: &dyn Archive, log: &ListedFile, benches: &Benches) -> Result<Verdict, ArchiveError> {
    let object = archive.get(&log.s3_bucket, &log.s3_object).await?;
    match object.body {
        Body::Stream(chunks) => check_stream(chunks, &log.hash_value, benches).await,
        // Read right here, though it may wait for the disk: the threads of the runtime have nothing else to do, and handing
        // each small file to another thread and back costs as much as reading it.
        Body::File(mut file) => benches.with(|bench| {
            check_file(&mut file, &log.hash_value, bench)
                .map_err(|error| ArchiveError::Failed(log.s3_object.clone(), error.to_string()))
        }),
    }
}

fn check_file(file: &mut impl Read, hash: &str, Bench { check, buffer }: &mut Bench) -> std::io::Result<Verdict> {
    let mut filled = 0;
    let mut is_whole = true;
    loop {
        let count = file.read(buffer.get_mut(filled..).unwrap_or_default())?;
        filled += count;
        let bytes = buffer.get(..filled).unwrap_or_default();
        match count {
            0 if is_whole => return Ok(check.check(bytes, hash)),
            0 => {
                check.push(bytes);
                return Ok(check.finish(hash));
            }
            _ if filled == buffer.len() => {
                check.push(bytes);
                (filled, is_whole) = (0, false);
            }
            _ => {}
        }
    }
}

/// A small file is gathered before it is looked at, a large one is looked at as it comes.
async fn check_stream(
    mut chunks: BoxStream<'static, Result<Bytes, ArchiveError>>,
    hash: &str,
    benches: &Benches,
) -> Result<Verdict, ArchiveError> {
    let (mut gathered, mut size) = (Vec::new(), 0);
    while size <= GATHERED_MAX {
        match chunks.next().await {
            Some(chunk) => {
                let chunk = chunk?;
                size += chunk.len();
                gathered.push(chunk);
            }
            None => return benches.with(|bench| Ok(check_gathered(&gathered, hash, bench))),
        }
    }
    let mut bench = benches.take();
    gathered.drain(..).for_each(|chunk| bench.check.push(&chunk));
    while let Some(chunk) = chunks.next().await {
        bench.check.push(&chunk?);
    }
    let verdict = bench.check.finish(hash);
    benches.give_back(bench);
    Ok(verdict)
}

fn check_gathered(chunks: &[Bytes], hash: &str, Bench { check, buffer }: &mut Bench) -> Verdict {
    if let [chunk] = chunks {
        return check.check(chunk, hash);
    }
    let mut filled = 0;
    for chunk in chunks {
        if let Some(room) = buffer.get_mut(filled..filled + chunk.len()) {
            room.copy_from_slice(chunk);
            filled += chunk.len();
        }
    }
    check.check(buffer.get(..filled).unwrap_or_default(), hash)
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

/// The bucket that the digests of a chain say they lie in, for a folder of which nobody said. Nobody may have signed the newest: what
/// it says of the one before must agree.
///
/// # Errors
/// [`ArchiveError`] when there are none, or they cannot be read.
pub async fn bucket_of(archive: &dyn Archive, chain: &Chain) -> Result<String, ArchiveError> {
    let folder = chain.digest_folder();
    let keys = archive.list("", &folder, "", &|_| false).await?;
    for key in keys.iter().rev().filter(|key| chain.end_of(key).is_some()) {
        if let Ok(Parsed { digest, .. }) = fetch_digest(archive, "", key).await? {
            let (bucket, before) = (digest.digest_s3_bucket, digest.previous_digest_s3_bucket);
            return match before.filter(|before| *before != bucket) {
                None => Ok(bucket),
                Some(before) => {
                    let why = format!("it says that it lies in {bucket}, the one before in {before}: give --s3-bucket");
                    Err(ArchiveError::Failed(key.clone(), why))
                }
            };
        }
    }
    Err(ArchiveError::Failed(folder, "no digests lie there: name the bucket, the prefix and the Region".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{compress, sha256_hex};
    use futures_util::stream;

    /// Files that are smaller and larger than what is gathered; content that does not compress.
    fn files() -> impl Iterator<Item = Vec<u8>> {
        [0, 1, 1000, GATHERED_MAX - 200, GATHERED_MAX, 3 * GATHERED_MAX].into_iter().map(|size| {
            let mut state = 1u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..size).map(|_| next()).collect()
        })
    }

    #[tokio::test]
    async fn a_log_file_is_the_same_file_in_a_folder_and_in_any_pieces() {
        let benches = Benches::default();
        for content in files() {
            let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
            for (file, expected) in [
                (file.clone(), Verdict::Valid),
                ([&file[..], b"x"].concat(), Verdict::invalid("unexpected data after end of compressed stream")),
                (b"no gzip".repeat(file.len() / 7 + 1), Verdict::invalid("invalid format")),
            ] {
                let verdict = benches.with(|bench| Ok(check_file(&mut &file[..], &hash, bench).unwrap())).unwrap();
                assert_eq!(verdict, expected, "a file of {} bytes", file.len());
                for piece in [file.len(), 1000, 64 * 1024] {
                    let pieces: Vec<_> = file.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                    let verdict = check_stream(stream::iter(pieces).boxed(), &hash, &benches).await.unwrap();
                    assert_eq!(verdict, expected, "{} bytes in pieces of {piece}", file.len());
                }
            }
        }
    }

    #[tokio::test]
    async fn a_transfer_that_breaks_off_leaves_nothing_behind() {
        let benches = Benches::default();
        let content = b"content".repeat(10);
        let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
        for before in [10, 2 * GATHERED_MAX] {
            let broken = ArchiveError::Failed("k".to_owned(), "broken off".to_owned());
            let pieces = [Ok(Bytes::from(vec![b'x'; before])), Err(broken.clone())];
            let end = check_stream(stream::iter(pieces).boxed(), &hash, &benches).await;
            assert_eq!(end, Err(broken));
            let whole = stream::iter([Ok(Bytes::from(file.clone()))]).boxed();
            assert_eq!(check_stream(whole, &hash, &benches).await, Ok(Verdict::Valid));
        }
    }
}
