//! The record, member by member in the order of real log files (`reference/event-record.md` §1).

mod accounts;
mod additional;
mod deleted;
mod error;
mod network_activity;
mod unnamed;

use self::deleted::DeletedKey;
use self::error::Failed;
use crate::call::opened::Opened;
use crate::call::resources::{self, Place};
use crate::call::{self, Call, names};
use crate::decode::body::{Body, Direction};
use crate::decode::{content_decoded, form};
use crate::exchange::{Exchange, Failure, Response};
use crate::params::{self, ec2, s3};
use crate::recorder::Recorder;
use crate::render::dynamodb;
use crate::render::limits::{self, Written};
use crate::render::manner::Said;
use crate::render::redact::HIDDEN;
use crate::render::write::Json;
use crate::tables::Tables;
use crate::verdict::{Reason, Records, Verdict};
use crate::who::identities::Principal;
use crate::who::{self, chain, learn};
use aws::{Credential, Protocol, Request, Shape};
use event::{Event, Identity};
use std::borrow::Cow;

/// The version of records with these members.
const EVENT_VERSION: &str = "1.11";

impl Recorder {
    /// Makes the records of an exchange that is over, and learns from it who its new keys are.
    pub fn record(&self, opened: &Opened, exchange: &Exchange<'_>) -> Verdict {
        match self.s3_domains.path(&exchange.request) {
            Some(path) => {
                let request = Request { path: &path, path_style: true, ..exchange.request };
                records(self, opened, &Exchange { request, ..*exchange })
            }
            None => records(self, opened, exchange),
        }
    }
}

fn records(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Verdict {
    match Record::derive(recorder, opened, exchange) {
        Ok(records) => Verdict::Record(records),
        Err(reason @ (Reason::UnknownService | Reason::UnknownOperation)) if recorder.config.record_unauthenticated => {
            match unnamed::record(recorder, opened, exchange) {
                Some(event) => Verdict::Record(Records { events: vec![event], reduced: 0 }),
                None => Verdict::Unrecorded(reason),
            }
        }
        Err(reason) => Verdict::Unrecorded(reason),
    }
}

/// All that is known of an exchange before a record of it is written.
#[derive(Clone, Copy)]
struct Record<'e> {
    recorder: &'e Recorder,
    exchange: &'e Exchange<'e>,
    call: Call,
    credential: Option<&'e Credential<'e>>,
    caller: &'e Identity,
    /// The caller again, with the sessions through which it came, if we know it.
    principal: Option<&'e Principal>,
    region: &'e str,
    failed: Option<&'e Failed>,
    body: &'e Body<'e>,
    raw_body: &'e [u8],
    answer: &'e Body<'e>,
    request_id: &'e str,
    /// `recipientAccountId`: whose copy of the record this is.
    recipient: &'e str,
    /// What joins the two copies of a cross-account action, and which of them this is.
    shared: Option<(uuid::Uuid, Side)>,
    /// The key that this record is about, of the many that one call deletes.
    deleted: Option<&'e DeletedKey<'e>>,
    /// The VPC endpoint that this record is about, beside the record of the call.
    endpoint: Option<&'e str>,
}

/// Whose copy of the record of a cross-account action (`reference/event-record.md` §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Caller,
    Owner,
}

impl Record<'_> {
    fn derive(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Result<Records, Reason> {
        let request = &exchange.request;
        let encoding = request.headers.get("content-encoding");
        let kept = exchange.request_body;
        // Of a request that was given up nobody knows how it would have ended.
        let given_up = exchange.failure == Some(Failure::ClientGone);
        let is_whole = kept.is_whole() && !given_up;
        let (raw_body, whole) = match content_decoded(kept.bytes, is_whole, encoding) {
            // A form that cannot be decoded may be one that was never encoded, whatever its head says.
            (body, false) if body.is_empty() && call::is_form(request) => (Cow::Borrowed(kept.bytes), is_whole),
            decoded => decoded,
        };
        let call = Call::identify(recorder.catalog, opened, request, (&raw_body, whole))?;
        let call = if call.is_s3() { call.about(s3::Address::of(&call, request).bucket.as_deref()) } else { call };
        let needs_body = opened.request_body.limit() > 0;
        let form = form_with_query(&call, request, &raw_body);
        let form = form.as_deref().unwrap_or(&raw_body);
        let body = if needs_body { Body::decode(call.protocol, form, whole, Direction::Request) } else { Body::Empty };
        // A byte that is no text hides nothing of the rest: whoever acts on the call may pass over it.
        let mended;
        let body = match body {
            Body::Malformed if std::str::from_utf8(form).is_err() => {
                mended = String::from_utf8_lossy(form).into_owned();
                Body::decode(call.protocol, mended.as_bytes(), whole, Direction::Request)
            }
            body => body,
        };
        let broken_off =
            exchange.failure.is_some() && exchange.response.as_ref().is_some_and(|response| response.status < 400);
        // More may have been kept than the call, now that it is known, is told with.
        let needed = exchange.response.as_ref().filter(|response| {
            let keep = call::response_keep(call::response_body(&call), response.status);
            !response.body.bytes.is_empty() && (keep.limit() > 0 || id_in_header(response).is_none())
        });
        let raw_answer = needed.map(|response| {
            let kept = response.body;
            content_decoded(kept.bytes, kept.is_whole() && !broken_off, response.headers.get("content-encoding"))
        });
        let answer = match &raw_answer {
            Some((bytes, whole)) => Body::decode(call.protocol, bytes, *whole, Direction::Response),
            // Nothing was needed or kept: of a long answer that is to be shown that is not all.
            None if exchange.response.as_ref().is_some_and(|response| response.body.total > 0) => Body::Omitted,
            None => Body::Empty,
        };
        let failed = error::of(&call, exchange, &answer);
        let credential = aws::credential(request).or_else(|| aws::form_credential(request, &raw_body));
        let caller = who::caller(recorder, &call, request, credential.as_ref(), exchange.completed, &body, &answer);
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
            learn::take_in(recorder, &call, &caller, credential.as_ref(), exchange, &body, &answer);
        }
        let region = region(recorder, &call, exchange, credential.as_ref());
        if let ("dynamodb", None, Some(root)) = (call.service.name(), &failed, body.root())
            && Tables::learns_from(call.operation.name())
        {
            let place = Place { region: &region, account: recorder.account_of(identity) };
            if let Some(table) = dynamodb::tables(root).first().map(|table| resources::table_arn(place, table)) {
                recorder.tables.take_in(&table, call.operation.name(), root, answer.root());
            }
        }
        let given = request_id(exchange, &answer);
        let mut made = uuid::Uuid::encode_buffer();
        let record = Record {
            recorder,
            exchange,
            call,
            credential: credential.as_ref(),
            caller: identity,
            principal: caller.principal().filter(|_| !refused),
            region: &region,
            failed: failed.as_ref(),
            body: &body,
            raw_body: &raw_body,
            answer: &answer,
            request_id: match given {
                Some(id) => id,
                None => random_id(recorder).hyphenated().encode_lower(&mut made),
            },
            recipient: recorder.account_of(identity),
            shared: None,
            deleted: None,
            endpoint: None,
        };
        let mut records = Records { events: Vec::with_capacity(1), reduced: 0 };
        let owner = caller.known().and_then(|caller| record.owner(caller));
        record.copies(owner.as_deref(), &mut records)?;
        record.of_each_key(owner.as_deref(), &mut records)?;
        record.through_endpoint(&mut records)?;
        Ok(records)
    }

    /// The account of the resource, if it is certain and not the caller's.
    fn owner(&self, caller: &Identity) -> Option<String> {
        let house = &self.recorder.config.account_id;
        let bucket = self.call.service.name() == "s3"
            && !s3::has_no_bucket(&self.call, self.failed.map(|failed| failed.code.as_str()))
            && s3::Address::of(&self.call, &self.exchange.request).bucket.is_some();
        accounts::owner(&self.call, caller, self.exchange, (self.body, self.answer), house, bucket)
    }

    /// One record, or the caller's and the owner's.
    fn copies(self, owner: Option<&str>, records: &mut Records) -> Result<(), Reason> {
        let Some(owner) = owner else {
            return self.event(records);
        };
        let recipient = self.caller.account_id.as_deref().unwrap_or(self.recipient);
        if accounts::is_of_caller_only(&self.call, self.failed.is_some_and(|failed| failed.denied)) {
            return Record { recipient, ..self }.event(records);
        }
        let shared = random_id(self.recorder);
        Record { recipient, shared: Some((shared, Side::Caller)), ..self }.event(records)?;
        let caller = accounts::reduced(self.caller);
        let shared = Some((shared, Side::Owner));
        Record { recipient: owner, caller: &caller, shared, ..self }.event(records)
    }

    /// Beside the record of a `DeleteObjects` call one for each of its keys.
    fn of_each_key(self, owner: Option<&str>, records: &mut Records) -> Result<(), Reason> {
        if self.call.service.name() != "s3" || self.call.operation.name() != "DeleteObjects" || self.failed.is_some() {
            return Ok(());
        }
        let Some(call) = self.call.sibling("DeleteObject") else { return Ok(()) };
        for key in &deleted::keys(self.body, self.answer) {
            Record { call, deleted: Some(key), failed: key.failed.as_ref(), ..self }.copies(owner, records)?;
        }
        Ok(())
    }

    fn event(&self, records: &mut Records) -> Result<(), Reason> {
        let id = match self.shared {
            // Copies of one action have ids of the name-based form (§1).
            Some(_) => uuid::Builder::from_md5_bytes((self.recorder.random)().to_be_bytes()).into_uuid(),
            None => random_id(self.recorder),
        };
        let (event, extent) = accepted(|extent| self.write(id, extent)).map_err(|fault| {
            tracing::error!(event_name = self.call.operation.name(), fault, "record lost: it cannot be written");
            Reason::Malformed
        })?;
        records.events.push(event);
        records.reduced += u64::from(extent == Extent::Reduced);
        Ok(())
    }

    fn write(&self, id: uuid::Uuid, extent: Extent) -> String {
        if let Some(endpoint) = self.endpoint {
            return self.write_network_activity(id, endpoint);
        }
        let mut out = Json::with_capacity(2048);
        out.open_object();
        out.text_member("eventVersion", EVENT_VERSION);
        self.head(&mut out);
        self.agent(&mut out);
        self.failure(&mut out);
        match extent {
            Extent::Whole => {
                self.parameters(&mut out);
                self.elements(&mut out);
                limits::additional(&mut out, |out| self.additional(out));
            }
            Extent::Reduced => {
                out.raw("\"requestParameters\":null");
                out.raw("\"responseElements\":null");
            }
        }
        out.text_member("requestID", limits::text(self.request_id));
        out.key("eventID");
        out.text(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
        out.key("readOnly");
        out.bool(self.call.read_only);
        if extent == Extent::Whole {
            self.resources(&mut out);
        }
        out.text_member("eventType", if self.is_portal() { "AwsServiceEvent" } else { "AwsApiCall" });
        if let Some(version) = self.call.manner.api_version.filter(|_| !self.is_denied()) {
            out.text_member("apiVersion", version);
        }
        out.key("managementEvent");
        out.bool(self.call.data.is_none());
        out.text_member("recipientAccountId", self.recipient);
        if let Some((shared, _)) = self.shared {
            out.text_member("sharedEventID", shared.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
        }
        if let Some(endpoint) = self.exchange.vpc_endpoint {
            out.text_member("vpcEndpointId", endpoint);
        }
        if extent == Extent::Whole && self.is_portal() {
            self.details(&mut out);
        }
        out.text_member("eventCategory", if self.call.data.is_none() { "Management" } else { "Data" });
        tls(self.exchange, &mut out);
        out.close_object();
        out.into_text()
    }

    /// Whether it is a call of the portal of IAM Identity Center, whose records are service events.
    fn is_portal(&self) -> bool {
        self.call.service.name() == "sso"
    }

    /// `serviceEventDetails`: as which role somebody wants to be, and in which account.
    fn details(&self, out: &mut Json) {
        let request = &self.exchange.request;
        let said = |name: &str| request.query_value(name).map(|value| form::decoded(value.as_bytes()));
        let details = ["role_name", "account_id"].map(|name| (name, said(name)));
        if details.iter().all(|(_, value)| value.is_none()) {
            return;
        }
        out.key("serviceEventDetails");
        out.open_object();
        for (name, value) in details {
            if let Some(value) = value {
                out.text_member(name, limits::text(&value));
            }
        }
        out.close_object();
    }

    fn head(&self, out: &mut Json) {
        let name = names::event_name(&self.call, self.is_denied());
        who_and_what(self.caller, self.exchange, self.call.event_source(), &name, self.region, out);
    }

    fn agent(&self, out: &mut Json) {
        agent(self.exchange, self.call.is_s3(), out);
    }

    fn is_denied(&self) -> bool {
        self.failed.is_some_and(|failed| failed.denied)
    }

    fn failure(&self, out: &mut Json) {
        let Some(failed) = self.failed else { return };
        out.text_member("errorCode", limits::text(&failed.code));
        if let Some(message) = failed.message.as_deref().filter(|_| self.call.manner.said == Said::Message) {
            out.text_member("errorMessage", limits::text(message));
        }
    }

    fn parameters(&self, out: &mut Json) {
        let hidden = self.failed.is_some_and(|failed| error::hides_parameters(&self.call, failed));
        limits::object("requestParameters", out, |out| {
            if let Some(deleted) = self.deleted {
                s3::key(&self.address(), &self.exchange.request, deleted.version, out);
                return Written::Members;
            }
            if hidden || self.is_portal() || matches!(self.body, Body::Malformed) && !self.call.is_s3() {
                return Written::Members;
            }
            if self.call.is_s3() {
                let owners = self.shared.is_some_and(|(_, side)| side == Side::Owner);
                let grantees = if owners { s3::Grantees::Hidden } else { s3::Grantees::Shown };
                let address = self.address();
                return s3::request(&self.call, &address, self.exchange, self.body, self.raw_body, grantees, out);
            }
            if self.call.protocol != Protocol::Ec2 {
                return params::request(&self.call, self.exchange, self.place(), &self.recorder.tables, self.body, out);
            }
            match self.body {
                Body::Omitted => return Written::Omitted,
                Body::Tree(form) => ec2::request(&self.call, form.root(), out),
                Body::Empty | Body::Malformed => {
                    if let Ok(form) = form::tree(self.exchange.request.query.as_bytes()) {
                        ec2::request(&self.call, form.root(), out);
                    }
                }
            }
            Written::Members
        });
    }

    fn elements(&self, out: &mut Json) {
        limits::object("responseElements", out, |out| {
            if self.failed.is_some() {
                if let (Said::Response, false, Some(answer)) =
                    (self.call.manner.said, self.call.read_only, self.answer.root())
                {
                    error::body(answer, out);
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
                let written = params::response(&self.call, response, self.answer, out);
                if written == Written::Members {
                    self.key_of_kms(out);
                }
                return written;
            }
            match self.answer {
                Body::Omitted => return Written::Omitted,
                Body::Tree(answer) => ec2::response(&self.call, answer.root(), out),
                Body::Empty | Body::Malformed => {}
            }
            Written::Members
        });
    }

    /// Since December 2022 KMS tells the key of those of its changes whose answer does not name it (§8).
    fn key_of_kms(&self, out: &mut Json) {
        if self.call.service.name() != "kms" {
            return;
        }
        let names_it = |output: Shape<'_>| {
            ["KeyId", "KeyMetadata", "ReplicaKeyMetadata", "CustomKeyStoreId"]
                .iter()
                .any(|name| output.member(name).is_some())
        };
        if !self.call.operation.output().is_some_and(names_it)
            && let Some(key) = resources::kms_key(self.place(), self.body.root(), None)
        {
            out.text_member("keyId", &key);
        }
    }

    /// The members of `additionalEventData`.
    fn additional(&self, out: &mut Json) {
        if self.call.is_s3() {
            s3::additional(&self.call, self.exchange, self.credential, self.deleted.is_none(), self.raw_body, out);
        } else {
            self.additional_of_service(out);
        }
        // The owner of a resource does not hear through whom another account's session came.
        if let (Some(principal), None | Some((_, Side::Caller))) = (self.principal, self.shared) {
            chain::write(principal, out);
        }
    }

    /// What the wire tells beside S3: of a failed call no more than under whose name it comes.
    fn additional_of_service(&self, out: &mut Json) {
        // Their calls come under the name of their parent (Application Auto Scaling User Guide, "Log API calls with CloudTrail").
        if let service @ ("application-autoscaling" | "autoscaling-plans") = self.call.service.name() {
            out.text_member("service", service);
        }
        if self.failed.is_none() {
            additional::members(&self.call, self.exchange, self.place(), self.caller, self.body, self.answer, out);
        }
    }

    fn place(&self) -> Place<'_> {
        Place { region: self.region, account: self.recorder.account_of(self.caller) }
    }

    /// The bucket and key that this record is about.
    fn address(&self) -> s3::Address<'_> {
        let request = &self.exchange.request;
        let address = s3::Address::of(&self.call, request).with_form(&self.call, request, self.raw_body);
        match self.deleted {
            Some(deleted) => s3::Address { key: Some(Cow::Borrowed(deleted.key)), ..address },
            None => address,
        }
    }

    fn resources(&self, out: &mut Json) {
        let error = self.failed;
        let account = &self.recorder.config.account_id;
        if self.call.service.name() == "s3" {
            let has_bucket = !s3::has_no_bucket(&self.call, error.map(|failed| failed.code.as_str()));
            let hidden = self.shared.is_some_and(|(_, side)| side == Side::Caller);
            let owner = if hidden { HIDDEN } else { account };
            let source = s3::copied(&self.call, &self.exchange.request);
            let address = self.address();
            match s3::AccessPoint::of(&address, self.exchange.request.host()) {
                Some(point) => point.resources(&self.call, address.key.as_deref(), out),
                None => {
                    s3::resources(&self.call, &address, source.as_deref(), self.region, owner, has_bucket, out);
                }
            }
            return;
        }
        // A data event is selected by its resources, so one that was denied keeps them; AWS logs denied ones as well (§17).
        if self.call.data.is_none() && error.is_some_and(|failed| error::hides_parameters(&self.call, failed)) {
            return;
        }
        let answer = self.answer.root().filter(|_| error.is_none());
        resources::write(&self.call, self.place(), &self.exchange.request, self.body.root(), answer, out);
    }
}

/// The form of a query or EC2 call that has parameters in its query string as well, in one: those of the query string come first.
/// `None` where the body has them all.
fn form_with_query(call: &Call, request: &aws::Request<'_>, body: &[u8]) -> Option<Vec<u8>> {
    let both = call.protocol.is_form() && !request.query.is_empty() && !body.is_empty();
    both.then(|| [request.query.as_bytes(), b"&", body].concat())
}

/// From `userIdentity` to `sourceIPAddress`.
fn who_and_what(caller: &Identity, exchange: &Exchange<'_>, source: &str, name: &str, region: &str, out: &mut Json) {
    use std::io::Write;
    out.key("userIdentity");
    who::write(caller, out);
    let mut short = [0u8; 64];
    out.key("eventTime");
    crate::render::time::write_iso(exchange.completed, out);
    out.text_member("eventSource", source);
    out.text_member("eventName", name);
    out.text_member("awsRegion", region);
    let mut place = &mut short[..];
    let _ = write!(place, "{}", exchange.client.to_canonical());
    let left = place.len();
    let address = short.len() - left;
    out.text_member("sourceIPAddress", text(&short, address));
}

/// `userAgent`, which S3 writes in brackets unless it is AWS itself.
fn agent(exchange: &Exchange<'_>, in_brackets: bool, out: &mut Json) {
    if let Some(agent) = exchange.request.headers.get_bytes("user-agent").map(String::from_utf8_lossy) {
        let is_aws = agent == "AWS Internal" || agent.ends_with(".amazonaws.com") && !agent.contains(' ');
        if in_brackets && !is_aws {
            out.text_member("userAgent", limits::text(&format!("[{agent}]")));
        } else {
            out.text_member("userAgent", limits::text(&agent));
        }
    }
}

/// `tlsDetails`, of a connection that had any.
fn tls(exchange: &Exchange<'_>, out: &mut Json) {
    let Some(tls) = exchange.tls else { return };
    out.key("tlsDetails");
    out.open_object();
    out.text_member("tlsVersion", &tls.version);
    out.text_member("cipherSuite", &tls.cipher_suite);
    if let Some(host) = exchange.request.host() {
        out.text_member("clientProvidedHostHeader", limits::text(host));
    }
    if let Some(exchange) = &tls.key_exchange {
        out.text_member("keyExchange", exchange);
    }
    out.close_object();
}

/// How much of a call its record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Who called what and how it ended, without parameters, results, additional data and resources.
    Reduced,
}

/// The record that `write` makes. What is no valid JSON or too large (which would be a defect of the writer) is written
/// again, reduced: a call is not lost for the way in which it is told.
fn accepted(mut write: impl FnMut(Extent) -> String) -> Result<(Event, Extent), &'static str> {
    let event = |json: String| match json.len() {
        0..=limits::EVENT => Event::from_text(&json).map_err(|_| "not a record"),
        _ => Err("too large"),
    };
    event(write(Extent::Whole)).map(|event| (event, Extent::Whole)).or_else(|fault| {
        tracing::error!(fault, "record reduced: it tells who called what, but no details");
        event(write(Extent::Reduced)).map(|event| (event, Extent::Reduced))
    })
}

fn random_id(recorder: &Recorder) -> uuid::Uuid {
    uuid::Builder::from_random_bytes((recorder.random)().to_be_bytes()).into_uuid()
}

/// The id that the called service gave the request: in a header, or else in an XML answer.
fn request_id<'e>(exchange: &Exchange<'e>, answer: &'e Body<'_>) -> Option<&'e str> {
    let header = id_in_header(exchange.response.as_ref()?);
    let in_body = || {
        let root = answer.root()?;
        let metadata = root.child("ResponseMetadata").unwrap_or(root);
        let id = ["RequestId", "requestId", "RequestID"].into_iter().find_map(|name| metadata.child(name))?;
        id.text().filter(|id| !id.is_empty())
    };
    header.or_else(in_body)
}

fn id_in_header<'e>(response: &Response<'e>) -> Option<&'e str> {
    let names = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];
    names.into_iter().find_map(|name| response.headers.get(name)).filter(|id| !id.is_empty())
}

fn text(buffer: &[u8], length: usize) -> &str {
    buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

/// `awsRegion`: where the bucket is, if S3 says so; of the credential, or `us-east-1` for what is global (§10.4; in other
/// partitions the Region where theirs lies), or of the host, or the house's.
fn region<'e>(
    recorder: &'e Recorder,
    call: &Call,
    exchange: &Exchange<'e>,
    credential: Option<&Credential<'e>>,
) -> Cow<'e, str> {
    // A redirect tells where the bucket is, not where the call was made.
    let answered = exchange.response.as_ref().filter(|response| call.is_s3() && !(300..400).contains(&response.status));
    let told = answered.and_then(|response| response.headers.get("x-amz-bucket-region"));
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if let Some(region) = told.filter(|region| (1..=64).contains(&region.len()) && region.bytes().all(is_name)) {
        return Cow::Borrowed(region);
    }
    const REGIONAL_TOO: [&str; 4] = ["s3", "s3control", "sts", "sdb"];
    let named = region_of(recorder, &exchange.request, credential);
    if !call.service.is_global() || REGIONAL_TOO.contains(&call.service.name()) {
        return named;
    }
    Cow::Borrowed(match event::partition_of(&named) {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    })
}

/// Whether a text may be the name of a Region: of AWS, or of a store that names its own. A set of Regions (SigV4a) is none.
fn is_region(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(usual)
}

/// The Region that a request says by itself, or the house's.
fn region_of<'e>(
    recorder: &'e Recorder,
    request: &aws::Request<'e>,
    credential: Option<&Credential<'e>>,
) -> Cow<'e, str> {
    let named = credential.map(|credential| credential.region.clone());
    named
        .filter(|region| is_region(region))
        .or_else(|| aws::recognise::region(request).map(Cow::Borrowed))
        .unwrap_or(Cow::Borrowed(&recorder.config.region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_whole_is_told_reduced() {
        const REDUCED: &str = r#"{"eventTime":"2026-01-15T10:02:03Z","eventSource":"a","eventName":"B"}"#;
        for whole in ["{\"requestParameters\":{\"a\":01}}".to_owned(), " ".repeat(limits::EVENT + 1)] {
            let mut asked = Vec::new();
            let (event, extent) = accepted(|extent| {
                asked.push(extent);
                if extent == Extent::Whole { whole.clone() } else { REDUCED.into() }
            })
            .unwrap();
            assert_eq!((event.json(), extent), (REDUCED.as_bytes(), Extent::Reduced));
            assert_eq!(asked, [Extent::Whole, Extent::Reduced]);
        }
        assert_eq!(accepted(|_| String::new()).map(drop), Err("not a record"));
    }
}
