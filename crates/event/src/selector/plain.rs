//! The rules of the reference, read out plainly: what the compiled matcher is held to.

use super::matcher::category_name;
use super::{
    AdvancedEventSelector, DataResource, EventSelector, FieldSelector, ReadWriteType, SelectorField, Selectors,
};
use crate::{Category, Event, Field};

pub(super) fn matches(selectors: &Selectors, event: &Event) -> bool {
    match selectors {
        Selectors::Basic(selectors) => basic(selectors, event),
        Selectors::Advanced(selectors) => selectors.iter().any(|selector| advanced(selector, event)),
    }
}

/// Section 6.3.
fn basic(selectors: &[EventSelector], event: &Event) -> bool {
    let excluded = selectors.iter().any(|selector| selector.excluded().iter().any(|source| source == event.source()));
    selectors.iter().any(|selector| {
        let read_write_fits = match selector.read_write_type {
            ReadWriteType::All => true,
            ReadWriteType::ReadOnly => event.read_only() == Some(true),
            ReadWriteType::WriteOnly => event.read_only() != Some(true),
        };
        let category_fits = match event.category() {
            Category::Management => selector.include_management_events && !excluded,
            Category::Data => selector.data_resources.iter().any(|data| resource(data, event)),
            _ => false,
        };
        read_write_fits && category_fits
    })
}

fn resource(data: &DataResource, event: &Event) -> bool {
    event
        .resources()
        .filter(|found| found.resource_type == Some(&data.resource_type))
        .filter_map(|found| found.arn)
        .any(|arn| {
            data.values.iter().any(|value| {
                let value = if value == "arn:aws:s3:::*/*" { "arn:aws:s3:::" } else { value.as_str() };
                let is_service = value.split(':').count() == 3;
                let is_beginning =
                    value.ends_with('/') || value.ends_with(':') || data.resource_type == "AWS::S3::Object";
                if is_service {
                    arn.starts_with(&format!("{value}:"))
                } else if is_beginning {
                    arn.starts_with(value)
                } else {
                    arn == value
                }
            })
        })
}

/// Sections 6.4 and 6.5.
fn advanced(selector: &AdvancedEventSelector, event: &Event) -> bool {
    selector.field_selectors.iter().all(|condition| field(condition, &values(condition.field, event)))
}

fn field(condition: &FieldSelector, values: &[String]) -> bool {
    let any = |texts: &[String], fits: fn(&str, &str) -> bool| {
        values.iter().any(|value| texts.iter().any(|text| fits(value, text)))
    };
    let equals: fn(&str, &str) -> bool = |value, text| value == text;
    let starts: fn(&str, &str) -> bool = |value, text| value.starts_with(text);
    let ends: fn(&str, &str) -> bool = |value, text| value.ends_with(text);
    let operators = &condition.operators;
    if any(&operators.not_equals, equals)
        || any(&operators.not_starts_with, starts)
        || any(&operators.not_ends_with, ends)
    {
        return false;
    }
    let has_positives =
        !(operators.equals.is_empty() && operators.starts_with.is_empty() && operators.ends_with.is_empty());
    !has_positives
        || any(&operators.equals, equals)
        || any(&operators.starts_with, starts)
        || any(&operators.ends_with, ends)
}

fn values(field: SelectorField, event: &Event) -> Vec<String> {
    let one = |text: Option<&str>| text.map(str::to_owned).into_iter().collect();
    match field {
        SelectorField::ErrorCode => one(event.get(Field::ErrorCode)),
        SelectorField::EventCategory => one(category_name(event).as_deref()),
        SelectorField::EventName => one(event.get(Field::EventName)),
        SelectorField::EventSource => one(event.get(Field::EventSource)),
        SelectorField::EventType => one(event.get(Field::EventType)),
        SelectorField::ReadOnly => event.read_only().map(|flag| flag.to_string()).into_iter().collect(),
        SelectorField::ResourcesArn => event.resources().filter_map(|found| found.arn).map(str::to_owned).collect(),
        SelectorField::ResourcesType => {
            event.resources().filter_map(|found| found.resource_type).map(str::to_owned).collect()
        }
        SelectorField::SessionCredentialFromConsole => one(event.from_console().then_some("true")),
        SelectorField::UserIdentityArn => one(event.get(Field::IdentityArn)),
        SelectorField::VpcEndpointId => one(event.get(Field::VpcEndpointId)),
    }
}
