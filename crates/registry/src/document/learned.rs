//! Who an access key is, learned from what passed through.

use super::Document;
use event::Identity;
use serde::{Deserialize, Serialize};

/// The identity behind an access key, as an AssumeRole, GetSessionToken, CreateAccessKey or GetCallerIdentity response
/// told it. Key: the access key id, or what stands for a refresh token or a user (`docs/formats/registry.md`). Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedIdentity {
    /// The key that the identity signs with.
    pub access_key_id: String,
    /// The `userIdentity` of its calls.
    pub identity: Identity,
    /// Through whom a session was opened, from the first human or workload on; empty where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Identity>,
    /// When the session ends, milliseconds since the epoch; `None` for long-term keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

impl Document for LearnedIdentity {
    const KIND: &'static str = "learned-identity";

    fn key(&self) -> String {
        self.access_key_id.clone()
    }
}
