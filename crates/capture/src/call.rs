//! What an exchange was in AWS's terms, and which of its bytes a record needs.

pub(crate) mod classify;
pub(crate) mod names;
pub(crate) mod opened;
mod read_only;
pub(crate) mod resources;
pub(crate) mod virtual_host;

use self::opened::Opened;
use crate::exchange::Keep;
use crate::render::manner::{self, Manner};
use crate::render::redact::{self, Rows};
use crate::render::{Renderer, Wire, drift};
use crate::verdict::Reason;
use aws::{Catalog, Kind, Member, Operation, Protocol, Request, Service, ServiceId, recognise};
use std::cell::RefCell;
use std::collections::HashMap;

/// Of a request, and of a result that the record shows. More than the caps of §2 let a record hold, and less than a
/// proxy under load would feel.
const BODY: usize = 1 << 20;
/// Of a `DeleteObjects` call and its answer: a thousand keys of a kilobyte each, and what belongs to them.
const KEYS_BODY: usize = 2 << 20;
/// Of an error: it is short, or it is not one.
const ERROR_BODY: usize = 64 << 10;

/// How the names of directory buckets end.
const DIRECTORY_BUCKET: &str = "--x-s3";

/// Of a browser's form for S3: its fields may have 20 KB, then comes the file.
const FORM_FIELDS: usize = 24 << 10;

/// One call: service, operation, and how its service writes records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) service: &'static Service,
    pub(crate) operation: Operation<'static>,
    pub(crate) protocol: Protocol,
    pub(crate) manner: &'static Manner,
    pub(crate) rows: Rows,
    pub(crate) read_only: bool,
    /// `resources.type` of a data event; `None` for management.
    pub(crate) data: Option<&'static str>,
    /// Whether an S3 call is about directory buckets (S3 Express One Zone).
    pub(crate) is_directory: bool,
}

thread_local! {
    /// What [`Call::look_up`] gave, by service and operation: there are no more of them than operations.
    static KNOWN: RefCell<HashMap<(ServiceId, u32), Call>> = RefCell::default();
}

impl Call {
    pub(crate) fn new(service: &'static Service, operation: Operation<'static>, protocol: Protocol) -> Call {
        let known = KNOWN.with_borrow_mut(|known| {
            let look_up = || Call::look_up(service, operation, protocol);
            *known.entry((service.id(), operation.number())).or_insert_with(look_up)
        });
        Call { protocol, ..known }
    }

    /// What the tables say of an operation.
    fn look_up(service: &'static Service, operation: Operation<'static>, protocol: Protocol) -> Call {
        let name = service.name();
        Call {
            service,
            operation,
            protocol,
            manner: manner::of(service, operation.name()),
            rows: redact::rows(name),
            read_only: read_only::is_read_only(name, operation),
            data: classify::data_resource_type(name, operation.name()),
            is_directory: false,
        }
    }

    /// The same call, with what the table cannot know: a directory bucket's calls are S3's by the model, and have a source
    /// and resource types of their own (§7.7, §15).
    pub(crate) fn about(self, bucket: Option<&str>) -> Call {
        let lists = || self.is_s3() && self.operation.name() == "ListDirectoryBuckets";
        if bucket.is_some_and(|bucket| bucket.ends_with(DIRECTORY_BUCKET)) || lists() {
            Call { is_directory: true, data: self.data.map(|_| "AWS::S3Express::Object"), ..self }
        } else {
            self
        }
    }

    /// `eventSource`.
    pub(crate) fn event_source(&self) -> &'static str {
        if self.is_directory { "s3express.amazonaws.com" } else { self.service.event_source() }
    }

    /// The call of an exchange: what its head told, or else what its body tells.
    pub(crate) fn identify(
        catalog: &'static Catalog,
        opened: &Opened,
        request: &Request<'_>,
        (body, whole): (&[u8], bool),
    ) -> Result<Call, Reason> {
        // A form that names an operation is that call, though its query string looked like one for an object of S3.
        let is_other = |call: &Call| call.is_s3() && request.method == "POST" && is_form(request);
        if let Some(call) = opened.call
            && !(is_other(&call) && recognise::form_action(body).is_some())
        {
            return Ok(call);
        }
        // What was not read of a form may name another operation than its head does. (What `curl` calls a form is often JSON.)
        let is_named = recognise::form_action(request.query.as_bytes()).is_some()
            || request.headers.has("x-amz-target") && !body.trim_ascii_start().starts_with(b"{");
        let is_form = request.method == "POST" && is_form(request);
        if is_form && is_named && !whole && recognise::form_action(body).is_none() {
            return Err(Reason::UnknownOperation);
        }
        if let Some(call) = opened.service.filter(|_| opened.only_service).and_then(|service| by_action(service, body))
        {
            return Ok(call);
        }
        match recognised(catalog, request, body) {
            Some(recognised) => {
                let service = catalog.service(recognised.service).map_err(|_| Reason::UnknownService)?;
                Ok(Call::new(service, recognised.operation, recognised.protocol))
            }
            // A preflight looks like a call of S3's, but no operation of any service is asked for like that.
            None if request.method.eq_ignore_ascii_case("OPTIONS") => Err(Reason::NotACall),
            None if opened.service.is_some() => Err(Reason::UnknownOperation),
            None => Err(Reason::UnknownService),
        }
    }

    /// The call of another operation of the same service.
    pub(crate) fn sibling(&self, operation: &str) -> Option<Call> {
        let call = Call::new(self.service, self.service.operation(operation)?, self.protocol);
        let data = if self.is_directory { self.data } else { call.data };
        Some(Call { is_directory: self.is_directory, data, ..call })
    }

    /// Whether the call is S3's, which records in its own way.
    pub(crate) fn is_s3(&self) -> bool {
        matches!(self.service.name(), "s3" | "s3control")
    }

    /// Whether a successful call has `responseElements` (§8).
    pub(crate) fn shows_result(&self) -> bool {
        let name = self.operation.name();
        match (self.service.name(), self.data.is_some()) {
            ("sts", _) if name.starts_with("AssumeRole") => true,
            ("s3", _) => matches!(
                name,
                "PutObject" | "CopyObject" | "CreateMultipartUpload" | "CompleteMultipartUpload" | "UploadPart"
            ),
            (service, _) if drift::hides_result(service, name) => false,
            ("cloudfront-keyvaluestore" | "cognito-identity" | "ebs" | "events" | "sns" | "sqs", true) => {
                !self.read_only
            }
            (_, true) => false,
            (service, _) => !self.read_only || drift::shows_result(service, name),
        }
    }

    /// Whether a successful answer may teach who a key is.
    pub(crate) fn teaches(&self) -> bool {
        teaches(self.service.name(), self.operation.name())
    }

    pub(crate) fn renderer(&self, wire: Wire) -> Renderer {
        Renderer { manner: self.manner, rows: self.rows, wire, lower_names: false, adds: None }
    }
}

/// Reads the head of a request.
pub(crate) fn open(catalog: &'static Catalog, head: &Request<'_>) -> Opened {
    // A form names its operation in the body: the head alone cannot tell.
    let may_be = || head.query.is_empty() || recognise::form_action(head.query.as_bytes()).is_some();
    let in_body = head.method == "POST" && is_form(head) && may_be();
    let found = if in_body { None } else { recognised(catalog, head, &[]) };
    let found = found.and_then(|found| {
        let service = catalog.service(found.service).ok()?;
        Some(Call::new(service, found.operation, found.protocol))
    });
    match found {
        Some(call) => Opened {
            service: Some(call.service),
            only_service: true,
            call: Some(call),
            protocol: Some(call.protocol),
            is_elsewhere: false,
            request_body: request_body(&call),
            response_body: response_body(&call),
        },
        None => {
            let candidates = recognise::service(catalog, head);
            let service = candidates.first().and_then(|id| catalog.service(id).ok());
            let protocols = candidates.first().and_then(|id| catalog.info(id)).map_or(&[][..], |info| info.protocols());
            let of_form = protocols.iter().copied().find(|protocol| is_form(head) && protocol.is_form());
            Opened {
                service,
                only_service: in_body && candidates.one().is_some(),
                call: None,
                protocol: of_form.or_else(|| service.map(|service| service.protocol())),
                is_elsewhere: false,
                request_body: if service.is_some() || is_form(head) { Keep::UpTo(BODY) } else { Keep::Nothing },
                response_body: if service.is_some() || is_form(head) { Keep::UpTo(BODY) } else { Keep::Nothing },
            }
        }
    }
}

/// The call that a form names, where only one service is possible.
fn by_action(service: &'static Service, form: &[u8]) -> Option<Call> {
    let protocol = *service.protocols().iter().find(|protocol| protocol.is_form())?;
    let operation = service.operation(&recognise::form_action(form)?)?;
    Some(Call::new(service, operation, protocol))
}

fn recognised(catalog: &'static Catalog, request: &Request<'_>, body: &[u8]) -> Option<recognise::Recognised<'static>> {
    recognise::operation(catalog, request, body)
}

pub(crate) fn is_form(head: &Request<'_>) -> bool {
    let form = "application/x-www-form-urlencoded";
    head.headers
        .get("content-type")
        .is_some_and(|kind| kind.trim_start().get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form)))
}

fn request_body(call: &Call) -> Keep {
    let input = call.operation.input();
    let opaque = input.and_then(|input| input.payload()).is_some_and(is_opaque);
    match (call.service.name(), call.operation.name()) {
        ("s3", "DeleteObjects") => Keep::UpTo(KEYS_BODY),
        // Who signed a form is said in its first fields.
        ("s3", "PostObject") => Keep::UpTo(FORM_FIELDS),
        ("s3", _) if !shows_document(call) => Keep::Nothing,
        _ if opaque => Keep::Nothing,
        _ => Keep::UpTo(BODY),
    }
}

/// Whether the record of a call on S3 shows the document in its body: all that manage buckets, and two that write objects.
pub(crate) fn shows_document(call: &Call) -> bool {
    call.data.is_none() || matches!(call.operation.name(), "CompleteMultipartUpload" | "PutObjectAcl")
}

/// For success; errors are always kept.
pub(crate) fn response_body(call: &Call) -> Keep {
    if call.teaches() {
        return Keep::UpTo(ERROR_BODY);
    }
    let output = call.operation.output();
    let opaque = output.and_then(|output| output.payload()).is_some_and(is_opaque);
    match call.service.name() {
        // These two say in their body whether a call that began as a success failed after all.
        "s3" if matches!(call.operation.name(), "CompleteMultipartUpload" | "CopyObject") => Keep::UpTo(ERROR_BODY),
        "s3" if call.operation.name() == "DeleteObjects" => Keep::UpTo(KEYS_BODY),
        "s3" => Keep::Nothing,
        // Which key it was, often only the answer says.
        "kms" => Keep::UpTo(ERROR_BODY),
        // Its key schema.
        "dynamodb" if call.operation.name() == "DescribeTable" => Keep::UpTo(ERROR_BODY),
        // The id of the message.
        "ses" | "sesv2" if call.data.is_some() => Keep::UpTo(ERROR_BODY),
        _ if opaque || output.is_none() && call.protocol != Protocol::Ec2 => Keep::Nothing,
        _ if call.shows_result() => Keep::UpTo(BODY),
        _ => Keep::Nothing,
    }
}

/// How much of the answer to keep, given its status.
pub(crate) fn response_keep(on_success: Keep, status: u16) -> Keep {
    if status >= 400 { Keep::UpTo(ERROR_BODY) } else { on_success }
}

/// Whether a successful answer to this operation may teach something.
fn teaches(service: &str, operation: &str) -> bool {
    match service {
        "sts" => matches!(
            operation,
            "AssumeRole"
                | "AssumeRoleWithSAML"
                | "AssumeRoleWithWebIdentity"
                | "AssumeRoot"
                | "GetCallerIdentity"
                | "GetFederationToken"
                | "GetSessionToken"
        ),
        "iam" => {
            matches!(
                operation,
                "CreateAccessKey" | "CreateUser" | "DeleteAccessKey" | "DeleteUser" | "UpdateAccessKey" | "UpdateUser"
            )
        }
        "sso" => operation == "GetRoleCredentials",
        "cognito-identity" => operation == "GetCredentialsForIdentity",
        "signin" => operation == "CreateOAuth2Token",
        _ => false,
    }
}

/// Whether a payload never stands in a record, so that a missing one is not missed.
pub(crate) fn is_opaque(payload: Member<'_>) -> bool {
    payload.is_streaming() || payload.is_event_stream() || payload.shape().kind() == Kind::Blob
}
