//! The part of AWS Organizations that is answered here when no upstream has it: which organization is this
//! (`aws cloudtrail validate-logs` asks, to find the log files of an organization's trail). JSON 1.1.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use registry::Organization;
use serde_json::{Value, json};

/// The prefix of `X-Amz-Target` (API version 2016-11-28).
const TARGET: &str = "AWSOrganizationsV20161128.";

/// A call to Organizations.
#[derive(Debug, Clone, Copy)]
pub struct OrganizationsCall<'a> {
    /// `X-Amz-Target`, as sent; empty when there was none.
    pub target: &'a str,
    /// The organization of this house, if it has one.
    pub organization: Option<&'a Organization>,
    /// Its management account.
    pub management_account: &'a str,
    /// The account of the caller.
    pub account_id: &'a str,
    /// The request id to answer with.
    pub request_id: &'a str,
}

/// Answers a call to Organizations.
pub fn answer(call: &OrganizationsCall<'_>) -> Response<Bytes> {
    let operation = call.target.strip_prefix(TARGET).unwrap_or_default();
    let is_in =
        |organization: &&Organization| call.account_id == call.management_account || organization.has(call.account_id);
    match (operation, call.organization.filter(is_in)) {
        ("", _) => error(call, "UnknownOperationException", "The operation is not one of Organizations'."),
        ("DescribeOrganization", Some(organization)) => respond(call, StatusCode::OK, &describe(call, organization)),
        ("DescribeOrganization", None) => {
            error(call, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
        }
        (other, _) => {
            let message = format!(
                "The operation {other} of organizations is not built in this version of OpenTrail. Name an upstream that \
                 has it with --upstream organizations=URL."
            );
            error(call, "UnsupportedOperationException", &message)
        }
    }
}

fn describe(call: &OrganizationsCall<'_>, organization: &Organization) -> Value {
    let (id, management) = (&organization.id, call.management_account);
    json!({"Organization": {
        "Id": id,
        "Arn": format!("arn:aws:organizations::{management}:organization/{id}"),
        "FeatureSet": "ALL",
        "MasterAccountArn": format!("arn:aws:organizations::{management}:account/{id}/{management}"),
        "MasterAccountId": management,
    }})
}

fn error(call: &OrganizationsCall<'_>, code: &str, message: &str) -> Response<Bytes> {
    respond(call, StatusCode::BAD_REQUEST, &json!({"__type": code, "Message": message}))
}

fn respond(call: &OrganizationsCall<'_>, status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(value) = HeaderValue::from_str(call.request_id) {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(operation: &str, organization: Option<&Organization>, account_id: &str) -> (u16, Value) {
        let target = format!("{TARGET}{operation}");
        let management_account = "111122223333";
        let call =
            OrganizationsCall { target: &target, organization, management_account, account_id, request_id: "req-1" };
        let response = answer(&call);
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
    }

    #[test]
    fn members_are_told_which_organization_it_is_and_others_that_there_is_none() {
        let organization = Organization { id: "o-exampleorgid".into(), accounts: vec!["444455556666".into()] };
        for account in ["111122223333", "444455556666"] {
            let (status, told) = ask("DescribeOrganization", Some(&organization), account);
            assert_eq!((status, &told["Organization"]["Id"]), (200, &json!("o-exampleorgid")));
            assert_eq!(told["Organization"]["MasterAccountId"], "111122223333");
        }
        for (organization, account) in [(Some(&organization), "777788889999"), (None, "111122223333")] {
            let (status, told) = ask("DescribeOrganization", organization, account);
            assert_eq!((status, &told["__type"]), (400, &json!("AWSOrganizationsNotInUseException")));
        }
        let (_, told) = ask("CreateAccount", Some(&organization), "111122223333");
        assert!(told["Message"].as_str().unwrap().contains("CreateAccount of organizations is not built"));
    }
}
