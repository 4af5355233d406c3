//! Fetching: digests ahead of the walk, log files side by side. What breaks off is tried again.

use super::archive::{Archive, ArchiveError, Body};
use super::check::{Parsed, parse};
use super::log_files::LogFiles;
use super::report::Verdict;
use super::walk::Chain;
use crate::digest::ListedFile;
use crate::off_thread::joined;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Digests that are fetched before they are asked for.
const AHEAD: usize = 32;
/// How often a file is tried whose transfer breaks off.
const TRIES: usize = 4;
/// The largest digest file as stored, bytes.
const DIGEST_FILE_MAX: usize = 64 << 20;

/// Reads an archive, so many log files at once.
pub(crate) struct Fetcher {
    pub(crate) archive: Arc<dyn Archive>,
    permits: Arc<Semaphore>,
    log_files: LogFiles,
}

/// A log file that is being checked.
pub(crate) type Checking = JoinHandle<Result<Verdict, ArchiveError>>;

impl Fetcher {
    pub(crate) fn new(archive: Arc<dyn Archive>, parallel: usize) -> Fetcher {
        Fetcher { archive, permits: Arc::new(Semaphore::new(parallel)), log_files: LogFiles::default() }
    }

    /// Starts to check a log file, once there is room for one more.
    pub(crate) async fn check_log(&self, log: &ListedFile) -> Checking {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let (archive, log, log_files) = (Arc::clone(&self.archive), log.clone(), self.log_files.clone());
        tokio::spawn(async move {
            let verdict = insist(|| check_log(archive.as_ref(), &log, &log_files)).await;
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

async fn check_log(archive: &dyn Archive, log: &ListedFile, log_files: &LogFiles) -> Result<Verdict, ArchiveError> {
    let object = archive.get(&log.s3_bucket, &log.s3_object).await?;
    log_files.check(&log.s3_object, object.body, &log.hash_value).await
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
