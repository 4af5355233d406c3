//! What an operation knows: the trails as they stand, and from where it is asked.

use super::arn::TrailRef;
use super::error::ApiError;
use super::organization::{self, Membership};
use registry::{Trail, Versioned};

/// Trails per Region, shadows counted (`reference/limits.md`).
pub(crate) const TRAILS_PER_REGION: usize = 5;

/// A snapshot of all trails, seen by one caller.
#[derive(Debug, Clone)]
pub(crate) struct State<'a> {
    /// Of all accounts, by ARN.
    pub(crate) trails: &'a [Versioned<Trail>],
    /// The Region of the caller's credential scope.
    pub(crate) region: &'a str,
    /// The caller's account.
    pub(crate) account_id: &'a str,
    /// The organization, if there is one and the caller's account is in it.
    pub(crate) organization: Option<Membership<'a>>,
}

impl<'a> State<'a> {
    /// The account's trails, whatever their home Region.
    pub(crate) fn own(&self) -> impl Iterator<Item = &'a Versioned<Trail>> {
        let account_id = self.account_id;
        self.trails.iter().filter(move |trail| trail.account_id == account_id)
    }

    /// The trails that the account sees: its own, and those of its organization.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &'a Versioned<Trail>> {
        let account_id = self.account_id;
        let management = self.organization.as_ref().map(|membership| membership.management);
        let is_theirs = move |trail: &Trail| {
            trail.is_organization_trail && management.is_some_and(|management| trail.account_id == management)
        };
        self.trails.iter().filter(move |trail| trail.account_id == account_id || is_theirs(trail))
    }

    /// The trails that exist in a Region for the account: those at home there, and the shadows of multi-Region trails.
    pub(crate) fn present_in(&self, region: &str) -> impl Iterator<Item = &'a Versioned<Trail>> {
        self.seen().filter(move |trail| trail.home_region == region || trail.is_multi_region_trail)
    }

    /// The same as another account sees it: an administrator of an organization makes trails for the management account.
    pub(crate) fn of_account(&self, account_id: &'a str) -> State<'a> {
        State { account_id, ..self.clone() }
    }

    /// That the caller may change a trail that it sees, from where it is.
    ///
    /// # Errors
    /// `NotOrganizationMasterAccountException`: members only see the trails of their organization.
    /// `InvalidHomeRegionException` outside the trail's home Region (`reference/trails-and-delivery.md §3, §5`).
    pub(crate) fn check_may_change(&self, trail: &Trail) -> Result<(), ApiError> {
        if trail.account_id != self.account_id {
            organization::administered(self)?;
        }
        if trail.home_region != self.region {
            let message =
                format!("The trail {} can only be changed in its home Region, {}.", trail.arn(), trail.home_region);
            return Err(ApiError::new("InvalidHomeRegionException", message));
        }
        Ok(())
    }

    /// The trail that a name or an ARN stands for: a name only in this Region and of this account, an ARN in any Region, and
    /// also of the account's organization. An ARN of another partition is that of another trail.
    pub(crate) fn find(&self, named: &TrailRef<'_>) -> Option<&'a Versioned<Trail>> {
        match named {
            TrailRef::Name(name) => self.own().find(|trail| trail.home_region == self.region && trail.name == *name),
            TrailRef::Arn(arn) => self.seen().find(|trail| trail.arn() == *arn),
        }
    }

    /// The trail to read.
    ///
    /// # Errors
    /// Those of [`TrailRef::parse`]; `TrailNotFoundException`, which echoes what was asked for.
    pub(crate) fn to_read(&self, named: &str) -> Result<&'a Versioned<Trail>, ApiError> {
        self.find(&TrailRef::parse(named)?).ok_or_else(|| ApiError::trail_not_found(named, self.account_id))
    }

    /// The trail to read, where the error tells its ARN.
    ///
    /// # Errors
    /// Those of [`TrailRef::parse`]; `TrailNotFoundException`, which echoes the full ARN.
    pub(crate) fn to_read_by_arn(&self, named: &str) -> Result<&'a Versioned<Trail>, ApiError> {
        let named = TrailRef::parse(named)?;
        self.find(&named).ok_or_else(|| {
            let arn = match named {
                TrailRef::Arn(arn) => arn.to_owned(),
                TrailRef::Name(name) => Trail::arn_of(self.region, self.account_id, name),
            };
            ApiError::trail_not_found(&arn, self.account_id)
        })
    }

    /// The trail to change.
    ///
    /// # Errors
    /// Those of [`TrailRef::parse`]; `TrailNotFoundException`, which echoes the full ARN; those of
    /// [`State::check_may_change`].
    pub(crate) fn to_change(&self, named: &str) -> Result<&'a Versioned<Trail>, ApiError> {
        let trail = self.to_read_by_arn(named)?;
        self.check_may_change(trail)?;
        Ok(trail)
    }
}
