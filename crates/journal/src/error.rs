//! What can go wrong, and what to do about it.

use crate::Seq;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the journal could not do as asked. Cheap to clone: one failure may be told to many appenders.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// A write or a sync failed earlier in this process, and the journal takes no more.
    ///
    /// It is not retried: after a failed `fsync` the kernel may have dropped the dirty pages and report success the next time, so
    /// nothing that this process could ask would tell what is on the disk. Reopening reads what is really there. See
    /// <https://wiki.postgresql.org/wiki/Fsync_Errors> and Rebello et al., "Can Applications Recover from fsync
    /// Failures?", <https://www.usenix.org/conference/atc20/presentation/rebello>.
    #[error("the journal stopped after a failed write ({cause}); check the disk, then restart")]
    Poisoned {
        /// The first failure.
        cause: Arc<str>,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// Stored bytes that do not read back, in a place where a power cut cannot be the reason.
    #[error(
        "{} is damaged at byte {offset}: {what}; restore the file from a backup, or move it and the files before it away \
         to go on without their events",
        file.display()
    )]
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What does not fit.
        what: String,
    },
    /// A file of a newer form than this program reads.
    #[error("{} has version {version}, which this program does not read; use the program that wrote it or a newer one", file.display())]
    Version {
        /// The segment file.
        file: PathBuf,
        /// The version in it.
        version: u32,
    },
    /// Another process has the journal open.
    #[error("{} is in use by another process; stop it or choose another data folder", .0.display())]
    Locked(PathBuf),
    /// Entries that retention has removed were asked for.
    #[error("entry {asked} was removed by retention; the oldest entry is {start}")]
    Gone {
        /// What was asked for.
        asked: Seq,
        /// The oldest there is.
        start: Seq,
    },
    /// A follower has seen entries that the journal does not have: the journal was replaced or cut back.
    #[error(
        "{follower} stands at {position}, past the end of the journal ({end}); restore the journal that it read, or \
         reset its position"
    )]
    Ahead {
        /// The follower's name.
        follower: String,
        /// Where it stands.
        position: Seq,
        /// The end of the journal.
        end: Seq,
    },
    /// The system refused something else.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
}
