//! Logs in an archive: where they are, the event in them, and its proof. I/O.

use super::KIND;
use super::layout::CHECKPOINT;
use super::leaf::{Leaf, id_text};
use super::merkle::{TILE_WIDTH, inclusion_proof, sha256};
use super::note::{Checkpoint, Note};
use super::proof::Proof;
use super::records::RecordSplitter;
use super::source::{LogSource, ReadError, TileCache, bundle, checkpoint};
use crate::verify::{Archive, ArchiveError, Body};
use bytes::Bytes;
use flate2::bufread::GzDecoder;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest object of a log that is read, bytes: a bundle of 256 entries of 64 KiB.
const OBJECT_MAX: u64 = 17 << 20;
/// The largest log file that is read, bytes as stored.
const LOG_FILE_MAX: u64 = 256 << 20;

/// A log in an archive.
#[derive(Clone)]
pub struct ArchivedLog {
    archive: Arc<dyn Archive>,
    /// The bucket that it lies in; empty in a folder of which nobody said.
    pub bucket: String,
    /// What its keys begin with; ends with a slash.
    pub folder: String,
}

/// An event that was found in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The place of its entry in the log.
    pub index: u64,
    /// Its entry.
    pub entry: Vec<u8>,
    /// Bucket and key of the log file that it was delivered in.
    pub file: (String, String),
    /// Its place in that file.
    pub position: u32,
    /// SHA-256 of the record.
    hash: [u8; 32],
}

impl std::fmt::Debug for ArchivedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchivedLog")
            .field("bucket", &self.bucket)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl LogSource for ArchivedLog {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>> {
        Box::pin(async move {
            let key = format!("{}{path}", self.folder);
            match read_object(self.archive.as_ref(), &self.bucket, &key, OBJECT_MAX).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(ArchiveError::NotFound) => Ok(None),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

/// An object, whole.
pub(crate) async fn read_object(
    archive: &dyn Archive,
    bucket: &str,
    key: &str,
    max: u64,
) -> Result<Bytes, ArchiveError> {
    let too_long = || ArchiveError::Failed(key.to_owned(), "it is larger than expected".to_owned());
    let mut bytes = Vec::new();
    match archive.get(bucket, key).await?.body {
        Body::File(file) => {
            let read = file.take(max + 1).read_to_end(&mut bytes);
            read.map_err(|error| ArchiveError::Failed(key.to_owned(), error.to_string()))?;
        }
        Body::Stream(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() as u64 > max {
                    return Err(too_long());
                }
            }
        }
    }
    if bytes.len() as u64 > max { Err(too_long()) } else { Ok(Bytes::from(bytes)) }
}

impl ArchivedLog {
    /// The log in a folder.
    pub fn new(archive: Arc<dyn Archive>, bucket: &str, folder: &str) -> ArchivedLog {
        ArchivedLog { archive, bucket: bucket.to_owned(), folder: folder.to_owned() }
    }

    /// The logs of one trail, the oldest first.
    ///
    /// # Errors
    /// [`ArchiveError`] when the archive cannot be read.
    pub async fn of_trail(
        archive: &Arc<dyn Archive>,
        bucket: &str,
        prefix: Option<&str>,
        trail: (&str, &str, &str),
    ) -> Result<Vec<ArchivedLog>, ArchiveError> {
        let (account, region, name) = trail;
        let prefix = prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let folder = format!("{prefix}AWSLogs/{account}/{KIND}/{region}/{name}/");
        let logs = children(archive.as_ref(), bucket, &folder).await?;
        Ok(logs.iter().map(|log| ArchivedLog::new(Arc::clone(archive), bucket, &format!("{folder}{log}/"))).collect())
    }

    /// The logs in the folder that this one lies in, the oldest first: those of its trail.
    ///
    /// # Errors
    /// [`ArchiveError`] when the archive cannot be read.
    pub async fn with_others(&self) -> Result<Vec<ArchivedLog>, ArchiveError> {
        let folder = self.folder.trim_end_matches('/').rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = format!("{folder}/");
        let logs = children(self.archive.as_ref(), &self.bucket, &folder).await?;
        let log = |log| ArchivedLog::new(Arc::clone(&self.archive), &self.bucket, &format!("{folder}{log}/"));
        Ok(logs.iter().map(log).collect())
    }

    /// The logs of all trails below a prefix, or of those with a name.
    ///
    /// # Errors
    /// [`ArchiveError`] when the archive cannot be read.
    pub async fn all(
        archive: &Arc<dyn Archive>,
        bucket: &str,
        prefix: Option<&str>,
        trail: Option<&str>,
    ) -> Result<Vec<ArchivedLog>, ArchiveError> {
        let root = prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let mut logs = Vec::new();
        for account in children(archive.as_ref(), bucket, &format!("{root}AWSLogs/")).await? {
            let kind = format!("{root}AWSLogs/{account}/{KIND}/");
            for region in children(archive.as_ref(), bucket, &kind).await? {
                let names = children(archive.as_ref(), bucket, &format!("{kind}{region}/")).await?;
                for name in names.iter().filter(|name| trail.is_none_or(|trail| trail == *name)) {
                    logs.extend(ArchivedLog::of_trail(archive, bucket, prefix, (&account, &region, name)).await?);
                }
            }
        }
        Ok(logs)
    }

    /// The newest checkpoint; who signed it is not asked here.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Missing`] where there is none.
    pub async fn checkpoint(&self) -> Result<(Note, Checkpoint), ReadError> {
        checkpoint(self).await?.ok_or_else(|| ReadError::Missing(format!("{}{CHECKPOINT}", self.folder)))
    }

    /// An event among the first `size` entries, the newest first; reads so many bundles at once.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn find(&self, event_id: &str, size: u64, parallel: usize) -> Result<Option<Found>, ReadError> {
        let id = id_text(event_id);
        let read = |index| {
            let log = self.clone();
            tokio::spawn(async move { (index, bundle(&log, index, size).await) })
        };
        // What is begun is awaited in order; a reader may be ahead of the search by this many bundles.
        let mut bundles = futures_util::stream::iter((0..size.div_ceil(TILE_WIDTH)).rev().map(read)).buffered(parallel);
        while let Some(read) = bundles.next().await {
            let (index, entries) = read.map_err(|error| ReadError::Failed(error.to_string()))?;
            for (offset, entry) in (0u64..).zip(entries?) {
                // Most are another event's: told apart by their last bytes before they are read.
                if !entry.ends_with(id.as_bytes()) {
                    continue;
                }
                if let Some(Leaf::Event { position, hash, id: found }) = Leaf::parse(&entry)
                    && found == id
                {
                    let index = index * TILE_WIDTH + offset;
                    let file = self.file_of(index, position, size).await?;
                    return Ok(Some(Found { index, entry: entry.to_vec(), file, position, hash }));
                }
            }
        }
        Ok(None)
    }

    /// The log file of an event, by its entry.
    async fn file_of(&self, index: u64, position: u32, size: u64) -> Result<(String, String), ReadError> {
        let malformed = || ReadError::Malformed(format!("entry {index} of {}", self.folder));
        let at = index.checked_sub(u64::from(position) + 1).ok_or_else(malformed)?;
        let entries = bundle(self, at / TILE_WIDTH, size).await?;
        let entry = entries.get((at % TILE_WIDTH) as usize).ok_or_else(malformed)?;
        match Leaf::parse(entry) {
            Some(Leaf::File { bucket, key, .. }) => Ok((bucket, key)),
            _ => Err(malformed()),
        }
    }

    /// The proof of an event that was found, in the tree of a checkpoint. Without the record where its log file is gone.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn prove(&self, found: &Found, note: Note, checkpoint: &Checkpoint) -> Result<Proof, ReadError> {
        let (mut tiles, size, index) = (TileCache::default(), checkpoint.size, found.index);
        let hashes = tiles.with(self, size, |tiles| inclusion_proof(tiles, index, size)).await?;
        let record = self.record(found).await?;
        Ok(Proof { leaf: found.entry.clone(), record, index, hashes, note })
    }

    /// The record of an event, from its log file; `None` where that is gone, or does not hold it any more.
    async fn record(&self, found: &Found) -> Result<Option<Vec<u8>>, ReadError> {
        let (bucket, key) = &found.file;
        let file = match read_object(self.archive.as_ref(), bucket, key, LOG_FILE_MAX).await {
            Ok(file) => file,
            Err(ArchiveError::NotFound) => return Ok(None),
            Err(error) => return Err(ReadError::Failed(error.to_string())),
        };
        let (mut splitter, mut position, mut record) = (RecordSplitter::default(), 0, None);
        let mut inflated = GzDecoder::new(&file[..]);
        let mut step = vec![0; 64 << 10];
        while record.is_none() {
            let Ok(read) = inflated.read(&mut step) else { break };
            if read == 0 {
                break;
            }
            splitter.push(step.get(..read).unwrap_or_default(), |bytes| {
                if position == found.position {
                    record = Some(bytes.to_vec());
                }
                position += 1;
            });
        }
        Ok(record.filter(|record| sha256(record) == found.hash))
    }
}

/// The folders in a folder, in order. It ends with a slash.
pub(crate) async fn children(archive: &dyn Archive, bucket: &str, folder: &str) -> Result<Vec<String>, ArchiveError> {
    let (mut after, mut found) = (folder.to_owned(), Vec::new());
    loop {
        let is_second = AtomicBool::new(false);
        let keys = archive.list(bucket, folder, &after, &|_| is_second.swap(true, Ordering::Relaxed)).await?;
        let Some(rest) = keys.first().and_then(|key| key.strip_prefix(folder)) else { return Ok(found) };
        let next = match rest.split_once('/') {
            Some((child, _)) => {
                found.push(child.to_owned());
                // `0` comes after `/`: whatever lies in the child is passed over.
                format!("{folder}{child}0")
            }
            None => format!("{folder}{rest}"),
        };
        if next <= after {
            let why = "the store lists what was asked to be passed over: it does not know start-after".to_owned();
            return Err(ArchiveError::Failed(format!("s3://{bucket}"), why));
        }
        after = next;
    }
}
