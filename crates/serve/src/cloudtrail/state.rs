//! What an operation knows: the trails as they stand, and from where it is asked.

use super::arn::TrailRef;
use super::error::ApiError;
use registry::{Trail, Versioned};

/// Trails per Region, shadows counted (`reference/limits.md`).
pub(crate) const TRAILS_PER_REGION: usize = 5;

/// A snapshot of all trails, seen by one caller.
#[derive(Debug)]
pub(crate) struct State<'a> {
    /// Of all accounts, by ARN.
    pub(crate) trails: &'a [Versioned<Trail>],
    /// The Region of the caller's credential scope.
    pub(crate) region: &'a str,
    /// The caller's account.
    pub(crate) account_id: &'a str,
}

impl<'a> State<'a> {
    /// The account's trails, whatever their home Region.
    pub(crate) fn own(&self) -> impl Iterator<Item = &'a Versioned<Trail>> {
        let account_id = self.account_id;
        self.trails.iter().filter(move |trail| trail.account_id == account_id)
    }

    /// The account's trails that exist in a Region: those at home there, and the shadows of multi-Region trails.
    pub(crate) fn present_in(&self, region: &str) -> impl Iterator<Item = &'a Versioned<Trail>> {
        self.own().filter(move |trail| trail.home_region == region || trail.is_multi_region_trail)
    }

    /// The trail that a name or an ARN stands for: a name only in this Region, an ARN in any Region of this account.
    pub(crate) fn find(&self, named: &TrailRef<'_>) -> Option<&'a Versioned<Trail>> {
        match named {
            TrailRef::Name(name) => self.own().find(|trail| trail.home_region == self.region && trail.name == *name),
            TrailRef::Arn(arn) => self.own().find(|trail| {
                trail.home_region == arn.region && trail.name == arn.name && arn.account_id == self.account_id
            }),
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
                TrailRef::Arn(arn) => arn.text.to_owned(),
                TrailRef::Name(name) => Trail::arn_of(self.region, self.account_id, name),
            };
            ApiError::trail_not_found(&arn, self.account_id)
        })
    }

    /// The trail to change.
    ///
    /// # Errors
    /// Those of [`TrailRef::parse`]; `TrailNotFoundException`, which echoes the full ARN; `InvalidHomeRegionException`
    /// outside its home Region.
    pub(crate) fn to_change(&self, named: &str) -> Result<&'a Versioned<Trail>, ApiError> {
        let trail = self.to_read_by_arn(named)?;
        if trail.home_region != self.region {
            let message =
                format!("The trail {} can only be changed in its home Region, {}.", trail.arn(), trail.home_region);
            return Err(ApiError::new("InvalidHomeRegionException", message));
        }
        Ok(trail)
    }
}
