//! EC2's records: two generations of a dialect of their own (`reference/event-record.md` §7.3).

pub(crate) mod names;

use crate::call::Call;
use crate::decode::tree::{MAX_DEPTH, NodeRef, Value};
use crate::render::redact::is_secret_name;
use crate::render::time::{Dates, Instant};
use crate::render::write::Json;
use crate::render::{Wire, numbered, typed};
use aws::{Kind, Member, Shape};
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;

const REMOVED: &str = "<sensitiveDataRemoved>";

/// Writes the members of `requestParameters` from the form of a call.
pub(crate) fn request(call: &Call, form: NodeRef<'_, '_>, out: &mut Json) {
    let operation = call.operation.name();
    if names::is_old(operation) {
        return old_request(operation, form, call.operation.input(), out);
    }
    out.key(&format!("{operation}Request"));
    let mark = out.len();
    out.open_object();
    let empty = out.len();
    let known = |node: &NodeRef<'_, '_>| !matches!(node.name(), "Action" | "Version") && !is_of_signature(node.name());
    for child in form.children().filter(known) {
        parameter(child, call.operation.input(), 0, out);
    }
    if out.len() == empty {
        out.rewind(mark);
        out.text("");
    } else {
        out.close_object();
    }
}

/// Writes the members of `responseElements` from the XML of an answer.
pub(crate) fn response(call: &Call, answer: NodeRef<'_, '_>, out: &mut Json) {
    let operation = call.operation.name();
    if names::is_old(operation) {
        return old_members(operation, answer, call.operation.output(), 0, out);
    }
    out.key(&format!("{operation}Response"));
    element(answer, call.operation.output(), None, 0, out);
}

/// Parameters of signature version 2 and of presigned calls.
fn is_of_signature(name: &str) -> bool {
    matches!(
        name,
        "AWSAccessKeyId" | "Signature" | "SignatureMethod" | "SignatureVersion" | "Timestamp" | "SecurityToken"
    ) || name.starts_with("X-Amz-")
}

fn by_query_name<'c>(shape: Option<Shape<'c>>, name: &str) -> Option<Member<'c>> {
    shape?.members().find(|member| member.query_name() == name)
}

fn is_secret(name: &str, member: Option<Member<'_>>) -> bool {
    member.is_some_and(|member| member.is_sensitive())
        || is_secret_name(name)
        || name.eq_ignore_ascii_case("UserData")
        || name.eq_ignore_ascii_case("KeyMaterial")
}

// The new style: the form and the XML as they are.

/// One parameter of the new style: a numbered list becomes objects with a `tag`, one alone or several in a list.
fn parameter(node: NodeRef<'_, '_>, shape: Option<Shape<'_>>, depth: u32, out: &mut Json) {
    let member = by_query_name(shape, node.name());
    if depth > MAX_DEPTH {
        return;
    }
    out.foreign_key(node.name());
    if is_secret(node.name(), member) {
        return out.text(REMOVED);
    }
    let inner = member.map(|member| member.shape());
    let elements = numbered(node);
    if elements.is_empty() {
        return fields(node, inner, None, depth, out);
    }
    let inner = inner.and_then(|list| list.element()).map(|element| element.shape());
    if elements.len() > 1 {
        out.open_list();
    }
    for element in &elements {
        fields(*element, inner, Some(element.name()), depth, out);
    }
    if elements.len() > 1 {
        out.close_list();
    }
}

fn fields(node: NodeRef<'_, '_>, shape: Option<Shape<'_>>, tag: Option<&str>, depth: u32, out: &mut Json) {
    let leaf = node.children().next().is_none();
    if let (true, None) = (leaf, tag) {
        return coerced(node.text().unwrap_or_default(), out);
    }
    out.open_object();
    if let Some(tag) = tag {
        out.key("tag");
        coerced(tag, out);
    }
    if leaf {
        out.key("content");
        coerced(node.text().unwrap_or_default(), out);
    }
    node.children().for_each(|child| parameter(child, shape, depth + 1, out));
    out.close_object();
}

/// XML as JSON in its own names: attributes are members, repeated elements a list, text is taken for what it looks like.
/// S3 records bodies in the same form. What is in elements named `hidden`, or marked in `shape`, does not stand there.
pub(crate) fn element(
    node: NodeRef<'_, '_>,
    shape: Option<Shape<'_>>,
    hidden: Option<&str>,
    depth: u32,
    out: &mut Json,
) {
    if node.children().next().is_none() {
        return coerced(node.text().unwrap_or_default(), out);
    }
    if depth > MAX_DEPTH {
        return out.null();
    }
    out.open_object();
    for alike in by_name(node) {
        let Some(first) = alike.first() else { continue };
        out.foreign_key(first.name());
        let member = shape.and_then(|shape| match shape.kind() {
            Kind::List => shape.element(),
            _ => shape.member_by_wire(local(first.name())),
        });
        let inner = member.map(|member| member.shape());
        match alike.as_slice() {
            _ if is_secret(local(first.name()), member) => out.text(REMOVED),
            _ if hidden == Some(local(first.name())) => out.text(crate::render::redact::HIDDEN),
            [only] => element(*only, inner, hidden, depth + 1, out),
            several => {
                out.open_list();
                several.iter().for_each(|node| element(*node, inner, hidden, depth + 1, out));
                out.close_list();
            }
        }
    }
    if let Some(text) = node.text().filter(|text| !text.trim().is_empty()) {
        out.key("content");
        coerced(text, out);
    }
    out.close_object();
}

/// A name without the prefix of its namespace.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The children with the same name together, in the order in which the names come first.
fn by_name<'t, 'a>(node: NodeRef<'t, 'a>) -> SmallVec<[SmallVec<[NodeRef<'t, 'a>; 2]>; 8]> {
    /// From so many names on they are looked up.
    const MANY: usize = 16;
    let mut groups: SmallVec<[SmallVec<[NodeRef<'t, 'a>; 2]>; 8]> = SmallVec::new();
    let mut places: HashMap<&'t str, usize> = HashMap::new();
    for child in node.children() {
        let name = child.name();
        let alike = |group: &SmallVec<[NodeRef<'t, 'a>; 2]>| group.first().is_some_and(|first| first.name() == name);
        // A list's elements come one after another.
        let place = match groups.last().is_some_and(alike) {
            true => Some(groups.len() - 1),
            false if groups.len() <= MANY => groups.iter().position(alike),
            false => groups.iter().take(MANY).position(alike).or_else(|| places.get(name).copied()),
        };
        match place.and_then(|place| groups.get_mut(place)) {
            Some(group) => group.push(child),
            None => {
                if groups.len() >= MANY {
                    places.insert(name, groups.len());
                }
                groups.push(smallvec![child]);
            }
        }
    }
    groups
}

fn coerced(text: &str, out: &mut Json) {
    match text {
        "true" | "false" => out.raw(text),
        _ if crate::decode::json::is_number(text) => out.raw(text),
        _ => out.text(text),
    }
}

// The old style: SOAP's names.

fn old_request(operation: &str, form: NodeRef<'_, '_>, input: Option<Shape<'_>>, out: &mut Json) {
    let mut written: SmallVec<[&'static str; 8]> = SmallVec::new();
    if operation == "RunInstances" {
        run_instances(form, input, out);
        written.extend(form.child("Monitoring.Enabled").map(|_| "monitoring"));
    }
    let is_permitted = permission(operation, form, out);
    for node in form.children() {
        let Some(member) = by_query_name(input, node.name()) else { continue };
        if is_permitted && PERMITTED.iter().any(|(parameter, _)| *parameter == node.name()) {
            continue;
        }
        if operation == "RunInstances" && RUN_INSTANCES_MOVED.contains(&node.name()) {
            continue;
        }
        old_member(operation, node, member, 0, out);
    }
    let implied = implied_attribute(operation, form);
    if let Some(value) = implied {
        out.text_member("attributeType", value);
    }
    defaults(operation, form, input, operation, out);
}

/// Who is permitted, where `OperationType` says how, and what one of them is called in a record.
const PERMITTED: [(&str, &str); 2] = [("UserId", "userId"), ("UserGroup", "group")];

/// Writes the older way to add and remove permissions as the newer one, which is what detections look for: `OperationType=add`
/// beside `UserId.1` says what `CreateVolumePermission.Add.1.UserId` says. Whether there was any.
fn permission(operation: &str, form: NodeRef<'_, '_>, out: &mut Json) -> bool {
    let name = match operation {
        "ModifyImageAttribute" => "launchPermission",
        "ModifySnapshotAttribute" => "createVolumePermission",
        _ => return false,
    };
    let Some(how @ ("add" | "remove")) = form.child("OperationType").and_then(NodeRef::text) else { return false };
    let listed = |parameter| form.child(parameter).map(numbered).unwrap_or_default();
    let permitted = PERMITTED.map(|(parameter, member)| (member, listed(parameter)));
    if permitted.iter().all(|(_, values)| values.is_empty()) {
        return false;
    }
    out.key(name);
    out.open_object();
    out.key(how);
    out.open_object();
    out.key("items");
    out.open_list();
    for (member, value) in permitted.iter().flat_map(|(member, values)| values.iter().map(move |value| (member, value)))
    {
        out.open_object();
        out.text_member(member, value.text().unwrap_or_default());
        out.close_object();
    }
    out.close_list();
    out.close_object();
    out.close_object();
    true
}

/// Adds what stands in a record although it was not sent.
fn defaults(key: &str, form: NodeRef<'_, '_>, shape: Option<Shape<'_>>, operation: &str, out: &mut Json) {
    let sent = |name: &str| {
        form.children()
            .any(|node| by_query_name(shape, node.name()).is_some_and(|member| is_recorded_as(operation, member, name)))
    };
    for (name, json) in names::always(key) {
        if !sent(name) {
            out.key(name);
            out.raw(json);
        }
    }
}

/// Whether a member is recorded under that name.
fn is_recorded_as(operation: &str, member: Member<'_>, name: &str) -> bool {
    let parameter = member.query_name();
    if member.shape().kind() == Kind::List {
        return match names::list(operation, parameter) {
            Some(list) => list.name == name,
            None => name.strip_suffix("Set").is_some_and(|start| is_lower_first(parameter, start)),
        };
    }
    match names::single(operation, parameter) {
        Some(single) => single == name,
        None => is_lower_first(parameter, name),
    }
}

fn is_lower_first(name: &str, lowered: &str) -> bool {
    name.get(1..) == lowered.get(1..)
        && name.get(..1).is_some_and(|first| lowered.get(..1).is_some_and(|other| first.eq_ignore_ascii_case(other)))
}

/// The attribute that a call changes, where the parameters say it by their presence.
fn implied_attribute(operation: &str, form: NodeRef<'_, '_>) -> Option<&'static str> {
    if form.child("Attribute").is_some() {
        return None;
    }
    match operation {
        "ModifyImageAttribute" if form.child("LaunchPermission").is_some() => Some("launchPermission"),
        "ModifySnapshotAttribute" if form.child("CreateVolumePermission").is_some() => Some("CREATE_VOLUME_PERMISSION"),
        _ => None,
    }
}

fn old_member(operation: &str, node: NodeRef<'_, '_>, member: Member<'_>, depth: u32, out: &mut Json) {
    let (parameter, shape) = (member.query_name(), member.shape());
    if depth > MAX_DEPTH || names::single(operation, parameter) == Some("") {
        return;
    }
    let name = names::single(operation, parameter);
    if shape.kind() == Kind::List {
        let list = names::list(operation, parameter);
        match list {
            Some(list) => out.key(list.name),
            None => out.key_lower_first(&format!("{parameter}Set")),
        }
        return old_list(operation, node, member, list, depth, out);
    }
    match name {
        Some(name) => out.key(name),
        None => out.key_lower_first(parameter),
    }
    let any_attribute = depth == 0 && operation == "ModifyInstanceAttribute" && parameter == "Value";
    if is_secret(parameter, Some(member)) || any_attribute {
        return out.text(REMOVED);
    }
    match shape.kind() {
        Kind::Structure => old_structure(operation, "", node, shape, depth, out),
        // `NoDevice` says by its presence all that it says.
        _ if parameter == "NoDevice" && node.text() == Some("") => out.raw("{}"),
        _ if names::is_text_number(operation, parameter) => out.text(node.text().unwrap_or_default()),
        kind => {
            let text = node.text().unwrap_or_default();
            typed(names::attribute(operation, text).unwrap_or(text), kind, Wire::Query, out);
        }
    }
}

fn old_structure(operation: &str, key: &str, node: NodeRef<'_, '_>, shape: Shape<'_>, depth: u32, out: &mut Json) {
    out.open_object();
    for child in node.children() {
        if let Some(member) = by_query_name(Some(shape), child.name()) {
            old_member(operation, child, member, depth + 1, out);
        }
    }
    defaults(key, node, Some(shape), operation, out);
    out.close_object();
}

fn old_list(
    operation: &str,
    node: NodeRef<'_, '_>,
    member: Member<'_>,
    list: Option<names::List>,
    depth: u32,
    out: &mut Json,
) {
    let Some(element) = member.shape().element() else { return out.raw("{}") };
    let elements = numbered(node);
    if elements.is_empty() {
        return out.raw("{}");
    }
    out.open_object();
    out.key(names::wrapper(operation, list.map_or("", |list| list.name), true));
    out.open_list();
    for item in elements {
        if member.query_name() == "TagSpecification" {
            tag_specification(item, out);
        } else if element.shape().kind() == Kind::Structure {
            old_structure(operation, member.query_name(), item, element.shape(), depth, out);
        } else {
            out.open_object();
            match list.map(|list| list.value).filter(|value| !value.is_empty()) {
                Some(value) => out.key(value),
                None => out.key_lower_first(member.query_name()),
            }
            typed(item.text().unwrap_or_default(), element.shape().kind(), Wire::Query, out);
            out.close_object();
        }
    }
    out.close_list();
    out.close_object();
}

/// The one list that came after SOAP and stands plain: `{"resourceType":"vpc","tags":[{"key":…,"value":…}]}`.
fn tag_specification(node: NodeRef<'_, '_>, out: &mut Json) {
    out.open_object();
    if let Some(kind) = node.child("ResourceType").and_then(NodeRef::text) {
        out.text_member("resourceType", kind);
    }
    out.key("tags");
    out.open_list();
    for tag in node.child("Tag").map(numbered).unwrap_or_default() {
        out.open_object();
        for (parameter, name) in [("Key", "key"), ("Value", "value")] {
            if let Some(text) = tag.child(parameter).and_then(NodeRef::text) {
                out.text_member(name, text);
            }
        }
        out.close_object();
    }
    out.close_list();
    out.close_object();
}

/// Parameters of RunInstances that its records put elsewhere.
const RUN_INSTANCES_MOVED: [&str; 7] =
    ["ImageId", "MinCount", "MaxCount", "KeyName", "SecurityGroup", "SecurityGroupId", "Placement"];

fn run_instances(form: NodeRef<'_, '_>, input: Option<Shape<'_>>, out: &mut Json) {
    out.key("instancesSet");
    out.raw("{\"items\":[{");
    for name in ["ImageId", "MinCount", "MaxCount", "KeyName"] {
        if let (Some(node), Some(member)) = (form.child(name), by_query_name(input, name)) {
            out.key_lower_first(name);
            typed(node.text().unwrap_or_default(), member.shape().kind(), Wire::Query, out);
        }
    }
    out.close_object();
    out.close_list();
    out.close_object();
    let groups = [("SecurityGroupId", "groupId"), ("SecurityGroup", "groupName")];
    if groups.iter().any(|(parameter, _)| form.child(parameter).is_some()) {
        out.key("groupSet");
        out.open_object();
        out.key("items");
        out.open_list();
        for (parameter, name) in groups {
            for group in form.child(parameter).map(numbered).unwrap_or_default() {
                out.open_object();
                out.text_member(name, group.text().unwrap_or_default());
                out.close_object();
            }
        }
        out.close_list();
        out.close_object();
    }
    if let (Some(placement), Some(member)) = (form.child("Placement"), by_query_name(input, "Placement")) {
        for child in placement.children() {
            if let Some(member) = by_query_name(Some(member.shape()), child.name()) {
                old_member("RunInstances", child, member, 1, out);
            }
        }
    }
}

/// The members of an answer of the old style.
fn old_members(operation: &str, node: NodeRef<'_, '_>, shape: Option<Shape<'_>>, depth: u32, out: &mut Json) {
    if depth > MAX_DEPTH {
        return;
    }
    for child in node.elements() {
        let name = child.name();
        if name == "return" {
            out.key("_return");
            coerced(child.text().unwrap_or_default(), out);
            continue;
        }
        let member = shape.and_then(|shape| shape.member_by_wire(name));
        out.foreign_key(if operation == "CreateVolume" && name == "availabilityZone" { "zone" } else { name });
        if is_secret(name, member) {
            out.text(REMOVED);
            continue;
        }
        match member {
            Some(member) => old_value(operation, child, member, depth, out),
            None if name == "requestId" => out.text(child.text().unwrap_or_default()),
            None => unmodeled(operation, child, depth, out),
        }
    }
}

fn old_value(operation: &str, node: NodeRef<'_, '_>, member: Member<'_>, depth: u32, out: &mut Json) {
    let shape = member.shape();
    match shape.kind() {
        Kind::Structure => {
            out.open_object();
            old_members(operation, node, Some(shape), depth + 1, out);
            out.close_object();
        }
        Kind::List => {
            let element = shape.element().map(|element| element.shape());
            wrapped(operation, node, element, depth, out);
        }
        Kind::Timestamp => match node.text().and_then(Instant::parse) {
            Some(instant) => instant.write(Dates::Millis, out),
            None => out.text(node.text().unwrap_or_default()),
        },
        _ if names::is_text_number(operation, node.name()) => out.text(node.text().unwrap_or_default()),
        _ if names::is_number(node.name()) => typed(node.text().unwrap_or_default(), Kind::Long, Wire::Xml, out),
        kind => typed(node.text().unwrap_or_default(), kind, Wire::Xml, out),
    }
}

/// `<xSet><item/>…</xSet>` as `{"items":[…]}`; an empty one as `{}`.
fn wrapped(operation: &str, node: NodeRef<'_, '_>, element: Option<Shape<'_>>, depth: u32, out: &mut Json) {
    out.open_object();
    if node.elements().next().is_some() {
        out.key(names::wrapper(operation, node.name(), false));
        out.open_list();
        for item in node.elements() {
            match element.map(|shape| shape.kind()) {
                Some(Kind::Structure) => {
                    out.open_object();
                    old_members(operation, item, element, depth + 1, out);
                    out.close_object();
                }
                Some(kind) => typed(item.text().unwrap_or_default(), kind, Wire::Xml, out),
                None => unmodeled(operation, item, depth, out),
            }
        }
        out.close_list();
    }
    out.close_object();
}

/// What the model does not know: a list if it has items, else its members, else its text.
fn unmodeled(operation: &str, node: NodeRef<'_, '_>, depth: u32, out: &mut Json) {
    if depth > MAX_DEPTH {
        out.null();
    } else if node.elements().next().is_some_and(|child| child.name() == "item") {
        wrapped(operation, node, None, depth + 1, out);
    } else if matches!(node.value(), Value::Object) {
        out.open_object();
        old_members(operation, node, None, depth + 1, out);
        out.close_object();
    } else if node.text().is_none_or(str::is_empty) {
        out.raw("{}");
    } else {
        typed(node.text().unwrap_or_default(), Kind::Boolean, Wire::Xml, out);
    }
}
