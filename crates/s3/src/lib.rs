//! The embedded object store, spoken as S3.
//!
//! Two doors lead to one [`Store`]: its own functions, which the delivery of log files uses within the process, and
//! [`S3Api`], which serves S3 clients over HTTP on top of the `s3s` crate.
//!
//! # The design, and what was not chosen
//!
//! An SQLite index is the truth: it says which keys exist and where their bytes lie. Large bodies are files with
//! random names that are written once, synced, and only then named by a transaction; small ones lie within the index.
//! So a PUT is atomic because a transaction is, half an object can never be seen, a completed multipart upload or a
//! copy moves no bytes, and a page of a listing is a range of a B-tree. The writer gathers concurrent changes into
//! one transaction, so that they share one sync.
//!
//! Files named after their keys would be readable with `ls`. But keys are not paths: `a` and `a/b` exist side by side,
//! `..`, `//` and 1,024 bytes without a slash are keys, and a listing in byte order would need an index beside them
//! anyway, which then can disagree. A key never becomes a file name here, so no key can reach outside of the folder.
//!
//! The format is described in `docs/formats/object-store.md`.

mod api;
mod blobs;
mod checksum;
mod commit;
mod content;
mod error;
mod index;
mod list;
mod object;
mod store;
mod sweep;

pub use api::{Auth, Check, Lookup, Named, Refusal, RequestBody, ResponseBody, S3Api, Settings};
pub use checksum::{Algorithm, Checksum, ChecksumKind};
pub use error::{Result, StoreError};
pub use list::{ListQuery, Page};
pub use object::{Attributes, BucketInfo, Condition, Listed, ObjectInfo, PartInfo, Tag, Time, UploadInfo};
pub use store::{
    CompletedPart, Completion, Copied, Deletion, NewObject, Object, ObjectStream, Received, Store, UploadPage,
};
