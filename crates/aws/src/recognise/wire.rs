//! How a request names its operation, if it does so by name.

use crate::{Pairs, Request};

/// The way in which a request names what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire<'r> {
    /// `POST /service/PREFIX/operation/OPERATION` of Smithy RPC v2.
    Cbor { prefix: &'r str, operation: &'r str },
    /// `X-Amz-Target: PREFIX.OPERATION`.
    Json { prefix: &'r str, operation: &'r str },
    /// `Action` and `Version` in the query string or in a form.
    Form { action: &'r str, version: &'r str },
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
        let target = request.headers.get("x-amz-target").and_then(|target| target.rsplit_once('.'));
        if let Some((prefix, operation)) = target {
            return Wire::Json { prefix, operation };
        }
        if let Some(wire) = action(request.query.as_bytes()) {
            return wire;
        }
        if request.method == "POST" && is_form(request) {
            return action(form).unwrap_or(Wire::UnreadForm);
        }
        Wire::Route
    }
}

/// Whether the body is an `application/x-www-form-urlencoded` form.
pub(super) fn is_form(request: &Request<'_>) -> bool {
    let content_type = request.headers.get("content-type").unwrap_or_default();
    let name = content_type.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/x-www-form-urlencoded")
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

fn action<'r>(form: &'r [u8]) -> Option<Wire<'r>> {
    let (mut action, mut version) = (None, "");
    // Both stand near the front in every SDK; a hand-written call may put them anywhere in what is kept of the body.
    for (name, value) in Pairs::new(form) {
        match name {
            b"Action" => action = action.or(std::str::from_utf8(value).ok()),
            b"Version" => version = std::str::from_utf8(value).unwrap_or_default(),
            _ => continue,
        }
        if action.is_some() && !version.is_empty() {
            break;
        }
    }
    action.map(|action| Wire::Form { action, version })
}
