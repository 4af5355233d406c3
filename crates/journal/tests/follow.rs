//! The follower loop: order, retries, position, deadlines, drain, and what an operator sees of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at anything unexpected")]

use bytes::Bytes;
use event::Event;
use opentrail_journal::{
    Ahead, Entry, Flush, FollowError, FollowOptions, Follower, Journal, JournalError, Options, ReadLimit, Reading,
    RetainPolicy, Seq, follow,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

fn event(id: u64) -> Event {
    let json = format!(
        r#"{{"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","eventID":"{id}"}}"#
    );
    Event::from_json(Bytes::from(json)).unwrap()
}

/// What happened to a follower.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    Position,
    Took(Vec<u64>),
    Refused(Vec<u64>),
    Flushed(Flush),
    FlushRefused(Flush),
}

/// A follower that writes down what happens to it, and fails the calls whose number it is told.
struct Recorder {
    position: Seq,
    fails: fn(usize) -> bool,
    calls: Arc<Mutex<Vec<Call>>>,
    /// Asks to be flushed so long after it took something.
    flush_after: Option<Duration>,
    due: Option<Instant>,
    hangs: bool,
    panics: bool,
    ahead: Option<Ahead>,
}

impl Recorder {
    fn at(position: u64) -> Recorder {
        Recorder {
            position: Seq(position),
            fails: |_| false,
            calls: Arc::default(),
            flush_after: None,
            due: None,
            hangs: false,
            panics: false,
            ahead: None,
        }
    }

    fn note(&self, good: Call, bad: Call) -> Result<(), FollowError> {
        let mut calls = self.calls.lock().unwrap();
        let fails = (self.fails)(calls.len());
        calls.push(if fails { bad } else { good });
        if fails { Err(FollowError::new("the sink is away")) } else { Ok(()) }
    }
}

impl Follower for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn ahead(&self) -> Option<Ahead> {
        self.ahead.clone()
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        self.note(Call::Position, Call::Position)?;
        Ok(self.position)
    }

    async fn follow(&mut self, batch: &[Entry]) -> Result<(), FollowError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        assert!(!self.panics, "as the test wants it");
        let seqs: Vec<u64> = batch.iter().map(|entry| entry.seq.0).collect();
        assert!(batch.iter().all(|entry| entry.event.id() == entry.seq.to_string()));
        self.note(Call::Took(seqs.clone()), Call::Refused(seqs))?;
        self.due = self.flush_after.map(|after| Instant::now() + after);
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }

    async fn flush(&mut self, why: Flush) -> Result<(), FollowError> {
        self.note(Call::Flushed(why), Call::FlushRefused(why))?;
        self.due = None;
        Ok(())
    }
}

fn quick() -> FollowOptions {
    FollowOptions {
        batch: ReadLimit { max_entries: 10, max_bytes: 1 << 20 },
        linger: Duration::from_millis(1),
        backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(10),
        drain: Duration::from_secs(20),
    }
}

fn journal(dir: &tempfile::TempDir) -> Journal {
    let options = Options { segment_bytes: 4000, recent_bytes: 2000, ..Options::default() };
    Journal::open(dir.path(), options).unwrap()
}

async fn append(journal: &Journal, ids: std::ops::Range<u64>) {
    journal.appender().append_all(ids.map(event).collect()).await.unwrap();
}

fn taken(calls: &[Call]) -> Vec<u64> {
    calls
        .iter()
        .filter_map(|call| if let Call::Took(seqs) = call { Some(seqs.clone()) } else { None })
        .flatten()
        .collect()
}

/// Waits until `done`, which must come true.
async fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "never came true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_follower_that_fails_sometimes_sees_every_entry_in_order_from_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..57).await;
    let follower = Recorder { fails: |call| call % 3 == 0, ..Recorder::at(5) };
    let calls = follower.calls.clone();
    let (stop, stopped) = oneshot::channel();
    let (handle, running) = follow(&journal, follower, quick(), async { drop(stopped.await) });
    let running = tokio::spawn(running);
    append(&journal, 57..100).await;
    until(|| handle.status().position == Some(Seq(100))).await;
    append(&journal, 100..120).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();

    let calls = calls.lock().unwrap();
    assert_eq!(taken(&calls), (5..120).collect::<Vec<_>>());
    for pair in calls.windows(2) {
        if let [Call::Refused(before), after] = pair {
            let same = |seqs: &Vec<u64>| seqs == before;
            assert!(
                matches!(after, Call::Refused(seqs) | Call::Took(seqs) if same(seqs)),
                "the same batch again: {pair:?}"
            );
        }
    }
    assert_eq!(calls.last(), Some(&Call::Flushed(Flush::Drain)));
    assert_eq!(calls.iter().filter(|call| **call == Call::Flushed(Flush::Drain)).count(), 1);
    assert!(!handle.status().running);
    assert!(journal.followers().is_empty(), "what has ended as it should is nobody's worry");
}

#[tokio::test]
async fn shutdown_delivers_what_is_durable_and_then_flushes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..95).await;
    let follower = Recorder { fails: |call| call < 4, ..Recorder::at(0) };
    let calls = follower.calls.clone();
    let (_, running) = follow(&journal, follower, quick(), std::future::ready(()));
    running.await.unwrap();
    let calls = calls.lock().unwrap();
    assert_eq!(taken(&calls), (0..95).collect::<Vec<_>>());
    assert_eq!(calls.last(), Some(&Call::Flushed(Flush::Drain)));
}

#[tokio::test]
async fn a_follower_is_flushed_at_its_deadline_and_again_where_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..3).await;
    let after = Duration::from_millis(30);
    let follower = Recorder { flush_after: Some(after), fails: |call| call == 2, ..Recorder::at(0) };
    let calls = follower.calls.clone();
    let (_stop, stopped) = oneshot::channel::<()>();
    let started = Instant::now();
    let (_, running) = follow(&journal, follower, quick(), async { drop(stopped.await) });
    tokio::spawn(running);
    until(|| calls.lock().unwrap().len() >= 4).await;
    assert!(started.elapsed() >= after);
    let expected = [
        Call::Position,
        Call::Took(vec![0, 1, 2]),
        Call::FlushRefused(Flush::Deadline),
        Call::Flushed(Flush::Deadline),
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_drain_that_hangs_ends_when_its_time_is_up() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..3).await;
    let options = FollowOptions { drain: Duration::from_millis(50), ..quick() };
    let follower = Recorder { hangs: true, ..Recorder::at(0) };
    let (handle, running) = follow(&journal, follower, options, std::future::ready(()));
    running.await.unwrap();
    let status = handle.status();
    assert_eq!((status.running, status.position, status.lag), (false, Some(Seq(0)), 3));
    assert!(status.last_error.unwrap().contains("ran out of time"));
}

#[tokio::test]
async fn a_follower_past_the_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..3).await;
    let (handle, running) = follow(&journal, Recorder::at(4), quick(), std::future::pending());
    assert!(matches!(running.await, Err(JournalError::Ahead { position: Seq(4), end: Seq(3), .. })));
    assert!(handle.status().last_error.unwrap().contains("past the end"));
    assert_eq!(journal.followers().len(), 1, "health shows what an error has ended");
}

#[tokio::test]
async fn health_shows_a_follower_that_panicked() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..3).await;
    let follower = Recorder { panics: true, ..Recorder::at(0) };
    let (_, running) = follow(&journal, follower, quick(), std::future::pending());
    assert!(tokio::spawn(running).await.is_err_and(|error| error.is_panic()));
    let status = &journal.followers()[0];
    assert_eq!((status.running, status.last_error.as_deref()), (false, Some("it panicked")));
}

#[tokio::test]
async fn a_loop_that_has_ended_holds_nothing_of_its_follower() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    let held = Arc::new(());
    let ahead: Ahead = Arc::new({
        let held = Arc::clone(&held);
        move || {
            let _ = &held;
            None
        }
    });
    let follower = Recorder { ahead: Some(ahead), ..Recorder::at(0) };
    let (_, running) = follow(&journal, follower, quick(), std::future::ready(()));
    drop(running.await.unwrap());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn entries_that_retention_removed_are_skipped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    for n in 0..100 {
        append(&journal, n..n + 1).await;
    }
    journal.retain(&RetainPolicy { before: Some(Seq(60)), ..RetainPolicy::default() }).unwrap();
    let start = journal.start();
    assert!(start > Seq(0) && start <= Seq(60));
    let follower = Recorder::at(0);
    let calls = follower.calls.clone();
    let (handle, running) = follow(&journal, follower, quick(), std::future::ready(()));
    running.await.unwrap();
    assert_eq!(handle.status().skipped, start.0);
    assert_eq!(taken(&calls.lock().unwrap()), (start.0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn health_and_metrics_show_a_follower_that_cannot_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(&dir);
    append(&journal, 0..7).await;
    let follower = Recorder { fails: |call| call > 0, ..Recorder::at(2) };
    let (handle, running) = follow(&journal, follower, quick(), std::future::pending());
    let running = tokio::spawn(running);
    until(|| handle.status().failures >= 3).await;
    let status = &journal.followers()[0];
    assert_eq!(
        (status.name.as_str(), status.position, status.lag, status.running),
        ("recorder", Some(Seq(2)), 5, true)
    );
    assert_eq!(status.last_error.as_deref(), Some("the sink is away"));

    let mut registry = prometheus_client::registry::Registry::default();
    journal.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "opentrail_follower_lag_entries{follower=\"recorder\"} 5",
        "opentrail_journal_entries_total 7",
        "opentrail_journal_sync_seconds_count 1",
        "opentrail_journal_stopped 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    running.abort();
}

/// A follower for which somebody else picks: odd entries, up to where they have come.
struct Picky {
    direct_to: u64,
    picked: tokio::sync::mpsc::UnboundedReceiver<(Vec<Entry>, Seq)>,
    next: Option<(Vec<Entry>, Seq)>,
    at: Seq,
    took: Arc<Mutex<Vec<u64>>>,
}

impl Follower for Picky {
    fn name(&self) -> &str {
        "picky"
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        Ok(Seq(0))
    }

    fn reading(&mut self) -> Reading {
        if self.at.0 < self.direct_to {
            return Reading::Journal(Some(Seq(self.direct_to)));
        }
        let (entries, to) = self.next.take().unwrap_or((Vec::new(), self.at));
        self.at = to;
        Reading::Picked(entries, to)
    }

    async fn picked(&mut self) {
        self.next = self.picked.recv().await;
    }

    async fn follow(&mut self, batch: &[Entry]) -> Result<(), FollowError> {
        self.took.lock().unwrap().extend(batch.iter().map(|entry| entry.seq.0));
        self.at = self.at.max(batch.last().unwrap().seq.next());
        Ok(())
    }
}

#[tokio::test]
async fn a_follower_reads_up_to_a_place_and_then_takes_what_is_picked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Options::default()).unwrap();
    let appender = journal.appender();
    for id in 0..10 {
        appender.append(event(id)).await.unwrap();
    }
    let (send, picked) = tokio::sync::mpsc::unbounded_channel();
    let took = Arc::new(Mutex::new(Vec::new()));
    let picky = Picky { direct_to: 4, picked, next: None, at: Seq(0), took: Arc::clone(&took) };
    let (stop, stopped) = oneshot::channel::<()>();
    let (handle, running) = follow(&journal, picky, FollowOptions::default(), async {
        let _ = stopped.await;
    });
    let running = tokio::spawn(running);
    let odd: Vec<Entry> = journal
        .reader(Seq(4))
        .read(ReadLimit::default())
        .unwrap()
        .into_iter()
        .filter(|entry| entry.seq.0 % 2 == 1)
        .collect();
    send.send((odd[..1].to_vec(), Seq(6))).unwrap();
    send.send((odd[1..].to_vec(), Seq(10))).unwrap();
    let waited = Instant::now();
    while handle.status().lag > 0 {
        assert!(waited.elapsed() < Duration::from_secs(10), "{handle:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stop);
    running.await.unwrap().unwrap();
    assert_eq!(*took.lock().unwrap(), [0, 1, 2, 3, 5, 7, 9]);
}
