//! The lookup resource list of a record (`reference/event-history-and-insights.md §2.1`): which resources event history
//! shows for it and finds it by. Not the record's own `resources`.
//!
//! One entry is ours: the person or workload from whom the caller's session descends, so that everything that was done
//! through somebody's sessions is found by their ARN.
//!
//! Which operation names what where is data (`data/lookup-resources.txt`). An operation without a rule costs two string
//! comparisons; one with a rule a single pass over the record, which builds nothing.

mod origin;
mod rules;
mod walk;

use event::{Event, Field};
use rules::Rules;

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupResource {
    /// Such as `AWS::S3::Bucket`; `None` where CloudTrail names no type.
    pub resource_type: Option<&'static str>,
    /// Name, id or ARN.
    pub resource_name: String,
}

/// The list of a record, each entry once, in the record's order.
pub fn lookup_resources(event: &Event) -> Vec<LookupResource> {
    let mut list: Vec<LookupResource> = Vec::new();
    each_resource(event, |resource_type, name| {
        if !list.iter().any(|found| found.resource_type == resource_type && found.resource_name == name) {
            list.push(LookupResource { resource_type, resource_name: name.to_owned() });
        }
    });
    list
}

/// Calls `found` with the type and the name of each entry; the same one may come twice.
pub(crate) fn each_resource(event: &Event, mut found: impl FnMut(Option<&'static str>, &str)) {
    let rules = Rules::embedded().of(event.source(), event.name(), event.get(Field::ErrorCode).is_some());
    if !rules.is_empty() {
        walk::walk(event.json(), &rules, &mut found);
    }
    origin::each_name(event, |name| found(None, name));
}

#[cfg(test)]
mod tests;
