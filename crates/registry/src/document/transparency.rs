//! How far the transparency logs have come, the key that they are signed with, and what their witnesses have seen.

use super::Document;
use serde::{Deserialize, Serialize};

/// State of one trail's transparency log (`docs/formats/transparency-log.md`). Written only by the task of that log. Key: the
/// trail's ARN. It outlives the trail: a trail of the same name goes on with the same log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransparencyLog {
    /// ARN of the trail.
    pub trail_arn: String,
    /// The name of the log, of which there is no other: the first line of its checkpoints.
    pub origin: String,
    /// When it began, `YYYYMMDDTHHMMSSZ`: the end of its origin and of its folder.
    pub began: String,
    /// The bucket that it lies in.
    pub bucket: String,
    /// What its keys begin with there; ends with a slash.
    pub folder: String,
    /// The public key whose other half signs it: 32 bytes, lower-case hex.
    pub public_key: String,
    /// The tree that is written.
    pub tree: LogTree,
    /// The latest cut whose events are in the tree: [`Trail::created_ms`](crate::Trail::created_ms) of its trail, and one past
    /// its last entry.
    #[serde(default)]
    pub taken: (u64, u64),
    /// Saved before the first tile of a round is written and cleared after its checkpoint: what must be done again, to the
    /// byte, when the process dies in between. Two trees of one size are thereby impossible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingRound>,
    /// When a checkpoint last reached the bucket, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_ms: Option<u64>,
}

/// A Merkle tree at its right edge: all that is needed to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTree {
    /// How many entries it has.
    pub size: u64,
    /// The hashes of each level that fill no tile yet, from the leaves up: 32 bytes each, one after the other, base64.
    pub edge: Vec<String>,
    /// The entries that fill no bundle yet, as a bundle, base64.
    pub bundle: String,
}

/// A round under way: entries that are being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRound {
    /// The waiting cuts that it takes, in order: names of files.
    pub cuts: Vec<String>,
    /// The tree's size then.
    pub size: u64,
    /// The tree's root then, lower-case hex.
    pub root: String,
}

impl Document for TransparencyLog {
    const KIND: &'static str = "transparency-log";

    fn key(&self) -> String {
        self.trail_arn.clone()
    }
}

/// An Ed25519 key pair that transparency logs are signed with. Key: the public key. Kept for ever. The private half is sealed as
/// those of digests are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogKey {
    /// The public key: 32 bytes, lower-case hex.
    pub public_key: String,
    /// The private key's seed, encrypted with AES-256-GCM: nonce, ciphertext and tag, base64.
    pub sealed_private_key: String,
    /// When it was made, milliseconds since the epoch.
    pub made_ms: u64,
}

impl Document for LogKey {
    const KIND: &'static str = "log-key";

    fn key(&self) -> String {
        self.public_key.clone()
    }
}

/// What a witness has seen of a log. Key: the log's origin, a space, the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// The log.
    pub origin: String,
    /// The witness, as it is named in the configuration.
    pub witness: String,
    /// The size of the latest checkpoint that it has.
    pub size: u64,
    /// When it took it, milliseconds since the epoch.
    pub latest_ms: u64,
}

impl Witnessed {
    /// The key of what that witness has seen of that log.
    pub fn key_of(origin: &str, witness: &str) -> String {
        format!("{origin} {witness}")
    }
}

impl Document for Witnessed {
    const KIND: &'static str = "witnessed";

    fn key(&self) -> String {
        Witnessed::key_of(&self.origin, &self.witness)
    }
}
