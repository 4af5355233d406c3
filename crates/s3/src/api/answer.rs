//! The finish that every answer gets: request ids, and S3's full error documents around what s3s writes.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};

use super::ResponseBody;

/// Gives the answer its request ids and the Region of its bucket, which is where the call took place, whatever Region it was
/// signed for; completes the document of an error; takes the body from answers that have none.
pub(super) fn complete(
    answer: s3s::HttpResponse,
    head: bool,
    resource: &str,
    region: Option<&str>,
) -> Response<ResponseBody> {
    let ids = RequestIds::random();
    let (mut parts, mut body) = answer.into_parts();
    let region = region.map(|region| ("x-amz-bucket-region", region));
    let ids_and_region =
        [("x-amz-request-id", &*ids.request_id), ("x-amz-id-2", &*ids.host_id)].into_iter().chain(region);
    for (name, value) in ids_and_region {
        if let Ok(value) = HeaderValue::from_str(value) {
            parts.headers.insert(name, value);
        }
    }
    // A part of an object, told by its head alone.
    if head && parts.status == StatusCode::OK && parts.headers.contains_key(CONTENT_RANGE) {
        parts.status = StatusCode::PARTIAL_CONTENT;
    }
    let fails = parts.status.is_client_error() || parts.status.is_server_error();
    if parts.status == StatusCode::NOT_MODIFIED || (head && fails) {
        parts.headers.remove(CONTENT_LENGTH);
        if parts.status == StatusCode::NOT_MODIFIED {
            parts.headers.remove(CONTENT_TYPE);
        }
        return Response::from_parts(parts, Empty::new().map_err(|never| match never {}).boxed_unsync());
    }
    match fails.then(|| body.take_bytes()).flatten() {
        Some(document) => {
            let document = complete_error(&String::from_utf8_lossy(&document), resource, &ids);
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
            let body = Full::new(Bytes::from(document)).map_err(|never| match never {});
            Response::from_parts(parts, body.boxed_unsync())
        }
        None => Response::from_parts(parts, body.boxed_unsync()),
    }
}

struct RequestIds {
    /// 16 of 0-9 and A-Z.
    request_id: String,
    /// Base64, as S3's second id.
    host_id: String,
}

impl RequestIds {
    fn random() -> RequestIds {
        use base64::Engine as _;
        let random = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let digit = |byte: &u8| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::from(byte % 36)]);
        let long = [random.0.into_bytes(), random.1.into_bytes()].concat();
        let host_id = base64::engine::general_purpose::STANDARD.encode(&long);
        RequestIds { request_id: random.0.as_bytes().iter().map(digit).collect(), host_id }
    }
}

/// s3s writes `Code`, and `Message` where it has one: S3 always has a message, the resource and the ids.
fn complete_error(document: &str, resource: &str, ids: &RequestIds) -> String {
    let Some((open, _)) = document.split_once("</Error>") else { return document.to_owned() };
    let code = open.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    let message = match open.contains("<Message>") {
        true => String::new(),
        false => format!("<Message>{}</Message>", default_message(code)),
    };
    let (request_id, host_id) = (&ids.request_id, &ids.host_id);
    let resource = escape(resource);
    format!(
        "{open}{message}<Resource>{resource}</Resource><RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// S3's words for errors that s3s raises without any (S3 API reference, "Error responses").
fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        "InvalidURI" => "Couldn't parse the specified URI.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        "MaxMessageLengthExceeded" => "Your request was too large.",
        "InternalError" => "We encountered an internal error. Please try again.",
        "NotImplemented" => "A header or query you provided implies functionality that is not implemented.",
        _ => "The request could not be processed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_look_like_those_of_s3() {
        let ids = RequestIds::random();
        assert_eq!(ids.request_id.len(), 16);
        assert!(ids.request_id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
        assert_ne!(ids.request_id, RequestIds::random().request_id);
    }

    #[test]
    fn an_error_without_a_message_gets_one() {
        let ids = RequestIds { request_id: "R".into(), host_id: "H".into() };
        let document = complete_error("<?xml?><Error><Code>SignatureDoesNotMatch</Code></Error>", "/b/<k>&", &ids);
        assert!(document.contains("<Message>The request signature we calculated"), "{document}");
        assert!(
            document
                .contains("<Resource>/b/&lt;k&gt;&amp;</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>")
        );
        let kept = complete_error("<Error><Code>X</Code><Message>m</Message></Error>", "/", &ids);
        assert_eq!(kept.matches("<Message>").count(), 1);
    }
}
