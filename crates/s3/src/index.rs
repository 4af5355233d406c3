//! The index: an SQLite file that says which buckets, objects and uploads exist and where their bytes lie.
//!
//! The format is drawn in `docs/formats/object-store.md`. Keys are stored as their bytes, so that SQLite's order is
//! S3's order. The functions here run inside a connection that the caller holds: reads anywhere, changes only in the
//! [`committer`](crate::commit).

pub(crate) mod buckets;
pub(crate) mod objects;
pub(crate) mod uploads;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// The format this code writes.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE buckets (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    region  TEXT NOT NULL,
    policy  TEXT,
    tags    TEXT
) STRICT;
CREATE TABLE objects (
    bucket        INTEGER NOT NULL REFERENCES buckets(id),
    key           BLOB NOT NULL,
    size          INTEGER NOT NULL,
    etag          TEXT NOT NULL,
    modified      INTEGER NOT NULL,
    checksum      TEXT,
    storage_class TEXT,
    attributes    TEXT NOT NULL,
    parts         TEXT,
    segments      TEXT,
    inline        BLOB,
    UNIQUE (bucket, key)
) STRICT;
CREATE TABLE uploads (
    id         TEXT PRIMARY KEY,
    bucket     INTEGER NOT NULL REFERENCES buckets(id),
    key        BLOB NOT NULL,
    initiated  INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    checksum   TEXT
) STRICT;
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);
CREATE TABLE parts (
    upload   TEXT NOT NULL REFERENCES uploads(id),
    number   INTEGER NOT NULL,
    info     TEXT NOT NULL,
    segments TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    id   TEXT PRIMARY KEY,
    refs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_without_object ON blobs (id) WHERE refs = 0;
";

/// Opens the index, making it if it is missing. The file gets mode 0600 from the caller's creation of it.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let index = connect(path)?;
    let found: i64 = index.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => index.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT"))?,
        FORMAT => {}
        found => {
            return Err(StoreError::UnknownFormat { path: path.display().to_string(), found, known: FORMAT });
        }
    }
    Ok(index)
}

/// One more connection to an index that is open already.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let index = Connection::open(path)?;
    index.busy_timeout(std::time::Duration::from_secs(5))?;
    // FULL: a commit syncs the write-ahead log, so what was answered survives a power cut.
    index.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192;",
    )?;
    index.set_prepared_statement_cache_capacity(64);
    Ok(index)
}

/// A row that may be absent.
fn one<T>(found: rusqlite::Result<T>) -> Result<Option<T>> {
    Ok(found.optional()?)
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Damaged(e.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(e.to_string()))
}

fn to_key(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| StoreError::Damaged("a key is not UTF-8".into()))
}

fn size_of(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| StoreError::Damaged("a size is negative".into()))
}

fn stored_size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
