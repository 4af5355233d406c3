//! The record, member by member in the order of real log files (`reference/event-record.md` §1).

use crate::call::Call;
use crate::decode::content_decoded;
use crate::error::{self, Failed};
use crate::exchange::Exchange;
use crate::manner::Said;
use crate::opened::Opened;
use crate::params::{self, Body, Direction, Written};
use crate::recorder::Recorder;
use crate::resources::Place;
use crate::verdict::{Reason, Verdict};
use crate::who::{self, Caller};
use crate::write::Json;
use crate::{ec2, learn, limits, names, resources, s3};
use aws::{Credential, Protocol};
use event::{Event, Identity};
use std::borrow::Cow;

/// The version of records with these members.
const EVENT_VERSION: &str = "1.11";

/// Makes the records of an exchange.
pub(crate) fn records(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Verdict {
    match Record::derive(recorder, opened, exchange) {
        Ok(events) => Verdict::Record(events),
        Err(reason) => Verdict::Unrecorded(reason),
    }
}

/// All that is known of an exchange before its record is written.
struct Record<'e> {
    recorder: &'e Recorder,
    exchange: &'e Exchange<'e>,
    call: Call,
    credential: Option<Credential<'e>>,
    caller: &'e Identity,
    region: Cow<'e, str>,
    failed: Option<Failed>,
    body: &'e Body<'e>,
    raw_body: &'e [u8],
    answer: &'e Body<'e>,
}

impl Record<'_> {
    fn derive(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Result<Vec<Event>, Reason> {
        let request = &exchange.request;
        let encoding = request.headers.get("content-encoding");
        let kept = exchange.request_body;
        let (raw_body, whole) = content_decoded(kept.bytes, kept.is_whole(), encoding);
        let call = Call::identify(recorder.catalog, opened, request, &raw_body)?;
        let needs_body = opened.request_body.limit() > 0;
        let body = if needs_body { Body::decode(&call, &raw_body, whole, Direction::Request) } else { Body::Empty };
        let raw_answer =
            exchange.response.as_ref().filter(|response| !response.body.bytes.is_empty()).map(|response| {
                let kept = response.body;
                content_decoded(kept.bytes, kept.is_whole(), response.headers.get("content-encoding"))
            });
        let answer = match &raw_answer {
            Some((bytes, whole)) => Body::decode(&call, bytes, *whole, Direction::Response),
            // Nothing was kept: of a long answer that is to be shown that is not all.
            None if exchange.response.as_ref().is_some_and(|response| response.body.total > 0) => Body::Omitted,
            None => Body::Empty,
        };
        let failed = error::of(&call, exchange, &answer);
        let credential = aws::credential(request);
        let caller = who::caller(recorder, &call, credential.as_ref(), exchange.completed, &answer);
        let refused = failed.as_ref().is_some_and(|failed| failed.unauthenticated);
        let unknown;
        let identity = match (caller.identity(), refused) {
            (Some(identity), false) => identity,
            _ if recorder.config.record_unauthenticated => {
                let key = credential.as_ref().map(|credential| credential.access_key_id.as_ref());
                unknown = who::unknown(recorder, key);
                &unknown
            }
            (Some(_), true) => return Err(Reason::BadSignature),
            (None, _) => return Err(Reason::Unauthenticated),
        };
        if failed.is_none() && call.teaches() {
            teach(recorder, &call, &caller, credential.as_ref(), exchange, &body, &answer);
        }
        let region = region(recorder, &call, credential.as_ref());
        let record = Record {
            recorder,
            exchange,
            call,
            credential: credential.clone(),
            caller: identity,
            region,
            failed,
            body: &body,
            raw_body: &raw_body,
            answer: &answer,
        };
        let json = record.write();
        // The writer writes valid records; one that is not would be a defect here, and is counted, not lost in silence.
        Event::from_json(json.into()).map(|event| vec![event]).map_err(|_| Reason::Malformed)
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Json::with_capacity(2048);
        out.open_object();
        out.text_member("eventVersion", EVENT_VERSION);
        self.head(&mut out);
        self.failure(&mut out);
        self.parameters(&mut out);
        self.elements(&mut out);
        if self.call.is_s3() {
            s3::additional(self.exchange, self.credential.as_ref(), &mut out);
        }
        self.ids(&mut out);
        out.key("readOnly");
        out.bool(self.call.read_only);
        self.resources(&mut out);
        out.text_member("eventType", "AwsApiCall");
        if let Some(version) = self.call.manner.api_version {
            out.text_member("apiVersion", version);
        }
        out.key("managementEvent");
        out.bool(self.call.data.is_none());
        out.text_member("recipientAccountId", &self.recorder.config.account_id);
        out.text_member("eventCategory", if self.call.data.is_none() { "Management" } else { "Data" });
        self.tls(&mut out);
        out.close_object();
        out.into_bytes()
    }

    fn head(&self, out: &mut Json) {
        use std::io::Write;
        out.key("userIdentity");
        who::write(self.caller, out);
        let mut short = [0u8; 64];
        out.key("eventTime");
        crate::time::write_iso(self.exchange.completed, out);
        out.text_member("eventSource", self.call.service.event_source());
        out.text_member("eventName", &names::event_name(&self.call));
        out.text_member("awsRegion", &self.region);
        let mut place = &mut short[..];
        let _ = write!(place, "{}", self.exchange.client.to_canonical());
        let left = place.len();
        let address = short.len() - left;
        out.text_member("sourceIPAddress", text(&short, address));
        if let Some(agent) = self.exchange.request.headers.get("user-agent") {
            if self.call.is_s3() {
                out.text_member("userAgent", limits::text(&format!("[{agent}]")));
            } else {
                out.text_member("userAgent", limits::text(agent));
            }
        }
    }

    fn failure(&self, out: &mut Json) {
        let Some(failed) = &self.failed else { return };
        out.text_member("errorCode", limits::text(&failed.code));
        if let Some(message) = failed.message.as_deref().filter(|_| self.call.manner.said == Said::Message) {
            out.text_member("errorMessage", limits::text(message));
        }
    }

    fn parameters(&self, out: &mut Json) {
        let hidden = self.failed.as_ref().is_some_and(|failed| error::hides_parameters(&self.call, failed));
        limits::object("requestParameters", out, |out| {
            if hidden || matches!(self.body, Body::Malformed) && !self.call.is_s3() {
                return Written::Members;
            }
            if self.call.is_s3() {
                return s3::request(&self.call, self.exchange, self.body, self.raw_body, out);
            }
            if self.call.protocol != Protocol::Ec2 {
                return params::request(&self.call, self.exchange, self.body, out);
            }
            match self.body {
                Body::Omitted => return Written::Omitted,
                Body::Tree(form) => ec2::request(&self.call, form.root(), out),
                Body::Empty | Body::Malformed => {
                    if let Ok(form) = crate::decode::form::tree(self.exchange.request.query.as_bytes()) {
                        ec2::request(&self.call, form.root(), out);
                    }
                }
            }
            Written::Members
        });
    }

    fn elements(&self, out: &mut Json) {
        limits::object("responseElements", out, |out| {
            if let Some(failed) = &self.failed {
                if self.call.manner.said == Said::Response
                    && !self.call.read_only
                    && let Some(message) = &failed.message
                {
                    out.text_member("message", limits::text(message));
                }
                return Written::Members;
            }
            let Some(response) = self.exchange.response.as_ref().filter(|_| self.call.shows_result()) else {
                return Written::Members;
            };
            if self.call.is_s3() {
                s3::response(&response.headers, out);
                return Written::Members;
            }
            if self.call.protocol != Protocol::Ec2 {
                return params::response(&self.call, response, self.answer, out);
            }
            match self.answer {
                Body::Omitted => return Written::Omitted,
                Body::Tree(answer) => ec2::response(&self.call, answer.root(), out),
                Body::Empty | Body::Malformed => {}
            }
            Written::Members
        });
    }

    fn ids(&self, out: &mut Json) {
        let mut buffer = uuid::Uuid::encode_buffer();
        let random =
            |recorder: &Recorder| uuid::Builder::from_random_bytes((recorder.random)().to_be_bytes()).into_uuid();
        match self.request_id() {
            Some(id) => out.text_member("requestID", limits::text(id)),
            None => out.text_member("requestID", random(self.recorder).hyphenated().encode_lower(&mut buffer)),
        }
        out.text_member("eventID", random(self.recorder).hyphenated().encode_lower(&mut buffer));
    }

    /// The id that the called service gave the request: in a header, or else in an XML answer.
    fn request_id(&self) -> Option<&str> {
        let headers = self.exchange.response.as_ref()?.headers;
        let header = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
            .into_iter()
            .find_map(|name| headers.get(name));
        let in_body = || {
            let root = self.answer.root()?;
            let metadata = root.child("ResponseMetadata").unwrap_or(root);
            let id = ["RequestId", "requestId", "RequestID"].into_iter().find_map(|name| metadata.child(name))?;
            id.text()
        };
        header.or_else(in_body).filter(|id| !id.is_empty())
    }

    fn resources(&self, out: &mut Json) {
        let error = self.failed.as_ref();
        let account = &self.recorder.config.account_id;
        if self.call.service.name() == "s3" {
            if !s3::has_no_bucket(&self.call, error.map(|failed| failed.code.as_str())) {
                s3::resources(&self.call, &s3::Address::of(&self.call, &self.exchange.request), account, out);
            }
            return;
        }
        if error.is_some_and(|failed| failed.denied || error::hides_parameters(&self.call, failed)) {
            return;
        }
        let place = Place { region: &self.region, account };
        let answer = self.answer.root().filter(|_| error.is_none());
        resources::write(&self.call, place, &self.exchange.request, self.body.root(), answer, out);
    }

    fn tls(&self, out: &mut Json) {
        let Some(tls) = self.exchange.tls else { return };
        out.key("tlsDetails");
        out.open_object();
        out.text_member("tlsVersion", &tls.version);
        out.text_member("cipherSuite", &tls.cipher_suite);
        if let Some(host) = self.exchange.request.host() {
            out.text_member("clientProvidedHostHeader", limits::text(host));
        }
        if let Some(exchange) = &tls.key_exchange {
            out.text_member("keyExchange", exchange);
        }
        out.close_object();
    }
}

fn text(buffer: &[u8], length: usize) -> &str {
    buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

fn teach(
    recorder: &Recorder,
    call: &Call,
    caller: &Caller,
    credential: Option<&Credential<'_>>,
    exchange: &Exchange<'_>,
    body: &Body<'_>,
    answer: &Body<'_>,
) {
    let key = credential.map(|credential| credential.access_key_id.as_ref());
    let at = exchange.completed;
    if let Some(lesson) = learn::lesson(recorder, call, caller, key, at, body.root(), answer.root()) {
        recorder.identities.learn(lesson, at);
    }
}

/// `awsRegion`: of the credential, or `us-east-1` for what is global (§10.4), or the house's.
fn region<'e>(recorder: &'e Recorder, call: &Call, credential: Option<&Credential<'e>>) -> Cow<'e, str> {
    const REGIONAL_TOO: [&str; 4] = ["s3", "s3control", "sts", "sdb"];
    if call.service.is_global() && !REGIONAL_TOO.contains(&call.service.name()) {
        return Cow::Borrowed("us-east-1");
    }
    let named = credential.map(|credential| credential.region.clone());
    named
        .filter(|region| !region.is_empty() && !region.contains(['*', ',']))
        .unwrap_or(Cow::Borrowed(&recorder.config.region))
}
