//! An error in the protocol of the call, so that any SDK raises it as the service's own.

use crate::Protocol;

/// What to answer. The caller adds the status, the date and `x-amzn-requestid` headers of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers of the protocol, such as `x-amzn-errortype`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Writes an error as a service of that protocol does.
///
/// `code` is the wire code (`AccessDenied`), `resource` the path for S3's `<Resource>`; `is_s3` picks S3's own form of
/// REST XML, which has no `<ErrorResponse>` around it. A status of 500 and above is the service's fault.
pub fn error_body(
    protocol: Protocol,
    is_s3: bool,
    status: u16,
    code: &str,
    message: &str,
    resource: &str,
    request_id: &str,
) -> ErrorBody {
    let fault = if status >= 500 { "Receiver" } else { "Sender" };
    let id = ("x-amzn-requestid", request_id.to_owned());
    match protocol {
        Protocol::Json => json("application/x-amz-json-1.1", code, message, vec![id]),
        Protocol::RestJson => {
            json("application/json", code, message, vec![id, ("x-amzn-errortype", header_safe(code))])
        }
        Protocol::RpcV2Cbor => ErrorBody {
            content_type: "application/cbor",
            headers: vec![id, ("smithy-protocol", "rpc-v2-cbor".to_owned())],
            body: cbor(code, message),
        },
        Protocol::RestXml if is_s3 => ErrorBody {
            content_type: "application/xml",
            headers: vec![("x-amz-request-id", request_id.to_owned())],
            body: xml(&[("Code", code), ("Message", message), ("Resource", resource), ("RequestId", request_id)]),
        },
        Protocol::RestXml | Protocol::Query => ErrorBody {
            content_type: "text/xml",
            headers: vec![id],
            body: error_response(fault, code, message, request_id),
        },
        Protocol::Ec2 => ErrorBody {
            content_type: "text/xml;charset=UTF-8",
            headers: vec![id],
            body: ec2_response(code, message, request_id),
        },
    }
}

fn json(content_type: &'static str, code: &str, message: &str, headers: Vec<(&'static str, String)>) -> ErrorBody {
    let mut body = String::from("{\"__type\":");
    push_json(&mut body, code);
    body.push_str(",\"message\":");
    push_json(&mut body, message);
    // Older services spell it with a capital, and some SDKs look only there.
    body.push_str(",\"Message\":");
    push_json(&mut body, message);
    body.push('}');
    ErrorBody { content_type, headers, body: body.into_bytes() }
}

fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if (control as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn header_safe(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn xml(elements: &[(&str, &str)]) -> Vec<u8> {
    let mut body = format!("{XML}<Error>");
    for (name, text) in elements {
        push_element(&mut body, name, text);
    }
    body.push_str("</Error>");
    body.into_bytes()
}

fn error_response(fault: &str, code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let mut body = format!("{XML}<ErrorResponse><Error>");
    push_element(&mut body, "Type", fault);
    push_element(&mut body, "Code", code);
    push_element(&mut body, "Message", message);
    body.push_str("</Error>");
    push_element(&mut body, "RequestId", request_id);
    body.push_str("</ErrorResponse>");
    body.into_bytes()
}

fn ec2_response(code: &str, message: &str, request_id: &str) -> Vec<u8> {
    let mut body = format!("{XML}<Response><Errors><Error>");
    push_element(&mut body, "Code", code);
    push_element(&mut body, "Message", message);
    body.push_str("</Error></Errors>");
    push_element(&mut body, "RequestID", request_id);
    body.push_str("</Response>");
    body.into_bytes()
}

fn push_element(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("<{name}>"));
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(letter),
            // XML 1.0 has no way to write other control characters.
            control if (control as u32) < 0x20 => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out.push_str(&format!("</{name}>"));
}

/// A map of two texts, of definite length (RFC 8949 §3.1).
fn cbor(code: &str, message: &str) -> Vec<u8> {
    let mut body = vec![0xa2];
    for text in ["__type", code, "message", message] {
        match text.len() {
            len @ 0..=23 => body.push(0x60 | len as u8),
            len @ 24..=0xff => body.extend([0x78, len as u8]),
            len => {
                body.push(0x7a);
                body.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        body.extend(text.as_bytes());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(protocol: Protocol, is_s3: bool) -> String {
        let error = error_body(protocol, is_s3, 403, "AccessDenied", "no <\"way\">\u{1}", "/b/k", "id-1");
        String::from_utf8(error.body).unwrap()
    }

    #[test]
    fn json_errors_are_json_and_carry_type_and_message() {
        let parsed: serde_json::Value = serde_json::from_str(&body(Protocol::Json, false)).unwrap();
        assert_eq!(parsed["__type"], "AccessDenied");
        assert_eq!(parsed["message"], "no <\"way\">\u{1}");
        let rest = error_body(Protocol::RestJson, false, 403, "AccessDenied", "", "", "");
        assert!(rest.headers.contains(&("x-amzn-errortype", "AccessDenied".to_owned())));
    }

    #[test]
    fn each_xml_dialect_has_its_own_frame() {
        let end = "<Code>AccessDenied</Code><Message>no &lt;\"way\"&gt;\u{fffd}</Message>";
        assert!(
            body(Protocol::RestXml, true)
                .ends_with(&format!("<Error>{end}<Resource>/b/k</Resource><RequestId>id-1</RequestId></Error>"))
        );
        assert!(body(Protocol::Query, false).ends_with(&format!(
            "<ErrorResponse><Error><Type>Sender</Type>{end}</Error><RequestId>id-1</RequestId></ErrorResponse>"
        )));
        assert!(body(Protocol::Ec2, false).ends_with(&format!(
            "<Response><Errors><Error>{end}</Error></Errors><RequestID>id-1</RequestID></Response>"
        )));
    }

    #[test]
    fn cbor_errors_write_short_and_long_texts() {
        let long = "m".repeat(300);
        let error = error_body(Protocol::RpcV2Cbor, false, 500, "Oops", &long, "", "");
        let mut expected = b"\xa2\x66__type\x64Oops\x67message\x7a\x00\x00\x01\x2c".to_vec();
        expected.extend(long.as_bytes());
        assert_eq!(error.body, expected);
    }
}
