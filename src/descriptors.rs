//! Open files: as many as the system grants, and how many of them connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the house keeps for itself beside its connections, at least: segments, the registry, the store, upstreams.
const OWN_MIN: u64 = 64;

/// Raises the limit of open files to what it may be, and tells how many client connections that leaves room for: an eighth is
/// kept for the house and its upstreams, so that strangers who only connect take nothing that the journal needs.
pub(crate) fn connections_max() -> usize {
    let limits = getrlimit(Resource::Nofile);
    // Where the system refuses, what there is must do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum });
    match getrlimit(Resource::Nofile).current {
        Some(files) => usize::try_from(files.saturating_sub(OWN_MIN.max(files / 8)).max(1)).unwrap_or(usize::MAX),
        None => usize::MAX,
    }
}
