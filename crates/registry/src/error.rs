//! What can go wrong with the registry.

use crate::Version;
use std::path::PathBuf;

/// Why the registry did not do what it was asked. [`RegistryError::Conflict`] is for the caller to act on (look again,
/// decide again); the rest is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The document is not at the version that the change expected.
    #[error("{kind} `{key}` has changed meanwhile")]
    Conflict {
        /// Kind of the document.
        kind: &'static str,
        /// Its key.
        key: String,
        /// Where it stands now; `None`: it does not exist.
        found: Option<Version>,
    },
    /// There is no such document to update.
    #[error("there is no {kind} `{key}`")]
    NotFound {
        /// Kind of the document.
        kind: &'static str,
        /// Its key.
        key: String,
    },
    /// A document larger than [`Document::BODY_MAX`](crate::Document::BODY_MAX) bytes.
    #[error("{kind} `{key}` has {size} bytes, more than a document may have")]
    TooLarge {
        /// Kind of the document.
        kind: &'static str,
        /// Its key.
        key: String,
        /// Bytes of its stored form.
        size: usize,
    },
    /// A stored document that this program cannot read.
    #[error("the registry holds a {kind} `{key}` that cannot be read: {reason}")]
    Unreadable {
        /// Kind of the document.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has the file.
    #[error("{} is in use by another process: stop that one first, or choose another data folder", .0.display())]
    InUse(PathBuf),
    /// The file was written by a newer program.
    #[error("{} has layout {found}, and this program knows {known}: use the newer program that wrote it", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The newest layout that is known here.
        known: i64,
    },
    /// The file cannot be made or opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("the registry's database failed: {0}")]
    Database(#[from] rusqlite::Error),
}
