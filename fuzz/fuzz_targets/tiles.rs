//! Bytes as a tile, as a bundle of entries, and as the hashes of a tree.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_trail::hostile::tiles(input));
