//! The recorder: what passed through becomes records.

use crate::exchange::Exchange;
use crate::identities::Identities;
use crate::opened::Opened;
use crate::verdict::Verdict;
use crate::virtual_host::Domains;
use aws::{Catalog, Request};
use std::sync::Arc;

/// What the house knows about itself, and what it was asked to record.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// The house's account, 12 digits: `recipientAccountId`.
    pub account_id: String,
    /// The Region of calls whose credential names none.
    pub region: String,
    /// Whether calls that AWS would not record are recorded with the identity `Unknown`.
    pub record_unauthenticated: bool,
}

/// Derives records. Cheap to share behind an `Arc`; every method is a function of its arguments, of what the identities
/// know, and of the random numbers given at the start.
pub struct Recorder {
    pub(crate) catalog: &'static Catalog,
    pub(crate) config: RecorderConfig,
    pub(crate) identities: Arc<dyn Identities>,
    /// Random bits for `eventID` and, where the answer has none, `requestID`.
    pub(crate) random: Box<dyn Fn() -> u128 + Send + Sync>,
    /// Below which names the hosts of S3's buckets stand.
    s3_domains: Domains,
}

impl Recorder {
    /// A recorder. `random` gives 128 random bits for each id; tests pass a counter.
    pub fn new(
        catalog: &'static Catalog,
        config: RecorderConfig,
        identities: Arc<dyn Identities>,
        random: impl Fn() -> u128 + Send + Sync + 'static,
    ) -> Recorder {
        Recorder { catalog, config, identities, random: Box::new(random), s3_domains: Domains::default() }
    }

    /// The same recorder, that takes what stands before one of these names in a host for an S3 bucket
    /// (`bucket.s3.example.com` for `s3.example.com`).
    #[must_use]
    pub fn with_s3_domains(self, names: Vec<String>) -> Recorder {
        Recorder { s3_domains: Domains::new(names), ..self }
    }

    /// Reads the head of a request: which call it is, as far as the head tells, and which bytes to keep.
    pub fn open(&self, head: &Request<'_>) -> Opened {
        match self.s3_domains.path(head) {
            Some(path) => crate::call::open(self.catalog, &Request { path: &path, ..*head }),
            None => crate::call::open(self.catalog, head),
        }
    }

    /// Makes the records of an exchange that is over, and learns from it who its new keys are.
    pub fn record(&self, opened: &Opened, exchange: &Exchange<'_>) -> Verdict {
        match self.s3_domains.path(&exchange.request) {
            Some(path) => {
                let request = Request { path: &path, ..exchange.request };
                crate::compose::records(self, opened, &Exchange { request, ..*exchange })
            }
            None => crate::compose::records(self, opened, exchange),
        }
    }
}
