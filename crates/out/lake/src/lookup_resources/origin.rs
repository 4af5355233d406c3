//! The person or workload behind the session of a caller, as the record's session chain names it
//! (`docs/formats/session-chain.md`).

use event::Event;
use memchr::memmem;
use serde_json::Value;
use std::sync::LazyLock;

/// The member of `additionalEventData` that holds the chain.
const CHAIN: &str = "opentrailSessionChain";

/// Calls `found` with the names of the first link of a record's chain: its ARN, or, for the subjects of SAML and web
/// identities, which have none, their principal id and user name. A record without a chain costs one search for its name.
pub(crate) fn each_name(event: &Event, mut found: impl FnMut(&str)) {
    static NEEDLE: LazyLock<memmem::Finder<'static>> =
        LazyLock::new(|| memmem::Finder::new("\"opentrailSessionChain\""));
    if NEEDLE.find(event.json()).is_none() {
        return;
    }
    let Ok(record) = serde_json::from_slice::<Value>(event.json()) else { return };
    let first = record.get("additionalEventData").and_then(|data| data.get(CHAIN)).and_then(|chain| chain.get(0));
    let name = |member| first.and_then(|first| first.get(member)).and_then(Value::as_str);
    match name("arn") {
        Some(arn) => found(arn),
        None => ["principalId", "userName"].into_iter().filter_map(name).for_each(found),
    }
}
