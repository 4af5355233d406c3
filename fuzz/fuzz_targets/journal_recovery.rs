//! Bytes as a journal's segment, and as changes to one that was really written.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| match input.split_first() {
    Some((0, rest)) => opentrail_fuzz::journal_bytes::raw(rest),
    Some((_, rest)) => opentrail_fuzz::journal_bytes::changed(rest),
    None => {}
});
