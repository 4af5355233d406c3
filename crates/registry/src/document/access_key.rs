//! Long-term access keys of the users kept here.

use super::Document;
use crate::Secret;
use serde::{Deserialize, Serialize};

/// An access key by which a user kept here signs. Key: the access key id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`.
    pub access_key_id: String,
    /// What requests are signed with.
    #[serde(serialize_with = "Secret::store")]
    pub secret: Secret,
    /// Friendly name of the user.
    pub user_name: String,
    /// Unique id of the user, `AIDA…`.
    pub principal_id: String,
    /// Account of the user, 12 digits.
    pub account_id: String,
    /// Whether it may be used.
    pub status: KeyStatus,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
}

/// `Status` of an access key, spelled as IAM spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// May be used.
    Active,
    /// Refused with `InvalidClientTokenId`.
    Inactive,
}

impl Document for AccessKey {
    const KIND: &'static str = "access-key";

    fn key(&self) -> String {
        self.access_key_id.clone()
    }
}
