//! Every operation of every service, called in every protocol that its service speaks, is recognised by its name.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

#[path = "support/synthetic.rs"]
mod synthetic;

use opentrail_aws::{Catalog, Operation, Protocol, Recognised, recognise};
use std::collections::BTreeSet;
use synthetic::{Filling, Synthetic};

/// Services that share signing name, route and operation, so that nothing in a request to an endpoint of our own tells them
/// apart (a host of AWS or a user agent does): the second is what we call them.
const TWINS: &[(&str, &str)] = &[
    ("bedrock-agent", "bedrock-agent-runtime"),
    ("bedrock-data-automation", "bedrock"),
    ("chime-sdk-identity", "chime-sdk-voice"),
    ("chime-sdk-media-pipelines", "chime-sdk-voice"),
    ("chime-sdk-meetings", "chime-sdk-voice"),
    ("chime-sdk-messaging", "chime-sdk-voice"),
    ("chime-sdk-voice", "chime"),
    ("docdb", "rds"),
    ("greengrassv2", "greengrass"),
    ("ivs-realtime", "ivs"),
    ("lambda-microvms", "lambda"),
    ("lex-models", "lexv2-models"),
    ("neptune", "rds"),
    ("pinpoint-sms-voice", "sms-voice"),
    ("qconnect", "wisdom"),
    ("signer-data", "signer"),
    ("timestream-write", "timestream-query"),
];

/// Twins that do not share an `eventSource`: AWS records the five SDK services of Chime under three names.
const APART: &str = "chime";

/// Operations that are one on the wire: the first is the deprecated name of the second.
const RENAMED: &[(&str, &str)] = &[
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
];

/// One route, two operations of two versions of a service: Lex V1's and V2's `POST /imports/`.
const SAME_ROUTE: (&str, &str) = ("StartImport", "ListImports");

/// Calls every operation in every protocol, with what is required and with all parameters, and collects what `check` says.
fn each_call(mut check: impl FnMut(Operation<'_>, Protocol, Filling) -> Result<(), String>) {
    let catalog = Catalog::embedded();
    let mut calls = 0;
    let mut wrong = BTreeSet::new();
    for info in catalog.services() {
        let service = catalog.service(info.id()).expect("every service decodes");
        for operation in service.operations() {
            for protocol in info.protocols() {
                for filling in [Filling::Required, Filling::Everything] {
                    calls += 1;
                    if let Err(found) = check(operation, *protocol, filling) {
                        wrong.insert(format!("{}:{} by {}: {found}", info.name(), operation.name(), protocol.name()));
                    }
                }
            }
        }
    }
    let list = wrong.iter().take(300).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{list}", wrong.len());
    assert!(calls > 40_000, "only {calls} calls");
}

fn recognised(call: &Synthetic) -> Result<Recognised<'static>, String> {
    let headers = call.headers();
    let found = recognise::operation(Catalog::embedded(), &call.request(&headers), &call.body);
    found.ok_or_else(|| "recognised as nothing".to_owned())
}

#[test]
fn every_operation_is_recognised_in_every_protocol_of_its_service() {
    each_call(|operation, protocol, filling| {
        let found = recognised(&Synthetic::new(operation, protocol, filling))?;
        let service = (operation.service().name(), found.operation.service().name());
        let name = (operation.name(), found.operation.name());
        let same_service = service.0 == service.1 || TWINS.contains(&service);
        let same_name =
            name.0 == name.1 || RENAMED.contains(&name) || (service.0 == "lex-models" && name == SAME_ROUTE);
        if same_service && same_name && found.protocol == protocol {
            return Ok(());
        }
        Err(format!("recognised as {}:{} by {}", service.1, name.1, found.protocol.name()))
    });
}

#[test]
fn a_user_agent_that_names_its_service_tells_twins_apart() {
    each_call(|operation, protocol, filling| {
        let service = operation.service().name();
        let call = Synthetic::new(operation, protocol, filling)
            .with_header("User-Agent", format!("aws-cli/2.31.0 md/installer#exe md/command#{service}.call"));
        let found = recognised(&call)?.operation;
        let found = (found.service().name(), found.name());
        let renamed = RENAMED.iter().find(|(old, _)| *old == operation.name()).map_or(operation.name(), |(_, new)| new);
        if found == (service, renamed) { Ok(()) } else { Err(format!("recognised as {found:?}")) }
    });
}

#[test]
fn the_head_alone_names_a_service_that_has_the_operation() {
    each_call(|operation, protocol, filling| {
        let call = Synthetic::new(operation, protocol, filling);
        let headers = call.headers();
        let candidates = recognise::service(Catalog::embedded(), &call.request(&headers));
        let own = operation.service();
        let found = candidates.iter().any(|id| {
            let name = Catalog::embedded().info(id).map_or("", |info| info.name());
            id == own.id() || TWINS.contains(&(own.name(), name))
        });
        if found { Ok(()) } else { Err(format!("may be {candidates:?}")) }
    });
}

#[test]
fn a_host_of_aws_names_the_service_of_an_unsigned_call() {
    each_call(|operation, protocol, filling| {
        let service = operation.service();
        let host = match (service.name(), operation.name()) {
            ("s3", "ListDirectoryBuckets") => "s3express-control.eu-west-1.amazonaws.com".to_owned(),
            ("s3control", _) => "111122223333.s3-control.eu-west-1.amazonaws.com".to_owned(),
            _ => format!("{}.eu-west-1.amazonaws.com", service.endpoint_prefix()),
        };
        let found = recognised(&Synthetic::unsigned(operation, protocol, filling, &host))?.operation;
        let same_name = found.name() == operation.name() || RENAMED.contains(&(operation.name(), found.name()));
        let same_host = found.service().endpoint_prefix() == service.endpoint_prefix();
        if same_name && same_host { Ok(()) } else { Err(format!("recognised as {found:?}")) }
    });
}

#[test]
fn twins_share_their_event_source() {
    let catalog = Catalog::embedded();
    for (one, other) in TWINS.iter().filter(|(_, other)| !other.starts_with(APART)) {
        let source = |name| catalog.by_name(name).expect("a service of that name").event_source();
        assert_eq!(source(one), source(other), "{one} and {other}");
    }
}
