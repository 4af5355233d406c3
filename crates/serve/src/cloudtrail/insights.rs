//! PutInsightSelectors and GetInsightSelectors (`reference/trails-and-delivery.md §6.6`).

use super::error::ApiError;
use super::input::{Input, text_in, texts_in};
use super::reads;
use super::state::State;
use registry::{InsightSelector, Trail, Version};
use serde_json::{Value, json};

const TYPES: [&str; 2] = ["ApiCallRateInsight", "ApiErrorRateInsight"];
const CATEGORIES: [&str; 2] = ["Management", "Data"];
/// What is meant where no categories are given.
const DEFAULT_CATEGORY: &str = "Management";

/// The trail with the Insights selectors that PutInsightSelectors gives it: they replace all that it had, and none turns
/// Insights off.
///
/// # Errors
/// Those of [`State::to_change`]; `InvalidInsightSelectorsException`; those of [`trail_name`].
pub(crate) fn put(state: &State<'_>, input: &Input) -> Result<(Trail, Version), ApiError> {
    let name = trail_name(input, "Insights on an event data store")?;
    if input.text("InsightsDestination")?.is_some() {
        let message = "InsightsDestination can only be specified with EventDataStore.";
        return Err(ApiError::new("InvalidParameterCombinationException", message));
    }
    let given = input.list("InsightSelectors")?;
    let Some(given) = given else {
        return Err(ApiError::new("InvalidInsightSelectorsException", "Specify InsightSelectors."));
    };
    let selectors = given.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let found = state.to_change(name)?;
    check(found, &selectors)?;
    let mut trail = Trail::clone(found);
    trail.insight_selectors = selectors;
    Ok((trail, found.version))
}

/// What PutInsightSelectors answers: the selectors as they were given. Public suites of trail tests expect no default among
/// them.
pub(crate) fn changed(trail: &Trail) -> Result<Value, ApiError> {
    Ok(json!({"TrailARN": trail.arn(), "InsightSelectors": reads::value(&trail.insight_selectors)?}))
}

/// GetInsightSelectors.
///
/// # Errors
/// Those of [`State::to_read`]; `InsightNotEnabledException`; those of [`trail_name`].
pub(crate) fn get(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    let trail = state.to_read(trail_name(input, "Insights on an event data store")?)?;
    if trail.insight_selectors.is_empty() {
        let message = format!(
            "Trail {} does not have Insights enabled. Edit the trail settings to enable Insights, and then try the \
             operation again.",
            trail.arn()
        );
        return Err(ApiError::new("InsightNotEnabledException", message));
    }
    changed(trail)
}

/// The trail that an operation on trails or event data stores is about.
///
/// # Errors
/// `InvalidParameterCombinationException` for both, `InvalidParameterException` for none, and
/// `UnsupportedOperationException` for an event data store; `what` is what is not built for one.
pub(crate) fn trail_name<'i>(input: &'i Input, what: &str) -> Result<&'i str, ApiError> {
    match (input.text("TrailName")?, input.text("EventDataStore")?) {
        (Some(name), None) => Ok(name),
        (None, None) => Err(ApiError::new("InvalidParameterException", "Specify TrailName or EventDataStore.")),
        (Some(_), Some(_)) => {
            let message = "You can specify either TrailName or EventDataStore, but not both.";
            Err(ApiError::new("InvalidParameterCombinationException", message))
        }
        (None, Some(_)) => Err(ApiError::unsupported(format!("{what} is not built in this version of OpenTrail."))),
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::new("InvalidInsightSelectorsException", message)
}

fn read(given: &Value) -> Result<InsightSelector, ApiError> {
    let insight_type = text_in(given, "InsightType")?.unwrap_or_default().to_owned();
    if !TYPES.contains(&insight_type.as_str()) {
        return Err(invalid(format!(
            "The InsightType {insight_type} is not valid. Valid values: {}.",
            TYPES.join(", ")
        )));
    }
    let event_categories = texts_in(given, "EventCategories")?.filter(|given| !given.is_empty());
    if let Some(other) = event_categories.iter().flatten().find(|category| !CATEGORIES.contains(&category.as_str())) {
        let valid = CATEGORIES.join(", ");
        return Err(invalid(format!("The event category {other} is not valid. Valid values: {valid}.")));
    }
    Ok(InsightSelector { insight_type, event_categories })
}

/// Insights are drawn from what the trail logs: call rates from writes of management events, error rates from any, and
/// those of data events from data events.
fn check(trail: &Trail, selectors: &[InsightSelector]) -> Result<(), ApiError> {
    let logged = trail.selectors.clone().unwrap_or_default();
    let (reads, writes, data) = (logged.select_management(true), logged.select_management(false), logged.select_data());
    for (index, selector) in selectors.iter().enumerate() {
        let kind = &selector.insight_type;
        if selectors.iter().take(index).any(|earlier| earlier.insight_type == *kind) {
            return Err(invalid(format!("The InsightType {kind} is given twice.")));
        }
        let of = |category: &str| match &selector.event_categories {
            Some(categories) => categories.iter().any(|given| given == category),
            None => category == DEFAULT_CATEGORY,
        };
        let is_call_rate = kind == "ApiCallRateInsight";
        if of("Management") && !writes && (is_call_rate || !reads) {
            let needed = if is_call_rate { "write management events" } else { "management events" };
            return Err(invalid(format!("{kind} needs a trail that logs {needed}.")));
        }
        if of("Data") && !data {
            return Err(invalid(format!("{kind} on data events needs a trail that logs data events.")));
        }
    }
    Ok(())
}
