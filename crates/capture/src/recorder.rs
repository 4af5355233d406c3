//! The recorder: what the house knows while it makes records. How it makes them is `call.rs` and `compose.rs`.

use crate::call::opened::Opened;
use crate::call::virtual_host::Domains;
use crate::tables::Tables;
use crate::who::identities::Identities;
use aws::{Catalog, Request};
use event::Identity;
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
/// know and answers have told of tables, and of the random numbers given at the start.
pub struct Recorder {
    pub(crate) catalog: &'static Catalog,
    pub(crate) config: RecorderConfig,
    pub(crate) identities: Arc<dyn Identities>,
    /// The keys of tables that are known.
    pub(crate) tables: Tables,
    /// Random bits for `eventID` and, where the answer has none, `requestID`.
    pub(crate) random: Box<dyn Fn() -> u128 + Send + Sync>,
    /// Below which names the hosts of S3's buckets stand.
    pub(crate) s3_domains: Domains,
    /// Which other accounts live in this house, if any do.
    members: Option<Members>,
    /// Whether anybody wants network activity events.
    network_activity: Option<Wanted>,
}

/// Whether an account is a member of the house's organization.
type Members = Box<dyn Fn(&str) -> bool + Send + Sync>;
type Wanted = Box<dyn Fn() -> bool + Send + Sync>;

impl Recorder {
    /// A recorder. `random` gives 128 random bits for each id; tests pass a counter.
    pub fn new(
        catalog: &'static Catalog,
        config: RecorderConfig,
        identities: Arc<dyn Identities>,
        random: impl Fn() -> u128 + Send + Sync + 'static,
    ) -> Recorder {
        Recorder {
            catalog,
            config,
            identities,
            tables: Tables::default(),
            random: Box::new(random),
            s3_domains: Domains::default(),
            members: None,
            network_activity: None,
        }
    }

    /// The same recorder, that takes what stands before one of these names in a host for an S3 bucket
    /// (`bucket.s3.example.com` for `s3.example.com`). `are_all` says that the store knows no others, not even AWS's: a bucket in
    /// such a host is refused.
    #[must_use]
    pub fn with_s3_domains(self, names: Vec<String>, are_all: bool) -> Recorder {
        Recorder { s3_domains: Domains::new(names, are_all), ..self }
    }

    /// The same recorder for a house where other accounts live, too: calls by these are theirs, and so is what they name
    /// without an account. Without it, every call is the house's.
    #[must_use]
    pub fn with_members(self, members: impl Fn(&str) -> bool + Send + Sync + 'static) -> Recorder {
        Recorder { members: Some(Box::new(members)), ..self }
    }

    /// The same recorder, that records calls through VPC endpoints as network activity, too, while `is_wanted`. It is asked for
    /// these calls only. Without it, none are.
    #[must_use]
    pub fn with_network_activity(self, is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Recorder {
        Recorder { network_activity: Some(Box::new(is_wanted)), ..self }
    }

    /// Whether calls to that source that come through a VPC endpoint are recorded as network activity, too.
    pub(crate) fn has_network_activity(&self, source: &str) -> bool {
        event::has_network_activity(source) && self.network_activity.as_ref().is_some_and(|is_wanted| is_wanted())
    }

    /// The account in which a caller's calls take place.
    pub(crate) fn account_of<'a>(&'a self, caller: &'a Identity) -> &'a str {
        let house = &self.config.account_id;
        let member = self.members.as_ref().zip(caller.account_id.as_deref());
        member.filter(|(is_member, account)| is_member(account)).map_or(house, |(_, account)| account)
    }

    /// Whether the host of a request names a bucket.
    pub(crate) fn names_bucket(&self, head: &Request<'_>) -> bool {
        self.s3_domains.names_bucket(head)
    }

    /// Reads the head of a request: which call it is, as far as the head tells, and which bytes to keep.
    pub fn open(&self, head: &Request<'_>) -> Opened {
        let opened = match self.s3_domains.path(head) {
            Some(path) => crate::call::open(self.catalog, &Request { path: &path, path_style: true, ..*head }),
            None => crate::call::open(self.catalog, head),
        };
        let is_s3 = opened.service.is_some_and(|service| service.name().starts_with("s3"));
        Opened { is_elsewhere: is_s3 && self.s3_domains.is_elsewhere(head), ..opened }
    }
}
