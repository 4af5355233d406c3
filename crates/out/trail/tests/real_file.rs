//! A file of a real trail, taken apart and written again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use bytes::Bytes;
use event::Event;
use flate2::read::GzDecoder;
use opentrail_trail::{LogFile, sha256_hex};
use serde_json::value::RawValue;
use std::io::Read;
use std::path::Path;

const FILE: &str = "testdata/invictus/218007301253_CloudTrail_us-east-1_20230710T1200Z_iLj9fb7yyUG9X4Bf.json.gz";

#[derive(serde::Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn the_records_of_a_real_file_make_the_same_file() {
    let original = gunzip(&std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).unwrap());
    let original = original.trim_ascii_end();
    let read: Records = serde_json::from_slice(original).unwrap();
    let mut file = LogFile::new();
    for record in &read.records {
        let record = Bytes::copy_from_slice(record.get().as_bytes());
        file.push(&Event::from_json(record).unwrap()).unwrap();
    }
    assert_eq!(file.records(), 394);
    assert!((original.len()..original.len() + 2).contains(&file.size()));
    let written = file.finish().unwrap();
    assert!(gunzip(&written.body) == original, "the same to the byte");
    assert_eq!(written.body[4..8], [0; 4], "no time in the header: writing a file again gives the same bytes");
    // On every processor. Another version of the library may give others: then the files of a cut that is made again after
    // an upgrade are put with other bytes, of the same content.
    assert_eq!(sha256_hex(&written.body), "d2c1698a43fb2a054efb29b4da49c48372a99058d4d984d7829de7b77a54aa77");
}
