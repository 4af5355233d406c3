//! `errorCode` and `errorMessage`: from the wire to what records say (`reference/event-record.md` §6.1).

use crate::call::Call;
use crate::decode::body::Body;
use crate::decode::tree::NodeRef;
use crate::decode::{json, xml};
use crate::exchange::{Exchange, Failure, Response};
use crate::render::write::Json;
use aws::Protocol;
use std::borrow::Cow;

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// `errorCode`.
    pub(crate) code: String,
    /// The service's text, where it said one.
    pub(crate) message: Option<String>,
    /// Whether the caller was not allowed to make the call.
    pub(crate) denied: bool,
    /// Whether the service did not even accept who called: AWS records no such call (§17).
    pub(crate) unauthenticated: bool,
}

/// Codes of "you may not". Records say `AccessDenied` for all of them (§6.1); EC2 keeps its own.
const DENIED: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
];

/// Codes of "I do not know you". `AuthFailure` is one with status 401 only: with any other EC2 says that somebody else than the
/// caller may not, as a service may not write to the bucket to which the caller exports, and records the call.
const UNAUTHENTICATED: [&str; 15] = [
    "AuthFailure",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// How the call failed, if it did.
pub(crate) fn of(call: &Call, exchange: &Exchange<'_>, body: &Body<'_>) -> Option<Failed> {
    match (exchange.failure, &exchange.response) {
        (Some(Failure::Unreachable), _) | (None, None) => {
            Some(own("ServiceUnavailable", "The upstream service could not be reached."))
        }
        (Some(Failure::ClientGone | Failure::ClientLeft), None) => {
            Some(own("RequestTimeout", "The client closed the connection before the service had answered."))
        }
        (Some(Failure::ResetMidBody), _) => {
            Some(own("InternalFailure", "The service closed the connection before its answer was complete."))
        }
        (_, Some(response)) if response.status >= 400 => Some(answered(call, response, body)),
        (_, Some(response)) if response.status < 300 && call.service.name() == "s3" => {
            // CopyObject and CompleteMultipartUpload may fail after their status has been sent.
            body.root().filter(|root| root.name() == "Error").map(|_| answered(call, response, body))
        }
        _ => None,
    }
}

/// The code of a request that names no operation, in whatever way it was told; its status where nothing else is told.
pub(crate) fn unnamed_code(exchange: &Exchange<'_>) -> Option<String> {
    let Some(response) = &exchange.response else { return Some("ServiceUnavailable".to_owned()) };
    if response.status < 400 {
        return None;
    }
    let tree = json::tree(response.body.bytes).or_else(|_| xml::tree(response.body.bytes));
    let root = tree.as_ref().ok().map(|tree| tree.root());
    let code = in_json(response, root).0.or_else(|| in_xml(root).0).map(bare);
    Some(code.map_or_else(|| response.status.to_string(), |code| code.into_owned()))
}

fn own(code: &str, message: &str) -> Failed {
    Failed { code: code.to_owned(), message: Some(message.to_owned()), denied: false, unauthenticated: false }
}

fn answered(call: &Call, response: &Response<'_>, body: &Body<'_>) -> Failed {
    let root = body.root();
    let (code, message) = match call.protocol {
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => in_xml(root),
        Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor => in_json(response, root),
    };
    let wire = code.map(bare).unwrap_or_else(|| unnamed(call, response.status));
    let denied = DENIED.contains(&wire.as_ref());
    let unauthenticated = UNAUTHENTICATED.contains(&wire.as_ref())
        && !(wire == "AuthFailure" && response.status != 401)
        && !(wire.starts_with("ExpiredToken") && is_by_token(call));
    Failed {
        code: recorded(call, response.status, &wire, denied).into_owned(),
        message: message.filter(|message| !message.is_empty()).map(str::to_owned),
        denied,
        unauthenticated,
    }
}

/// Whether the caller shows somebody else's token and signs nothing, so that a token which has expired is a parameter that is wrong
/// (§17: SAML and OIDC calls of STS are recorded).
fn is_by_token(call: &Call) -> bool {
    call.service.name() == "sts" && matches!(call.operation.name(), "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity")
}

/// What the record says for a code of the wire.
fn recorded<'w>(call: &Call, status: u16, wire: &'w str, denied: bool) -> Cow<'w, str> {
    if call.protocol == Protocol::Ec2 {
        // Who calls too often is at fault, though EC2 answers 503.
        let fault = if status >= 500 && wire != "RequestLimitExceeded" { "Server" } else { "Client" };
        return Cow::Owned(format!("{fault}.{wire}"));
    }
    if denied {
        return Cow::Borrowed("AccessDenied");
    }
    let wire = match call.service.name() {
        "sqs" => of_sqs(wire),
        _ => wire,
    };
    // Query services record the modeled name of an exception, not its code on the wire, also where they are called in JSON.
    let modeled = call.operation.errors().find(|error| error.code() == wire || error.name() == wire);
    match modeled {
        Some(error) if call.protocol != Protocol::RestXml => Cow::Borrowed(error.name()),
        _ => Cow::Borrowed(wire),
    }
}

/// The modeled name of what SQS says in its query protocol, which its model does not have any more.
fn of_sqs(wire: &str) -> &str {
    match wire.strip_prefix("AWS.SimpleQueueService.").unwrap_or(wire) {
        "NonExistentQueue" => "QueueDoesNotExist",
        "QueueAlreadyExists" => "QueueNameExists",
        code => code,
    }
}

/// `<Error>` of S3, `<ErrorResponse><Error>` of query and REST, `<Response><Errors><Error>` of EC2.
fn in_xml<'t>(root: Option<NodeRef<'t, '_>>) -> (Option<&'t str>, Option<&'t str>) {
    let Some(root) = root else { return (None, None) };
    let nested = root.child("Error").or_else(|| root.child("Errors").and_then(|errors| errors.child("Error")));
    let error = nested.unwrap_or(root);
    let text = |name: &str| error.child(name).and_then(NodeRef::text).filter(|text| !text.is_empty());
    (text("Code"), text("Message").or_else(|| text("message")))
}

fn in_json<'t>(response: &Response<'t>, root: Option<NodeRef<'t, '_>>) -> (Option<&'t str>, Option<&'t str>) {
    let text = |name: &str| root.and_then(|root| root.child(name)).and_then(NodeRef::text);
    let header = response.headers.get("x-amzn-errortype");
    let code = header.or_else(|| text("__type")).or_else(|| text("code")).or_else(|| text("Code"));
    let message = text("message").or_else(|| text("Message")).or_else(|| text("errorMessage"));
    (code, message)
}

/// Writes what a service said of its failure as it said it, for the services whose records show that.
pub(crate) fn body(answer: NodeRef<'_, '_>, out: &mut Json) {
    let said = |child: &NodeRef<'_, '_>| match child.text() {
        Some(text) => !text.is_empty(),
        None => child.children().next().is_some(),
    };
    for child in answer.children().filter(|child| said(child) && !crate::render::redact::is_secret_name(child.name())) {
        out.foreign_key(child.name());
        crate::render::verbatim(child, 0, out);
    }
}

/// `com.amazon.coral.service#AccessDeniedException:http://…` is `AccessDeniedException`.
fn bare(code: &str) -> Cow<'static, str> {
    let code = code.split(':').next().unwrap_or(code);
    Cow::Owned(code.rsplit('#').next().unwrap_or(code).trim().to_owned())
}

/// The code of an error without one: a `HEAD` has no body.
fn unnamed(call: &Call, status: u16) -> Cow<'static, str> {
    let with_status = || {
        let mut fitting = call.operation.errors().filter(|error| error.http_status() == Some(status));
        let only = fitting.next().map(|error| error.name().to_owned());
        if fitting.next().is_some() { None } else { only }
    };
    match (call.service.name(), status) {
        ("s3", 404) if call.operation.name() == "HeadBucket" => Cow::Borrowed("NoSuchBucket"),
        ("s3", 404) => Cow::Borrowed("NoSuchKey"),
        ("s3", 412) => Cow::Borrowed("PreconditionFailed"),
        ("s3", 416) => Cow::Borrowed("InvalidRange"),
        (_, 403) => Cow::Borrowed("AccessDenied"),
        (_, 429) => Cow::Borrowed("ThrottlingException"),
        (_, 503) => Cow::Borrowed("ServiceUnavailable"),
        (_, 500..) => Cow::Borrowed("InternalFailure"),
        _ => with_status().map_or(Cow::Borrowed("ValidationException"), Cow::Owned),
    }
}

/// Whether the record of this failure says nothing of the parameters (§7.2).
pub(crate) fn hides_parameters(call: &Call, failed: &Failed) -> bool {
    if failed.denied && call.manner.denied == crate::render::manner::Denied::Nothing {
        // Who has a token and no role tells which role; who has neither tells nothing ("AWS re:Post, IRSA", a denied event).
        return call.operation.name() != "AssumeRoleWithWebIdentity";
    }
    HIDING.iter().any(|(service, code)| *service == call.service.name() && *code == failed.code)
}

/// Errors that a service finds before it reads the parameters.
const HIDING: [(&str, &str); 3] =
    [("ecs", "ClientException"), ("kms", "NotFoundException"), ("ssm", "ThrottlingException")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_freed_of_namespace_and_address() {
        assert_eq!(bare("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"), "ResourceNotFoundException");
        assert_eq!(bare("ValidationException:http://internal.amazon.com/coral/"), "ValidationException");
        assert_eq!(bare("AccessDenied"), "AccessDenied");
    }
}
