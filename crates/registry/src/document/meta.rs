//! What the data folder is.

use super::Document;
use serde::{Deserialize, Serialize};

/// The one document about the data folder itself, written at the first start. (The version of the database layout is
/// not here but in SQLite's `user_version`, which can be read before anything else.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The account whose events the folder holds, 12 digits: a later start under another account is a mistake.
    pub account_id: String,
    /// When the folder was first used, milliseconds since the epoch.
    pub created_ms: u64,
}

impl Meta {
    /// The only key of this kind.
    pub const KEY: &'static str = "data-folder";
}

impl Document for Meta {
    const KIND: &'static str = "meta";

    fn key(&self) -> String {
        Meta::KEY.to_owned()
    }
}
