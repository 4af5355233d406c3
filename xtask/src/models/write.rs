//! Puts the compiled services into the bytes that `aws::Catalog` reads (`crates/aws/src/catalog/`).

use super::compile::{Member, Operation, Service, Shape};
use anyhow::{Context, Result};
use aws::{Protocol, format};

/// The strongest level: the table is compressed once and committed.
const LEVEL: i32 = 22;

/// The whole file.
pub(super) fn table(services: &[Service]) -> Result<Vec<u8>> {
    let mut file = format::MAGIC.to_vec();
    let mut frames = Vec::new();
    number(&mut file, services.len() as u32);
    for service in services {
        let raw = tables(service);
        let frame = zstd::bulk::compress(&raw, LEVEL).with_context(|| format!("cannot compress {}", service.name))?;
        index_entry(&mut file, service, frame.len(), raw.len());
        frames.extend(frame);
    }
    file.extend(frames);
    Ok(file)
}

fn index_entry(out: &mut Vec<u8>, service: &Service, frame_len: usize, raw_len: usize) {
    for words in [
        &service.name,
        &service.service_id,
        &service.signing_name,
        &service.endpoint_prefix,
        &service.target_prefix,
        &service.api_version,
        &service.json_version,
        &service.xml_namespace,
        &service.global_region,
    ] {
        number(out, words.len() as u32);
        out.extend(words.as_bytes());
    }
    number(out, service.protocols.len() as u32);
    for protocol in &service.protocols {
        out.push(Protocol::ALL.iter().position(|known| known == protocol).unwrap_or(0) as u8);
    }
    number(out, service.flags);
    number(out, frame_len as u32);
    number(out, raw_len as u32);
}

fn tables(service: &Service) -> Vec<u8> {
    let out = &mut Vec::new();
    number(out, service.strings.len() as u32);
    column(out, &service.strings, |text| text.len() as u32);
    service.strings.iter().for_each(|text| out.extend(text.as_bytes()));

    let shapes: &[Shape] = &service.shapes;
    number(out, shapes.len() as u32);
    out.extend(shapes.iter().map(|shape| shape.kind));
    column(out, shapes, |shape| shape.flags);
    column(out, shapes, |shape| shape.name);
    column(out, shapes, |shape| shape.members.len() as u32);

    let members: Vec<&Member> = shapes.iter().flat_map(|shape| &shape.members).collect();
    column(out, &members, |member| member.name);
    column(out, &members, |member| member.wire);
    column(out, &members, |member| member.query);
    column(out, &members, |member| member.shape);
    column(out, &members, |member| member.flags);

    number(out, service.codes.len() as u32);
    column(out, &service.codes, |code| code.0);
    column(out, &service.codes, |code| code.1);
    column(out, &service.codes, |code| code.2);

    let operations: &[Operation] = &service.operations;
    number(out, operations.len() as u32);
    column(out, operations, |operation| operation.name);
    column(out, operations, |operation| operation.method);
    column(out, operations, |operation| operation.uri);
    column(out, operations, |operation| operation.status);
    column(out, operations, |operation| operation.input);
    column(out, operations, |operation| operation.output);
    column(out, operations, |operation| operation.host_prefix);
    column(out, operations, |operation| operation.flags);
    column(out, operations, |operation| operation.errors.len() as u32);
    let errors: Vec<u32> = operations.iter().flat_map(|operation| operation.errors.iter().copied()).collect();
    column(out, &errors, |error| *error);
    std::mem::take(out)
}

fn column<T>(out: &mut Vec<u8>, rows: &[T], of: impl Fn(&T) -> u32) {
    rows.iter().for_each(|row| number(out, of(row)));
}

/// LEB128.
fn number(out: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::super::{compile, wheel::Source};
    use super::*;
    use aws::{Catalog, Kind, Location, TimestampFormat};
    use serde_json::{Value, json};

    fn compiled(name: &str, model: Value) -> Catalog {
        let source = Source { name: name.to_owned(), model, global_region: "us-east-1".to_owned() };
        let bytes = table(&[compile::service(&source).unwrap()]).unwrap();
        Catalog::open(Box::leak(bytes.into_boxed_slice())).unwrap()
    }

    fn model(protocol: &str, shapes: Value) -> Value {
        json!({
            "metadata": {"protocol": protocol, "endpointPrefix": "ep", "serviceId": "S", "apiVersion": "2026-01-15"},
            "operations": {"Do": {
                "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "In"}, "errors": [{"shape": "Bad"}]
            }},
            "shapes": shapes,
        })
    }

    #[test]
    fn what_is_written_is_read_back_with_the_members_word_over_its_shapes() {
        let catalog = compiled(
            "s",
            model(
                "rest-json",
                json!({
                    "In": {"type": "structure", "required": ["A"], "payload": "P", "members": {
                        "A": {"shape": "Secret", "location": "header", "locationName": "x-a"},
                        "T": {"shape": "Time", "timestampFormat": "iso8601"},
                        "P": {"shape": "In"},
                        "L": {"shape": "List", "locationName": "ignored"}
                    }},
                    "Secret": {"type": "string", "sensitive": true},
                    "Plain": {"type": "string", "min": 1},
                    "Time": {"type": "timestamp", "timestampFormat": "rfc822"},
                    "List": {"type": "list", "flattened": true, "member": {"shape": "Plain", "locationName": "Item"}},
                    "Bad": {"type": "structure", "members": {}, "exception": true, "error": {"code": "Worse", "httpStatusCode": 409}},
                }),
            ),
        );
        let info = &catalog.services()[0];
        assert_eq!((info.signing_name(), info.global_region()), ("ep", Some("us-east-1")));
        let operation = catalog.service(info.id()).unwrap().operation("Do").unwrap();
        let error = operation.errors().next().unwrap();
        assert_eq!((error.name(), error.code(), error.http_status()), ("Bad", "Worse", Some(409)));

        let input = operation.input().unwrap();
        let a = input.member_by_wire("x-a").unwrap();
        assert!(a.is_required() && a.is_sensitive() && a.location() == Location::Header);
        let time = input.member("T").unwrap();
        assert_eq!((time.timestamp_format(), time.is_required()), (Some(TimestampFormat::Iso8601), false));
        assert_eq!(input.payload().unwrap().shape(), input);
        let list = input.member("L").unwrap();
        assert!(list.is_flattened() && list.wire_name() == "Item");
        assert_eq!(list.shape().element().unwrap().shape().kind(), Kind::String);
    }

    #[test]
    fn forms_of_ec2_and_sqs_have_their_own_names() {
        let list = json!({"type": "list", "member": {"shape": "Str", "locationName": "item"}});
        let catalog = compiled(
            "ec2",
            model(
                "ec2",
                json!({
                    "In": {"type": "structure", "members": {
                        "Plain": {"shape": "Str"},
                        "Ids": {"shape": "List", "locationName": "idSet"},
                        "Named": {"shape": "List", "locationName": "namedSet", "queryName": "Own"}
                    }},
                    "Str": {"type": "string"}, "List": list, "Bad": {"type": "structure", "members": {}},
                }),
            ),
        );
        let service = catalog.service(catalog.services()[0].id()).unwrap();
        let names: Vec<_> =
            service.operation("Do").unwrap().input().unwrap().members().map(|m| m.query_name()).collect();
        assert_eq!(names, ["Plain", "IdSet", "Own"]);

        let catalog = compiled(
            "sqs",
            model(
                "json",
                json!({
                    "In": {"type": "structure", "members": {"Tags": {"shape": "TagMap"}}},
                    "TagMap": {"type": "map", "flattened": true, "key": {"shape": "Str"}, "value": {"shape": "Str"}},
                    "Str": {"type": "string"}, "Bad": {"type": "structure", "members": {}},
                }),
            ),
        );
        let service = catalog.service(catalog.services()[0].id()).unwrap();
        let tags = service.operation("Do").unwrap().input().unwrap().member("Tags").unwrap();
        assert_eq!((tags.wire_name(), tags.query_name()), ("Tags", "Tag"));
        assert_eq!(tags.shape().value().unwrap().query_name(), "Value");
    }
}
