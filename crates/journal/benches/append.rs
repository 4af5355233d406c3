//! How fast events become durable: `cargo bench -p opentrail-journal --bench append [-- DIR [throughput|single|reading]]`.
//!
//! Prints, all from one run on one disk:
//!
//! 1. Throughput: events of 1 KiB appended in batches by concurrent writers, against plain `write` and `fdatasync` of
//!    the same bytes in the same batch sizes (the sizes that the journal really made), on a file set aside in the same way.
//! 2. Single appends by 1 to 1024 concurrent writers on two single-threaded runtimes, as a proxy's connections are: rate, latency, and
//!    CPU time per append of the whole process, kernel time included.
//! 3. Reading: entries per second from files, and from memory at the tail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may stop at anything unexpected"
)]

use bytes::Bytes;
use event::Event;
use opentrail_journal::{Journal, Options, ReadLimit, Seq};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EVENT_BYTES: usize = 1024;
const RUN: Duration = Duration::from_secs(1);
const ROUNDS: usize = 4;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let dir = args.first().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir).expect("a folder to write to");
    let wanted = |part: &str| args.get(1).is_none_or(|only| only == part);
    println!("folder {}, events of {EVENT_BYTES} bytes, {} cores\n", dir.path().display(), cores());
    if wanted("throughput") {
        throughput(dir.path());
    }
    if wanted("single") {
        single_appends(dir.path());
    }
    if wanted("reading") {
        reading(dir.path());
    }
}

fn throughput(dir: &Path) {
    println!(
        "durable throughput, batches by concurrent writers; raw: the same bytes in the same batches, in turns of a second"
    );
    println!(
        "{:>8} {:>8} {:>12} {:>9} {:>12} {:>12} {:>7} {:>13}",
        "writers", "batch", "events/s", "MB/s", "per sync", "raw MB/s", "ratio", "CPU µs/event"
    );
    for (writers, batch) in [(2, 64), (8, 64), (8, 256), (8, 1024), (32, 256)] {
        let mut sum = Measured::default();
        let (mut raw_bytes, mut raw_seconds) = (0, 0.0);
        for _ in 0..ROUNDS {
            let path = dir.join("throughput");
            let journal = Journal::open(&path, Options::default()).expect("opens");
            let measured = drive(&journal, writers, batch, 2);
            journal.close().expect("closes");
            drop(journal);
            std::fs::remove_dir_all(&path).expect("removes");
            let (bytes, seconds) = raw(dir, (measured.bytes / measured.syncs.max(1)) as usize);
            raw_bytes += bytes;
            raw_seconds += seconds;
            sum.add(measured);
        }
        let (own, raw) = (sum.bytes as f64 / sum.seconds, raw_bytes as f64 / raw_seconds);
        println!(
            "{writers:>8} {batch:>8} {:>12.0} {:>9.1} {:>12.1} {:>12.1} {:>7.2} {:>13.2}",
            sum.events as f64 / sum.seconds,
            own / 1e6,
            sum.events as f64 / sum.syncs.max(1) as f64,
            raw / 1e6,
            own / raw,
            sum.cpu_seconds * 1e6 / sum.events as f64,
        );
    }
    println!();
}

fn single_appends(dir: &Path) {
    println!("single appends on two single-threaded runtimes");
    println!(
        "{:>8} {:>12} {:>10} {:>10} {:>10} {:>12} {:>14}",
        "writers", "events/s", "p50 µs", "p99 µs", "per sync", "CPU µs each", "sync CPU µs"
    );
    for writers in [1, 2, 8, 16, 64, 256, 1024] {
        let path = dir.join(format!("single-{writers}"));
        let journal = Journal::open(&path, Options::default()).expect("opens");
        let mut measured = Measured::default();
        (0..ROUNDS).for_each(|_| measured.add(drive(&journal, writers, 1, 2)));
        journal.close().expect("closes");
        drop(journal);
        std::fs::remove_dir_all(&path).expect("removes");
        measured.latencies.sort_unstable();
        let at = |share: f64| {
            let index = (measured.latencies.len().saturating_sub(1)) as f64 * share;
            measured.latencies.get(index as usize).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        println!(
            "{writers:>8} {:>12.0} {:>10.0} {:>10.0} {:>10.1} {:>12.2} {:>14.1}",
            measured.events as f64 / measured.seconds,
            at(0.5),
            at(0.99),
            measured.events as f64 / measured.syncs.max(1) as f64,
            measured.cpu_seconds * 1e6 / measured.events as f64,
            measured.writer_cpu_seconds * 1e6 / measured.syncs.max(1) as f64,
        );
    }
    println!();
}

fn reading(dir: &Path) {
    let path = dir.join("reading");
    let journal = Journal::open(&path, Options::default()).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..200 {
        runtime.block_on(journal.appender().append_all((0..1000).map(event).collect())).expect("appends");
    }
    let time = |from: u64| {
        let started = Instant::now();
        let mut reader = journal.reader(Seq(from));
        let mut count = 0;
        loop {
            let entries = reader.read(ReadLimit::default()).expect("reads");
            if entries.is_empty() {
                return count as f64 / started.elapsed().as_secs_f64();
            }
            count += entries.len();
        }
    };
    println!("reading: {:.0} entries/s from files, {:.0} entries/s from memory", time(0), time(journal.end().0 - 4000));
    journal.close().expect("closes");
    drop(journal);
    let started = Instant::now();
    let journal = Journal::open(&path, Options::default()).expect("opens");
    println!("opening {} entries: {:.1} ms", journal.end(), started.elapsed().as_secs_f64() * 1e3);
}

#[derive(Default)]
struct Measured {
    events: u64,
    bytes: u64,
    syncs: u64,
    seconds: f64,
    cpu_seconds: f64,
    writer_cpu_seconds: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    fn add(&mut self, other: Measured) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.syncs += other.syncs;
        self.seconds += other.seconds;
        self.cpu_seconds += other.cpu_seconds;
        self.writer_cpu_seconds += other.writer_cpu_seconds;
        self.latencies.extend(other.latencies);
    }
}

/// Appends from `writers` tasks on `threads` runtimes, each again as soon as its last is durable.
fn drive(journal: &Journal, writers: usize, batch: usize, threads: usize) -> Measured {
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let share = writers / threads + usize::from(thread < writers % threads);
            let (appender, stop) = (journal.appender(), stop.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let tasks: Vec<_> = (0..share)
                        .map(|_| {
                            let (appender, stop) = (appender.clone(), stop.clone());
                            tokio::spawn(async move {
                                let one = event(1);
                                let (mut events, mut latencies) = (0u64, Vec::new());
                                while !stop.load(Ordering::Relaxed) {
                                    let started = Instant::now();
                                    if batch == 1 {
                                        appender.append(one.clone()).await.expect("appends");
                                    } else {
                                        appender.append_all(vec![one.clone(); batch]).await.expect("appends");
                                    }
                                    latencies.push(started.elapsed());
                                    events += batch as u64;
                                }
                                (events, latencies)
                            })
                        })
                        .collect();
                    let mut all = (0, Vec::new());
                    for task in tasks {
                        let (events, latencies) = task.await.expect("ends");
                        all.0 += events;
                        all.1.extend(latencies);
                    }
                    all
                })
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let before = (counted(journal), cpu(None), cpu(Some("journal")), Instant::now());
    std::thread::sleep(RUN);
    let seconds = before.3.elapsed().as_secs_f64();
    let ([events, bytes, syncs], cpu, writer) = (counted(journal), cpu(None), cpu(Some("journal")));
    let mut measured = Measured {
        events: events - before.0[0],
        bytes: bytes - before.0[1],
        syncs: syncs - before.0[2],
        seconds,
        cpu_seconds: cpu - before.1,
        writer_cpu_seconds: writer - before.2,
        latencies: Vec::new(),
    };
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        measured.latencies.extend(worker.join().expect("ends").1);
    }
    measured
}

/// Plain writes of `bytes`, each synced: how many bytes in how many seconds.
fn raw(dir: &Path, bytes: usize) -> (u64, f64) {
    const RESERVED: u64 = 64 << 20;
    let block = vec![0x5a_u8; bytes.max(1)];
    let path = dir.join("raw");
    let (mut written, mut seconds) = (0, 0.0);
    while seconds < RUN.as_secs_f64() {
        let mut file = reserved(&path, RESERVED);
        let (started, mut length) = (Instant::now(), 0);
        while length + bytes as u64 <= RESERVED && started.elapsed() < RUN {
            file.write_all(&block).expect("writes");
            file.sync_data().expect("syncs");
            length += bytes as u64;
        }
        seconds += started.elapsed().as_secs_f64();
        written += length;
    }
    std::fs::remove_file(&path).expect("removes");
    (written, seconds)
}

fn reserved(path: &Path, bytes: u64) -> File {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("creates");
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("sets space aside");
    file.sync_all().expect("syncs");
    file
}

/// A plausible event of about 1 KiB.
fn event(n: u64) -> Event {
    let head = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::123456789012:user/bench","accountId":"123456789012","accessKeyId":"AKIAEXAMPLE","userName":"bench"}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"dynamodb.amazonaws.com","eventName":"PutItem","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.7","userAgent":"bench","requestParameters":{{"tableName":"t","n":{n},"filling":""#
    );
    let tail = r#""},"responseElements":null,"requestID":"EXAMPLE","eventID":"6f1f2d8c-2e0f-4d2a-9a55-0d0f6d1b7a11","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}"#;
    let filling = EVENT_BYTES.saturating_sub(head.len() + tail.len());
    Event::from_json(Bytes::from(format!("{head}{}{tail}", "x".repeat(filling)))).expect("a record")
}

/// Entries, bytes and syncs so far, as the journal's own metrics count them.
fn counted(journal: &Journal) -> [u64; 3] {
    let mut registry = prometheus_client::registry::Registry::default();
    journal.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    ["entries_total ", "bytes_total ", "sync_seconds_count "].map(|name| {
        let name = format!("opentrail_journal_{name}");
        let count = text.lines().find_map(|line| line.strip_prefix(name.as_str()));
        count.and_then(|count| count.parse().ok()).expect("a count")
    })
}

/// CPU time of this process's threads, or of those with a name, in seconds (Linux).
fn cpu(name: Option<&str>) -> f64 {
    let mut nanoseconds = 0u64;
    for task in std::fs::read_dir("/proc/self/task").expect("a proc file system").flatten() {
        let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if name.is_none_or(|name| read("comm").trim() == name) {
            nanoseconds += read("schedstat").split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    nanoseconds as f64 / 1e9
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
