//! Sustained delivery on one core: how fast events are journaled, selected, compressed and stored, against the raw gzip
//! library on the same bytes at the same level.
//!
//!     cargo bench -p opentrail-trail --bench delivery [-- MEGABYTES]
//!
//! The whole way: a batch of events is appended to a journal that syncs, the router reads it, the selectors of a trail are
//! asked, its follower gathers, compresses and cuts, and each file is written and synced. All threads are kept on one core
//! (the program starts itself again under `taskset`). Everything is done in one run, raw gzip before and after, and what is
//! printed is the ratio; the bar is 70 %.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may stop at anything unexpected"
)]

use bytes::Bytes;
use event::Event;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use journal::{FollowOptions, Journal};
use opentrail_trail::{
    BucketError, Delivery, DeliveryOptions, Home, LogBucket, NotifyOptions, ObjectHeaders, SigningKeys,
};
use registry::{Expected, Registry, Trail};
use serde_json::value::RawValue;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FILE: &str = "testdata/invictus/218007301253_CloudTrail_us-east-1_20230710T1200Z_iLj9fb7yyUG9X4Bf.json.gz";
/// Enough that the beginning and the last file, for which nothing else is to be done meanwhile, are a small part.
const MEGABYTES: usize = 600;
/// Level and step of `logfile.rs`.
const LEVEL: u32 = 6;
const STEP: usize = 48 * 1024;
/// Events that come at once.
const BATCH: usize = 200;
/// Callers who append, each the next batch when its last is on the disk.
const CALLERS: usize = 8;

/// Delivery that is sustained keeps up: events come no faster than they are delivered, but for so many, fewer than the journal
/// keeps in memory.
const LAG: u64 = 8_000;

/// What is compressed into one file, bytes: a cut holds no more.
const FILE_BYTES: usize = 50_000_000;

#[derive(serde::Deserialize)]
struct Records {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

/// A bucket that is a folder: each object is on the disk when it is answered.
struct Files {
    folder: PathBuf,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl LogBucket for Files {
    fn check_bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        key: &'a str,
        body: Bytes,
        _: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        if key.contains("/CloudTrail/") {
            self.bytes.fetch_add(body.len(), Ordering::Relaxed);
        }
        let path = self.folder.join(number.to_string());
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                let mut file = std::fs::File::create(path)?;
                file.write_all(&body)?;
                file.sync_all()
            });
            written.await.unwrap().unwrap();
            Ok(())
        })
    }
}

fn main() {
    if std::thread::available_parallelism().map_or(1, usize::from) > 1 {
        let program = std::env::current_exe().unwrap();
        let failed =
            std::process::Command::new("taskset").args(["-c", "0"]).arg(program).args(std::env::args().skip(1)).exec();
        panic!("taskset (util-linux) keeps this on one core, and cannot be run: {failed}");
    }
    let megabytes = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MEGABYTES);
    let events = events(megabytes * 1_000_000);
    let bytes: usize = events.iter().map(|event| event.json().len()).sum();
    println!("{} records, {:.0} MB, one core", events.len(), bytes as f64 / 1e6);
    let told = |name: &str, time: Duration, size: usize| {
        let speed = bytes as f64 / time.as_secs_f64() / 1e6;
        println!("{name:28} {speed:6.0} MB/s  {:5.2} % of the size", 100.0 * size as f64 / bytes as f64);
        speed
    };
    let (before, size) = timed(|| raw_gzip(&events));
    told("raw gzip", before, size);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // Who asks first for memory, also for the system's cache of files, pays for it; what is sustained has it.
    runtime.block_on(deliver(&events, false));
    let plain = runtime.block_on(deliver(&events, false));
    let digested = runtime.block_on(deliver(&events, true));
    let (after, _) = timed(|| raw_gzip(&events));
    for (_, stored) in [&plain, &digested] {
        assert!(stored.abs_diff(size) < size / 50, "everything is delivered, at the same ratio: {stored} for {size}");
    }
    let raw = told("raw gzip, again", after.min(before), size);
    let plain = told("delivered", plain.0, plain.1);
    let digested = told("delivered, with digests", digested.0, digested.1);
    println!("\ndelivered:                {:5.1} % of the speed of raw gzip (bar: 70)", 100.0 * plain / raw);
    println!("delivered, with digests:  {:5.1} % (each byte is hashed as well)", 100.0 * digested / raw);
}

/// What a piece of work takes, and gives.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

/// The records of a real file, again and again, so many bytes of them. Each is an event of its own, as they come in life.
fn events(bytes: usize) -> Vec<Event> {
    let file = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).expect("the fixture");
    let read: Records = serde_json::from_reader(GzDecoder::new(&file[..])).expect("a log file");
    let mut left = bytes;
    let records = read.records.iter().cycle().take_while(|record| {
        let goes_on = left > 0;
        left = left.saturating_sub(record.get().len());
        goes_on
    });
    records.map(|record| Event::from_text(record.get()).expect("a record")).collect()
}

/// The library alone: the same files, in the same steps.
fn raw_gzip(events: &[Event]) -> usize {
    let new = || -> GzEncoder<Vec<u8>> { GzBuilder::new().write(Vec::new(), Compression::new(LEVEL)) };
    let (mut size, mut encoder, mut waiting, mut taken) = (0, new(), Vec::with_capacity(2 * STEP), 0);
    for event in events {
        if taken + event.json().len() > FILE_BYTES {
            encoder.write_all(&waiting).unwrap();
            waiting.clear();
            size += std::mem::replace(&mut encoder, new()).finish().unwrap().len();
            taken = 0;
        }
        waiting.extend_from_slice(event.json());
        taken += event.json().len();
        if waiting.len() >= STEP {
            encoder.write_all(&waiting).unwrap();
            waiting.clear();
        }
    }
    encoder.write_all(&waiting).unwrap();
    size + encoder.finish().unwrap().len()
}

/// Journals and delivers all events; gives the time from the first append to the last file, and the bytes stored.
async fn deliver(events: &[Event], digested: bool) -> (Duration, usize) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal"), journal::Options::default()).unwrap();
    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let account = events.first().map_or("", |event| event.account());
    let mut trail = Trail {
        is_multi_region_trail: true,
        log_file_validation_enabled: digested,
        ..Trail::new("us-east-1", account, "bench", "audit", now_ms())
    };
    trail.logging.start(0, now_ms(), 0);
    registry.put(trail, Expected::Absent).unwrap();
    let (count, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let bucket = Arc::new(Files { folder: folder.path().to_owned(), count, bytes });
    let options = DeliveryOptions {
        home: Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
        transparency: None,
        interval: Duration::from_secs(3600),
        digest_interval: Duration::from_secs(3600),
        keys: SigningKeys::open(&registry, &folder.path().join("digest.key")).unwrap(),
        follow: FollowOptions { drain: Duration::from_secs(120), ..FollowOptions::default() },
        now_ms: Arc::new(now_ms),
        notify: NotifyOptions::default(),
    };
    let delivery = Delivery::start(&journal, &registry, Arc::<Files>::clone(&bucket), options).unwrap();
    let appender = journal.appender();
    let start = Instant::now();
    let mut appends = stream::iter(events.chunks(BATCH))
        .map(|batch| {
            let (journal, appender) = (&journal, &appender);
            async move {
                while journal.followers().iter().any(|follower| follower.lag > LAG) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                appender.append_all(batch.to_vec()).await
            }
        })
        .buffer_unordered(CALLERS);
    while let Some(appended) = appends.next().await {
        appended.unwrap();
    }
    delivery.drain().await;
    let time = start.elapsed();
    journal.close().unwrap();
    (time, bucket.bytes.load(Ordering::Relaxed))
}
