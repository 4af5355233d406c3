//! A record back to the exchange that it tells of.

use crate::value::{Modeled, modeled};
use crate::{ec2, s3, wire};
use aws::{Catalog, Headers, Kind, Location, Operation, Protocol, Request, Service, TimestampFormat};
use base64::Engine;
use event::{EventTime, Identity};
use opentrail_capture::{
    Captured, Exchange, Identities, KnownIdentities, Lesson, Recorder, RecorderConfig, Response, TlsDetails, Verdict,
};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An exchange, and how the recorder is set up for it.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) operation: Operation<'static>,
    account: String,
    region: String,
    lesson: Option<Lesson>,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    body_total: u64,
    status: u16,
    answer_headers: Vec<(String, String)>,
    answer: Vec<u8>,
    answer_total: u64,
    client: String,
    tls: Option<TlsDetails>,
    time: EventTime,
    /// Whether the parameters and the result could be traced back.
    pub(crate) parameters: Result<(), String>,
    pub(crate) elements: Result<(), String>,
}

impl Replay {
    /// Rebuilds the exchange of a record.
    ///
    /// # Errors
    /// Why the record cannot be replayed: no API call, an operation that no public model has.
    pub(crate) fn of(record: &Value) -> Result<Replay, String> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let source = text("eventSource").ok_or("no eventSource")?;
        if !matches!(text("eventType"), Some("AwsApiCall") | None) {
            return Err("no API call".to_owned());
        }
        if record.pointer("/requestParameters/bucketName").and_then(Value::as_str) == Some("") {
            return Err("a bucket without a name".to_owned());
        }
        let name = text("eventName").ok_or("no eventName")?;
        let candidates = operations(source, name, text("apiVersion"));
        let fits = |operation: &&Operation<'static>| {
            let (Some(input), Some(parameters)) = (operation.input(), record.get("requestParameters")) else {
                return true;
            };
            parameters.is_null() || modeled(input, parameters, "").is_ok()
        };
        let operation = *candidates
            .iter()
            .find(fits)
            .or(candidates.first())
            .ok_or_else(|| format!("no public operation {source} {name}"))?;
        let time = text("eventTime").and_then(EventTime::parse).ok_or("no eventTime")?;
        let mut replay = Replay {
            operation,
            account: text("recipientAccountId")
                .or_else(|| record.pointer("/userIdentity/accountId").and_then(Value::as_str))
                .unwrap_or("111122223333")
                .to_owned(),
            region: text("awsRegion").unwrap_or("us-east-1").to_owned(),
            lesson: None,
            method: operation.http_method().to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            body_total: 0,
            status: operation.http_status(),
            answer_headers: Vec::new(),
            answer: Vec::new(),
            answer_total: 0,
            client: text("sourceIPAddress").unwrap_or("0.0.0.0").to_owned(),
            tls: None,
            time,
            parameters: Ok(()),
            elements: Ok(()),
        };
        replay.parameters = replay.request(record.get("requestParameters").unwrap_or(&Value::Null));
        replay.head(record, text("userAgent"));
        replay.elements = replay.response(record);
        replay.sizes(record);
        Ok(replay)
    }

    fn service(&self) -> &'static Service {
        self.operation.service()
    }

    fn request(&mut self, parameters: &Value) -> Result<(), String> {
        let (service, operation) = (self.service(), self.operation);
        let protocol = service.protocol();
        if matches!(service.name(), "s3" | "s3control") {
            let template = (service.name() == "s3control").then(|| operation.request_uri());
            let mut sent = s3::request(template, parameters);
            // Flags of the operation's template that the record leaves out for S3 Control.
            let flags = operation.request_uri().split_once('?').map_or("", |(_, flags)| flags);
            if service.name() == "s3" && parameters.is_null() {
                sent.query = flags.to_owned();
            }
            (self.path, self.query, self.headers, self.body) =
                (sent.path, sent.query, sent.headers, sent.body.into_bytes());
            return Ok(());
        }
        if protocol == Protocol::Ec2 {
            let mut pairs =
                vec![("Action".into(), operation.name().into()), ("Version".into(), service.api_version().into())];
            let form = ec2::form(operation.name(), operation.input(), parameters);
            pairs.extend(form.clone().unwrap_or_default());
            self.form(&pairs);
            return form.map(drop);
        }
        let proven = with_assertion(operation.name(), &with_input(operation.name(), parameters));
        let parameters = &proven;
        let value = match (operation.input(), parameters) {
            (Some(input), Value::Object(_)) => modeled(input, parameters, ""),
            (None, Value::Object(_)) => Err("no input".to_owned()),
            _ => Ok(Modeled::Struct(Vec::new())),
        };
        let outcome = value.as_ref().map(drop).map_err(String::clone);
        let value = value.unwrap_or(Modeled::Struct(Vec::new()));
        match protocol {
            Protocol::Json => {
                let target = format!("{}.{}", service.target_prefix(), operation.name());
                self.headers.push(("x-amz-target".into(), target));
                self.headers
                    .push(("content-type".into(), format!("application/x-amz-json-{}", service.json_version())));
                self.body = wire::json(&value, false).to_string().into_bytes();
            }
            Protocol::Query => {
                let mut pairs =
                    vec![("Action".into(), operation.name().into()), ("Version".into(), service.api_version().into())];
                wire::form(&value, None, "", &mut pairs);
                self.form(&pairs);
            }
            Protocol::RpcV2Cbor => {
                self.path = format!("/service/{}/operation/{}", service.target_prefix(), operation.name());
                self.headers.push(("smithy-protocol".into(), "rpc-v2-cbor".into()));
                self.headers.push(("content-type".into(), "application/cbor".into()));
                wire::cbor(&value, &mut self.body);
            }
            Protocol::RestJson | Protocol::RestXml => self.rest(&value),
            Protocol::Ec2 => {}
        }
        outcome
    }

    fn form(&mut self, pairs: &[(String, String)]) {
        let pairs: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{}={}", wire::encoded(key), wire::encoded(value))).collect();
        self.body = pairs.join("&").into_bytes();
        self.headers.push(("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into()));
    }

    fn rest(&mut self, value: &Modeled<'_>) {
        let Modeled::Struct(members) = value else { return };
        let (path, flags) = self.operation.request_uri().split_once('?').unwrap_or((self.operation.request_uri(), ""));
        let mut path = path.to_owned();
        let mut query: Vec<String> = flags.split('&').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        for (member, value) in members {
            let name = member.wire_name();
            match member.location() {
                Location::Uri => {
                    let text = wire::scalar(value, TimestampFormat::Iso8601);
                    let text = if text.contains("%3A") { text } else { wire::encoded(&text) };
                    path = path
                        .replace(&format!("{{{name}}}"), &text)
                        .replace(&format!("{{{name}+}}"), &text.replace("%2F", "/"));
                }
                Location::QueryString => {
                    match value {
                        Modeled::List(values) => {
                            query.extend(values.iter().map(|v| {
                                format!("{name}={}", wire::encoded(&wire::scalar(v, TimestampFormat::Iso8601)))
                            }));
                        }
                        Modeled::Map(_) => {}
                        value => query
                            .push(format!("{name}={}", wire::encoded(&wire::scalar(value, TimestampFormat::Iso8601)))),
                    }
                }
                Location::Header => self.headers.push((name.to_owned(), wire::scalar(value, TimestampFormat::Rfc822))),
                _ => {}
            }
        }
        // Labels that the record does not show.
        while let Some((before, rest)) = path.clone().split_once('{') {
            path = format!("{before}unknown{}", rest.split_once('}').map_or("", |(_, after)| after));
        }
        (self.path, self.query) = (path, query.join("&"));
        let payload = self.operation.input().and_then(|input| input.payload());
        let of_payload = payload.and_then(|payload| members.iter().find(|(member, _)| member.name() == payload.name()));
        let json = self.service().protocol() == Protocol::RestJson;
        let has_body = members.iter().any(|(member, _)| member.location() == Location::Body);
        self.body = match (payload, of_payload) {
            (Some(_), None) => Vec::new(),
            (_, Some((member, Modeled::Text(text)))) if member.shape().kind() != Kind::Structure => {
                text.clone().into_bytes()
            }
            (_, Some((_, value))) if json => wire::json(value, false).to_string().into_bytes(),
            (_, Some((member, value))) => {
                let mut out = String::new();
                wire::tag(member.wire_name(), &mut out, |out| wire::xml(value, None, false, out));
                out.into_bytes()
            }
            (None, None) if !has_body => Vec::new(),
            (None, None) if json => wire::json(value, true).to_string().into_bytes(),
            (None, None) => {
                let mut out = String::new();
                wire::tag("Request", &mut out, |out| wire::xml(value, None, false, out));
                out.into_bytes()
            }
        };
        if !self.body.is_empty() {
            self.headers
                .push(("content-type".into(), if json { "application/json" } else { "application/xml" }.into()));
        }
    }

    /// Host, credential, user agent, TLS.
    fn head(&mut self, record: &Value, agent: Option<&str>) {
        let service = self.service();
        let host = record.pointer("/tlsDetails/clientProvidedHostHeader").and_then(Value::as_str).map(str::to_owned);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            let host = host.unwrap_or_else(|| format!("{}.{}.amazonaws.com", service.endpoint_prefix(), self.region));
            self.headers.push(("host".into(), host));
        }
        let s3 = matches!(service.name(), "s3" | "s3control");
        if let Some(agent) = agent {
            let bare = agent.strip_prefix('[').and_then(|agent| agent.strip_suffix(']')).filter(|_| s3);
            self.headers.push(("user-agent".into(), bare.unwrap_or(agent).to_owned()));
        }
        let identity: Option<Identity> = record
            .get("userIdentity")
            .and_then(|identity| serde_json::from_value(crate::compare::without_empties(identity)).ok());
        let mut key =
            record.pointer("/userIdentity/accessKeyId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if key.is_empty() {
            key = "ASIAEXAMPLEUNSAID0001".to_owned();
        }
        let anonymous =
            record.pointer("/userIdentity/accountId").and_then(Value::as_str) == Some("ANONYMOUS_PRINCIPAL");
        if !anonymous {
            let key = key.replace(['/', ',', ' ', '='], "_");
            let credential = format!("{key}/{}/{}/{}/aws4_request", "20260115", self.region, service.signing_name());
            self.headers.push((
                "authorization".into(),
                format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"),
            ));
            self.lesson =
                identity.map(|identity| Lesson { access_key_id: key, identity, origins: Vec::new(), expires: None });
        }
        self.tls = record.get("tlsDetails").map(|tls| {
            let text = |name: &str| tls.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            TlsDetails {
                version: text("tlsVersion"),
                cipher_suite: text("cipherSuite"),
                key_exchange: tls.get("keyExchange").and_then(Value::as_str).map(str::to_owned),
            }
        });
    }

    fn response(&mut self, record: &Value) -> Result<(), String> {
        let (service, operation) = (self.service(), self.operation);
        let id = record.get("requestID").and_then(Value::as_str).unwrap_or("unknown");
        let s3 = matches!(service.name(), "s3" | "s3control");
        self.answer_headers.push((if s3 { "x-amz-request-id" } else { "x-amzn-requestid" }.into(), id.into()));
        if let Some(extended) = record.pointer("/additionalEventData/x-amz-id-2").and_then(Value::as_str) {
            self.answer_headers.push(("x-amz-id-2".into(), extended.into()));
        }
        let elements = record.get("responseElements").unwrap_or(&Value::Null);
        if let Some(code) = record.get("errorCode").and_then(Value::as_str) {
            self.error(code, record.get("errorMessage").and_then(Value::as_str), elements, id);
            return Ok(());
        }
        if s3 {
            for (name, value) in elements.as_object().into_iter().flatten() {
                self.answer_headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
            }
            return Ok(());
        }
        if service.protocol() == Protocol::Ec2 {
            self.answer = ec2::answer(operation.name(), operation.output(), elements).into_bytes();
            return Ok(());
        }
        let Some(output) = operation.output() else { return Ok(()) };
        let elements = &self.without_exposed(elements);
        let result = match elements {
            Value::Object(_) => modeled(output, elements, "").or_else(|error| {
                // The databases' results stand without the name of their only member.
                let only = output
                    .members()
                    .next()
                    .filter(|member| member.shape().kind() == Kind::Structure)
                    .ok_or(error.clone())?;
                Ok(Modeled::Struct(vec![(only, modeled(only.shape(), elements, "").map_err(|_| error)?)]))
            }),
            _ => Ok(Modeled::Struct(Vec::new())),
        };
        let outcome = result.as_ref().map(drop).map_err(String::clone);
        let mut result = result.unwrap_or(Modeled::Struct(Vec::new()));
        // KMS answers with the key's ARN, which the record shows among the resources.
        if let (Some(member), Modeled::Struct(members)) =
            (output.member("KeyId").filter(|_| service.name() == "kms"), &mut result)
            && members.is_empty()
            && let Some(arn) = record.pointer("/resources/0/ARN").and_then(Value::as_str)
        {
            members.push((member, Modeled::Text(arn.to_owned())));
        }
        let Modeled::Struct(members) = &result else { return outcome };
        for (member, value) in members.iter().filter(|(member, _)| member.location() == Location::Header) {
            self.answer_headers.push((member.wire_name().to_owned(), wire::scalar(value, TimestampFormat::Rfc822)));
        }
        let payload =
            output.payload().and_then(|payload| members.iter().find(|(member, _)| member.name() == payload.name()));
        self.answer = match service.protocol() {
            Protocol::Json | Protocol::RestJson => payload
                .map_or_else(|| wire::json(&result, true), |(_, value)| wire::json(value, false))
                .to_string()
                .into_bytes(),
            Protocol::RpcV2Cbor => {
                let mut out = Vec::new();
                wire::cbor(&result, &mut out);
                out
            }
            Protocol::Query => {
                let mut out = String::new();
                let name = operation.name();
                wire::tag(&format!("{name}Response"), &mut out, |out| {
                    wire::tag(&format!("{name}Result"), out, |out| wire::xml(&result, None, false, out));
                    wire::tag("ResponseMetadata", out, |out| wire::tag("RequestId", out, |out| out.push_str(id)));
                });
                out.into_bytes()
            }
            _ => {
                let mut out = String::new();
                match payload {
                    Some((member, value)) => {
                        wire::tag(member.wire_name(), &mut out, |out| wire::xml(value, None, false, out))
                    }
                    None => wire::tag(&format!("{}Response", operation.name()), &mut out, |out| {
                        wire::xml(&result, None, false, out)
                    }),
                }
                out.into_bytes()
            }
        };
        outcome
    }

    /// The result without the headers that services behind API Gateway record beside it; the answer has them.
    fn without_exposed(&mut self, elements: &Value) -> Value {
        let mut elements = elements.clone();
        for name in ["Access-Control-Expose-Headers", "Access-Control-Max-Age"] {
            if let Some(Value::String(value)) = elements.as_object_mut().and_then(|members| members.remove(name)) {
                self.answer_headers.push((name.to_owned(), value));
            }
        }
        elements
    }

    /// The error on the wire that services say so in their records.
    fn error(&mut self, recorded: &str, message: Option<&str>, elements: &Value, id: &str) {
        let protocol = self.service().protocol();
        let bare = recorded.strip_prefix("Client.").or_else(|| recorded.strip_prefix("Server.")).unwrap_or(recorded);
        let modeled = self.operation.errors().find(|error| error.name() == bare);
        self.status = modeled.and_then(|error| error.http_status()).unwrap_or(if recorded.starts_with("Server.") {
            500
        } else {
            400
        });
        let json = matches!(protocol, Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor);
        let code = match bare {
            "AccessDenied" if json => "AccessDeniedException",
            _ => modeled.map_or(bare, |error| error.code()),
        };
        let message = message.or_else(|| elements.get("message").and_then(Value::as_str)).unwrap_or_default();
        let s3 = matches!(self.service().name(), "s3" | "s3control");
        let answer = wire::error(protocol, s3, self.status, code, message, id);
        self.answer = answer.body;
        // What a record shows of an error's body was in it.
        if let (true, Value::Object(shown)) = (json && !s3, elements) {
            self.answer = serde_json::to_vec(shown).unwrap();
        }
        self.answer_headers.extend(answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }

    fn sizes(&mut self, record: &Value) {
        let number = |name: &str| record.pointer(&format!("/additionalEventData/{name}")).and_then(Value::as_f64);
        // Sizes are S3's; a body that the record shows is as long as it is.
        self.body_total = number("bytesTransferredIn").filter(|_| self.body.is_empty()).unwrap_or_default() as u64;
        self.answer_total = number("bytesTransferredOut").map_or(self.answer.len() as u64, |bytes| bytes as u64);
        // Errors are kept whole; those of real S3 are longer by the ids in them.
        if self.status >= 400 {
            self.answer.resize(self.answer.len().max(self.answer_total as usize), b' ');
            self.answer_total = self.answer.len() as u64;
        }
        if let (None, Some(cipher)) =
            (&self.tls, record.pointer("/additionalEventData/CipherSuite").and_then(Value::as_str))
        {
            self.tls = Some(TlsDetails { version: "TLSv1.2".into(), cipher_suite: cipher.into(), key_exchange: None });
        }
    }

    /// Passes the exchange through the recorder.
    ///
    /// # Errors
    /// The reason for which there is no record.
    pub(crate) fn record(&self) -> Result<Value, String> {
        self.with_exchange(|recorder, exchange| {
            let opened = recorder.open(&exchange.request);
            match recorder.record(&opened, exchange) {
                Verdict::Record(events) => {
                    Ok(serde_json::from_slice(events.first().ok_or("no record")?.json()).map_err(|e| e.to_string())?)
                }
                Verdict::Unrecorded(reason) => {
                    Err(format!("{reason:?} {} {}", self.operation.service().name(), self.operation.name()))
                }
            }
        })
    }

    /// The exchange and a recorder that knows the caller.
    pub(crate) fn with_exchange<T>(&self, then: impl FnOnce(&Recorder, &Exchange<'_>) -> T) -> T {
        let known = KnownIdentities::new(16);
        if let Some(lesson) = &self.lesson {
            known.learn(lesson.clone(), EventTime(0));
        }
        let config = RecorderConfig {
            account_id: self.account.clone(),
            region: self.region.clone(),
            record_unauthenticated: false,
        };
        let counter = AtomicU64::new(1);
        let random = move || u128::from(counter.fetch_add(1, Ordering::Relaxed));
        let recorder = Recorder::new(Catalog::embedded(), config, Arc::new(known), random);
        let lines = |headers: &[(String, String)]| -> Vec<(String, Vec<u8>)> {
            headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect()
        };
        let (asked, answered) = (lines(&self.headers), lines(&self.answer_headers));
        let asked: Vec<(&str, &[u8])> = asked.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let answered: Vec<(&str, &[u8])> =
            answered.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: Headers(&asked),
            path_style: false,
        };
        // As the proxy does: what the recorder does not ask to keep, it does not see.
        let opened = recorder.open(&request);
        let kept = |bytes: &'_ [u8], limit: usize| bytes.len().min(limit);
        let body_end = kept(&self.body, opened.request_body().limit());
        let answer_end = kept(&self.answer, opened.response_body(self.status).limit());
        let exchange = Exchange {
            request,
            request_body: Captured {
                bytes: &self.body[..body_end],
                total: self.body_total.max(self.body.len() as u64),
            },
            response: Some(Response {
                status: self.status,
                headers: Headers(&answered),
                body: Captured {
                    bytes: &self.answer[..answer_end],
                    total: self.answer_total.max(self.answer.len() as u64),
                },
            }),
            vpc_endpoint: None,
            client: self.client.parse().unwrap_or(std::net::IpAddr::from([0, 0, 0, 0])),
            tls: self.tls.as_ref(),
            completed: self.time,
            failure: None,
        };
        then(&recorder, &exchange)
    }
}

/// The parameters with those that API Gateway's records have in a member named like the operation's input.
fn with_input(operation: &str, parameters: &Value) -> Value {
    let mut parameters = parameters.clone();
    let name = format!("{}{}Input", operation[..1].to_lowercase(), &operation[1..]);
    if let Some(members) = parameters.as_object_mut()
        && let Some(Value::Object(input)) = members.remove(&name)
    {
        members.extend(input);
    }
    parameters
}

/// The parameters of a sign-in by SAML with the assertion that told the record what no parameter says.
fn with_assertion(operation: &str, parameters: &Value) -> Value {
    let mut parameters = parameters.clone();
    let Some(members) = parameters.as_object_mut().filter(|_| operation == "AssumeRoleWithSAML") else {
        return parameters;
    };
    let Some(id) = members.remove("sAMLAssertionID") else { return parameters };
    let value = |value: &Value| format!("<AttributeValue>{}</AttributeValue>", value.as_str().unwrap_or_default());
    let attribute = |name: &str, values: String| {
        format!("<Attribute Name=\"https://aws.amazon.com/SAML/Attributes/{name}\">{values}</Attribute>")
    };
    let mut statement = String::new();
    if let Some(name) = members.remove("roleSessionName") {
        statement += &attribute("RoleSessionName", value(&name));
    }
    for (key, tag) in members.remove("principalTags").as_ref().and_then(Value::as_object).into_iter().flatten() {
        statement += &attribute(&format!("PrincipalTag:{key}"), value(tag));
    }
    if let Some(keys) = members.remove("transitiveTagKeys") {
        statement += &attribute("TransitiveTagKeys", keys.as_array().into_iter().flatten().map(value).collect());
    }
    let id = id.as_str().unwrap_or_default();
    let document = format!(
        "<Response><Assertion ID=\"{id}\"><AttributeStatement>{statement}</AttributeStatement></Assertion></Response>"
    );
    members.insert("sAMLAssertion".to_owned(), base64::engine::general_purpose::STANDARD.encode(document).into());
    parameters
}

/// The operations that a record's source and name may mean.
fn operations(source: &str, name: &str, version: Option<&str>) -> Vec<Operation<'static>> {
    let catalog = Catalog::embedded();
    let bare = name.find("20").filter(|at| *at > 3).map_or(name, |at| &name[..at]);
    let names = [name, bare].into_iter().chain(RENAMED.iter().filter(|(own, _)| *own == name).map(|(_, model)| *model));
    let names: Vec<&str> = names.collect();
    let mut found = Vec::new();
    for info in catalog.services().iter().filter(|info| info.event_source() == source) {
        let service = catalog.service(info.id()).unwrap();
        found.extend(names.iter().filter_map(|name| service.operation(name)).take(1));
    }
    found.sort_by_key(|operation| {
        let service = operation.service();
        let another_version = version.is_some() && Some(service.api_version()) != version;
        // Account-wide calls are S3 Control's.
        (another_version, service.name() != "rds", name.contains("Account") && service.name() == "s3")
    });
    found
}

/// Names in records and in the model (`reference/event-record.md` §7.7).
const RENAMED: [(&str, &str); 16] = [
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
    ("GetAccelerateConfiguration", "GetBucketAccelerateConfiguration"),
    ("PutAccelerateConfiguration", "PutBucketAccelerateConfiguration"),
    ("GetBucketPublicAccessBlock", "GetPublicAccessBlock"),
    ("PutBucketPublicAccessBlock", "PutPublicAccessBlock"),
    ("DeleteBucketPublicAccessBlock", "DeletePublicAccessBlock"),
    ("GetAccountPublicAccessBlock", "GetPublicAccessBlock"),
    ("PutAccountPublicAccessBlock", "PutPublicAccessBlock"),
    ("DeleteAccountPublicAccessBlock", "DeletePublicAccessBlock"),
    ("GetBucketObjectLockConfiguration", "GetObjectLockConfiguration"),
    ("PutBucketObjectLockConfiguration", "PutObjectLockConfiguration"),
    ("ListObjects", "ListObjectsV2"),
    ("GetStorageLensConfiguration", "GetStorageLensConfiguration"),
];
