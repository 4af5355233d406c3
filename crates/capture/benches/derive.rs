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
    let replays: Vec<rebuild::Replay> =
        corpus::records().iter().filter_map(|record| rebuild::Replay::of(record).ok()).collect();
    let mut times: Vec<(u128, usize, String)> = replays.iter().map(measure).collect();
    times.sort();
    let at = |percent: usize| times.get((times.len() - 1) * percent / 100).map_or(0, |(time, ..)| *time);
    println!(
        "{} records: p10 {} ns, median {} ns, p90 {} ns, p99 {} ns, slowest {:?}",
        times.len(),
        at(10),
        at(50),
        at(90),
        at(99),
        times.last()
    );
}

/// The best of several rounds, the size of the record and its name.
fn measure(replay: &rebuild::Replay) -> (u128, usize, String) {
    replay.with_exchange(|recorder, exchange| {
        let mut best = u128::MAX;
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let opened = recorder.open(&exchange.request);
            let verdict = black_box(recorder.record(black_box(&opened), black_box(exchange)));
            best = best.min(start.elapsed().as_nanos());
            if let opentrail_capture::Verdict::Record(events) = verdict {
                bytes = events.first().map_or(0, |event| event.json().len());
            }
        }
        (best, bytes, replay.operation.name().to_owned())
    })
}
