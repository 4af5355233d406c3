//! `additionalEventData` of the services beside S3 that the wire tells something for (`reference/event-record.md` §11).

use crate::call::Call;
use crate::call::resources::{Place, function_arn};
use crate::decode::body::{Body, result_of};
use crate::decode::percent_decoded;
use crate::decode::tree::NodeRef;
use crate::exchange::Exchange;
use crate::render::limits;
use crate::render::write::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
        ("sts", _) => sts(exchange, out),
        ("kms", "ReEncrypt") => {
            let of = |name: &str| answer.root().and_then(|root| root.child(name)).and_then(NodeRef::text);
            for (name, shown) in [
                ("DestinationKeyMaterialId", "destinationKeyMaterialId"),
                ("SourceKeyMaterialId", "sourceKeyMaterialId"),
            ] {
                if let Some(id) = of(name) {
                    out.text_member(shown, id);
                }
            }
        }
        ("kms", _) => {
            if let Some(id) = answer.root().and_then(|root| root.child("KeyMaterialId")).and_then(NodeRef::text) {
                out.text_member("keyMaterialId", id);
            }
        }
        ("ses" | "sesv2", _) => {
            if let Some(id) =
                answer.root().map(result_of).and_then(|root| root.child("MessageId")).and_then(NodeRef::text)
            {
                out.text_member("sesMessageId", limits::text(id));
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

/// The second id that STS gives a request, and which endpoint served it: AWS's own tell by their names which they are; of
/// any other host nothing is said.
fn sts(exchange: &Exchange<'_>, out: &mut Json) {
    let answer = exchange.response.as_ref();
    let extended = answer.and_then(|answer| answer.headers.get("x-amz-sts-extended-request-id"));
    if let Some(id) = extended {
        out.text_member("ExtendedRequestId", limits::text(id));
    }
    let Some(host) = exchange.request.host() else { return };
    let name = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let Some(name) = name.strip_suffix(".amazonaws.com") else { return };
    let (region, kind) = match name.strip_prefix("sts.") {
        Some(region) if is_region(region) => (Some(region.to_owned()), "regional"),
        // Where the global endpoint was served, only the id tells.
        None if name == "sts" => (extended.and_then(serving_region), "global"),
        _ => return,
    };
    out.key("RequestDetails");
    out.open_object();
    out.text_member("endpointType", kind);
    if let Some(region) = region {
        out.text_member("awsServingRegion", &region);
    }
    out.close_object();
}

/// The Region in an extended request id of STS, which is the base64 of `1:us-east-1:S:1769172535957:R:OsFKjWgC`.
fn serving_region(extended: &str) -> Option<String> {
    let id = String::from_utf8(STANDARD.decode(extended).ok()?).ok()?;
    id.split(':').nth(1).filter(|region| is_region(region)).map(str::to_owned)
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
