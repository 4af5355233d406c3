//! How long deriving a record takes: `Recorder::open` and `Recorder::record` over the replayable records of the corpus.
//! Prints percentiles in nanoseconds of wall time, each record being measured as the best of several rounds.
//!
//! `cargo bench -p opentrail-capture --bench derive`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why")]
#![allow(dead_code, reason = "shares the rebuilding with the golden test and uses a part of it")]

#[path = "../tests/golden/compare.rs"]
mod compare;
#[path = "../tests/golden/corpus.rs"]
mod corpus;
#[path = "../tests/golden/ec2.rs"]
mod ec2;
#[path = "../tests/golden/rebuild.rs"]
mod rebuild;
#[path = "../tests/golden/s3.rs"]
mod s3;
#[path = "../tests/golden/value.rs"]
mod value;
#[path = "../tests/golden/wire.rs"]
mod wire;

use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 30;

fn main() {
    let records = corpus::records();
    let replays: Vec<rebuild::Replay> = records.iter().filter_map(|record| rebuild::Replay::of(record).ok()).collect();
    let times: Vec<Times> = replays.iter().map(measure).collect();
    println!("{} records, nanoseconds:", times.len());
    say("open (name the call)", times.iter().map(|times| times.open).collect());
    say("record (decode, redact, serialise, index)", times.iter().map(|times| times.record).collect());
    say("both", times.iter().map(|times| times.open + times.record).collect());
}

fn say(what: &str, mut times: Vec<u128>) {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() - 1) * percent / 100).copied().unwrap_or_default();
    println!("  {what}: p10 {}, median {}, p90 {}, p99 {}, most {}", at(10), at(50), at(90), at(99), at(100));
}

/// The best of several rounds.
struct Times {
    open: u128,
    record: u128,
}

fn measure(replay: &rebuild::Replay) -> Times {
    replay.with_exchange(|recorder, exchange| {
        let mut best = Times { open: u128::MAX, record: u128::MAX };
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let opened = recorder.open(black_box(&exchange.request));
            let middle = Instant::now();
            black_box(recorder.record(black_box(&opened), black_box(exchange)));
            best.open = best.open.min((middle - start).as_nanos());
            best.record = best.record.min(middle.elapsed().as_nanos());
        }
        best
    })
}
