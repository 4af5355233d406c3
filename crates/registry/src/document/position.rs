//! How far a reader of the journal has come.

use super::Document;
use serde::{Deserialize, Serialize};

/// Position of a follower whose sink keeps none itself. Key: the follower's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Name of the follower.
    pub follower: String,
    /// Sequence number of the first journal entry that it has not carried out.
    pub next: u64,
}

impl Document for Position {
    const KIND: &'static str = "position";

    fn key(&self) -> String {
        self.follower.clone()
    }
}
