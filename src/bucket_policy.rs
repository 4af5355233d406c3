//! What a bucket's policy lets CloudTrail do there (`reference/trails-and-delivery.md` §3 and §7; IAM User Guide, "Policy
//! evaluation logic"). The store that is served here keeps policies as documents; delivery keeps to them.

use serde_json::Value;

/// The principal that delivers.
const SERVICE: &str = "cloudtrail.amazonaws.com";

/// What every object is put with, and that nothing comes over a network: all that is known of a delivery beside its key.
const KNOWN: [(&str, &str); 2] = [("s3:x-amz-acl", "bucket-owner-full-control"), ("aws:securetransport", "true")];

/// Whether a policy lets the service do `action` (such as `s3:PutObject`) to `resource` (`BUCKET` or `BUCKET/KEY`). A condition about
/// something that is not known here holds where it permits and does not where it denies: it is the caller's bucket.
pub(crate) fn permits(policy: &str, action: &str, resource: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = each(document.get("Statement"));
    let applies = |statement: &Value, effect: &str| {
        statement.get("Effect").and_then(Value::as_str) == Some(effect)
            && either(statement, "Principal", is_service)
            && either(statement, "Action", |actions| any(actions, |pattern| matches(&lower(pattern), &lower(action))))
            && either(statement, "Resource", |resources| any(resources, |pattern| matches(in_store(pattern), resource)))
            && holds(statement.get("Condition"), effect == "Allow")
    };
    let is_one = |effect: &str| statements.iter().any(|statement| applies(statement, effect));
    !is_one("Deny") && is_one("Allow")
}

/// One value, or each of a list.
fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// Whether an element of a statement is about this, or its `Not…` is not.
fn either(statement: &Value, element: &str, is_about: impl Fn(&Value) -> bool) -> bool {
    match (statement.get(element), statement.get(format!("Not{element}"))) {
        (Some(value), _) => is_about(value),
        (None, Some(value)) => !is_about(value),
        (None, None) => false,
    }
}

fn any(values: &Value, is_it: impl Fn(&str) -> bool) -> bool {
    each(Some(values)).into_iter().filter_map(Value::as_str).any(is_it)
}

fn is_service(principal: &Value) -> bool {
    let everybody = |value: &Value| any(value, |name| name == "*");
    match principal {
        Value::Object(kinds) => kinds.iter().any(|(kind, names)| match kind.as_str() {
            "Service" => any(names, |name| name == SERVICE),
            "AWS" => everybody(names),
            _ => false,
        }),
        value => everybody(value),
    }
}

/// Whether all conditions hold; those about something unknown as `unknown` says.
fn holds(conditions: Option<&Value>, unknown: bool) -> bool {
    let Some(Value::Object(operators)) = conditions else { return true };
    operators.iter().all(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.into_iter().all(|(key, wanted)| condition(operator, key, wanted).unwrap_or(unknown))
    })
}

/// `None` where the value of the key, or what the operator means, is not known.
fn condition(operator: &str, key: &str, wanted: &Value) -> Option<bool> {
    let key = lower(key);
    let (_, value) = KNOWN.iter().find(|(known, _)| *known == key)?;
    let is_one = |same: fn(&str, &str) -> bool| any(wanted, |pattern| same(pattern, value));
    let text = wanted.as_bool().map(|wanted| wanted.to_string());
    match operator.strip_suffix("IfExists").unwrap_or(operator) {
        "StringEquals" => Some(is_one(|pattern, value| pattern == value)),
        "StringNotEquals" => Some(!is_one(|pattern, value| pattern == value)),
        "StringLike" => Some(is_one(matches)),
        "StringNotLike" => Some(!is_one(matches)),
        "Bool" => Some(text.as_deref() == Some(value) || is_one(|pattern, value| pattern.eq_ignore_ascii_case(value))),
        _ => None,
    }
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// `arn:PARTITION:s3:::BUCKET/KEY` as the store names it.
fn in_store(pattern: &str) -> &str {
    pattern.split_once(":s3:::").map_or(pattern, |(_, resource)| resource)
}

/// Whether a pattern with `*` and `?` fits all of a text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "audit/team/AWSLogs/111122223333/CloudTrail/";

    fn check(statements: Value) -> (bool, bool) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        (permits(&policy, "s3:GetBucketAcl", "audit"), permits(&policy, "s3:PutObject", KEY))
    }

    fn documented(prefix: &str) -> Vec<Value> {
        let trail = json!({"StringEquals": {"aws:SourceArn": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/t"}});
        let put = json!({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": "x"}});
        let service = json!({"Service": "cloudtrail.amazonaws.com"});
        let objects = format!("arn:aws:s3:::audit/{prefix}AWSLogs/111122223333/*");
        vec![
            json!({"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::audit", "Condition": trail}),
            json!({"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": objects, "Condition": put}),
        ]
    }

    #[test]
    fn the_documented_policy_permits_its_prefix_only() {
        assert_eq!(check(json!(documented("team/"))), (true, true));
        assert_eq!(check(json!(documented("other/"))), (true, false));
        assert_eq!(check(json!(documented("team/")[..1])), (true, false));
        assert_eq!(check(json!([])), (false, false));
        assert!(!permits("no policy", "s3:PutObject", KEY));
    }

    #[test]
    fn what_denies_goes_before_what_permits_if_it_is_about_the_service() {
        let with = |more: Value| {
            let mut statements = documented("team/");
            statements.push(more);
            check(json!(statements))
        };
        let all = json!(["arn:aws:s3:::audit", "arn:aws:s3:::audit/*"]);
        let service = json!({"Service": ["config.amazonaws.com", "cloudtrail.amazonaws.com"]});
        let deny = |principal: Value, condition: Value| {
            with(
                json!({"Effect": "Deny", "Principal": principal, "Action": "s3:*", "Resource": all, "Condition": condition}),
            )
        };
        assert_eq!(deny(service, json!({})), (false, false));
        assert_eq!(deny(json!("*"), json!({"Bool": {"aws:SecureTransport": "false"}})), (true, true));
        assert_eq!(
            deny(json!("*"), json!({"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})),
            (true, true)
        );
        assert_eq!(deny(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), (true, true));
        assert_eq!(deny(json!({"AWS": "arn:aws:iam::111122223333:root"}), json!({})), (true, true));
        let others = json!({"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "NotAction": "s3:Get*", "Resource": "*"});
        assert_eq!(with(others), (true, false));
    }

    #[test]
    fn stars_and_question_marks_fit_what_they_should() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a*b*c", "a-b-b-c"), ("a?c", "abc"), ("**", "x"), ("", "")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abcd"), ("a?c", "ac"), ("", "x"), ("ab", "a"), ("*b", "bc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
