//! What it costs to write a record into a log file, and how small files become, by level of compression.
//!
//! `cargo bench -p opentrail-trail` prints nanoseconds per record and the share of the original size, over the records of
//! a real file written again and again until 20 MB are together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use bytes::Bytes;
use event::Event;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use opentrail_trail::LogFile;
use serde_json::value::RawValue;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: &str = "testdata/invictus/218007301253_CloudTrail_us-east-1_20230710T1200Z_iLj9fb7yyUG9X4Bf.json.gz";
const ROUNDS: usize = 7;

#[derive(serde::Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

fn main() {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).expect("the fixture");
    let read: Records = serde_json::from_reader(GzDecoder::new(&bytes[..])).expect("a log file");
    let once: Vec<Event> = read
        .records
        .iter()
        .map(|record| Event::from_json(Bytes::copy_from_slice(record.get().as_bytes())).expect("a record"))
        .collect();
    let size: usize = once.iter().map(|event| event.json().len()).sum();
    let events: Vec<Event> = once.iter().cycle().take(once.len() * (20_000_000 / size)).cloned().collect();
    println!("{} records, {} bytes each on average", events.len(), size / once.len());
    report("log file", &events, || {
        let mut file = LogFile::new();
        for event in &events {
            file.push(event).expect("memory");
        }
        file.finish().expect("memory").body.len()
    });
    report("and hash", &events, || {
        let mut file = LogFile::hashed();
        for event in &events {
            file.push(event).expect("memory");
        }
        file.finish().expect("memory").body.len()
    });
    for level in 1..=9 {
        report(&format!("level {level}"), &events, || {
            let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new().write(Vec::new(), Compression::new(level));
            for event in &events {
                encoder.write_all(event.json()).expect("memory");
            }
            encoder.finish().expect("memory").len()
        });
    }
}

/// The fastest of some rounds: what the work costs, not what else the machine did.
fn report(name: &str, events: &[Event], write: impl Fn() -> usize) {
    let bytes: usize = events.iter().map(|event| event.json().len()).sum();
    let mut fastest = Duration::MAX;
    let mut written = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        written = write();
        fastest = fastest.min(start.elapsed());
    }
    let per_record = fastest.as_nanos() as f64 / events.len() as f64;
    let megabytes = bytes as f64 / fastest.as_secs_f64() / 1e6;
    println!(
        "{name:9} {per_record:7.0} ns/record {megabytes:6.0} MB/s  {:5.2} % of the size",
        100.0 * written as f64 / bytes as f64
    );
}
