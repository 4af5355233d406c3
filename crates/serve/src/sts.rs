//! The part of STS and IAM that is answered here when no upstream has them: who am I.
//!
//! Both speak the query protocol: a form in, XML out. GetCallerIdentity is real; every other operation is refused by
//! name, because a made-up session or user would be worse than none.

use bytes::Bytes;
use event::{Identity, IdentityType};
use http::{Response, StatusCode, header};

/// Which of the two services a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// `sts`, API version 2011-06-15.
    Sts,
    /// `iam`, API version 2010-05-08.
    Iam,
}

impl QueryService {
    fn namespace(self) -> &'static str {
        match self {
            QueryService::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            QueryService::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }

    fn signing_name(self) -> &'static str {
        match self {
            QueryService::Sts => "sts",
            QueryService::Iam => "iam",
        }
    }
}

/// A call to STS or IAM.
#[derive(Debug, Clone, Copy)]
pub struct QueryCall<'a> {
    /// The service.
    pub service: QueryService,
    /// `Action`, as sent; `None` when there was none.
    pub action: Option<&'a str>,
    /// Who calls.
    pub caller: &'a Identity,
    /// The account of this house, for callers whose own is not known.
    pub account_id: &'a str,
    /// The request id to answer with.
    pub request_id: &'a str,
}

/// Answers a call to STS or IAM.
pub fn answer(call: &QueryCall<'_>) -> Response<Bytes> {
    match (call.service, call.action) {
        (QueryService::Sts, Some("GetCallerIdentity")) => match caller_identity(call) {
            Some(body) => xml(StatusCode::OK, call.request_id, body),
            None => error(
                call,
                StatusCode::FORBIDDEN,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
        },
        (_, None | Some("")) => {
            let message = "Missing the Action parameter: this endpoint answers form-encoded calls.";
            error(call, StatusCode::BAD_REQUEST, "MissingAction", message)
        }
        (service, Some(action)) => {
            let message = format!(
                "The operation {action} of {} is not built in this version of OpenTrail. Name an upstream that has it \
                 with --upstream {}=URL.",
                service.signing_name(),
                service.signing_name(),
            );
            error(call, StatusCode::BAD_REQUEST, "UnsupportedOperation", &message)
        }
    }
}

/// `None` for a caller whom nothing is known of: an identity would be a guess.
fn caller_identity(call: &QueryCall<'_>) -> Option<String> {
    let caller = call.caller;
    let account = caller.account_id.as_deref().unwrap_or(call.account_id);
    let arn = match (&caller.arn, caller.identity_type) {
        (Some(arn), _) => arn.clone(),
        (None, Some(IdentityType::Root)) => format!("arn:aws:iam::{account}:root"),
        _ => return None,
    };
    let user_id = caller.principal_id.as_deref().unwrap_or(account);
    Some(format!(
        "<GetCallerIdentityResponse xmlns=\"{}\">\n  <GetCallerIdentityResult>\n    <Arn>{}</Arn>\n    \
         <UserId>{}</UserId>\n    <Account>{}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>{}</RequestId>\n  </ResponseMetadata>\n</GetCallerIdentityResponse>\n",
        call.service.namespace(),
        escape(&arn),
        escape(user_id),
        escape(account),
        escape(call.request_id),
    ))
}

fn error(call: &QueryCall<'_>, status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<ErrorResponse xmlns=\"{}\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n",
        call.service.namespace(),
        escape(message),
        escape(call.request_id),
    );
    xml(status, call.request_id, body)
}

fn xml(status: StatusCode, request_id: &str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml"));
    if let Ok(value) = header::HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

/// Text as XML content; characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(character),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(service: QueryService, action: Option<&str>, caller: &Identity) -> (u16, String) {
        let call = QueryCall { service, action, caller, account_id: "111122223333", request_id: "req-1" };
        let response = answer(&call);
        assert_eq!(response.headers()["x-amzn-requestid"], "req-1");
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn the_caller_is_told_who_it_is() {
        let alice = Identity::iam_user("123456789012", "alice", "AIDAEXAMPLE", "AKIAEXAMPLE");
        let (status, body) = ask(QueryService::Sts, Some("GetCallerIdentity"), &alice);
        assert_eq!(status, 200);
        for part in [
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">",
            "<Arn>arn:aws:iam::123456789012:user/alice</Arn>",
            "<UserId>AIDAEXAMPLE</UserId>",
            "<Account>123456789012</Account>",
            "<RequestId>req-1</RequestId>",
        ] {
            assert!(body.contains(part), "{part}");
        }
    }

    #[test]
    fn nobody_is_not_given_an_identity() {
        for nobody in [Identity::of_type(IdentityType::Unknown), Identity::anonymous()] {
            let (status, body) = ask(QueryService::Sts, Some("GetCallerIdentity"), &nobody);
            assert_eq!(status, 403);
            assert!(body.contains("<Code>InvalidClientTokenId</Code>"));
        }
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let root = Identity::of_type(IdentityType::Root);
        let (status, body) = ask(QueryService::Iam, Some("Create<User>"), &root);
        assert_eq!(status, 400);
        assert!(
            body.contains("Create&lt;User&gt; of iam is not built") && body.contains("--upstream iam=URL"),
            "{body}"
        );
        assert!(ask(QueryService::Sts, Some("AssumeRole"), &root).1.contains("<Code>UnsupportedOperation</Code>"));
        assert!(ask(QueryService::Sts, None, &root).1.contains("<Code>MissingAction</Code>"));
    }
}
