//! A secret in every member of every operation that is named like one, requests and results: none of them is shown.

use crate::call::Call;
use crate::decode::{form, json, xml};
use crate::render::Wire;
use crate::render::write::Json;
use aws::{Catalog, Kind, Location, Member, Shape};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashSet};

/// Endings of names whose values nobody may read in a record.
const SECRETS: [&str; 28] = [
    "password",
    "passwords",
    "passwordverifier",
    "passphrase",
    "secretaccesskey",
    "secretkey",
    "secretstring",
    "secretbinary",
    "sharedsecret",
    "clientsecret",
    "privatekey",
    "presharedkey",
    "apikeyvalue",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "bearertoken",
    "sessiontoken",
    "securitytoken",
    "webidentitytoken",
    "tokencode",
    "tokenvalue",
    "samlassertion",
    "userdata",
    "environmentvariables",
    "authenticationcode1",
    "authenticationcode2",
];

/// What real records show all the same (`reference/event-record.md` §8; CloudTrail User Guide, "Understanding CloudTrail events"), and a name that only ends like a secret.
const SHOWN: [(&str, &str); 3] =
    [("cognito-identity", "SessionToken"), ("sts", "SessionToken"), ("sts", "SubjectFromWebIdentityToken")];

/// Plants in each member of a shape that is named like a secret; `None` where there is none. Every shape is entered once.
fn plant(shape: Shape<'_>, name: fn(&Member<'_>) -> String, seen: &mut HashSet<u32>, depth: u32) -> Option<Value> {
    if depth > 12 {
        return None;
    }
    match shape.kind() {
        Kind::Structure if seen.insert(shape.number()) => {
            let mut members = Map::new();
            for member in shape.members().filter(|member| member.location() == Location::Body) {
                let lower = member.name().to_ascii_lowercase();
                let planted = match SECRETS.iter().any(|ending| lower.ends_with(ending)) {
                    true => filled(member.shape(), member.name()),
                    false => None,
                };
                if let Some(value) = planted.or_else(|| plant(member.shape(), name, seen, depth + 1)) {
                    members.insert(name(&member), value);
                }
            }
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Kind::List => Some(Value::Array(vec![plant(shape.element()?.shape(), name, seen, depth + 1)?])),
        Kind::Map => Some(Value::Object(Map::from_iter([(
            "k".to_owned(),
            plant(shape.value()?.shape(), name, seen, depth + 1)?,
        )]))),
        _ => None,
    }
}

/// A text, a list or a map of texts that says which member it is of.
fn filled(shape: Shape<'_>, name: &str) -> Option<Value> {
    match shape.kind() {
        Kind::String | Kind::Blob => Some(Value::String(format!("PLANTED-{name}."))),
        Kind::List => Some(Value::Array(vec![filled(shape.element()?.shape(), name)?])),
        Kind::Map => Some(Value::Object(Map::from_iter([("k".to_owned(), filled(shape.value()?.shape(), name)?)]))),
        _ => None,
    }
}

/// Names of the members whose secrets stand in a text.
fn shown(json: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(json);
    text.split("PLANTED-").skip(1).filter_map(|rest| rest.split('.').next()).map(str::to_owned).collect()
}

fn form(value: &Value, key: &str, out: &mut String) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            form(value, &if key.is_empty() { name.clone() } else { format!("{key}.{name}") }, out);
        }),
        Value::Array(values) => values.iter().for_each(|value| form(value, &format!("{key}.1"), out)),
        value => out.push_str(&format!("&{key}={}", value.as_str().unwrap_or_default())),
    }
}

fn xml(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            out.push_str(&format!("<{name}>"));
            xml(value, out);
            out.push_str(&format!("</{name}>"));
        }),
        Value::Array(values) => values.iter().for_each(|value| {
            out.push_str("<item>");
            xml(value, out);
            out.push_str("</item>");
        }),
        value => out.push_str(value.as_str().unwrap_or_default()),
    }
}

/// What a record shows of planted parameters or of a planted result.
fn told(call: &Call, shape: Shape<'_>, planted: &Value) -> Vec<u8> {
    let mut out = Json::default();
    out.open_object();
    let json = serde_json::to_vec(planted).unwrap();
    let tree = json::tree(&json).unwrap();
    call.renderer(Wire::Json).members(tree.root(), shape, "", 0, &mut out);
    out.into_text().into_bytes()
}

fn told_by_ec2(call: &Call, planted: &Value, request: bool) -> Vec<u8> {
    let (mut out, mut text) = (Json::default(), String::new());
    out.open_object();
    if request {
        form(planted, "", &mut text);
        let body = format!("Action={}&Version=2016-11-15{text}", call.operation.name());
        super::ec2::request(call, form::tree(body.as_bytes()).unwrap().root(), &mut out);
    } else {
        xml(planted, &mut text);
        let body = format!("<Response>{text}</Response>");
        super::ec2::response(call, xml::tree(body.as_bytes()).unwrap().root(), &mut out);
    }
    out.into_text().into_bytes()
}

#[test]
fn no_secret_of_any_operation_is_shown() {
    let catalog = Catalog::embedded();
    let (mut leaks, mut planted_in) = (BTreeSet::new(), 0);
    for info in catalog.services() {
        let service = catalog.service(info.id()).unwrap();
        let ec2 = service.name() == "ec2";
        for operation in service.operations() {
            let call = Call::new(service, operation, service.protocol());
            for (shape, request) in [(operation.input(), true), (operation.output(), false)] {
                let Some(shape) = shape else { continue };
                let name: fn(&Member<'_>) -> String = match (ec2, request) {
                    (true, true) => |member| member.query_name().to_owned(),
                    _ => |member| member.wire_name().to_owned(),
                };
                let Some(planted) = plant(shape, name, &mut HashSet::new(), 0) else { continue };
                planted_in += 1;
                let told = if ec2 { told_by_ec2(&call, &planted, request) } else { told(&call, shape, &planted) };
                for member in shown(&told) {
                    if !SHOWN.contains(&(service.name(), member.as_str())) {
                        leaks.insert(format!("{}:{}:{member}", service.name(), operation.name()));
                    }
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks: {:#?}", leaks.len(), leaks.iter().take(80).collect::<Vec<_>>());
    assert!(planted_in > 500, "secrets were planted in {planted_in} requests and results only");
}
