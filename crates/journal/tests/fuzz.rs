//! The bodies of the fuzz targets on random input, in every test run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]
#![allow(unreachable_pub, reason = "the included files are a library in `fuzz`")]

#[path = "../../../fuzz/src/event_bytes.rs"]
mod event_bytes;
#[path = "../../../fuzz/src/journal_bytes.rs"]
mod journal_bytes;

use bytes::Bytes;
use event::Event;
use proptest::prelude::*;

const RECORDS: &str = include_str!("../testdata/v1/events.jsonl");

/// A record with pieces taken out, doubled, and changed.
fn damaged_record() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec(
        (any::<prop::sample::Index>(), 0usize..20, prop::collection::vec(any::<u8>(), 0..4)),
        0..4,
    );
    (0usize..4, edits).prop_map(|(record, edits)| {
        let mut bytes = RECORDS.lines().nth(record).unwrap_or_default().as_bytes().to_vec();
        for (at, len, new) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + len).min(bytes.len());
            bytes.splice(at..end, new);
        }
        bytes
    })
}

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
    every_kept_input("event_scan", event_bytes::scan);
    every_kept_input("event_head", event_bytes::head);
    every_kept_input("journal_recovery", journal_bytes::either);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_record_or_refused(input in prop_oneof![damaged_record(), prop::collection::vec(any::<u8>(), 0..200)]) {
        event_bytes::scan(&input);
    }

    #[test]
    fn any_bytes_are_a_head_or_refused(
        record in 0usize..4, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in 0usize..2000,
    ) {
        let json = Bytes::from_static(RECORDS.lines().nth(record).unwrap_or_default().as_bytes());
        let mut head = Event::from_json(json.clone()).unwrap().head().encode();
        for (at, new) in edits {
            let at = at.index(head.len());
            head[at] = new;
        }
        let mut input = (head.len() as u16).to_le_bytes().to_vec();
        input.extend_from_slice(&head);
        input.extend_from_slice(json.get(..json.len().saturating_sub(cut / 2)).unwrap_or_default());
        event_bytes::head(&input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_segment_or_refused(input in prop::collection::vec(any::<u8>(), 0..300)) {
        journal_bytes::raw(&input);
    }

    #[test]
    fn a_changed_segment_reads_as_the_beginning_of_what_it_was(input in prop::collection::vec(any::<u8>(), 0..10)) {
        journal_bytes::changed(&input);
    }
}
