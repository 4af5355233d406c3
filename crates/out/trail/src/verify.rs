//! The verifier: is an archive of log files as it was delivered? For our own trails and for archives made by AWS.
//!
//! It says what `aws cloudtrail validate-logs` says, in the same order and the same words (`reference/integrity.md` §5),
//! and more, which that command misses: several neighbouring digests deleted, digests that differ from what their successor
//! says of them, a cut tail.
//!
//! What decides is pure: `walk` goes from digest to digest, `check` looks at one file, `tail` at what is not there.
//! `run` leads: `fetch` reads many files at once, each streamed, `log_files` inflates and hashes them, and `ledger` counts and tells the verdicts in the order of
//! the chain, so that memory stays flat however large its files are.
//! Behind [`Archive`] are a folder and S3.

mod archive;
mod check;
mod fetch;
mod folder;
mod keys;
mod ledger;
mod log_files;
mod remote;
mod report;
mod run;
mod state;
mod tail;
mod walk;

pub use archive::{Archive, ArchiveError, Body, Object};
pub use check::LogCheck;
pub use fetch::bucket_of;
pub use folder::Folder;
pub use keys::{KeySource, PublicKeys};
pub use ledger::Results;
pub use remote::{CloudTrailApi, Credentials, S3Archive, TrailInfo};
pub use report::{Counts, Finding, Verdict};
pub use run::{Progress, Request, VerifyError, validate};
pub use state::{Memory, Stretch};
pub use walk::Chain;

#[cfg(any(test, fuzzing))]
pub(crate) use check::{parse as parse_digest, verdict_of, verify as verify_digest};
pub(crate) use report::Plain;
pub(crate) use tail::delivery_slot as delivered_at;
