//! `additionalEventData` of the services beside S3 that the wire tells something for (`reference/event-record.md` §11).

use crate::call::Call;
use crate::exchange::Exchange;
use crate::limits;
use crate::params::{Body, percent_decoded};
use crate::resources::{Place, function_arn};
use crate::tree::NodeRef;
use crate::write::Json;
use event::Identity;

/// Writes the members that a call of this service has.
pub(super) fn members(
    call: &Call,
    exchange: &Exchange<'_>,
    place: Place<'_>,
    caller: &Identity,
    body: &Body<'_>,
    answer: &Body<'_>,
    out: &mut Json,
) {
    match (call.service.name(), call.operation.name()) {
        ("sts", _) => serving_region(exchange, out),
        ("kms", _) => {
            if let Some(id) = answer.root().and_then(|root| root.child("KeyMaterialId")).and_then(NodeRef::text) {
                out.text_member("keyMaterialId", id);
            }
        }
        ("signin", "CreateOAuth2Token") => signed_in(caller, body, out),
        ("lambda", "Invoke" | "InvokeWithResponseStream") => function_version(call, exchange, place, out),
        _ => {}
    }
}

/// As AWS's examples of this event show it (AWS Sign-In User Guide, "Monitoring OAuth activity").
fn signed_in(caller: &Identity, body: &Body<'_>, out: &mut Json) {
    let session = caller.session_context.as_ref().and_then(|context| context.sign_in_session_arn.as_deref());
    let grant = body.root().and_then(|root| root.child("grantType")).and_then(NodeRef::text);
    for (name, value) in [("signInSessionArn", session), ("grant_type", grant), ("success", Some("true"))] {
        if let Some(value) = value {
            out.text_member(name, limits::text(value));
        }
    }
}

/// AWS's own STS endpoints tell by their names which they are; of any other host nothing is said.
fn serving_region(exchange: &Exchange<'_>, out: &mut Json) {
    let Some(host) = exchange.request.host() else { return };
    let name = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let Some(name) = name.strip_suffix(".amazonaws.com") else { return };
    let (region, kind) = match name.strip_prefix("sts.") {
        Some(region) if is_region(region) => (region, "regional"),
        // Where the global endpoint was served is not on the wire.
        None if name == "sts" => ("", "global"),
        _ => return,
    };
    out.key("RequestDetails");
    out.open_object();
    if !region.is_empty() {
        out.text_member("awsServingRegion", region);
    }
    out.text_member("endpointType", kind);
    out.close_object();
}

fn is_region(text: &str) -> bool {
    text.contains('-') && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Which version of a function ran: the answer says its number.
fn function_version(call: &Call, exchange: &Exchange<'_>, place: Place<'_>, out: &mut Json) {
    let Some(version) = exchange.response.as_ref().and_then(|answer| answer.headers.get("x-amz-executed-version"))
    else {
        return;
    };
    let labels = aws::uri_labels(call.operation, &exchange.request);
    let Some(name) = labels.first().and_then(|(_, raw)| percent_decoded(raw)) else { return };
    out.text_member("functionVersion", &format!("{}:{version}", function_arn(place, &name)));
}
