//! Many appenders at once, on every kind of runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]

use bytes::Bytes;
use event::Event;
use opentrail_journal::{Journal, Options, ReadLimit, Seq};
use std::collections::HashMap;
use std::time::Duration;

fn event(id: u64) -> Event {
    let json = format!(
        r#"{{"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","eventID":"{id}"}}"#
    );
    Event::from_json(Bytes::from(json)).unwrap()
}

fn everything(journal: &Journal) -> HashMap<u64, Seq> {
    let mut reader = journal.reader(Seq(0));
    let mut found = HashMap::new();
    loop {
        let entries = reader.read(ReadLimit::default()).unwrap();
        if entries.is_empty() {
            return found;
        }
        for entry in entries {
            assert_eq!(entry.seq, Seq(found.len() as u64), "dense");
            assert!(found.insert(entry.event.id().parse().unwrap(), entry.seq).is_none(), "exactly once");
        }
    }
}

/// Appends `each` events from each of `tasks` tasks; returns who got which place.
async fn appends(journal: Journal, tasks: u64, each: u64, first: u64) -> Vec<(u64, Seq)> {
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let appender = journal.appender();
            tokio::spawn(async move {
                let mut got: Vec<(u64, Seq)> = Vec::new();
                for n in 0..each {
                    let id = first + task * each + n;
                    if n % 5 == 4 {
                        // The caller gives up at once: the event is appended all the same.
                        let append = appender.append(event(id));
                        assert!(append.is_queued());
                        drop(append);
                    } else {
                        let seq = appender.append(event(id)).await.unwrap();
                        assert!(got.last().is_none_or(|last| last.1 < seq), "in the order of one caller");
                        got.push((id, seq));
                    }
                }
                got
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

#[test]
fn every_event_has_one_place_and_the_places_are_dense() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 50_000, recent_bytes: 20_000, ..Options::default() };
    let journal = Journal::open(dir.path(), options.clone()).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                let mut runtime = match thread {
                    0 => tokio::runtime::Builder::new_multi_thread(),
                    _ => tokio::runtime::Builder::new_current_thread(),
                };
                let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(appends(journal, 40, 25, thread * 1000))
            })
        })
        .collect();
    let told: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    journal.close().unwrap();
    let found = everything(&journal);
    assert_eq!(found.len(), 3000);
    assert!(told.iter().all(|(id, seq)| found[id] == *seq));
    drop(journal);

    let reopened = Journal::open(dir.path(), options).unwrap();
    assert_eq!(everything(&reopened), found);
}

#[test]
fn appends_resolve_though_the_task_that_should_wake_them_is_never_polled() {
    // Each future is polled once and then left alone, alive: whichever is woken first passes nothing on.
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for round in 0..20 {
            let mut idle: Vec<_> = (0..10).map(|n| journal.appender().append(event(round * 100 + n))).collect();
            let waiting: Vec<_> = (0..10)
                .map(|n| {
                    let append = journal.appender().append(event(round * 100 + 50 + n));
                    tokio::spawn(tokio::time::timeout(Duration::from_secs(20), append))
                })
                .collect();
            // They wait first, so that an idle one is the last to come, which is the first to be woken.
            tokio::task::yield_now().await;
            for append in &mut idle {
                let never = std::task::Waker::noop();
                let _ = std::pin::Pin::new(append).poll(&mut std::task::Context::from_waker(never));
            }
            for append in waiting {
                append.await.unwrap().expect("woken in time").unwrap();
            }
            drop(idle);
        }
    });
}

#[test]
fn a_batch_of_many_events_stays_together() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..10u64)
            .map(|task| {
                let appender = journal.appender();
                tokio::spawn(async move {
                    for n in 0..10 {
                        let first = task * 1000 + n * 100;
                        let last = appender.append_all((first..first + 7).map(event).collect()).await.unwrap();
                        assert!(last.0 % 7 == 6, "others stood between");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(everything(&journal).len(), 700);
}
