//! Trails that were deleted and are still owed what they took before.

use super::Document;
use super::trail::Trail;
use serde::{Deserialize, Serialize};

/// A deleted trail, until its last log files and digests are delivered. Written by DeleteTrail, removed by delivery.
/// Key: the trail's ARN, `#`, its creation time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedTrail {
    /// The trail as it stood.
    pub trail: Trail,
    /// When DeleteTrail was called, milliseconds since the epoch: what comes later is not the trail's.
    pub deleted_ms: u64,
}

impl DeletedTrail {
    /// The key of the trail of that ARN that was created then.
    pub fn key_of(arn: &str, created_ms: u64) -> String {
        format!("{arn}#{created_ms}")
    }
}

impl Document for DeletedTrail {
    const KIND: &'static str = "deleted-trail";
    const BODY_MAX: usize = Trail::BODY_MAX + 4096;

    fn key(&self) -> String {
        DeletedTrail::key_of(&self.trail.arn(), self.trail.created_ms)
    }
}
