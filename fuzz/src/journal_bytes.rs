//! Journals whose newest segment holds bytes of any kind.

use bytes::Bytes;
use event::Event;
use opentrail_journal::{Journal, JournalError, Options, ReadLimit, Seq};
use std::path::Path;

const NAME: &str = "00000000000000000000.seg";

/// A journal that was really written: two entries in two batches.
const SAMPLE: &[u8] = include_bytes!("../../crates/journal/testdata/v2/00000000000000000000.seg");

/// The input behind its first byte: as a segment when that is zero, else as changes to the sample.
pub fn either(input: &[u8]) {
    match input.split_first() {
        Some((0, rest)) => raw(rest),
        Some((_, rest)) => changed(rest),
        None => {}
    }
}

/// Opens a journal whose only segment is the input.
pub fn raw(input: &[u8]) {
    let read = open(input);
    assert!(read.len() <= input.len() / 32, "entries out of nothing");
}

/// Opens the sample with changes to it: each three bytes of the input are a place and what is laid over it; the first
/// byte says how much is cut off. What reads is the beginning of the sample.
pub fn changed(input: &[u8]) {
    let Some((cut, changes)) = input.split_first() else { return };
    let mut bytes = SAMPLE.to_vec();
    bytes.truncate(SAMPLE.len() - usize::from(*cut) * SAMPLE.len() / 256);
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % SAMPLE.len();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= change[2];
        }
    }
    let original = open(SAMPLE);
    assert_eq!(original.len(), 2);
    assert!(original.starts_with(&open(&bytes)), "something else was read than was written");
}

/// What such a journal reads as. It is refused by name, or it goes on: what is appended comes behind what was there, also after
/// another start.
fn open(segment: &[u8]) -> Vec<Bytes> {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join(NAME), segment).expect("a file");
    let options = Options { segment_bytes: 10_000, ..Options::default() };
    let journal = match Journal::open(dir.path(), options.clone()) {
        Ok(journal) => journal,
        Err(JournalError::Damaged { file, .. } | JournalError::Version { file, .. }) => {
            assert_eq!(file, dir.path().join(NAME));
            return Vec::new();
        }
        Err(other) => panic!("{other}"),
    };
    let Some(found) = everything(&journal, dir.path()) else { return Vec::new() };
    let json = br#"{"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject"}"#;
    let event = Event::from_json(Bytes::from_static(json)).expect("a record");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let appended = runtime.block_on(journal.appender().append(event)).expect("appends");
    assert_eq!(appended, Seq(found.len() as u64));
    drop(journal);

    let journal = Journal::open(dir.path(), options).expect("what was repaired opens");
    let mut again = everything(&journal, dir.path()).expect("what was read reads again");
    assert_eq!(again.pop().as_deref(), Some(&json[..]));
    assert_eq!(again, found);
    found
}

/// All records; `None` where damage shows when they are read.
fn everything(journal: &Journal, dir: &Path) -> Option<Vec<Bytes>> {
    let (mut reader, mut found) = (journal.reader(Seq(0)), Vec::new());
    loop {
        match reader.read(ReadLimit::default()) {
            Ok(entries) if entries.is_empty() => return Some(found),
            Ok(entries) => {
                for entry in entries {
                    assert_eq!(entry.seq, Seq(found.len() as u64));
                    found.push(Bytes::copy_from_slice(entry.event.json()));
                }
            }
            Err(JournalError::Damaged { file, .. }) => {
                assert_eq!(file, dir.join(NAME));
                return None;
            }
            Err(other) => panic!("{other}"),
        }
    }
}
