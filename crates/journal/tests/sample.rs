//! Journals that earlier versions wrote stay readable: the samples in `testdata` are kept forever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]

use bytes::Bytes;
use event::{Event, Field};
use opentrail_journal::{Clock, Journal, Options, ReadLimit, Seq};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

fn testdata(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(version)
}

fn events(version: &str) -> Vec<Bytes> {
    let text = fs::read_to_string(testdata(version).join("events.jsonl")).unwrap();
    text.lines().map(|line| Bytes::copy_from_slice(line.as_bytes())).collect()
}

#[test]
fn the_samples_of_all_versions_read_as_they_were_written() {
    for version in ["v1", "v2"] {
        reads_as_it_was_written(version);
    }
}

fn reads_as_it_was_written(version: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut segments = 0;
    for file in fs::read_dir(testdata(version)).unwrap().flatten() {
        if file.path().extension().is_some_and(|extension| extension == "seg") {
            fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            segments += 1;
        }
    }
    assert_eq!(segments, 2);
    let journal = Journal::open(dir.path(), Options::default()).unwrap();
    let entries = journal.read(Seq(0), ReadLimit::default()).unwrap();
    let events = events(version);
    assert_eq!(entries.len(), events.len());
    for (n, (entry, json)) in entries.iter().zip(events).enumerate() {
        assert_eq!((entry.seq, entry.appended_ms), (Seq(n as u64), 1_767_323_045_000 + n as u64));
        assert_eq!(entry.event.json(), &json);
        // What its stored head says is what its bytes say.
        let fresh = Event::from_json(json).unwrap();
        assert_eq!((entry.event.time(), entry.event.category()), (fresh.time(), fresh.category()));
        assert_eq!(entry.event.read_only(), fresh.read_only());
        for field in [Field::EventId, Field::EventName, Field::UserName, Field::ErrorCode, Field::IdentityArn] {
            assert_eq!(entry.event.get(field), fresh.get(field));
        }
        assert!(entry.event.resources().eq(fresh.resources()));
    }
}

/// A change of what is written needs a new version: then this writes its sample, with `OPENTRAIL_BLESS=1`.
#[test]
fn what_is_written_today_is_the_sample_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let now = AtomicU64::new(1_767_323_045_000);
    let clock = Clock::new(move || now.fetch_add(1, Ordering::SeqCst));
    let options = Options { segment_bytes: 2000, clock, salt: 0x5eed_cafe, ..Options::default() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for json in events("v2") {
        runtime.block_on(journal.appender().append(Event::from_json(json).unwrap())).unwrap();
    }
    journal.close().unwrap();
    for file in fs::read_dir(dir.path()).unwrap().flatten() {
        if file.path().extension().is_some_and(|extension| extension == "seg") {
            let sample = testdata("v2").join(file.file_name());
            if std::env::var_os("OPENTRAIL_BLESS").is_some() {
                fs::copy(file.path(), &sample).unwrap();
            }
            assert!(fs::read(file.path()).unwrap() == fs::read(&sample).unwrap(), "{} differs", sample.display());
        }
    }
}
