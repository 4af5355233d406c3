//! The recorder against records that AWS wrote: for each replayable record, the request and the response are rebuilt
//! from it by the service model, passed through the recorder, and what comes out is compared with the record.
//!
//! The rebuilding knows the wire formats (SDK style) and the inverse of the general rule of casing; it knows nothing of the
//! recorder's tables. `OPENTRAIL_BLESS=1` writes the report to `docs/fidelity.md`; `OPENTRAIL_SHOW=field[:service]` prints
//! what differs.

mod compare;
mod ec2;
mod rebuild;
mod report;
mod s3;
mod value;
mod wire;

use report::Report;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

#[test]
fn records_are_what_cloudtrail_wrote() {
    let mut report = Report::default();
    for (file, record) in corpus() {
        let _ = file;
        match rebuild::Replay::of(&record) {
            Ok(replay) => match replay.record() {
                Ok(recorded) => report.compare(&replay, &record, &recorded),
                Err(reason) => report.lost(&record, reason),
            },
            Err(reason) => report.not_replayable(&record, reason),
        }
    }
    report.show();
    report.bless();
    report.assert_bars();
}

/// All records of the corpus, in the order of their files.
fn corpus() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut records = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "gz")) {
            let mut text = String::new();
            flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_string(&mut text).unwrap();
            let Value::Object(mut log) = serde_json::from_str(&text).unwrap() else { panic!("{file:?}") };
            let Some(Value::Array(list)) = log.remove("Records") else { panic!("{file:?}") };
            records.extend(list.into_iter().map(|record| (file.clone(), record)));
        }
    }
    records
}
