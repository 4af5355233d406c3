//! EC2's parameters back to the form that a client sends. Knows the model and the words of its records, not the recorder.

use aws::{Kind, Member, Shape};
use serde_json::Value;

type Pairs = Vec<(String, String)>;

/// The form of a request.
///
/// # Errors
/// The path of the first member that cannot be traced back to a parameter.
pub(crate) fn form(operation: &str, input: Option<Shape<'_>>, parameters: &Value) -> Result<Pairs, String> {
    let mut pairs = Vec::new();
    let Value::Object(members) = parameters else { return Ok(pairs) };
    if let Some(new) = members.get(&format!("{operation}Request")) {
        generic(new, "", &mut pairs);
        return Ok(pairs);
    }
    let input = input.ok_or("no input")?;
    for (name, value) in members {
        old(operation, input, name, value, "", &mut pairs)?;
    }
    Ok(pairs)
}

/// The new style carries the parameters' own names; `tag` is the number in a list.
fn generic(value: &Value, prefix: &str, pairs: &mut Pairs) {
    match value {
        Value::Object(members) => {
            let prefix = match members.get("tag") {
                Some(tag) => format!("{prefix}.{tag}"),
                None => prefix.to_owned(),
            };
            for (name, value) in members.iter().filter(|(name, _)| *name != "tag") {
                let inner = if name == "content" {
                    prefix.clone()
                } else if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                generic(value, &inner, pairs);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| generic(value, prefix, pairs)),
        Value::String(text) if prefix.is_empty() && text.is_empty() => {}
        other => pairs.push((prefix.to_owned(), plain(other))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Words of old records that are not a parameter's name with another ending.
const WORDS: [(&str, &str); 20] = [
    ("groupSet", "SecurityGroupId"),
    ("instancesSet", "InstanceId"),
    ("imagesSet", "ImageId"),
    ("ownersSet", "Owner"),
    ("executableBySet", "ExecutableBy"),
    ("sharedUsersSet", "RestorableBy"),
    ("publicIpsSet", "PublicIp"),
    ("allocationIdsSet", "AllocationId"),
    ("securityGroupSet", "GroupName"),
    ("securityGroupIdSet", "GroupId"),
    ("placementGroupSet", "GroupName"),
    ("keySet", "KeyName"),
    ("regionSet", "RegionName"),
    ("availabilityZoneSet", "ZoneName"),
    ("availabilityZoneIdSet", "ZoneId"),
    ("accountAttributeNameSet", "AttributeName"),
    ("bundlesSet", "BundleId"),
    ("resourcesSet", "ResourceId"),
    ("zone", "AvailabilityZone"),
    ("attributeType", "Attribute"),
];
const MORE_WORDS: [(&str, &str); 3] =
    [("aclProtocol", "Protocol"), ("icmpTypeCode", "Icmp"), ("privateIpAddressesSet", "PrivateIpAddresses")];

fn parameter<'c>(shape: Shape<'c>, name: &str) -> Option<Member<'c>> {
    let by = |wanted: &str| shape.members().find(|member| member.query_name().eq_ignore_ascii_case(wanted));
    let word =
        || WORDS.iter().chain(&MORE_WORDS).find(|(word, _)| *word == name).and_then(|(_, parameter)| by(parameter));
    let stem = name.strip_suffix("Set").unwrap_or(name);
    word()
        .or_else(|| by(name))
        .or_else(|| by(stem))
        .or_else(|| by(&format!("{stem}Id")))
        .or_else(|| by(&format!("{stem}s")))
        .or_else(|| by(stem.trim_end_matches('s')))
}

fn old(
    operation: &str,
    shape: Shape<'_>,
    name: &str,
    value: &Value,
    prefix: &str,
    pairs: &mut Pairs,
) -> Result<(), String> {
    let items = value.get("items").or_else(|| value.get("item")).and_then(Value::as_array);
    // RunInstances keeps some parameters of the call in its one element, and puts the placement's outside.
    if operation == "RunInstances" && name == "instancesSet" && prefix.is_empty() {
        for (name, value) in items.into_iter().flatten().flat_map(|item| item.as_object().unwrap()) {
            old(operation, shape, name, value, "", pairs)?;
        }
        return Ok(());
    }
    if operation == "RunInstances" && matches!(name, "tenancy" | "availabilityZone") && prefix.is_empty() {
        pairs.push((format!("Placement.{}", upper(name)), plain(value)));
        return Ok(());
    }
    let empty = value.as_object().is_some_and(|members| members.is_empty());
    let Some(member) = parameter(shape, name) else {
        let idle = empty || *value == Value::Bool(false);
        return if idle { Ok(()) } else { Err(format!("{prefix}.{name}")) };
    };
    let path =
        if prefix.is_empty() { member.query_name().to_owned() } else { format!("{prefix}.{}", member.query_name()) };
    match (member.shape().kind(), value) {
        (Kind::List, Value::Object(empty)) if empty.is_empty() => Ok(()),
        (Kind::List, _) => {
            let element = member.shape().element().unwrap().shape();
            let plain_list = value.as_array();
            for (at, item) in items.or(plain_list).ok_or_else(|| format!("{path} has no items"))?.iter().enumerate() {
                let path = format!("{path}.{}", at + 1);
                for (name, value) in item.as_object().ok_or("item")? {
                    if element.kind() == Kind::Structure {
                        old(operation, element, name, value, &path, pairs)?;
                    } else {
                        pairs.push((path.clone(), plain(value)));
                    }
                }
            }
            Ok(())
        }
        (Kind::Structure, Value::Object(members)) => {
            for (name, value) in members {
                old(operation, member.shape(), name, value, &path, pairs)?;
            }
            Ok(())
        }
        // A masked attribute.
        (Kind::Structure, Value::String(_)) => {
            pairs.push((format!("{path}.Value"), "PLANTED-SECRET".to_owned()));
            Ok(())
        }
        (_, Value::Object(empty)) if empty.is_empty() => {
            pairs.push((path, String::new()));
            Ok(())
        }
        (_, value) => {
            let text = plain(value);
            let text = if text == "CREATE_VOLUME_PERMISSION" { "createVolumePermission".to_owned() } else { text };
            pairs.push((path, if text == "<sensitiveDataRemoved>" { "PLANTED-SECRET".to_owned() } else { text }));
            Ok(())
        }
    }
}

fn upper(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// The XML of an answer.
pub(crate) fn answer(operation: &str, output: Option<Shape<'_>>, elements: &Value) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let root = format!("{operation}Response");
    match elements.get(&root) {
        Some(new) => {
            let namespace =
                new.get("xmlns").and_then(Value::as_str).unwrap_or("http://ec2.amazonaws.com/doc/2016-11-15/");
            xml.push_str(&format!("<{root} xmlns=\"{namespace}\">"));
            new.as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| *name != "xmlns")
                .for_each(|(name, value)| inner(name, value, &mut xml));
        }
        None => {
            xml.push_str(&format!("<{root} xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"));
            members(output, elements, &mut xml);
        }
    }
    xml.push_str(&format!("</{root}>"));
    xml
}

fn inner(name: &str, value: &Value, xml: &mut String) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| inner(name, value, xml)),
        Value::Object(members) => {
            crate::wire::tag(name, xml, |xml| members.iter().for_each(|(name, value)| inner(name, value, xml)))
        }
        other => crate::wire::tag(name, xml, |xml| xml.push_str(&crate::wire::escaped(&plain(other)))),
    }
}

fn members(shape: Option<Shape<'_>>, value: &Value, xml: &mut String) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let name = match name.as_str() {
            "_return" => "return",
            "zone" => "availabilityZone",
            other => other,
        };
        let member = shape.and_then(|shape| shape.member_by_wire(name));
        let inside = member.map(|member| member.shape());
        crate::wire::tag(name, xml, |xml| {
            let items = value.get("items").or_else(|| value.get("item")).and_then(Value::as_array);
            match (items, value) {
                (Some(items), _) => {
                    let element = inside.and_then(|list| list.element()).map(|element| element.shape());
                    items.iter().for_each(|item| crate::wire::tag("item", xml, |xml| members(element, item, xml)));
                }
                (None, Value::Object(_)) => members(inside, value, xml),
                (None, Value::Number(millis)) if inside.is_some_and(|shape| shape.kind() == Kind::Timestamp) => {
                    let millis = millis.as_i64().unwrap();
                    let time = event::EventTime(millis.div_euclid(1000)).to_string();
                    xml.push_str(&format!("{}.{:03}Z", time.trim_end_matches('Z'), millis.rem_euclid(1000)));
                }
                (None, other) => xml.push_str(&crate::wire::escaped(&plain(other))),
            }
        });
    }
}
