//! What proof of completeness costs: for each event while it is delivered, and to prove one of a million.
//!
//! `cargo bench -p opentrail-trail --bench transparency` prints nanoseconds per record of a log file without and with the entries of a
//! transparency log, nanoseconds per entry that is appended to the tree, and the time to find and prove events in a log of a
//! million entries in a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use bytes::Bytes;
use event::Event;
use flate2::read::GzDecoder;
use opentrail_trail::transparency::archived::ArchivedLog;
use opentrail_trail::transparency::layout::{bundle_path, push_entry, tile_bytes, tile_path};
use opentrail_trail::transparency::leaf::Leaf;
use opentrail_trail::transparency::merkle::{TILE_WIDTH, Tree, leaf_hash, verify_inclusion};
use opentrail_trail::transparency::note::{Checkpoint, Note, VerifierKey};
use opentrail_trail::verify::{Archive, Folder};
use opentrail_trail::{LogFile, compress};
use serde_json::value::RawValue;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FILE: &str = "testdata/invictus/218007301253_CloudTrail_us-east-1_20230710T1200Z_iLj9fb7yyUG9X4Bf.json.gz";
const ROUNDS: usize = 7;
const MILLION: u64 = 1_000_000;
/// Records of one file in the log of a million.
const IN_FILE: u64 = 1000;

#[derive(serde::Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

fn main() {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).expect("the fixture");
    let read: Records = serde_json::from_reader(GzDecoder::new(&bytes[..])).expect("a log file");
    let event = |record: &str| Event::from_json(Bytes::copy_from_slice(record.as_bytes())).expect("one");
    let once: Vec<Event> = read.records.iter().map(|record| event(record.get())).collect();
    let size: usize = once.iter().map(|event| event.json().len()).sum();
    let events: Vec<Event> = once.iter().cycle().take(once.len() * (20_000_000 / size)).cloned().collect();
    println!("{} records, {} bytes each on average", events.len(), size / once.len());
    let fill = |mut file: LogFile| {
        events.iter().for_each(|event| file.push(event).expect("memory"));
        file.finish().expect("memory").body.len()
    };
    let plain = per("log file", events.len(), || fill(LogFile::new()));
    let hashed = per("and digest", events.len(), || fill(LogFile::hashed()));
    let logged = per("and entries", events.len(), || fill(LogFile::logged()));
    println!("a digest adds {:.1} %, entries {:.1} % more", share(plain, hashed), share(hashed, logged));

    let entry =
        Leaf::Event { position: 7, hash: [7; 32], id: "3038ebd2-c98a-4c65-9b6e-e22506292313".to_owned() }.to_bytes();
    let count = 500_000;
    per("append", count, || {
        let mut tree = Tree::default();
        let mut tiles = 0;
        (0..count).for_each(|_| tree.append(leaf_hash(&entry), |_, row| tiles += row.len()));
        tiles + tree.root().len()
    });
    prove_of_a_million();
}

/// The fastest of some rounds, in nanoseconds for each of `count`.
fn per(name: &str, count: usize, work: impl Fn() -> usize) -> f64 {
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        std::hint::black_box(work());
        fastest = fastest.min(start.elapsed());
    }
    let nanoseconds = fastest.as_nanos() as f64 / count as f64;
    println!("{name:12} {nanoseconds:7.0} ns");
    nanoseconds
}

fn share(before: f64, after: f64) -> f64 {
    100.0 * (after / before - 1.0)
}

fn id(number: u64) -> String {
    format!("{number:08x}-c98a-4c65-9b6e-e22506292313")
}

fn prove_of_a_million() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = "AWSLogs/111122223333/CloudTrail-Transparency/eu-west-1/main/20260115T100203Z/";
    let put = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    let (mut tree, mut bundle, mut number) = (Tree::default(), Vec::new(), 0u64);
    while tree.size() < MILLION {
        let within = tree.size() % (IN_FILE + 1);
        let leaf = if within == 0 {
            let key = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/{}.json.gz", tree.size());
            Leaf::File { records: IN_FILE as u32, hash: [1; 32], bucket: "audit".to_owned(), key }
        } else {
            number += 1;
            let record = format!(r#"{{"eventID":"{}"}}"#, id(number));
            let hash = opentrail_trail::transparency::merkle::sha256(record.as_bytes());
            Leaf::Event { position: within as u32 - 1, hash, id: id(number) }
        };
        let entry = leaf.to_bytes();
        push_entry(&mut bundle, &entry);
        let index = tree.size() / TILE_WIDTH;
        let mut full = Vec::new();
        tree.append(leaf_hash(&entry), |tile, row| full.push((tile, row)));
        full.iter().for_each(|(tile, row)| put(&format!("{log}{}", tile_path(*tile, TILE_WIDTH)), &tile_bytes(row)));
        if tree.size() % TILE_WIDTH == 0 {
            put(&format!("{log}{}", bundle_path(index, TILE_WIDTH)), &bundle);
            bundle.clear();
        }
    }
    let size = tree.size();
    put(&format!("{log}{}", bundle_path(size / TILE_WIDTH, size % TILE_WIDTH)), &bundle);
    for (tile, row) in tree.partial() {
        put(&format!("{log}{}", tile_path(tile, row.len() as u64)), &tile_bytes(row));
    }
    let checkpoint = Checkpoint { origin: "o".to_owned(), size, root: tree.root() };
    let note = Note::new(checkpoint.text(), &VerifierKey::of_log("o", [0; 32]), &[0; 64]);
    // The file of the first event, so that its record is read, too.
    let records: Vec<String> = (1..=IN_FILE).map(|number| format!(r#"{{"eventID":"{}"}}"#, id(number))).collect();
    let file = compress(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes()).expect("memory");
    put("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/0.json.gz", &file);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let archive: Arc<dyn Archive> = Arc::new(Folder::new(folder.path().to_owned()));
    let archived = ArchivedLog::new(archive, "", log);
    for (name, wanted) in [("the oldest", 1), ("one amid", number / 2), ("the newest", number)] {
        let start = Instant::now();
        let proof = runtime.block_on(async {
            let found = archived.find(&id(wanted), size, 32).await.expect("a log").expect("an event");
            archived.prove(&found, note.clone(), &checkpoint).await.expect("a proof")
        });
        let took = start.elapsed();
        let leaf = leaf_hash(&proof.leaf);
        assert!(verify_inclusion(&proof.hashes, &leaf, proof.index, size, &checkpoint.root));
        assert_eq!(proof.record.is_some(), wanted == 1);
        println!("prove {name:10} of {size} entries: {took:?}, {} bytes", proof.to_string().len());
    }
}
