//! How a request names its operation, if it does so by name.

use crate::request::is_named;
use crate::{Pairs, Request};
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The version of SQS's query protocol.
const SQS_VERSION: &str = "2012-11-05";

/// The way in which a request names what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire<'r> {
    /// `POST /service/PREFIX/operation/OPERATION` of Smithy RPC v2.
    Cbor { prefix: &'r str, operation: &'r str },
    /// `X-Amz-Target: PREFIX.OPERATION`.
    Json { prefix: &'r str, operation: &'r str },
    /// `Action` and `Version` in the query string or in a form.
    Form { action: Cow<'r, str>, version: Cow<'r, str> },
    /// A form whose first bytes are not known yet.
    UnreadForm,
    /// By method and path.
    Route,
}

impl<'r> Wire<'r> {
    /// Reads the head, and the form if the body is one.
    pub(super) fn of(request: &Request<'r>, form: &'r [u8]) -> Wire<'r> {
        if let Some((prefix, operation)) = cbor(request) {
            return Wire::Cbor { prefix, operation };
        }
        let is_post = request.method == "POST";
        // Where several name one, the form is what the call is about.
        if is_post
            && calls_itself_a_form(request)
            && let Some(named) = action(form)
        {
            return named;
        }
        let target = request.headers.get("x-amz-target").and_then(|target| target.rsplit_once('.'));
        if let Some((prefix, operation)) = target.filter(|_| is_post) {
            return Wire::Json { prefix, operation };
        }
        match action(request.query.as_bytes()).filter(|named| may_name(request, named)) {
            Some(named) => named,
            None if is_post && is_form(request) => Wire::UnreadForm,
            None => Wire::Route,
        }
    }
}

/// Whether a query string may name this operation: at the root any, at a queue one of SQS's, and where people who were let in
/// elsewhere sign in to the console (`/federation`, whose words are secrets) one of no version. Anywhere else it is a query string
/// of REST, in which `Action` is any word: an object of S3 that is read with it would be taken for the answer of the service that
/// its reader names. The fields of a browser's form may name another.
fn may_name(request: &Request<'_>, named: &Wire<'_>) -> bool {
    let Wire::Form { version, .. } = named else { return false };
    // `/ACCOUNT/NAME`, or in emulators `/queue/…`.
    let first = request.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_account = first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = match request.path.trim_matches('/') {
        "" => true,
        "federation" => version.is_empty(),
        _ => (is_account || first == "queue") && version == SQS_VERSION,
    };
    let is_multipart = request
        .headers
        .get("content-type")
        .is_some_and(|kind| kind.trim_start().get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")));
    is_place && !is_multipart
}

/// Whether the body is an `application/x-www-form-urlencoded` form, as far as the head tells. Many clients call so whatever they post,
/// also what is for an object of S3.
pub fn is_form(request: &Request<'_>) -> bool {
    calls_itself_a_form(request) && !is_for_an_object(request)
}

fn calls_itself_a_form(request: &Request<'_>) -> bool {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    let name = content_type.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether the query string is one of S3 alone: that of a presigned URL of Signature Version 2, which others sign under the name
/// `SignatureVersion`, or what is posted to a bucket or an object.
fn is_for_an_object(request: &Request<'_>) -> bool {
    const POSTED: [&str; 5] = ["delete", "restore", "select", "uploadId", "uploads"];
    let is_presigned = || ["AWSAccessKeyId", "Expires", "Signature"].iter().all(|name| request.has_query(name));
    !request.query.is_empty()
        && !request.has_query("SignatureVersion")
        && (is_presigned() || (request.path.len() > 1 && POSTED.iter().any(|name| request.has_query(name))))
}

fn cbor<'r>(request: &Request<'r>) -> Option<(&'r str, &'r str)> {
    if request.method != "POST" || !request.path.contains("/operation/") {
        return None;
    }
    // From the end, because an endpoint may have a path of its own in front.
    let mut segments = request.path.rsplit('/');
    let operation = segments.next()?;
    if segments.next()? != "operation" {
        return None;
    }
    let prefix = segments.next()?;
    let marked = request.headers.get("smithy-protocol").is_some_and(|protocol| protocol == "rpc-v2-cbor");
    (marked && segments.next()? == "service" && !operation.is_empty()).then_some((prefix, operation))
}

/// `Action` and `Version` of a form or a query string.
fn action<'r>(form: &'r [u8]) -> Option<Wire<'r>> {
    let (mut action, mut version) = (None, None);
    // Both stand near the front in every SDK; a hand-written call may put them anywhere in what is kept of the body.
    for (name, value) in Pairs::new(form) {
        if action.is_none() && is_named(name, "Action") {
            action = plain(value);
        } else if version.is_none() && is_named(name, "Version") {
            version = plain(value);
        }
        if action.is_some() && version.is_some() {
            break;
        }
    }
    Some(Wire::Form { action: action?, version: version.unwrap_or_default() })
}

/// The operation that a form or a query string names, decoded.
pub fn form_action(form: &[u8]) -> Option<Cow<'_, str>> {
    match action(form)? {
        Wire::Form { action, .. } => Some(action),
        _ => None,
    }
}

/// Names of operations and versions have no spaces, so `+` is nothing but itself.
fn plain(raw: &[u8]) -> Option<Cow<'_, str>> {
    percent_decode(raw).decode_utf8().ok()
}
