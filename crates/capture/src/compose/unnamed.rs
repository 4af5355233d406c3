//! The record of a request that names no operation of the table, for who wants one of everything
//! (`--record-unauthenticated`): who asked whom, when and from where, and whether it was refused. What was asked nobody can
//! read, so nothing of it is shown.

use super::{EVENT_VERSION, agent, random_id, region_of, request_id, tls, who_and_what};
use crate::call::opened::Opened;
use crate::compose::error;
use crate::decode::body::Body;
use crate::exchange::Exchange;
use crate::recorder::Recorder;
use crate::render::limits;
use crate::render::write::Json;
use crate::who;
use event::Event;

/// What stands where a name is unreadable.
const UNKNOWN: &str = "Unknown";

/// The record, of identity `Unknown`: nobody says that the key was accepted.
pub(super) fn record(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Option<Event> {
    let request = &exchange.request;
    let credential = aws::credential(request);
    let signed_for = credential.as_ref().map(|credential| credential.service.as_ref()).filter(|name| is_name(name));
    let source = match opened.service {
        Some(service) => service.event_source().to_owned(),
        None => format!("{}.amazonaws.com", signed_for.unwrap_or("unknown")),
    };
    let target = request.headers.get("x-amz-target").and_then(|target| target.rsplit('.').next());
    // As of a call that is known, the form goes first.
    let action = aws::recognise::form_action(exchange.request_body.bytes)
        .or_else(|| aws::recognise::form_action(request.query.as_bytes()));
    let name = target.or(action.as_deref()).filter(|name| is_name(name)).unwrap_or(UNKNOWN);
    let caller = who::unknown(recorder, credential.as_ref().map(|credential| credential.access_key_id.as_ref()));
    let region = region_of(recorder, request, credential.as_ref());
    let mut out = Json::with_capacity(1024);
    out.open_object();
    out.text_member("eventVersion", EVENT_VERSION);
    who_and_what(&caller, exchange, &source, name, &region, &mut out);
    agent(exchange, false, &mut out);
    if let Some(code) = error::unnamed_code(exchange) {
        out.text_member("errorCode", limits::text(&code));
    }
    out.raw("\"requestParameters\":null");
    out.raw("\"responseElements\":null");
    if let Some(id) = request_id(exchange, &Body::Empty) {
        out.text_member("requestID", limits::text(id));
    }
    out.key("eventID");
    out.text(random_id(recorder).hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    out.key("readOnly");
    out.bool(matches!(request.method, "GET" | "HEAD"));
    out.text_member("eventType", "AwsApiCall");
    out.key("managementEvent");
    out.bool(true);
    out.text_member("recipientAccountId", recorder.account_of(&caller));
    out.text_member("eventCategory", "Management");
    tls(exchange, &mut out);
    out.close_object();
    Event::from_text(&out.into_text()).ok()
}

/// Whether a caller's word can stand as the name of a service or an operation.
fn is_name(word: &str) -> bool {
    (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
