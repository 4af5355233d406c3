//! The operations that only look: GetTrail, DescribeTrails, ListTrails, GetTrailStatus.

use super::States;
use super::arn::TrailRef;
use super::error::ApiError;
use super::input::Input;
use super::output::{StatusOutput, TrailInfo, TrailOutput};
use super::state::State;
use registry::Trail;
use serde::Serialize;
use serde_json::Value;

/// GetTrail.
///
/// # Errors
/// Those of [`State::to_read`].
pub(crate) fn get_trail(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output<'a> {
        trail: TrailOutput<'a>,
    }
    let trail = state.to_read(input.text("Name")?.unwrap_or_default())?;
    value(&Output { trail: TrailOutput::read(trail) })
}

/// DescribeTrails (`reference/trails-and-delivery.md §4`). Unknown trails are passed over; a bad ARN or name is not.
///
/// # Errors
/// Those of [`TrailRef::parse`].
pub(crate) fn describe_trails(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Output<'a> {
        trail_list: Vec<TrailOutput<'a>>,
    }
    let names = input.texts("trailNameList")?.unwrap_or_default();
    let with_shadows = input.boolean("includeShadowTrails")?.unwrap_or(true);
    let trail_list = if names.is_empty() {
        state
            .present_in(state.region)
            .filter(|trail| with_shadows || trail.home_region == state.region && trail.account_id == state.account_id)
            .map(|trail| TrailOutput::read(trail))
            .collect()
    } else {
        let mut found = Vec::new();
        for name in names {
            found.extend(state.find(&TrailRef::parse(name)?).map(|trail| TrailOutput::read(trail)));
        }
        found
    };
    value(&Output { trail_list })
}

/// ListTrails: the trails that exist in this Region for the account, at home here or as shadows; a single-Region trail of
/// another Region does not. One page holds them all: there are at most five per Region.
///
/// # Errors
/// A member of the wrong type.
pub(crate) fn list_trails(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output<'a> {
        trails: Vec<TrailInfo<'a>>,
    }
    input.text("NextToken")?;
    value(&Output { trails: state.present_in(state.region).map(|trail| TrailInfo::of(trail)).collect() })
}

/// GetTrailStatus; `states` gives those of the trail that is found.
///
/// # Errors
/// Those of [`State::to_read_by_arn`].
pub(crate) fn get_trail_status(
    state: &State<'_>,
    input: &Input,
    states: impl Fn(&Trail) -> States,
) -> Result<Value, ApiError> {
    let trail = state.to_read_by_arn(input.text("Name")?.unwrap_or_default())?;
    value(&StatusOutput::of(trail, &states(trail)))
}

/// A response's body as a value.
pub(crate) fn value(output: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(output).map_err(|error| ApiError::internal(&error))
}
