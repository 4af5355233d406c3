use super::*;
use aws::Headers;
use aws::sigv4::sha256_hex;
use proptest::prelude::*;
use proptest::test_runner::Config;
use registry::Secret;
use serde::Deserialize;

/// `testdata/signed-requests.json`: signed by botocore, see `make_vectors.py` beside it.
#[derive(Debug, Clone, Deserialize)]
struct Sent {
    name: String,
    service: String,
    region: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
struct Vectors {
    now: String,
    requests: Vec<Sent>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../testdata/signed-requests.json")).unwrap()
}

fn sent(name: &str) -> Sent {
    vectors().requests.into_iter().find(|sent| sent.name == name).unwrap()
}

fn noon() -> EventTime {
    EventTime::parse(&vectors().now).unwrap()
}

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

fn key(id: &str) -> Option<Arc<AccessKey>> {
    // The key of the session exists as well, so that it is the token that is refused.
    [KEY_ID, "ASIAIOSFODNN7EXAMPLE"].contains(&id).then(|| {
        Arc::new(AccessKey {
            access_key_id: id.to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            user_name: "alice".to_owned(),
            principal_id: "AIDAEXAMPLE".to_owned(),
            account_id: "111122223333".to_owned(),
            status: KeyStatus::Active,
            created_ms: 0,
        })
    })
}

impl Sent {
    fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        ask(&Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: Headers(&headers),
            path_style: false,
        })
    }

    fn verify_at(&self, now: EventTime) -> Result<Verified, AuthError> {
        let hash = sha256_hex(self.body.as_bytes());
        self.with(|request| verify(request, &hash, &self.service, key, now))
    }

    fn verify(&self) -> Result<Verified, AuthError> {
        self.verify_at(noon())
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1
    }

    fn is_signed(&self, header: &str) -> bool {
        let list = |text: &str| {
            let after = text.split_once("SignedHeaders=").map(|(_, rest)| rest.to_owned());
            after.is_some_and(|rest| {
                rest.split([',', '&']).next().unwrap().split(';').any(|n| n.eq_ignore_ascii_case(header))
            })
        };
        list(&self.query) || self.headers.iter().any(|(name, value)| name == "Authorization" && list(value))
    }
}

#[test]
fn what_botocore_signs_is_authentic() {
    for sent in vectors().requests {
        if sent.name == "a session" {
            continue;
        }
        let verified = sent.verify().unwrap_or_else(|error| panic!("{}: {error}", sent.name));
        assert_eq!(verified.region, sent.region, "{}", sent.name);
        let identity = verified.identity();
        assert_eq!(identity.arn.as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
        assert_eq!(identity.access_key_id.as_deref(), Some(KEY_ID));
    }
}

#[test]
fn a_session_token_that_was_not_issued_here_is_unknown() {
    assert_eq!(sent("a session").verify().unwrap_err(), AuthError::UnknownKey);
}

#[test]
fn a_key_that_is_unknown_or_inactive_is_refused() {
    let sent = sent("json");
    let hash = sha256_hex(sent.body.as_bytes());
    let with = |find: &dyn Fn(&str) -> Option<Arc<AccessKey>>| {
        sent.with(|request| verify(request, &hash, "cloudtrail", find, noon())).unwrap_err()
    };
    assert_eq!(with(&|_| None), AuthError::UnknownKey);
    let inactive =
        |id: &str| key(id).map(|key| Arc::new(AccessKey { status: KeyStatus::Inactive, ..AccessKey::clone(&key) }));
    assert_eq!(with(&inactive), AuthError::UnknownKey);
    let other = |id: &str| {
        key(id).map(|key| Arc::new(AccessKey { secret: Secret::new("x".to_owned()), ..AccessKey::clone(&key) }))
    };
    assert_eq!(with(&other), AuthError::Signature);
}

#[test]
fn a_clock_may_be_off_by_fifteen_minutes_and_no_more() {
    let sent = sent("json");
    for minutes in [-15, 0, 15] {
        assert!(sent.verify_at(EventTime(noon().0 + minutes * 60)).is_ok());
    }
    for seconds in [-901, 901] {
        let error = sent.verify_at(EventTime(noon().0 + seconds)).unwrap_err();
        assert!(matches!(error, AuthError::Skewed { .. }), "{error}");
    }
}

#[test]
fn a_presigned_url_is_good_until_it_expires() {
    let sent = sent("presigned s3");
    assert!(sent.verify_at(EventTime(noon().0 + 3600)).is_ok());
    assert_eq!(sent.verify_at(EventTime(noon().0 + 3601)).unwrap_err(), AuthError::Expired);
    assert!(matches!(sent.verify_at(EventTime(noon().0 - 901)).unwrap_err(), AuthError::Skewed { .. }));
    for expires in ["", "0", "604801", "-1", "+60", "9999999999999999999", "1e3"] {
        let mut changed = sent.clone();
        changed.query = sent.query.replace("X-Amz-Expires=3600", &format!("X-Amz-Expires={expires}"));
        assert!(matches!(changed.verify().unwrap_err(), AuthError::Incomplete(_)), "{expires}");
    }
}

#[test]
fn a_scope_of_another_service_date_or_no_region_is_refused() {
    let json = sent("json");
    let hash = sha256_hex(json.body.as_bytes());
    let error = json.with(|request| verify(request, &hash, "sts", key, noon())).unwrap_err();
    assert_eq!(error, AuthError::Scope { expected: "sts".to_owned() });
    for (from, to) in
        [("/20260115/", "/20260114/"), ("/eu-west-1/", "/EU/"), ("/eu-west-1/", "//"), ("/eu-west-1/", "/a b/")]
    {
        let mut changed = json.clone();
        *changed.header("authorization") = changed.header("authorization").replace(from, to);
        assert!(matches!(changed.verify().unwrap_err(), AuthError::Incomplete(_)), "{to}");
    }
}

#[test]
fn an_unsigned_request_is_missing_its_signature_and_half_a_signature_is_incomplete() {
    let mut bare = sent("json");
    bare.headers.retain(|(name, _)| name != "Authorization");
    assert_eq!(bare.verify().unwrap_err(), AuthError::Missing);
    for authorization in ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=00", "Basic eDp5"] {
        let mut half = sent("json");
        *half.header("authorization") = authorization.to_owned();
        assert!(matches!(half.verify().unwrap_err(), AuthError::Incomplete(_)), "{authorization}");
    }
    let mut undated = sent("json");
    undated.headers.retain(|(name, _)| name != "X-Amz-Date");
    assert!(matches!(undated.verify().unwrap_err(), AuthError::Incomplete(_)));
    for authorization in ["AWS AKIA:c2ln", "Bearer token"] {
        let mut old = sent("json");
        *old.header("authorization") = authorization.to_owned();
        assert_eq!(old.verify().unwrap_err(), AuthError::Mechanism);
    }
}

#[test]
fn headers_that_decide_what_a_call_means_must_be_signed() {
    let mut added = sent("s3 put");
    added.headers.push(("X-Amz-Copy-Source".to_owned(), "/other/secret".to_owned()));
    assert_eq!(added.verify().unwrap_err(), AuthError::UnsignedHeader("x-amz-copy-source".to_owned()));
    let mut hostless = sent("json");
    *hostless.header("authorization") = hostless.header("authorization").replace(";host;", ";");
    assert!(matches!(hostless.verify().unwrap_err(), AuthError::Incomplete(_)));
    let mut twice = sent("json");
    let again = twice.header("x-amz-target").clone();
    twice.headers.push(("x-amz-target".to_owned(), again));
    assert_eq!(twice.verify().unwrap_err(), AuthError::Signature);
    let mut both = sent("presigned query");
    let authorization = sent("query").header("authorization").clone();
    both.headers.push(("Authorization".to_owned(), authorization));
    assert!(matches!(both.verify().unwrap_err(), AuthError::Incomplete(_)));
}

#[test]
fn a_header_that_is_signed_many_times_over_is_refused_before_it_is_written_as_often() {
    let mut json = sent("json");
    let authorization = json.header("authorization");
    *authorization = authorization.replace("SignedHeaders=", &format!("SignedHeaders={}", "host;".repeat(5000)));
    let checked = json.with(|request| check_signed_headers(request, &aws::credential(request).unwrap()));
    assert_eq!(checked, Err(AuthError::Signature));
}

#[test]
fn a_payload_that_is_not_the_signed_one_is_refused() {
    let mut json = sent("json");
    json.body.push(' ');
    assert_eq!(json.verify().unwrap_err(), AuthError::Signature);
    let mut put = sent("s3 put");
    put.body.push(' ');
    assert_eq!(put.verify().unwrap_err(), AuthError::PayloadMismatch);
}

/// Replaces the character at a place by another; `None` where the change would mean the same.
fn flip(text: &str, place: usize, to: char) -> Option<String> {
    let at = place.checked_rem(text.len())?;
    let from = text[at..].chars().next()?;
    // Letter case of header names and percent-encoding, and a path of ".", are spelled differently and mean the same.
    if from.eq_ignore_ascii_case(&to) || to == '.' {
        return None;
    }
    Some(format!("{}{to}{}", &text[..at], &text[at + from.len_utf8()..]))
}

proptest! {
    #![proptest_config(Config { cases: 2000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_changed_byte_of_what_is_signed_is_refused(which in 0usize..13, part in 0usize..32, place in 0usize..4096, to in "[!-~]") {
        let original = vectors().requests.swap_remove(which);
        prop_assume!(original.name != "a session");
        let to = to.chars().next().unwrap();
        let mut changed = original.clone();
        let target = match part {
            0..=2 => &mut changed.method,
            3..=7 => &mut changed.path,
            8..=15 => &mut changed.query,
            16..=19 => &mut changed.body,
            header => {
                let count = changed.headers.len();
                let (name, value) = &changed.headers[header % count];
                prop_assume!(name == "Authorization" || original.is_signed(name));
                prop_assume!(!value.is_empty());
                let pair = &mut changed.headers[header % count];
                if header % 3 == 0 { &mut pair.0 } else { &mut pair.1 }
            }
        };
        // The payload of a presigned S3 URL is not signed.
        prop_assume!(!(original.name == "presigned s3" && (16..=19).contains(&part)));
        let flipped = flip(target, place, to);
        prop_assume!(flipped.is_some());
        *target = flipped.unwrap();
        let verified = changed.verify();
        prop_assert!(verified.is_err(), "{:?} passes", changed);
    }

    #[test]
    fn no_request_makes_it_panic(
        path in ".{0,40}",
        query in "(X-Amz-(Credential|Date|Expires|Signature|SignedHeaders|Algorithm)=[ -~é%]{0,30}&){0,6}",
        authorization in "AWS4-HMAC-SHA256 (Credential=[ -~é]{0,50})?,(SignedHeaders=[ -~]{0,20})?,(Signature=[0-9a-f]{0,70})?",
        date in "[0-9TZé]{0,18}",
    ) {
        let headers: Vec<(&str, &[u8])> =
            vec![("host", b"h"), ("authorization", authorization.as_bytes()), ("x-amz-date", date.as_bytes())];
        for headers in [&headers[..], &headers[..1]] {
            let request = Request { method: "GET", path: &path, query: &query, headers: Headers(headers), path_style: false };
            let answer = verify(&request, &sha256_hex(b""), "s3", key, noon());
            prop_assert!(answer.is_err());
        }
    }
}
