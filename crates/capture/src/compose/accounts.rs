//! Whose resource a call acts on, for the two records of a cross-account action (`reference/event-record.md` §6.2).

use crate::call::Call;
use crate::decode::body::Body;
use crate::decode::percent_decoded;
use crate::decode::tree::NodeRef;
use crate::exchange::Exchange;
use event::{Identity, IdentityType};

/// The parameters that name what a call acts on by an ARN (SQS: by a URL) that says whose it is. A service that is not
/// here has its calls recorded once: an ARN among its parameters may stand for something that is only mentioned.
static NAMES: &[(&str, &str)] = &[
    ("dynamodb", "TableName"),
    ("events", "EventBusName"),
    ("kinesis", "StreamARN"),
    ("kms", "KeyId"),
    ("lambda", "FunctionName"),
    ("secretsmanager", "SecretId"),
    ("sns", "TargetArn"),
    ("sns", "TopicArn"),
    ("sqs", "QueueUrl"),
    ("ssm", "Name"),
    ("stepfunctions", "stateMachineArn"),
    ("sts", "RoleArn"),
];

/// The account whose resource a caller of another account acts on; `None` when both are of one account, or when one of
/// the two is not certain. `bucket` says whether the call names a bucket that is there: buckets belong to the house.
pub(super) fn owner<'e>(
    call: &Call,
    caller: &Identity,
    exchange: &'e Exchange<'_>,
    (body, answer): (&Body<'_>, &Body<'_>),
    house: &'e str,
    bucket: bool,
) -> Option<String> {
    let caller = account_of(caller)?;
    let service = call.service.name();
    let owner = if service == "s3" {
        is_account(house).then(|| house.to_owned()).filter(|_| bucket)
    } else if (service, call.operation.name()) == ("events", "PutEvents") {
        // Buses are named by each entry: one of somebody else's makes the call one of two accounts.
        let entries = body.root().and_then(|root| root.child("Entries"));
        let buses =
            entries.into_iter().flat_map(NodeRef::children).filter_map(|entry| entry.child("EventBusName")?.text());
        buses.filter_map(account_in).find(|owner| *owner != caller).map(str::to_owned)
    } else {
        let named = NAMES.iter().filter(|(named, _)| *named == service).find_map(|(_, member)| {
            let wire =
                call.operation.input().and_then(|input| input.member(member)).map(|member| member.wire_name())?;
            let labels = aws::uri_labels(call.operation, &exchange.request);
            let label = labels.iter().find(|(label, _)| *label == wire).and_then(|(_, raw)| percent_decoded(raw));
            let sent = body.root().and_then(|root| root.child(wire)).and_then(NodeRef::text);
            account_in(sent.or(label.as_deref())?).map(str::to_owned)
        });
        named.or_else(|| key_owner(call, body, answer))
    };
    owner.filter(|owner| owner != caller)
}

/// Whose key it was, as the answer says: what is encrypted is decrypted without naming one.
/// A key that is named by an id or an alias is the caller's own.
fn key_owner(call: &Call, body: &Body<'_>, answer: &Body<'_>) -> Option<String> {
    let is_named = body.root().is_some_and(|root| root.child("KeyId").is_some());
    let root = answer.root().filter(|_| call.service.name() == "kms" && !is_named)?;
    account_in(root.child("KeyId")?.text()?).map(str::to_owned)
}

/// Whether only the caller's account hears of it.
pub(super) fn is_of_caller_only(call: &Call, denied: bool) -> bool {
    denied && matches!(call.service.name(), "kms" | "sts")
}

/// How the caller stands in the owner's copy.
pub(super) fn reduced(caller: &Identity) -> Identity {
    Identity {
        principal_id: caller.principal_id.clone(),
        account_id: caller.account_id.clone(),
        ..Identity::of_type(IdentityType::AWSAccount)
    }
}

fn account_of(caller: &Identity) -> Option<&str> {
    caller.account_id.as_deref().filter(|account| is_account(account))
}

/// The account in an ARN, in a queue's URL (`https://HOST/ACCOUNT/NAME`), or before a function's name (`ACCOUNT:function:NAME`).
fn account_in(name: &str) -> Option<&str> {
    let account = match (name.split_once("://"), name.strip_prefix("arn:")) {
        (Some((_, rest)), _) => rest.trim_end_matches('/').rsplit('/').nth(1),
        (None, Some(rest)) => rest.split(':').nth(3),
        (None, None) => name.split_once(':').map(|(account, _)| account),
    };
    account.filter(|account| is_account(account))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_in_the_arn_or_the_url_or_unknown() {
        assert_eq!(account_in("arn:aws:iam::444455556666:role/r"), Some("444455556666"));
        assert_eq!(account_in("https://sqs.eu-west-1.amazonaws.com/444455556666/q"), Some("444455556666"));
        assert_eq!(account_in("444455556666:function:f:live"), Some("444455556666"));
        for name in [
            "name",
            "444455556666",
            "f:live",
            "arn:aws:s3:::b",
            "arn:aws:iam::aws:policy/p",
            "http://localhost/q",
            "arn:",
        ] {
            assert_eq!(account_in(name), None, "{name}");
        }
    }

    #[test]
    fn the_names_are_members_of_their_services() {
        let catalog = aws::Catalog::embedded();
        for (service, member) in NAMES {
            let service = catalog.service(catalog.by_name(service).unwrap().id()).unwrap();
            let known = service.operations().filter_map(|o| o.input()).any(|input| input.member(member).is_some());
            assert!(known, "{member}");
        }
    }
}
