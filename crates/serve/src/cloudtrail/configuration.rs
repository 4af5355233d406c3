//! PutEventConfiguration and GetEventConfiguration of a trail (`reference/trails-and-delivery.md §4`).

use super::error::ApiError;
use super::input::{Input, text_in, texts_in};
use super::insights::trail_name;
use super::reads;
use super::state::State;
use registry::{Aggregation, Trail, Version};
use serde_json::{Value, json};

const TEMPLATES: [&str; 3] = ["API_ACTIVITY", "RESOURCE_ACCESS", "USER_ACTIONS"];
/// Templates per configuration.
const TEMPLATES_MAX: usize = 50;
const STORE: &str = "The event configuration of an event data store";

/// The trail with the aggregations that PutEventConfiguration gives it.
///
/// # Errors
/// Those of [`State::to_change`]; `InvalidParameterException`; `InvalidParameterCombinationException` for what only an
/// event data store can have.
pub(crate) fn put(state: &State<'_>, input: &Input) -> Result<(Trail, Version), ApiError> {
    let name = trail_name(input, STORE)?;
    for member in ["MaxEventSize", "ContextKeySelectors"] {
        if input.has(member) {
            let message = format!("{member} can be set for an event data store, not for a trail.");
            return Err(ApiError::new("InvalidParameterCombinationException", message));
        }
    }
    let given = input.list("AggregationConfigurations")?.unwrap_or_default();
    if given.len() > 1 {
        return Err(invalid("A trail can have one aggregation configuration.".to_owned()));
    }
    let aggregations = given.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let found = state.to_change(name)?;
    let mut trail = Trail::clone(found);
    trail.aggregations = aggregations;
    Ok((trail, found.version))
}

/// What both operations answer.
pub(crate) fn show(trail: &Trail) -> Result<Value, ApiError> {
    Ok(json!({"TrailARN": trail.arn(), "AggregationConfigurations": reads::value(&trail.aggregations)?}))
}

/// GetEventConfiguration.
///
/// # Errors
/// Those of [`State::to_read`] and [`trail_name`].
pub(crate) fn get(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    show(state.to_read(trail_name(input, STORE)?)?)
}

fn invalid(message: String) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn read(given: &Value) -> Result<Aggregation, ApiError> {
    let event_category = text_in(given, "EventCategory")?.unwrap_or_default().to_owned();
    if event_category != "Data" {
        return Err(invalid(format!("The EventCategory {event_category} cannot be aggregated. Valid values: Data.")));
    }
    let templates = texts_in(given, "Templates")?.unwrap_or_default();
    if !(1..=TEMPLATES_MAX).contains(&templates.len()) {
        return Err(invalid(format!("Specify 1 to {TEMPLATES_MAX} templates.")));
    }
    if let Some(other) = templates.iter().find(|template| !TEMPLATES.contains(&template.as_str())) {
        return Err(invalid(format!("The template {other} is not valid. Valid values: {}.", TEMPLATES.join(", "))));
    }
    Ok(Aggregation { templates, event_category })
}
