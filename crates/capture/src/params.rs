//! `requestParameters` and `responseElements` (`reference/event-record.md` §7, §8): of every protocol here, of EC2 and S3 in files
//! of their own.

pub(crate) mod ec2;
#[cfg(test)]
mod planted;
pub(crate) mod s3;
mod saml;

use crate::call::resources::{Place, function_arn, table_arn};
use crate::call::{Call, is_opaque};
use crate::decode::body::{Body, result_of};
use crate::decode::form::{self, decoded};
use crate::decode::percent_decoded;
use crate::decode::tree::{NodeRef, Tree, Value};
use crate::exchange::{Exchange, Response};
use crate::render::limits::Written;
use crate::render::manner::Casing;
use crate::render::redact::Mask;
use crate::render::time::{Dates, Instant};
use crate::render::write::Json;
use crate::render::{Renderer, Wire, drift, masked, typed};
use crate::tables::Tables;
use aws::{Headers, Kind, Location, Member, Protocol, Shape};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;

/// Writes the members of `requestParameters`.
pub(crate) fn request(
    call: &Call,
    exchange: &Exchange<'_>,
    place: Place<'_>,
    tables: &Tables,
    body: &Body<'_>,
    out: &mut Json,
) -> Written {
    let Some(input) = call.operation.input() else { return Written::Members };
    let wire = match call.protocol {
        Protocol::Query | Protocol::Ec2 => Wire::Query,
        Protocol::RestXml => Wire::Xml,
        Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor => Wire::Json,
    };
    if let Some(shown) = drift::parameters(call.service.name(), call.operation.name()) {
        return only(shown, body, out);
    }
    let renderer = call.renderer(wire);
    let before = out.len();
    if call.protocol.is_rest() {
        labels(&renderer, call, exchange, input, out);
        queries(&renderer, exchange, input, out);
        headers(&renderer, &exchange.request.headers, input, out);
    } else if call.protocol.is_form() && matches!(body, Body::Empty) {
        // A query call may also come by GET.
        if let Ok(tree) = form::tree(exchange.request.query.as_bytes()) {
            renderer.members(tree.root(), input, input.name(), 0, out);
        }
    }
    let written = match body.root().filter(|_| call.service.name() == "apigateway" && input.payload().is_none()) {
        Some(sent) => {
            named_input(&renderer, call, input, sent, out);
            Written::Members
        }
        None => content(&renderer, input, body, out),
    };
    if call.service.name() == "apigateway" && exchange.request.path.starts_with("/restapis") && out.len() > before {
        out.key("template");
        out.bool(false);
    }
    additions(call, exchange, place, tables, body, out);
    written
}

/// API Gateway records what was sent in the body as one member, named like the input of the operation.
fn named_input(renderer: &Renderer, call: &Call, input: Shape<'_>, sent: NodeRef<'_, '_>, out: &mut Json) {
    if sent.children().next().is_none() {
        return;
    }
    out.key_lower_first(&format!("{}Input", call.operation.name()));
    out.open_object();
    renderer.members(sent, input, input.name(), 1, out);
    out.close_object();
}

/// What stands in a record beside the parameters that were sent.
fn additions(call: &Call, exchange: &Exchange<'_>, place: Place<'_>, tables: &Tables, body: &Body<'_>, out: &mut Json) {
    let (service, operation) = (call.service.name(), call.operation.name());
    let sent = |name: &str| !name.is_empty() && body.root().is_some_and(|root| root.child(name).is_some());
    for default in drift::defaults(service, operation).filter(|default| !sent(default.member)) {
        out.key(default.name);
        out.raw(default.json);
    }
    if (service, operation) == ("kms", "CreateKey") {
        key_specs(body.root(), out);
    }
    if let ("dynamodb", Some(root)) = (service, body.root()) {
        let key_of = |table: &str| tables.key_of(&table_arn(place, table));
        crate::render::dynamodb::parameters(operation, root, &key_of, out);
    }
    if (service, operation) == ("sts", "AssumeRoleWithSAML")
        && let Some(assertion) = body.root().and_then(|root| root.child("SAMLAssertion")).and_then(NodeRef::text)
    {
        saml::write(assertion, out);
    }
    if (service, operation) == ("lambda", "UpdateFunctionCode") {
        qualified_arn(call, exchange, place, out);
    }
}

/// KMS shows the spec of a new key under its name of today and under that of before 2021, whichever was sent.
fn key_specs(body: Option<NodeRef<'_, '_>>, out: &mut Json) {
    let names = [("KeySpec", "keySpec"), ("CustomerMasterKeySpec", "customerMasterKeySpec")];
    let sent = |name: &str| body.and_then(|body| body.child(name)).and_then(NodeRef::text);
    let spec = names.iter().find_map(|(name, _)| sent(name)).unwrap_or("SYMMETRIC_DEFAULT");
    for (_, shown) in names.iter().filter(|(name, _)| sent(name).is_none()) {
        out.text_member(shown, spec);
    }
}

/// Lambda takes the ARN of a function apart, by whatever it was named (§7.5).
fn qualified_arn(call: &Call, exchange: &Exchange<'_>, place: Place<'_>, out: &mut Json) {
    let labels = aws::uri_labels(call.operation, &exchange.request);
    let Some(named) = labels.first().and_then(|(_, raw)| percent_decoded(raw)) else { return };
    let arn = function_arn(place, &named);
    let parts: SmallVec<[&str; 8]> = arn.split(':').collect();
    let ["arn", partition, "lambda", region, account, "function", name] = parts.as_slice() else { return };
    let after = named.rsplit_once("function:").map_or(named.as_ref(), |(_, after)| after);
    let qualifier = after.split_once(':').map(|(_, qualifier)| qualifier);
    out.key("fullyQualifiedArn");
    out.open_object();
    out.key("arnPrefix");
    out.open_object();
    for (key, value) in [("partition", partition), ("region", region), ("account", account)] {
        out.text_member(key, value);
    }
    out.close_object();
    out.key("relativeId");
    out.open_object();
    out.text_member("functionName", name);
    out.close_object();
    out.key("functionQualifier");
    out.open_object();
    if let Some(qualifier) = qualifier {
        out.text_member("qualifier", qualifier);
    }
    out.close_object();
    out.close_object();
}

/// Writes the members of `responseElements`.
pub(crate) fn response(call: &Call, response: &Response<'_>, body: &Body<'_>, out: &mut Json) -> Written {
    let Some(output) = call.operation.output() else { return Written::Members };
    let wire = match call.protocol {
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => Wire::Xml,
        Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor => Wire::Json,
    };
    let renderer = Renderer { adds: Some(call.service.name()), ..call.renderer(wire) };
    if call.protocol.is_rest() {
        exposed(call, &response.headers, out);
        headers(&renderer, &response.headers, output, out);
    }
    if let Some(shown) = drift::result(call.service.name(), call.operation.name()) {
        return only(shown, body, out);
    }
    let Some(root) = body.root() else { return content(&renderer, output, body, out) };
    let root = if call.protocol == Protocol::Query { result_of(root) } else { root };
    // Proxies of databases came later than the rest.
    let unwraps = call.manner.unwraps && !call.operation.name().contains("DBProxy");
    match only_structure(output).filter(|_| unwraps) {
        Some(member) => {
            if let Some(inner) = root.child(member.wire_name()) {
                renderer.members(inner, member.shape(), member.name(), 1, out);
                renderer.added(member, out);
            }
        }
        None => payload_or_members(&renderer, output, root, out),
    }
    Written::Members
}

/// What an answer tells a browser that a page may read, and for how long.
const EXPOSED: [&str; 2] = ["Access-Control-Expose-Headers", "Access-Control-Max-Age"];

/// Writes these headers, as the records of calls from the console have them among the results of services behind API Gateway:
/// by what AWS allows there they are known from anybody else's.
fn exposed(call: &Call, headers: &Headers<'_>, out: &mut Json) {
    let is_aws = |value: &str| value.to_ascii_lowercase().contains("x-amzn-errortype");
    if call.protocol != Protocol::RestJson || !headers.get(EXPOSED[0]).is_some_and(is_aws) {
        return;
    }
    for name in EXPOSED {
        if let Some(value) = headers.get(name) {
            out.text_member(name, crate::render::limits::text(value));
        }
    }
}

/// Writes the texts that a record shows of a body of which it shows only some, under their names there.
fn only(shown: &[(&str, &'static str)], body: &Body<'_>, out: &mut Json) -> Written {
    let Some(root) = body.root().map(result_of) else {
        return if matches!(body, Body::Omitted) { Written::Omitted } else { Written::Members };
    };
    for (member, name) in shown {
        if let Some(text) = root.child(member).and_then(NodeRef::text) {
            out.text_member(name, text);
        }
    }
    Written::Members
}

fn content(renderer: &Renderer, shape: Shape<'_>, body: &Body<'_>, out: &mut Json) -> Written {
    match body {
        Body::Empty | Body::Malformed => Written::Members,
        Body::Omitted if shape.payload().is_some_and(is_opaque) => Written::Members,
        Body::Omitted => Written::Omitted,
        Body::Tree(tree) => {
            payload_or_members(renderer, shape, tree.root(), out);
            Written::Members
        }
    }
}

fn payload_or_members(renderer: &Renderer, shape: Shape<'_>, root: NodeRef<'_, '_>, out: &mut Json) {
    match shape.payload() {
        Some(payload) if is_opaque(payload) => {}
        // Whose record has the names of the wire has none for the whole body.
        Some(payload) if renderer.manner.casing == Casing::AsSent && payload.shape().kind() == Kind::Structure => {
            renderer.members(root, payload.shape(), payload.name(), 1, out);
        }
        Some(payload) => renderer.member(root, payload, shape.name(), 0, out),
        None => renderer.members(root, shape, shape.name(), 0, out),
    }
}

/// The single structure that a result consists of.
fn only_structure(output: Shape<'_>) -> Option<Member<'_>> {
    let mut members = output.members();
    let only = members.next().filter(|member| member.shape().kind() == Kind::Structure)?;
    members.next().is_none().then_some(only)
}

fn labels(renderer: &Renderer, call: &Call, exchange: &Exchange<'_>, input: Shape<'_>, out: &mut Json) {
    for (label, raw) in aws::uri_labels(call.operation, &exchange.request) {
        let Some(member) = input.member_by_wire(label) else { continue };
        let value = if call.manner.raw_labels { Some(Cow::Borrowed(raw)) } else { percent_decoded(raw) };
        if let Some(value) = value {
            text_member(
                &Renderer { lower_names: call.manner.lower_labels, ..*renderer },
                member,
                input.name(),
                &value,
                out,
            );
        }
    }
}

fn queries(renderer: &Renderer, exchange: &Exchange<'_>, input: Shape<'_>, out: &mut Json) {
    let pairs = || exchange.request.query_pairs().map(|(name, value)| (decoded(name), decoded(value)));
    // All of them are looked at, however many a caller sends to hide one behind: the head that they stand in is bounded.
    let mut seen = HashSet::new();
    for (name, value) in pairs() {
        let Some(member) = input.member_by_wire(&name).filter(|member| member.location() == Location::QueryString)
        else {
            continue;
        };
        if !seen.insert(member.name()) {
            continue;
        }
        let Some(element) = member.shape().element().filter(|_| member.shape().kind() == Kind::List) else {
            text_member(renderer, member, input.name(), &value, out);
            continue;
        };
        let mask = renderer.rows.mask(member.name(), input.name(), member.is_sensitive(), renderer.manner.sensitive);
        if mask == Some(Mask::Drop) {
            continue;
        }
        renderer.key(member, out);
        if let Some(mask) = mask {
            masked_text(mask, &value, out);
            continue;
        }
        let mask = renderer.element_mask(element);
        out.open_list();
        for (_, value) in pairs().filter(|(other, _)| *other == name) {
            match mask {
                None => out.text(&value),
                Some(Mask::Drop) => {}
                Some(mask) => masked_text(mask, &value, out),
            }
        }
        out.close_list();
    }
}

fn headers(renderer: &Renderer, headers: &Headers<'_>, shape: Shape<'_>, out: &mut Json) {
    for member in shape.members() {
        match member.location() {
            Location::Header => {
                if let Some(value) = headers.get(member.wire_name()) {
                    text_member(renderer, member, shape.name(), value, out);
                }
            }
            Location::Headers => prefixed_headers(renderer, headers, member, out),
            _ => {}
        }
    }
}

fn prefixed_headers(renderer: &Renderer, headers: &Headers<'_>, member: Member<'_>, out: &mut Json) {
    let rest_of = |name: &str| {
        let prefix = member.wire_name();
        let matches = name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        matches.then_some(prefix.len())
    };
    let mask = renderer.rows.mask(member.name(), "", member.is_sensitive(), renderer.manner.sensitive);
    let hidden = mask.is_some() || member.is_sensitive() || !headers.iter().any(|(name, _)| rest_of(name).is_some());
    if hidden || member.wire_name().is_empty() {
        return;
    }
    renderer.key(member, out);
    out.open_object();
    for (name, value) in headers.iter() {
        if let (Some(at), Ok(value)) = (rest_of(name), std::str::from_utf8(value)) {
            out.foreign_member(name.get(at..).unwrap_or_default(), value);
        }
    }
    out.close_object();
}

/// What stands in place of a text that was no part of a document.
fn masked_text(mask: Mask, text: &str, out: &mut Json) {
    masked(mask, Tree::new(Cow::Borrowed(""), Value::Text(Cow::Borrowed(text))).root(), out);
}

/// A member that is one text on the wire: a label, a query parameter, a header.
fn text_member(renderer: &Renderer, member: Member<'_>, within: &str, value: &str, out: &mut Json) {
    let mask = renderer.rows.mask(member.name(), within, member.is_sensitive(), renderer.manner.sensitive);
    match mask {
        Some(Mask::Drop) => {}
        Some(mask) => {
            renderer.key(member, out);
            masked_text(mask, value, out);
        }
        None => {
            renderer.key(member, out);
            let text_only = renderer.manner.text_queries && member.location() == Location::QueryString;
            let kind = if text_only { Kind::String } else { member.shape().kind() };
            let dates = renderer.manner.dates;
            let is_time = kind == Kind::Timestamp && member.location() == Location::QueryString;
            match Instant::parse(value).filter(|_| is_time && dates != Dates::AsSent) {
                Some(instant) => instant.write(dates, out),
                None => typed(value, kind, Wire::Query, out),
            }
        }
    }
}
