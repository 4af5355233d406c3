//! How far the digests of a trail have come, and what the next ones will list.

use super::trail::Trail;
use super::{Document, Older};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State of one trail's digest chains. Written only by its delivery follower; GetTrailStatus reads it. Key: the trail's
/// ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestState {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`] of that trail: a state left by an earlier trail of the same name is void.
    pub trail_created_ms: u64,
    /// The chains under way; `None` while no digests are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chains: Option<DigestChains>,
    /// End of the latest digests, seconds since the epoch: names are made from it, so it never comes again.
    #[serde(default)]
    pub covered_to: i64,
    /// Log files of cuts that begin before this sequence number are in a digest.
    #[serde(default)]
    pub digested_to: u64,
    /// Saved before the first digest of a round is written and cleared after the last: what must be done again, to the
    /// byte, when the process dies in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingDigests>,
    /// `LatestDigestDeliveryTime`: when digests last reached the bucket, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_delivery_ms: Option<u64>,
    /// `LatestDigestDeliveryError`: the error code of S3; gone after the next success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_error: Option<String>,
}

/// The chains of a trail: one for each Region, all with the same windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestChains {
    /// [`Logging::started_ms`](crate::Logging::started_ms) of the trail when they began: the next start begins new ones.
    pub logging_started_ms: u64,
    /// Where the windows are counted from: the end of the starting digests, seconds since the epoch.
    pub anchor: i64,
    /// The trail as it stood at the latest digests.
    pub trail: Trail,
    /// The latest digest of each chain: by Region, or by `ACCOUNT/REGION` for another account than the trail's.
    pub links: BTreeMap<String, DigestLink>,
}

/// A delivered digest, as the next one refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestLink {
    /// The bucket that it lies in.
    pub bucket: String,
    /// Its key there.
    pub object: String,
    /// SHA-256 of its uncompressed bytes, lower-case hex.
    pub hash: String,
    /// Its signature, lower-case hex.
    pub signature: String,
}

/// A round of digests under way: one for each chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDigests {
    /// Start of the window, seconds since the epoch.
    pub start: i64,
    /// End of the window, seconds since the epoch: the names are made from it.
    pub end: i64,
    /// They list the cuts that begin before this sequence number.
    pub to: u64,
    /// Whether the chains end with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// When they were asked for, if they are backfill digests, which belong to no chain; seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_at: Option<i64>,
    /// The trail as it stood.
    pub trail: Trail,
}

/// The log files of one cut, until a digest lists them. Key: the trail's ARN and where the cut begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredCut {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`] of that trail.
    pub trail_created_ms: u64,
    /// Sequence number of the first journal entry of the cut.
    pub from: u64,
    /// The bucket that they lie in.
    pub bucket: String,
    /// The files.
    pub files: Vec<DeliveredFile>,
}

/// A delivered log file, as a digest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredFile {
    /// The account of its events, where it is not the trail's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The Region of its events.
    pub region: String,
    /// Its key.
    pub object: String,
    /// SHA-256 of its uncompressed bytes, lower-case hex.
    pub hash: String,
    /// Time of its newest event, seconds since the epoch.
    pub newest: i64,
    /// Time of its oldest event, seconds since the epoch.
    pub oldest: i64,
}

impl DigestState {
    /// The state of a trail of which no digest is made yet.
    pub fn of(trail: &Trail) -> DigestState {
        DigestState {
            trail_arn: trail.arn(),
            trail_created_ms: trail.created_ms,
            chains: None,
            covered_to: 0,
            digested_to: 0,
            pending: None,
            latest_delivery_ms: None,
            latest_error: None,
        }
    }
}

impl Document for DigestState {
    const KIND: &'static str = "digest-state";
    /// About 900 bytes a chain, and an organization has one for each account and Region.
    const BODY_MAX: usize = 64 << 20;
    /// The second form holds a [`Trail`] of its third form, or of its second: an older program would carry out what is
    /// pending by its own idea of the trail.
    const FORM: u32 = 2;

    fn key(&self) -> String {
        self.trail_arn.clone()
    }

    /// The first form holds a trail of its first form, or of its second.
    fn from_older(form: u32, body: &str) -> Result<Self, Older> {
        match form {
            1 => Ok(serde_json::from_str(body)?),
            _ => Err(Older::Unknown),
        }
    }
}

impl DeliveredCut {
    /// The key of a cut of that trail.
    pub fn key_of(trail_arn: &str, from: u64) -> String {
        format!("{trail_arn}/{from:020}")
    }
}

impl Document for DeliveredCut {
    const KIND: &'static str = "delivered-cut";
    /// The second form has accounts: an older program would list files in the chain of another account.
    const FORM: u32 = 2;

    /// The first form has files of the trail's account only.
    fn from_older(form: u32, body: &str) -> Result<Self, Older> {
        match form {
            1 => Ok(serde_json::from_str(body)?),
            _ => Err(Older::Unknown),
        }
    }

    fn key(&self) -> String {
        DeliveredCut::key_of(&self.trail_arn, self.from)
    }
}
