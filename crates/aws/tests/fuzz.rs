//! The body of the fuzz target for credentials on random input, and on every input that was worth keeping.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]
#![allow(unreachable_pub, reason = "the included file is a library in `fuzz`")]

extern crate opentrail_aws as aws;

#[path = "../../../fuzz/src/credential_bytes.rs"]
mod credential_bytes;

use proptest::collection::vec;
use proptest::prelude::*;

const WORDS: &[&str] = &[
    "AWS4-HMAC-SHA256 ",
    "AWS4-ECDSA-P256-SHA256 ",
    "AWS ",
    "Bearer ",
    "Credential=",
    "AKID/20260115/r/s3/aws4_request",
    "/aws4_request",
    "AKID",
    "/20260115",
    "/",
    ", ",
    "SignedHeaders=",
    "host;x-amz-date",
    "Signature=",
    "00",
    ":",
    "\n",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&",
    "X-Amz-Credential=",
    "AKID%2F20260115%2Fr%2Fs3%2Faws4_request",
    "&",
    "X-Amz-SignedHeaders=host&",
    "X-Amz-Signature=",
    "AWSAccessKeyId=",
    "%2F",
    "%e9",
    "multipart/form-data; boundary=b",
    "\n--b\r\n",
    "Content-Disposition: form-data; name=\"",
    "x-amz-credential",
    "\"\r\n\r\n",
    "\r\n--b",
    "x-amz-algorithm",
    "AWS4-HMAC-SHA256",
    "x-amz-signature",
    "awsaccesskeyid",
    "signature",
    "; boundary=\"\"",
];

#[test]
fn what_was_found_once_stays_mended() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/credentials")).unwrap() {
        credential_bytes::credentials(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_names_a_signer_or_is_refused(place: u8, words in vec(proptest::sample::select(WORDS), 0..16)) {
        credential_bytes::credentials(&[&[place], words.concat().as_bytes()].concat());
    }

    #[test]
    fn any_bytes_name_a_signer_or_are_refused(input in vec(any::<u8>(), 0..200)) {
        credential_bytes::credentials(&input);
    }
}
