//! `eventSource`: the name under which a service records its calls.

use crate::ServiceInfo;

/// Services whose `eventSource` is not the first word of their host name: botocore name and source.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// The `eventSource` of a service's records.
pub(crate) fn event_source(service: &ServiceInfo) -> &'static str {
    EXCEPTIONS.iter().find(|(name, _)| *name == service.name()).map_or(service.signing_name(), |(_, source)| source)
}
