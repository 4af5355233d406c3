//! PutEventSelectors and GetEventSelectors (`reference/trails-and-delivery.md §6`).

use super::error::ApiError;
use super::input::{Input, list_in, text_in, texts_in};
use super::reads;
use super::state::State;
use event::{
    AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Operators, ReadWriteType, SelectorField,
    Selectors,
};
use registry::{Trail, Version};
use serde_json::{Value, json};

/// The trail with the selectors that PutEventSelectors gives it: they replace all that it had, from `journal_end` on.
/// `delivered` is the place up to which delivery of the trail has come.
///
/// # Errors
/// Those of [`State::to_change`]; `InvalidEventSelectorsException`.
pub(crate) fn put(
    state: &State<'_>,
    input: &Input,
    journal_end: u64,
    delivered: impl Fn(&Trail) -> u64,
) -> Result<(Trail, Version), ApiError> {
    let selectors = read(input)?;
    let found = state.to_change(input.text("TrailName")?.unwrap_or_default())?;
    selectors.check().map_err(|error| invalid(error.to_string()))?;
    let mut trail = Trail::clone(found);
    trail.select(selectors, journal_end, delivered(found));
    Ok((trail, found.version))
}

/// What PutEventSelectors answers: the selectors in the order in which they were given.
pub(crate) fn changed(trail: &Trail) -> Result<Value, ApiError> {
    show(trail, trail.selectors.clone().unwrap_or_default())
}

/// GetEventSelectors: the fields of advanced selectors in the order of their names.
///
/// # Errors
/// Those of [`State::to_read`].
pub(crate) fn get(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    let trail = state.to_read(input.text("TrailName")?.unwrap_or_default())?;
    let mut selectors = trail.selectors.clone().unwrap_or_default();
    if let Selectors::Advanced(selectors) = &mut selectors {
        for selector in selectors {
            selector.field_selectors.sort_by_key(|condition| condition.field);
        }
    }
    show(trail, selectors)
}

fn show(trail: &Trail, selectors: Selectors) -> Result<Value, ApiError> {
    Ok(match selectors {
        Selectors::Basic(selectors) => json!({"TrailARN": trail.arn(), "EventSelectors": reads::value(&selectors)?}),
        Selectors::Advanced(selectors) => {
            json!({"TrailARN": trail.arn(), "AdvancedEventSelectors": reads::value(&selectors)?})
        }
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidEventSelectorsException", message.into())
}

fn read(input: &Input) -> Result<Selectors, ApiError> {
    match (input.list("EventSelectors")?, input.list("AdvancedEventSelectors")?) {
        (Some(basic), None) => basic.iter().map(read_basic).collect::<Result<_, _>>().map(Selectors::Basic),
        (None, Some(advanced)) => advanced.iter().map(read_advanced).collect::<Result<_, _>>().map(Selectors::Advanced),
        (None, None) => Err(invalid("Specify EventSelectors or AdvancedEventSelectors.")),
        (Some(_), Some(_)) => {
            Err(invalid("You can use either EventSelectors or AdvancedEventSelectors, but not both."))
        }
    }
}

fn read_basic(given: &Value) -> Result<EventSelector, ApiError> {
    let default = EventSelector::default();
    let read_write_type = match text_in(given, "ReadWriteType")? {
        None => default.read_write_type,
        Some("All") => ReadWriteType::All,
        Some("ReadOnly") => ReadWriteType::ReadOnly,
        Some("WriteOnly") => ReadWriteType::WriteOnly,
        Some(other) => {
            let message =
                format!("Value {other} for ReadWriteType is invalid. Valid values: ReadOnly, WriteOnly, All.");
            return Err(invalid(message));
        }
    };
    let mut data_resources = Vec::new();
    for data in list_in(given, "DataResources")?.unwrap_or_default() {
        data_resources.push(DataResource {
            resource_type: text_in(data, "Type")?.unwrap_or_default().to_owned(),
            values: texts_in(data, "Values")?.unwrap_or_default(),
        });
    }
    Ok(EventSelector {
        read_write_type,
        include_management_events: super::input::boolean_in(given, "IncludeManagementEvents")?
            .unwrap_or(default.include_management_events),
        data_resources,
        exclude_management_event_sources: texts_in(given, "ExcludeManagementEventSources")?,
    })
}

fn read_advanced(given: &Value) -> Result<AdvancedEventSelector, ApiError> {
    let Some(conditions) = list_in(given, "FieldSelectors")?.filter(|conditions| !conditions.is_empty()) else {
        return Err(invalid("An advanced event selector must have at least one field selector."));
    };
    Ok(AdvancedEventSelector {
        name: text_in(given, "Name")?.map(str::to_owned),
        field_selectors: conditions.iter().map(read_condition).collect::<Result<_, _>>()?,
    })
}

fn read_condition(given: &Value) -> Result<FieldSelector, ApiError> {
    let name = text_in(given, "Field")?.unwrap_or_default();
    let Some(field) = SelectorField::from_name(name) else {
        let valid = SelectorField::ALL.map(SelectorField::name).join(", ");
        return Err(invalid(format!("The field {name} is not supported. Valid fields: {valid}.")));
    };
    let values = |operator: &str| match texts_in(given, operator)? {
        Some(values) if values.is_empty() => {
            Err(invalid(format!("The operator {operator} of the field {name} must have at least one value.")))
        }
        values => Ok(values.unwrap_or_default()),
    };
    Ok(FieldSelector {
        field,
        operators: Operators {
            equals: values("Equals")?,
            starts_with: values("StartsWith")?,
            ends_with: values("EndsWith")?,
            not_equals: values("NotEquals")?,
            not_starts_with: values("NotStartsWith")?,
            not_ends_with: values("NotEndsWith")?,
        },
    })
}
