//! Every operation of every service, called once in every protocol that its service speaks, is recognised by its name.

#[path = "support/synthetic.rs"]
mod synthetic;

use opentrail_aws::{Catalog, Operation, Protocol, recognise};
use std::collections::BTreeSet;
use synthetic::{Filling, Synthetic};

/// Services that share signing name, route and operation with an older or larger one, so that nothing in a request to an
/// endpoint of our own tells them apart: the second is what we call them. Each pair shares its `eventSource` too (tested).
const TWINS: &[(&str, &str)] = &[];

/// Operations that are one on the wire: the first is the deprecated name of the second.
const RENAMED: &[(&str, &str)] = &[];

#[test]
fn every_operation_is_recognised_in_every_protocol_of_its_service() {
    let catalog = Catalog::embedded();
    let mut calls = 0;
    let mut wrong = BTreeSet::new();
    for info in catalog.services() {
        let service = catalog.service(info.id()).expect("every service decodes");
        for operation in service.operations() {
            for protocol in info.protocols() {
                for filling in [Filling::Required, Filling::Everything] {
                    calls += 1;
                    let call = Synthetic::new(operation, *protocol, filling);
                    if let Err(found) = check(catalog, operation, *protocol, &call) {
                        wrong.insert(format!("{}:{} by {} is {found}", info.name(), operation.name(), protocol.name()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {calls} are not recognised:\n{}", wrong.len(), list(&wrong));
    assert!(calls > 40_000, "only {calls} calls");
}

fn check(catalog: &Catalog, operation: Operation<'_>, protocol: Protocol, call: &Synthetic) -> Result<(), String> {
    let headers = call.headers();
    let request = call.request(&headers);
    let Some(found) = recognise::operation(catalog, &request, &call.body) else { return Err("nothing".to_owned()) };
    let name = (found.operation.service().name(), found.operation.name());
    let expected = (operation.service().name(), operation.name());
    let same_service = name.0 == expected.0 || TWINS.contains(&(expected.0, name.0));
    let same_name = name.1 == expected.1 || RENAMED.contains(&(expected.1, name.1));
    if same_service && same_name && found.protocol == protocol {
        Ok(())
    } else {
        Err(format!("{}:{} by {}", name.0, name.1, found.protocol.name()))
    }
}

fn list(wrong: &BTreeSet<String>) -> String {
    wrong.iter().take(400).cloned().collect::<Vec<_>>().join("\n")
}
