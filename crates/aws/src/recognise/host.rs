//! What the host name and the user agent say of the service.

use crate::{Catalog, Request, ServiceId, ServiceInfo};
use smallvec::SmallVec;

/// The ends of host names behind which services stand: AWS's own, and what local stacks use.
const SUFFIXES: &[&str] =
    &[".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".localhost.localstack.cloud", ".localhost"];

/// The host without its port.
pub(super) fn name<'r>(request: &Request<'r>) -> &'r str {
    let host = request.host().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What stands before a known suffix, Regions and the like taken off the end: `bucket.s3`, `streams.dynamodb`, `iam`.
/// Empty for hosts that say nothing (addresses, foreign names).
pub(super) fn stem<'r>(request: &Request<'r>) -> &'r str {
    let name = name(request);
    let suffix = SUFFIXES.iter().find(|suffix| ends_with(name, suffix));
    let Some(mut stem) = suffix.and_then(|suffix| name.get(..name.len() - suffix.len())) else { return "" };
    while let Some((rest, last)) = stem.rsplit_once('.') {
        if !is_tail(last) {
            break;
        }
        stem = rest;
    }
    stem
}

/// The Region that the host names: of AWS's own endpoints, of what local stacks call themselves, and of sign-in. The global
/// endpoint of STS stands in `us-east-1` (`reference/event-record.md` §10.4).
pub fn region<'r>(request: &Request<'r>) -> Option<&'r str> {
    const SIGN_IN: &[&str] = &[".signin.aws.amazon.com", ".oauth.signin.aws"];
    let name = name(request);
    if name.eq_ignore_ascii_case("sts.amazonaws.com") {
        return Some("us-east-1");
    }
    let suffix = SIGN_IN.iter().chain(SUFFIXES).find(|suffix| ends_with(name, suffix))?;
    let labels = name.get(..name.len() - suffix.len())?.rsplit('.');
    labels.take_while(|label| is_tail(label)).find(|label| is_region(label) && *label != "aws-global")
}

/// Whether a label stands after the name of the service: a Region, or the kind of an endpoint.
fn is_tail(label: &str) -> bool {
    is_region(label) || matches!(label, "dualstack" | "vpce" | "aws" | "global")
}

fn ends_with(name: &str, suffix: &str) -> bool {
    let start = name.len().checked_sub(suffix.len());
    start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// `us-east-1`, `us-gov-west-1`, `aws-global`: words with at least one hyphen, and a digit or `global` at the end.
pub(super) fn is_region(label: &str) -> bool {
    let mut words = label.split('-');
    let letters = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let Some(last) = words.next_back() else { return false };
    let end = last == "global" || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
    end && words.clone().count() >= 1 && words.all(letters) && (last == "global" || label.matches('-').count() >= 2)
}

/// The services of the longest endpoint prefix that the host ends with.
pub(super) fn services(catalog: &Catalog, request: &Request<'_>) -> SmallVec<[ServiceId; 4]> {
    let mut rest = stem(request);
    while !rest.is_empty() {
        let plain = rest.strip_suffix("-fips").unwrap_or(rest);
        let found: SmallVec<[ServiceId; 4]> = catalog.lookup.by_endpoint_prefix(plain).collect();
        if !found.is_empty() {
            return found;
        }
        rest = rest.split_once('.').map_or("", |(_, rest)| rest);
    }
    SmallVec::new()
}

/// Whether the host names this service.
pub(super) fn names(request: &Request<'_>, info: &ServiceInfo) -> bool {
    let stem = stem(request);
    let stem = stem.strip_suffix("-fips").unwrap_or(stem);
    stem.strip_suffix(info.endpoint_prefix()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// How surely the host or the user agent names this service; 0 when neither does. A user agent says it as
/// `api/sso_oidc#1.2` (most SDKs) or `md/command#sts.get-caller-identity` (the AWS CLI). Only ever used between services
/// that are otherwise equal.
pub(super) fn hint(request: &Request<'_>, info: &ServiceInfo) -> u8 {
    if names(request, info) {
        return 3;
    }
    let agent = request.headers.get("user-agent").unwrap_or_default();
    let hint = |word: &str| {
        let api = word.strip_prefix("api/").map(|word| word.split(['#', '/']).next().unwrap_or_default());
        let command = word.strip_prefix("md/command#").map(|word| word.split('.').next().unwrap_or_default());
        match api.or(command) {
            Some(named) if same_letters(named, info.name()) => 2,
            Some(named) if same_letters(named, info.service_id()) => 1,
            _ => 0,
        }
    };
    agent.split(' ').map(hint).max().unwrap_or(0)
}

/// Equal but for case and anything that is neither letter nor digit.
fn same_letters(a: &str, b: &str) -> bool {
    let letters = |text: &'_ str| -> SmallVec<[u8; 32]> {
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;

    fn check(host: &str, expected: &[&str]) {
        let headers = [("host", host.as_bytes())];
        let request = Request { method: "GET", path: "/", query: "", headers: Headers(&headers), path_style: false };
        let catalog = Catalog::embedded();
        let ids = services(catalog, &request);
        let found: Vec<_> = ids.iter().filter_map(|id| catalog.info(*id)).map(ServiceInfo::name).collect();
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn hosts_of_aws_name_their_service() {
        check("dynamodb.eu-west-1.amazonaws.com", &["dynamodb"]);
        check("streams.dynamodb.us-gov-west-1.amazonaws.com:443", &["dynamodbstreams"]);
        check("iam.amazonaws.com", &["iam"]);
        check("a.b.s3.eu-west-1.amazonaws.com", &["s3"]);
        check("111122223333.s3-control.eu-west-1.amazonaws.com", &["s3control"]);
        check("monitoring.cn-north-1.amazonaws.com.cn", &["cloudwatch"]);
        check("vpce-1.sqs.eu-west-1.vpce.amazonaws.com", &["sqs"]);
        check("kms-fips.us-east-1.amazonaws.com", &["kms"]);
        check("s3.localhost:4780", &["s3"]);
        check("sqs.us-east-1.localhost.localstack.cloud:4566", &["sqs"]);
    }

    #[test]
    fn hosts_name_their_region() {
        let named = |host: &str| {
            let headers = [("host", host.as_bytes())];
            let request =
                Request { method: "GET", path: "/", query: "", headers: Headers(&headers), path_style: false };
            region(&request).map(str::to_owned)
        };
        for (host, expected) in [
            ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sts.amazonaws.com:443", "us-east-1"),
            ("a.b.s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("vpce-1.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
            ("us-west-2.oauth.signin.aws", "us-west-2"),
            ("us-east-2.signin.aws.amazon.com", "us-east-2"),
            ("sqs.us-east-1.localhost.localstack.cloud:4566", "us-east-1"),
        ] {
            assert_eq!(named(host).as_deref(), Some(expected), "{host}");
        }
        for host in ["127.0.0.1:4780", "iam.amazonaws.com", "us-east-1.s3.amazonaws.com", "us-east-1.example.com", ""] {
            assert_eq!(named(host), None, "{host}");
        }
    }

    #[test]
    fn other_hosts_name_nobody() {
        for host in ["127.0.0.1:4780", "localhost:4780", "[::1]:80", "example.com", "nothing.example.amazonaws.com", ""]
        {
            check(host, &[]);
        }
    }
}
