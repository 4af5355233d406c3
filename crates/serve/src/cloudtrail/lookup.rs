//! LookupEvents: the checks before, and the events after (`reference/event-history-and-insights.md §2`).

use super::error::ApiError;
use super::input::{Input, text_in};
use crate::seams::{HistoryError, HistoryPage, HistoryQuery, LookupAttribute};
use event::{Event, EventTime, Field};
use serde::Serialize;

/// The last second of the year 9999: beyond it a time cannot be written as a record's.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Which events are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Those of event history.
    Management(HistoryQuery),
    /// Insights events: there are none, as no trail can have Insights yet.
    Insights,
}

/// Checks a LookupEvents input.
///
/// # Errors
/// `InvalidLookupAttributesException`, `InvalidTimeRangeException`, `InvalidEventCategoryException`,
/// `InvalidMaxResultsException`, in this order.
pub(crate) fn query(input: &Input, region: &str, account_id: &str, now: EventTime) -> Result<Lookup, ApiError> {
    let insights = match input.text("EventCategory")? {
        None => false,
        Some("insight") => true,
        Some(other) => {
            let message = format!("The event category {other} is not valid: it can only be insight, or left out.");
            return Err(ApiError::new("InvalidEventCategoryException", message));
        }
    };
    let attribute = attribute(input, insights)?;
    let (start, end) = time_range(input)?;
    let max_results = match input.integer("MaxResults")? {
        None => 50,
        Some(given @ 1..=50) => given as usize,
        Some(given) => {
            let message = format!("MaxResults must be between 1 and 50, and is {given}.");
            return Err(ApiError::new("InvalidMaxResultsException", message));
        }
    };
    let next_token = input.text("NextToken")?.map(str::to_owned);
    if insights {
        return if next_token.is_some() { Err(invalid_token()) } else { Ok(Lookup::Insights) };
    }
    Ok(Lookup::Management(HistoryQuery {
        account_id: account_id.to_owned(),
        region: region.to_owned(),
        attribute,
        start,
        end,
        max_results,
        next_token,
        now,
    }))
}

fn attribute(input: &Input, insights: bool) -> Result<Option<(LookupAttribute, String)>, ApiError> {
    let invalid = |message: String| Err(ApiError::new("InvalidLookupAttributesException", message));
    let pair = match input.list("LookupAttributes")?.unwrap_or_default() {
        [] => return Ok(None),
        [pair] => pair,
        _ => return invalid("Only one lookup attribute can be given.".to_owned()),
    };
    let key = text_in(pair, "AttributeKey")?.unwrap_or_default();
    let attribute = match key {
        "EventId" => LookupAttribute::EventId,
        "EventName" => LookupAttribute::EventName,
        "EventSource" => LookupAttribute::EventSource,
        "ReadOnly" | "Username" | "ResourceType" | "ResourceName" | "AccessKeyId" if insights => {
            return invalid(format!("Insights events cannot be looked up by {key}."));
        }
        "ReadOnly" => LookupAttribute::ReadOnly,
        "Username" => LookupAttribute::Username,
        "ResourceType" => LookupAttribute::ResourceType,
        "ResourceName" => LookupAttribute::ResourceName,
        "AccessKeyId" => LookupAttribute::AccessKeyId,
        _ => return invalid(format!("The lookup attribute {key} is not valid.")),
    };
    let value = text_in(pair, "AttributeValue")?.unwrap_or_default();
    // "_", space, "," and a line feed count as two.
    let weight = |character: char| if matches!(character, '_' | ' ' | ',' | '\n') { 2 } else { 1 };
    if !(1..=2000).contains(&value.chars().map(weight).sum::<usize>()) {
        return invalid(format!("The value of the lookup attribute {key} must have between 1 and 2000 characters."));
    }
    if attribute == LookupAttribute::ReadOnly && !matches!(value, "true" | "false") {
        return invalid("The value of the lookup attribute ReadOnly must be true or false.".to_owned());
    }
    Ok(Some((attribute, value.to_owned())))
}

/// The inclusive range in whole seconds, which is the precision of records.
fn time_range(input: &Input) -> Result<(Option<EventTime>, Option<EventTime>), ApiError> {
    let (start, end) = (input.timestamp("StartTime")?, input.timestamp("EndTime")?);
    let invalid = |message| Err(ApiError::new("InvalidTimeRangeException", message));
    if [start, end].into_iter().flatten().any(|time| !(0.0..=LAST_SECOND).contains(&time)) {
        return invalid("The time range is outside the range of possible values.");
    }
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return invalid("The start time is after the end time.");
    }
    Ok((start.map(|time| EventTime(time.ceil() as i64)), end.map(|time| EventTime(time.floor() as i64))))
}

/// What a failed lookup is to the caller.
pub(crate) fn error(error: &HistoryError) -> ApiError {
    match error {
        HistoryError::InvalidNextToken => invalid_token(),
        HistoryError::Unavailable(_) => ApiError::internal(error),
    }
}

fn invalid_token() -> ApiError {
    let message = "The token is not valid: it is not one of ours, or belongs to a call with other parameters.";
    ApiError::new("InvalidNextTokenException", message)
}

/// The response of LookupEvents.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LookupOutput<'a> {
    events: Vec<EventOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventOutput<'a> {
    event_id: &'a str,
    event_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    event_time: f64,
    event_source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    resources: Vec<ResourceOutput<'a>>,
    cloud_trail_event: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceOutput<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<&'a str>,
    resource_name: &'a str,
}

impl<'a> LookupOutput<'a> {
    /// The response for a page.
    pub(crate) fn of(page: &'a HistoryPage) -> LookupOutput<'a> {
        let events = page.events.iter().map(|found| {
            let event: &Event = &found.event;
            EventOutput {
                event_id: event.id(),
                event_name: event.name(),
                read_only: event.read_only().map(|flag| if flag { "true" } else { "false" }),
                access_key_id: event.get(Field::AccessKeyId),
                event_time: event.time().0 as f64,
                event_source: event.source(),
                username: event.lookup_user_name(),
                resources: found
                    .resources
                    .iter()
                    .map(|resource| ResourceOutput {
                        resource_type: resource.resource_type.as_deref(),
                        resource_name: &resource.resource_name,
                    })
                    .collect(),
                // A record is UTF-8: `Event` takes nothing else.
                cloud_trail_event: event.text(),
            }
        });
        LookupOutput { events: events.collect(), next_token: page.next_token.as_deref() }
    }
}
