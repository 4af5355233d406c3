//! A decoded body and its shape become the JSON of a record (`reference/event-record.md` §7.1).

pub(crate) mod drift;
pub(crate) mod dynamodb;
pub(crate) mod limits;
pub(crate) mod manner;
pub(crate) mod redact;
pub(crate) mod time;
pub(crate) mod write;

use crate::decode::tree::{MAX_DEPTH, NodeRef, Value};
use crate::render::manner::{Casing, Manner};
use crate::render::redact::{Mask, Rows};
use crate::render::time::{Dates, Instant};
use crate::render::write::Json;
use aws::{Kind, Location, Member, Shape};
use smallvec::SmallVec;

/// How lists and maps stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// JSON and CBOR: as themselves.
    Json,
    /// Repeated elements, `<entry>`s.
    Xml,
    /// `Name.member.1`, `Name.entry.1.key`.
    Query,
}

/// Writes trees by their shapes, in one service's manner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renderer {
    pub(crate) manner: &'static Manner,
    pub(crate) rows: Rows,
    pub(crate) wire: Wire,
    /// Whether names begin in lower case although the service's do not.
    pub(crate) lower_names: bool,
    /// The service that adds members to the structures of its results.
    pub(crate) adds: Option<&'static str>,
}

impl Renderer {
    /// Writes the members of a structure that stand in the body, without braces. Members that the model does not know
    /// are left out: a service ignores them, and nobody can say whether they are secret.
    pub(crate) fn members(&self, node: NodeRef<'_, '_>, shape: Shape<'_>, within: &str, depth: u32, out: &mut Json) {
        if depth > MAX_DEPTH {
            return;
        }
        // No name may stand twice, though forms have several names for some members, and XML repeats flattened lists.
        let mut written: SmallVec<[&str; 8]> = SmallVec::new();
        for child in node.children() {
            let Some(member) = member_of(shape, child.name(), self.wire) else { continue };
            if member.location() != Location::Body || written.contains(&member.name()) {
                continue;
            }
            if self.wire != Wire::Json {
                written.push(member.name());
            }
            self.member(child, member, within, depth, out);
        }
    }

    /// Writes one member with its name, or its mask, or nothing.
    pub(crate) fn member(&self, node: NodeRef<'_, '_>, member: Member<'_>, within: &str, depth: u32, out: &mut Json) {
        if *node.value() == Value::Null || member.is_streaming() || member.is_event_stream() {
            return;
        }
        let mask = self.rows.mask(member.name(), within, member.is_sensitive(), self.manner.sensitive);
        let mask = mask.filter(|mask| !is_empty(node) || !shows_what_is_empty(*mask, member));
        let is_blob = mask.is_none() && member.shape().kind() == Kind::Blob;
        let as_text = self.manner.blobs && member.location() == Location::Body;
        let is_shown = || as_text && node.text().is_some_and(|text| text.len() <= LONG_BLOB);
        if mask == Some(Mask::Drop) || (is_blob && !is_shown()) {
            return;
        }
        self.key(member, out);
        match mask {
            Some(mask) => masked(mask, node, out),
            None => self.value(node, member, depth + 1, out),
        }
    }

    /// Writes a member's name.
    pub(crate) fn key(&self, member: Member<'_>, out: &mut Json) {
        match self.manner.casing {
            Casing::LowerFirst => out.key_lower_first(member.name()),
            Casing::AsSent if self.lower_names => out.key_lower_first(member.wire_name()),
            Casing::AsSent => out.key(member.wire_name()),
        }
    }

    /// Writes what a service adds to the structure that a member of its result is.
    pub(crate) fn added(&self, member: Member<'_>, out: &mut Json) {
        for (name, json) in self.adds.map_or(&[][..], |service| drift::added_to_result(service, member.name())) {
            out.key(name);
            out.raw(json);
        }
    }

    fn value(&self, node: NodeRef<'_, '_>, member: Member<'_>, depth: u32, out: &mut Json) {
        let shape = member.shape();
        match shape.kind() {
            Kind::Structure => {
                out.open_object();
                self.members(node, shape, member.name(), depth, out);
                self.added(member, out);
                out.close_object();
            }
            Kind::List => {
                out.open_list();
                self.elements(node, member, depth, out);
                out.close_list();
            }
            Kind::Map => {
                out.open_object();
                self.entries(node, member, depth, out);
                out.close_object();
            }
            Kind::Document => self.document(node, depth, out),
            kind => self.scalar(node, kind, out),
        }
    }

    fn elements(&self, node: NodeRef<'_, '_>, member: Member<'_>, depth: u32, out: &mut Json) {
        let Some(element) = member.shape().element() else { return };
        if depth > MAX_DEPTH {
            return;
        }
        let mut each = |node: NodeRef<'_, '_>| match self.element_mask(element) {
            Some(Mask::Drop) => {}
            Some(mask) => masked(mask, node, out),
            // Elements carry the list's name as their context.
            None => self.element(node, element, member.name(), depth + 1, out),
        };
        match self.wire {
            Wire::Json => node.children().for_each(each),
            Wire::Xml if is_flattened(member) => {
                let name = node.name();
                each(node);
                node.following().filter(|other| other.name() == name).for_each(each);
            }
            Wire::Xml => node.elements().for_each(each),
            Wire::Query if has_query_name(member) => numbered(node).into_iter().for_each(each),
            Wire::Query => numbered(list_of(node, element.wire_name())).into_iter().for_each(each),
        }
    }

    /// What stands in place of the elements of a list, or the values of a map.
    pub(crate) fn element_mask(&self, element: Member<'_>) -> Option<Mask> {
        element.is_sensitive().then_some(self.manner.sensitive).filter(|mask| *mask != Mask::Show)
    }

    fn element(&self, node: NodeRef<'_, '_>, element: Member<'_>, list: &str, depth: u32, out: &mut Json) {
        match element.shape().kind() {
            Kind::Structure if *node.value() != Value::Null => {
                out.open_object();
                self.members(node, element.shape(), list, depth, out);
                out.close_object();
            }
            Kind::Blob => {}
            _ => self.value(node, element, depth, out),
        }
    }

    fn entries(&self, node: NodeRef<'_, '_>, member: Member<'_>, depth: u32, out: &mut Json) {
        let (Some(key), Some(value)) = (member.shape().key(), member.shape().value()) else { return };
        if depth > MAX_DEPTH {
            return;
        }
        let mut entry = |name: &str, node: NodeRef<'_, '_>| {
            let mask = self.element_mask(value).or_else(|| {
                // Keys of maps are data; a key that names a secret still keeps one.
                crate::render::redact::is_secret_name(name).then_some(Mask::Text(crate::render::redact::HIDDEN))
            });
            match mask {
                Some(Mask::Drop) => {}
                Some(mask) => {
                    out.foreign_key(name);
                    masked(mask, node, out);
                }
                None if value.shape().kind() == Kind::Blob => {}
                None => {
                    out.foreign_key(name);
                    self.element(node, value, member.name(), depth + 1, out);
                }
            }
        };
        let mut pair = |node: NodeRef<'_, '_>| {
            if let (Some(key), Some(value)) = (child_of(node, key), child_of(node, value)) {
                entry(key.text().unwrap_or_default(), value);
            }
        };
        match self.wire {
            Wire::Json => node.children().for_each(|child| entry(child.name(), child)),
            Wire::Xml if is_flattened(member) => {
                let name = node.name();
                pair(node);
                node.following().filter(|other| other.name() == name).for_each(pair);
            }
            Wire::Xml => node.elements().for_each(pair),
            Wire::Query if has_query_name(member) => numbered(node).into_iter().for_each(pair),
            Wire::Query => numbered(list_of(node, "entry")).into_iter().for_each(pair),
        }
    }

    fn scalar(&self, node: NodeRef<'_, '_>, kind: Kind, out: &mut Json) {
        match (kind, node.value()) {
            (_, Value::Null | Value::Bytes) => out.null(),
            (_, Value::Bool(value)) => out.bool(*value),
            (Kind::Timestamp, Value::Text(text) | Value::Number(text)) => {
                // A time that is text in a document of JSON stays as it was sent, to its last digit, unless the service is known to write it anew.
                let is_as_sent = self.wire == Wire::Json
                    && self.manner.dates == Dates::Java9
                    && matches!(node.value(), Value::Text(_));
                let instant = Instant::parse(text).filter(|_| !is_as_sent && self.manner.dates != Dates::AsSent);
                match (instant, node.value()) {
                    (Some(instant), _) => instant.write(self.manner.dates, out),
                    (None, Value::Number(digits)) => out.raw(digits),
                    (None, _) => out.text(text),
                }
            }
            (_, Value::Number(digits)) => out.raw(digits),
            (kind, Value::Text(text)) => typed(text, kind, self.wire, out),
            (_, Value::List | Value::Object) => out.text(""),
        }
    }

    fn document(&self, node: NodeRef<'_, '_>, depth: u32, out: &mut Json) {
        verbatim(node, depth, out);
    }
}

/// Binary members are shown up to this size, bytes of base64: what else a call says has room beside them.
const LONG_BLOB: usize = 64 << 10;

/// Most services show what is empty as it is, those behind API Gateway as far as it is a map.
fn shows_what_is_empty(mask: Mask, member: Member<'_>) -> bool {
    mask == Mask::Text(redact::HIDDEN) || (mask == redact::THREE_STARS && member.shape().kind() == Kind::Map)
}

/// Whether there is nothing to hide.
fn is_empty(node: NodeRef<'_, '_>) -> bool {
    match node.value() {
        Value::Text(text) => text.is_empty(),
        Value::List | Value::Object => node.children().next().is_none(),
        _ => false,
    }
}

/// Text of a form or of XML as the kind that the model says; text of JSON stays text.
pub(crate) fn typed(text: &str, kind: Kind, wire: Wire, out: &mut Json) {
    let number = matches!(kind, Kind::Integer | Kind::Long | Kind::Float | Kind::Double);
    match (wire, text) {
        (Wire::Json, _) => shown(text, out),
        (_, "true" | "false") if kind == Kind::Boolean => out.raw(text),
        _ if number && crate::decode::json::is_number(text.trim()) => out.raw(text.trim()),
        _ => shown(text, out),
    }
}

/// Writes text. Of a presigned URL only what it is of: who has the rest may do what it permits.
fn shown(text: &str, out: &mut Json) {
    let signed = |url: &&str| url.starts_with("http") && url.contains("X-Amz-Signature=");
    match Some(text).filter(signed).and_then(|url| url.split_once('?')) {
        Some((url, _)) => out.text(&format!("{url}?{}", redact::HIDDEN)),
        None => out.text(text),
    }
}

/// Copies a tree as JSON without a shape, leaving out what is named like a secret.
pub(crate) fn verbatim(node: NodeRef<'_, '_>, depth: u32, out: &mut Json) {
    match node.value() {
        _ if depth > MAX_DEPTH * 2 => out.null(),
        Value::Null | Value::Bytes => out.null(),
        Value::Bool(value) => out.bool(*value),
        Value::Number(digits) => out.raw(digits),
        Value::Text(text) => shown(text, out),
        Value::List => {
            out.open_list();
            node.children().for_each(|child| verbatim(child, depth + 1, out));
            out.close_list();
        }
        Value::Object => {
            out.open_object();
            for child in node.children().filter(|child| !crate::render::redact::is_secret_name(child.name())) {
                out.foreign_key(child.name());
                verbatim(child, depth + 1, out);
            }
            out.close_object();
        }
    }
}

/// Writes what stands in place of a value.
pub(crate) fn masked(mask: Mask, node: NodeRef<'_, '_>, out: &mut Json) {
    match mask {
        Mask::Drop | Mask::Show => out.null(),
        Mask::Text(text) => out.text(text),
        Mask::TextList(text) => {
            out.open_list();
            out.text(text);
            out.close_list();
        }
        Mask::Leaves(text) => leaves(text, node, 0, out),
        Mask::Names => {
            out.open_list();
            node.children().for_each(|child| out.text(child.name()));
            out.close_list();
        }
        Mask::Unwrapped => unwrapped(node, 0, out),
    }
}

fn leaves(text: &str, node: NodeRef<'_, '_>, depth: u32, out: &mut Json) {
    match node.value() {
        Value::List if depth < MAX_DEPTH => {
            out.open_list();
            node.children().for_each(|child| leaves(text, child, depth + 1, out));
            out.close_list();
        }
        Value::Object if depth < MAX_DEPTH => {
            out.open_object();
            for child in node.children() {
                out.foreign_key(child.name());
                leaves(text, child, depth + 1, out);
            }
            out.close_object();
        }
        _ => out.text(text),
    }
}

/// `{"S":"A"}` as `"A"`.
pub(crate) fn attribute_value(attribute: NodeRef<'_, '_>, out: &mut Json) {
    let value = attribute.children().find(|value| matches!(value.name(), "S" | "N"));
    match value.and_then(NodeRef::text) {
        Some(text) => out.text(text),
        None => out.null(),
    }
}

/// `{"Artist":{"S":"A"}}` as `{"Artist":"A"}`: the values of keys are text, numbers or binary, and binary stays out.
fn unwrapped(node: NodeRef<'_, '_>, depth: u32, out: &mut Json) {
    match node.value() {
        Value::List if depth < 3 => {
            out.open_list();
            node.children().for_each(|child| unwrapped(child, depth + 1, out));
            out.close_list();
        }
        Value::Object => {
            out.open_object();
            for attribute in node.children() {
                out.foreign_key(attribute.name());
                attribute_value(attribute, out);
            }
            out.close_object();
        }
        _ => out.null(),
    }
}

/// The member that an element, key part or JSON name stands for. The query protocol names a flattened list by its
/// element's location name.
pub(crate) fn member_of<'c>(shape: Shape<'c>, name: &str, wire: Wire) -> Option<Member<'c>> {
    let found = shape.member_by_wire(name);
    if wire == Wire::Json {
        return found;
    }
    if let Some(member) = found.filter(|member| !has_query_name(*member)) {
        return Some(member);
    }
    shape.members().find(|member| {
        let of_element = || member.shape().element().and_then(|element| element.location_name());
        if has_query_name(*member) {
            member.query_name() == name
        } else {
            member.is_flattened() && of_element() == Some(name)
        }
    })
}

/// Whether a member has another name in forms and their answers than in JSON: the lists and maps of SQS.
fn has_query_name(member: Member<'_>) -> bool {
    member.query_name() != member.wire_name()
}

/// Whether a list or map stands on the wire without an element around it; so do all that have a name of their own there.
fn is_flattened(member: Member<'_>) -> bool {
    member.is_flattened() || has_query_name(member)
}

/// The key or value of a map's entry in a form or in XML.
fn child_of<'t, 'a>(node: NodeRef<'t, 'a>, member: Member<'_>) -> Option<NodeRef<'t, 'a>> {
    node.child(member.query_name())
}

/// Where the numbered parts of a list are: behind `member` (or its other name), or right here.
fn list_of<'t, 'a>(node: NodeRef<'t, 'a>, wrapper: &str) -> NodeRef<'t, 'a> {
    let wrapped = node.child(wrapper).or_else(|| node.child("member")).filter(|child| child.value() == &Value::Object);
    wrapped.unwrap_or(node)
}

/// The numbered children of a form's list, in the order of their numbers.
pub(crate) fn numbered<'t, 'a>(node: NodeRef<'t, 'a>) -> SmallVec<[NodeRef<'t, 'a>; 8]> {
    let number = |node: &NodeRef<'_, '_>| node.name().parse::<u32>().ok();
    let mut children: SmallVec<[NodeRef<'t, 'a>; 8]> =
        node.children().filter(|child| number(child).is_some()).collect();
    if !children.is_sorted_by_key(number) {
        children.sort_by_key(number);
    }
    children
}
