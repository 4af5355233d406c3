//! Bytes as a journal's segment, and as changes to one that was really written.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_fuzz::journal_bytes::either(input));
