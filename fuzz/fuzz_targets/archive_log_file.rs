//! Bytes as a log file of an archive.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_trail::hostile::log_file(input));
