//! The keys of a `DeleteObjects` call: each has a record of its own (`reference/event-record.md` §15, since 9 June 2025).

use crate::compose::error::Failed;
use crate::decode::body::Body;
use crate::decode::tree::NodeRef;
use std::collections::HashMap;

/// S3 takes no more in one call.
const MAX_KEYS: usize = 1000;

/// One key that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeletedKey<'t> {
    pub(super) key: &'t str,
    pub(super) version: Option<&'t str>,
    /// Why it was not.
    pub(super) failed: Option<Failed>,
}

/// The keys that were asked for, in their order, with what the answer says of each. A quiet answer names only what
/// failed. Of an answer that is not known whole nothing is said: nobody can tell which keys are gone.
pub(super) fn keys<'t>(request: &'t Body<'_>, answer: &'t Body<'_>) -> Vec<DeletedKey<'t>> {
    let (Some(asked), Some(answered)) = (request.root(), answer.root()) else { return Vec::new() };
    if answered.name() != "DeleteResult" {
        return Vec::new();
    }
    let errors: HashMap<(&str, Option<&str>), NodeRef<'_, '_>> = answered
        .elements()
        .filter(|element| element.name() == "Error")
        .filter_map(|error| Some((name_of(error)?, error)))
        .collect();
    let objects = asked.elements().filter(|element| element.name() == "Object").filter_map(name_of).take(MAX_KEYS);
    objects
        .map(|(key, version)| {
            let error = errors.get(&(key, version)).or_else(|| errors.get(&(key, None)));
            DeletedKey { key, version, failed: error.map(|error| failed(*error)) }
        })
        .collect()
}

fn name_of<'t>(node: NodeRef<'t, '_>) -> Option<(&'t str, Option<&'t str>)> {
    let text = |name| node.child(name).and_then(NodeRef::text).filter(|text| !text.is_empty());
    Some((text("Key")?, text("VersionId")))
}

fn failed(error: NodeRef<'_, '_>) -> Failed {
    let text = |name| error.child(name).and_then(NodeRef::text).filter(|text| !text.is_empty()).map(str::to_owned);
    let code = text("Code").unwrap_or_else(|| "InternalError".to_owned());
    Failed { denied: code == "AccessDenied", code, message: text("Message"), unauthenticated: false }
}
