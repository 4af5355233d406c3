//! The fuzz targets' bodies on random input, and on every input that was worth keeping.

use super::{bodies, body, conversation, errors, head, http1, preamble};
use proptest::collection::vec;
use proptest::prelude::*;

/// Each file of `fuzz/seeds/TARGET`: beginnings for the fuzzer, and what it has found.
fn every_kept_input(target: &str, promise: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/");
    let kept: Vec<_> = std::fs::read_dir(format!("{folder}{target}")).unwrap().collect();
    assert!(!kept.is_empty());
    for file in kept {
        promise(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    every_kept_input("http1", http1);
    every_kept_input("preamble", preamble);
    every_kept_input("body", body);
    every_kept_input("conversation", conversation);
    every_kept_input("exchange_bodies", bodies);
    every_kept_input("exchange_errors", errors);
    every_kept_input("exchange_head", head);
}

/// Words of a grammar, in any order.
fn words(words: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(word, 0..most).prop_map(|words| words.concat())
}

const HTTP: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "PUT /b/k?x HTTP/1.1\r\n",
    "PUT /b/k?tagging&bucketName=x&Tagging=y HTTP/1.1\r\n",
    "POST / HTTP/1.0\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 C\r\n",
    "HTTP/1.1 304 N\r\n",
    "Host: h\r\n",
    "Content-Length: 5\r\n",
    "Content-Length:",
    " 5,5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "X-Amz-Target: DynamoDB_20120810.PutItem\r\n",
    "\r\n",
    "\n",
    "5\r\n",
    "hello",
    "\r\n",
    "0\r\n\r\n",
    "5;a=b\r\n",
    "ffffffffffffffff\r\n",
    "0\r\nx: y\r\n\r\n",
    "x: y\r\n",
    "{\"TableName\":\"t\"}",
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260115/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00\r\n",
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260115/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00\r\n",
];
const PROXY: &[&str] = &[
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "198.51.100.7 ",
    "::1 ",
    "1 2",
    "\r\n",
    "\r\n\r\n\0\r\nQUIT\n",
    "\x21\x11\0\x0c",
    "\x21\x21\0\x24",
    "\x20\0\0\0",
    "10.0.0.1, ",
    "[fd00::1]:80, ",
    "GET / HTTP/1.1\r\n",
];
const TEXTS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "-1.5e3",
    "true",
    "null",
    "<a>",
    "</a>",
    "<a/>",
    "<b x='1'>",
    "</b>",
    "&amp;",
    "&#x21;",
    "&",
    "<![CDATA[",
    "]]>",
    "<!-- -->",
    "<?xml?>",
    "a=1",
    "&",
    "a.1.b=%41",
    "+",
    "%e9",
    "\u{bf}",
    "\u{83}",
    "\u{1b}",
];
const FAILURES: &[&str] = &[
    "AccessDeniedException",
    ":http://x/",
    "a.b#",
    "\n",
    "{\"__type\":\"",
    "\"}",
    "\",\"message\":\"",
    "<Error>",
    "</Error>",
    "<ErrorResponse>",
    "</ErrorResponse>",
    "<Code>",
    "</Code>",
    "<Message>",
    "</Message>",
    "<Response><Errors>",
    "</Errors></Response>",
    "NoSuchEntity",
    "{\"code\":1}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_http_or_refused(how: u8, wire in words(HTTP, 14)) {
        http1(&[&[how], &wire[..]].concat());
    }

    #[test]
    fn any_bytes_are_a_preamble_or_none(bytes in words(PROXY, 8)) {
        preamble(&bytes);
    }

    #[test]
    fn any_bytes_are_a_body_or_refused(format: u8, bytes in prop_oneof![words(TEXTS, 30), vec(any::<u8>(), 0..100)]) {
        body(&[&[format], &bytes[..]].concat());
    }

    #[test]
    fn any_conversation_becomes_records_or_a_reason(fate: u8, asked in words(HTTP, 10), answered in words(HTTP, 10)) {
        let len = (asked.len() as u16).to_le_bytes();
        conversation(&[&[fate], &len[..], &asked, &answered].concat());
    }

    #[test]
    fn any_failure_is_recorded_as_one(call: u8, status: u8, answer in words(FAILURES, 16)) {
        errors(&[&[call, status], &answer[..]].concat());
    }

    #[test]
    fn any_bodies_become_records_or_a_reason(call: u8, fate: u8, split in 0u16..300, text in prop_oneof![
        vec(any::<u8>(), 0..300),
        "[<>/a-zA-Z=&.0-9{}\":,\\[\\]%]{0,300}".prop_map(String::into_bytes),
    ]) {
        let mut input = vec![call, fate];
        input.extend_from_slice(&split.to_le_bytes());
        input.extend_from_slice(&text);
        bodies(&input);
    }

    #[test]
    fn any_head_becomes_a_record_or_a_reason(
        input in "(GET|PUT|POST|[A-Z]{0,5}) /[ -~]{0,60}(\\?X-Amz-Credential=[!-~]{0,60})?\n(host: [a-z0-9.-]{0,30}\n)?(authorization: (AWS4-HMAC-SHA256 Credential=|AWS |Bearer )[ -~]{0,80}\n)?(x-amz-target: [!-~]{0,40}\n)?",
    ) {
        head(input.as_bytes());
    }
}
