//! Whatever bytes come in, nothing panics.

use opentrail_aws::{Catalog, Headers, Request, recognise, uri_labels};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[a-z0-9./?&=%{}+:@~-]{0,60}",
        Just("/v20180820/bucket/x".to_owned()),
        Just("/2015-03-31/functions/a%2Fb/invocations".to_owned()),
        Just("s3.us-east-1.amazonaws.com".to_owned()),
        Just(".s3..amazonaws.com".to_owned()),
        Just("DynamoDB_20120810.".to_owned()),
        Just("Action=CreateUser&Version=2010-05-08".to_owned()),
        Just("application/x-www-form-urlencoded".to_owned()),
        Just("/service/GraniteServiceVersion20100801/operation/PutMetricData".to_owned()),
    ]
}

fn service() -> impl Strategy<Value = String> {
    let names: Vec<&str> = Catalog::embedded().services().iter().map(|info| info.signing_name()).collect();
    proptest::sample::select(names).prop_map(|name| {
        format!("AWS4-HMAC-SHA256 Credential=A/20260115/r/{name}/aws4_request, SignedHeaders=host, Signature=0")
    })
}

const NAMES: [&str; 7] =
    ["host", "x-amz-target", "content-type", "smithy-protocol", "x-amz-copy-source", "user-agent", "x-amz-account-id"];

proptest! {
    #[test]
    fn any_request_is_recognised_or_not_but_never_a_panic(
        method in "GET|PUT|POST|DELETE|HEAD|PATCH|[A-Z]{0,8}",
        path in text(),
        query in text(),
        signature in prop_oneof![service(), text()],
        values in proptest::collection::vec(text(), NAMES.len()),
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut headers: Vec<(&str, &[u8])> = NAMES.iter().copied().zip(values.iter().map(String::as_bytes)).collect();
        headers.push(("authorization", signature.as_bytes()));
        let request = Request { method: &method, path: &path, query: &query, headers: Headers(&headers), path_style: false };
        let catalog = Catalog::embedded();
        let _ = recognise::service(catalog, &request);
        for form in [body.as_slice(), query.as_bytes()] {
            if let Some(found) = recognise::operation(catalog, &request, form) {
                let _ = uri_labels(found.operation, &request);
            }
        }
    }
}
