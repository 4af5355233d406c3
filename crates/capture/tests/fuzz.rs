//! The bodies of the fuzz targets on random input, in every test run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]
#![allow(unreachable_pub, reason = "the included file is a library in `fuzz`")]

#[path = "../../../fuzz/src/exchange_bytes.rs"]
mod exchange_bytes;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_bodies_become_records_or_a_reason(call: u8, fate: u8, split in 0u16..300, text in prop_oneof![
        vec(any::<u8>(), 0..300),
        "[<>/a-zA-Z=&.0-9{}\":,\\[\\]%]{0,300}".prop_map(String::into_bytes),
    ]) {
        let mut input = vec![call, fate];
        input.extend_from_slice(&split.to_le_bytes());
        input.extend_from_slice(&text);
        exchange_bytes::bodies(&input);
    }

    #[test]
    fn any_head_becomes_a_record_or_a_reason(
        input in "(GET|PUT|POST|[A-Z]{0,5}) /[ -~]{0,60}(\\?X-Amz-Credential=[!-~]{0,60})?\n(host: [a-z0-9.-]{0,30}\n)?(authorization: (AWS4-HMAC-SHA256 Credential=|AWS |Bearer )[ -~]{0,80}\n)?(x-amz-target: [!-~]{0,40}\n)?",
    ) {
        exchange_bytes::head(input.as_bytes());
    }
}
