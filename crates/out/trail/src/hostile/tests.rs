//! The fuzz targets' bodies on random input, and on every input that was worth keeping.

use super::{digest, log_file, proof, tiles};
use proptest::collection::vec;
use proptest::prelude::*;

/// Each file of `fuzz/seeds/TARGET`: beginnings for the fuzzer, and what it has found.
fn every_kept_input(target: &str, promise: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/seeds/");
    let kept: Vec<_> = std::fs::read_dir(format!("{folder}{target}")).unwrap().collect();
    assert!(!kept.is_empty());
    for file in kept {
        promise(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    every_kept_input("archive_log_file", log_file);
    every_kept_input("archive_digest", digest);
    every_kept_input("proof", proof);
    every_kept_input("tiles", tiles);
}

const JSON: &[&str] =
    &["\u{1}", "{\"Records\":[", "{}", "{\"a\":\"\\\"}", "\"", "[{]}", "{", "}", ",", "]", "]}", " ", "{\"b\":[{}]}"];
const NOTES: &[&str] = &[
    "c2sp.org/tlog-proof@v1\n",
    "extra AAEBAQ==\n",
    "index 1\n",
    "opentrail/111122223333/us-east-1/t\n",
    "7\n",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    "\n",
    "\u{2014} o AAAAAAAA\n",
    "s3://b/p",
    "s3+https://h/b/p/",
    "https://h#",
    "n+00000000+AQ==",
];

fn words(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

/// Small numbers and some hashes, so that trees fit them now and then.
fn tree() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0u64..600, Just(65_536), Just(u64::MAX), any::<u64>()];
    let hashes = vec(prop_oneof![Just([0xffu8; 32]), any::<[u8; 32]>()], 0..20);
    (number.clone(), number, hashes)
        .prop_map(|(old, size, hashes)| [&old.to_le_bytes()[..], &size.to_le_bytes(), &hashes.concat()].concat())
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader_of_log_files(input in words(JSON)) {
        log_file(&input);
    }

    #[test]
    fn no_bytes_break_the_reader_of_digests(input in vec(any::<u8>(), 0..40)) {
        digest(&input);
    }

    #[test]
    fn no_bytes_break_the_reader_of_proofs(input in words(NOTES)) {
        proof(&input);
    }

    #[test]
    fn no_bytes_break_the_reader_of_tiles(input in prop_oneof![tree(), vec(any::<u8>(), 0..200)]) {
        tiles(&input);
    }
}
