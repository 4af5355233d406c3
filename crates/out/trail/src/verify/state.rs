//! What was verified before: a file that a later run goes on from.

use super::check::Parsed;
use super::tail::{SLOT, delivery_slot};
use crate::transparency::audit::AuditedLog;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// What is remembered of the verification of one chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// 1.
    pub version: u32,
    /// The chain: trail ARN, Region, account, bucket and prefix. Another one's memory is not used.
    pub chain: String,
    /// Stretches of digests that were verified with all their log files, newest first.
    pub stretches: Vec<Stretch>,
    /// Transparency logs of the trail.
    #[serde(default)]
    pub logs: Vec<AuditedLog>,
}

/// Digests that follow one another, verified with all their log files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Bucket of the newest.
    pub bucket: String,
    /// Key of the newest.
    pub newest: String,
    /// SHA-256 of its uncompressed bytes, hex.
    pub newest_hash: String,
    /// Its end, seconds since the epoch.
    pub newest_end: i64,
    /// Key of the oldest.
    pub oldest: String,
    /// Its start, seconds since the epoch.
    pub oldest_start: i64,
    /// Bucket and key of the one before the oldest; `None` where the chain begins.
    pub before: Option<(String, String)>,
    /// What the oldest says of the one before it: hash and signature.
    pub before_hash: Option<String>,
    /// The signature of the one before.
    pub before_signature: Option<String>,
    /// Digests in it.
    pub digests: u64,
    /// Log files in it.
    pub logs: u64,
    /// Keys of those whose slot began before it or ended after it: by their names they could be listed by digests beside it. `None`
    /// where that was not kept.
    #[serde(default)]
    pub at_edges: Option<Vec<String>>,
}

impl Stretch {
    /// One digest whose log files, so many, are all valid.
    pub(crate) fn of(parsed: &Parsed, logs: u64) -> Stretch {
        let digest = &parsed.digest;
        Stretch {
            bucket: digest.digest_s3_bucket.clone(),
            newest: digest.digest_s3_object.clone(),
            newest_hash: parsed.hash.clone(),
            newest_end: parsed.end.0,
            oldest: digest.digest_s3_object.clone(),
            oldest_start: parsed.start.0,
            before: digest.previous_digest_s3_bucket.clone().zip(digest.previous_digest_s3_object.clone()),
            before_hash: digest.previous_digest_hash_value.clone(),
            before_signature: digest.previous_digest_signature.clone(),
            digests: 1,
            logs,
            at_edges: Some(Vec::new()),
        }
    }

    /// Notes a log file of its.
    pub(crate) fn note(&mut self, key: &str) {
        let (from, to) = (self.oldest_start, self.newest_end);
        let edges = self.at_edges.as_mut().filter(|_| !is_inside(key, from, to));
        edges.into_iter().for_each(|edges| edges.push(key.to_owned()));
    }

    /// Whether a digest that ends at a time belongs to it.
    pub(crate) fn has(&self, end: i64) -> bool {
        self.oldest_start < end && end <= self.newest_end
    }

    /// Those that lie in no other: the newest first, and of those that end together the longest first.
    pub(crate) fn outermost(sorted: Vec<Stretch>) -> Vec<Stretch> {
        let mut kept: Vec<Stretch> = Vec::new();
        for stretch in sorted {
            let is_inside =
                |other: &Stretch| stretch.newest_end <= other.newest_end && stretch.oldest_start >= other.oldest_start;
            if !kept.iter().any(is_inside) {
                kept.push(stretch);
            }
        }
        kept
    }

    /// This one, and an older one that follows it.
    pub(crate) fn joined(self, older: Stretch) -> Stretch {
        let (from, to) = (older.oldest_start, self.newest_end);
        let at_edges = self
            .at_edges
            .zip(older.at_edges)
            .map(|(newer, older)| newer.into_iter().chain(older).filter(|key| !is_inside(key, from, to)).collect());
        Stretch {
            at_edges,
            oldest: older.oldest,
            oldest_start: older.oldest_start,
            before: older.before,
            before_hash: older.before_hash,
            before_signature: older.before_signature,
            digests: self.digests + older.digests,
            logs: self.logs + older.logs,
            ..self
        }
    }
}

/// Whether the slot of a log file lies between two times; one that tells none is at no edge.
fn is_inside(key: &str, from: i64, to: i64) -> bool {
    delivery_slot(key).is_none_or(|slot| slot.0 >= from && slot.0 + SLOT <= to)
}

impl Memory {
    /// The form that is written.
    const VERSION: u32 = 1;

    /// Reads a file; nothing is remembered when there is none, or when it is about another chain.
    ///
    /// # Errors
    /// A text for people: the file cannot be read, or is none of ours.
    pub fn load(path: &Path, chain: &str) -> Result<Memory, String> {
        let empty =
            Memory { version: Memory::VERSION, chain: chain.to_owned(), stretches: Vec::new(), logs: Vec::new() };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(empty),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let memory: Memory = serde_json::from_slice(&text)
            .map_err(|error| format!("{} is no state of a verification: {error}", path.display()))?;
        if memory.version != Memory::VERSION {
            return Err(format!("{} has version {}, and this program knows 1", path.display(), memory.version));
        }
        if memory.chain != chain {
            return Err(format!("{} is about another chain ({}); name another file", path.display(), memory.chain));
        }
        Ok(memory)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(unfinished, path)
    }
}
