//! The promises of the whole, on a disk in memory that fails and loses power.

mod damage;

use crate::testing::{MemDisk, event};
use crate::{Clock, Durability, Journal, JournalError, Options, ReadLimit, RetainPolicy, Seq};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn is_poisoned<T>(outcome: Result<T, JournalError>) -> bool {
    matches!(outcome, Err(JournalError::Poisoned { .. }))
}

fn small() -> Options {
    Options { segment_bytes: 3000, recent_bytes: 4000, gather: Duration::ZERO, ..Options::default() }
}

fn open(disk: &MemDisk, options: &Options) -> Result<Journal, JournalError> {
    Journal::on(Box::new(disk.clone()), Path::new("memory"), options.clone())
}

/// `eventID`s from `from` on, and the places that go with them.
fn ids(journal: &Journal, from: Seq, limit: ReadLimit) -> Vec<(u64, u64)> {
    let entries = journal.read(from, limit).unwrap();
    assert!(entries.is_sorted_by_key(|entry| entry.appended_ms));
    entries.iter().map(|entry| (entry.seq.0, entry.event.id().parse().unwrap())).collect()
}

/// Everything there is, read in small pieces with one cursor.
fn everything(journal: &Journal) -> Vec<(u64, u64)> {
    let mut reader = journal.reader(journal.start());
    let mut all = Vec::new();
    loop {
        let piece = reader.read(ReadLimit { max_entries: 3, max_bytes: 700 }).unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend(piece.iter().map(|entry| (entry.seq.0, entry.event.id().parse().unwrap())));
    }
}

/// A number sequence from a seed (xorshift), to decide what survives.
fn chance(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 63 == 1
    }
}

#[test]
fn a_journal_without_entries_begins_where_its_readers_stand_and_another_goes_on() {
    let disk = MemDisk::default();
    let begin = |begin_at| Options { begin_at: Seq(begin_at), ..small() };
    for (begin_at, first) in [(42, 42), (7, 43)] {
        let journal = open(&disk, &begin(begin_at)).unwrap();
        assert_eq!(journal.end(), Seq(first));
        assert_eq!(block_on(journal.appender().append(event(1, 10))).unwrap(), Seq(first));
        journal.close().unwrap();
    }
}

#[derive(Debug, Clone)]
enum Act {
    Append(Vec<usize>),
    Read { from: prop::sample::Index, max_entries: usize, max_bytes: usize },
    Retain(prop::sample::Index),
    Close,
    PowerCut(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let read = (any::<prop::sample::Index>(), 0usize..20, 0usize..4000);
    prop_oneof![
        4 => prop::collection::vec(0usize..1500, 0..6).prop_map(Act::Append),
        3 => read.prop_map(|(from, max_entries, max_bytes)| Act::Read { from, max_entries, max_bytes }),
        1 => any::<prop::sample::Index>().prop_map(Act::Retain),
        1 => Just(Act::Close),
        1 => any::<u64>().prop_map(Act::PowerCut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, the journal is a plain `Vec` whose head is forgotten in pieces.
    #[test]
    fn it_is_a_vec(acts in prop::collection::vec(act(), 1..40), recent in prop_oneof![Just(0usize), Just(100_000)]) {
        let now = Arc::new(AtomicU64::new(1_000));
        let clock = { let now = now.clone(); Clock::new(move || now.load(Ordering::SeqCst)) };
        let options = Options { recent_bytes: recent, clock, ..small() };
        let mut disk = MemDisk::default();
        let mut journal = open(&disk, &options).unwrap();
        let mut count = 0u64;
        for act in acts {
            match act {
                Act::Append(sizes) => {
                    // The clock goes forth and back; the entries' times do not.
                    now.store(1_000 + (count * 7919) % 500, Ordering::SeqCst);
                    let events: Vec<_> = sizes.iter().enumerate().map(|(n, size)| event(count + n as u64, *size)).collect();
                    count += events.len() as u64;
                    let last = block_on(journal.appender().append_all(events)).unwrap();
                    prop_assert_eq!(last, Seq(count.saturating_sub(1)));
                }
                Act::Read { from, max_entries, max_bytes } => {
                    let (start, end) = (journal.start().0, journal.end().0);
                    let from = start + from.index((end - start + 1) as usize) as u64;
                    let got = ids(&journal, Seq(from), ReadLimit { max_entries, max_bytes });
                    let expected: Vec<_> = (from..end).take(got.len()).map(|n| (n, n)).collect();
                    prop_assert_eq!(&got, &expected);
                    prop_assert!(got.len() <= max_entries.max(1));
                    prop_assert!(!got.is_empty() || from == end);
                }
                Act::Retain(before) => {
                    let before = Seq(before.index(count as usize + 1) as u64);
                    let start = journal.start();
                    journal.retain(&RetainPolicy { before: Some(before), ..RetainPolicy::default() }).unwrap();
                    prop_assert!(journal.start() == start || journal.start() <= before);
                    if let Some(gone) = journal.start().0.checked_sub(1) {
                        let error = journal.read(Seq(gone), ReadLimit::default()).unwrap_err();
                        prop_assert!(matches!(error, JournalError::Gone { .. }), "{}", error);
                    }
                }
                Act::Close => {
                    journal.close().unwrap();
                    prop_assert!(matches!(block_on(journal.appender().append(event(0, 0))), Err(JournalError::Closed)));
                    journal = open(&disk, &options).unwrap();
                }
                Act::PowerCut(seed) => {
                    disk = disk.after_power_cut(chance(seed));
                    journal = open(&disk, &options).unwrap();
                }
            }
            prop_assert_eq!(journal.end(), Seq(count));
            let all: Vec<_> = (journal.start().0..count).map(|n| (n, n)).collect();
            prop_assert_eq!(everything(&journal), all);
        }
    }

    /// A power cut in the midst of appends: what was acknowledged before is there, and what is there is a prefix.
    #[test]
    fn a_power_cut_in_flight_loses_nothing_acknowledged(seed: u64, wait_us in 0u64..3000) {
        let disk = MemDisk::default();
        let journal = open(&disk, &Options { gather: Duration::from_micros(seed % 200), ..small() }).unwrap();
        let next = Arc::new(AtomicU64::new(0));
        let appenders: Vec<_> = (0..3).map(|_| {
            let (appender, next) = (journal.appender(), next.clone());
            std::thread::spawn(move || block_on(async {
                for _ in 0..20 {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    appender.append(event(n, (n as usize * 331) % 1800)).await.unwrap();
                }
            }))
        }).collect();
        std::thread::sleep(Duration::from_micros(wait_us));
        let acknowledged = journal.end();
        let after = disk.after_power_cut(chance(seed));
        appenders.into_iter().for_each(|appender| appender.join().unwrap());

        let reopened = open(&after, &small()).unwrap();
        prop_assert!(reopened.end() >= acknowledged);
        let mut expected = everything(&journal);
        expected.truncate(reopened.end().0 as usize);
        prop_assert_eq!(everything(&reopened), expected);
    }

    /// The disk fails once, at any change: from then on every append is refused, and what was acknowledged is there.
    #[test]
    fn a_disk_that_fails_once_stops_the_journal_for_good(fail_after in 0u32..25, sizes in prop::collection::vec(0usize..1800, 30), seed: u64) {
        let disk = MemDisk::default();
        let journal = open(&disk, &small()).unwrap();
        disk.fail_after(fail_after);
        let mut acknowledged = 0;
        let mut refused = false;
        for (n, size) in sizes.iter().enumerate() {
            match block_on(journal.appender().append(event(n as u64, *size))) {
                Ok(seq) => {
                    prop_assert!(!refused, "appended after a failure");
                    prop_assert_eq!(seq, Seq(n as u64));
                    acknowledged = n as u64 + 1;
                }
                Err(error) => {
                    prop_assert!(matches!(error, JournalError::Poisoned { .. }), "{}", error);
                    refused = true;
                }
            }
        }
        prop_assert!(refused);
        prop_assert_eq!(journal.end(), Seq(acknowledged));
        prop_assert!(is_poisoned(journal.check()));
        prop_assert!(is_poisoned(journal.close()));
        let waited = block_on(journal.wait_past(Seq(acknowledged)));
        prop_assert!(is_poisoned(waited));
        prop_assert_eq!(everything(&journal).len() as u64, acknowledged);

        for disk in [disk.clone(), disk.after_power_cut(chance(seed))] {
            let reopened = open(&disk, &small()).unwrap();
            prop_assert!(reopened.end().0 >= acknowledged);
            let all: Vec<_> = (0..reopened.end().0).map(|n| (n, n)).collect();
            prop_assert_eq!(everything(&reopened), all);
            block_on(reopened.appender().append(event(0, 0))).unwrap();
        }
    }

    /// Written without syncs, a power cut may take acknowledged entries, but only from the end.
    #[test]
    fn buffered_entries_are_lost_only_from_the_end(seed: u64, sizes in prop::collection::vec(0usize..1500, 1..20)) {
        let disk = MemDisk::default();
        let options = Options { durability: Durability::Buffered, ..small() };
        let journal = open(&disk, &options).unwrap();
        for (n, size) in sizes.iter().enumerate() {
            block_on(journal.appender().append(event(n as u64, *size))).unwrap();
        }
        let reopened = open(&disk.after_power_cut(chance(seed)), &options).unwrap();
        let all: Vec<_> = (0..reopened.end().0).map(|n| (n, n)).collect();
        prop_assert_eq!(everything(&reopened), all);
        journal.close().unwrap();
        prop_assert_eq!(open(&disk.after_power_cut(chance(seed)), &options).unwrap().end(), Seq(sizes.len() as u64));
    }
}

#[test]
fn only_one_process_opens_it_at_a_time() {
    let disk = MemDisk::default();
    let journal = open(&disk, &small()).unwrap();
    assert!(matches!(open(&disk, &small()), Err(JournalError::Locked(_))));
    journal.close().unwrap();
    assert!(open(&disk, &small()).is_ok());
}

#[test]
fn appends_wait_while_the_queue_is_full_and_all_come_through() {
    let disk = MemDisk::default();
    let journal = open(&disk, &Options { queue_bytes: 1, ..small() }).unwrap();
    let appender = journal.appender();
    block_on(async {
        let appends: Vec<_> = (0..200).map(|n| appender.append(event(n, 2000))).collect();
        // One batch of one entry is written, one collects; others were turned away.
        assert!(appends.iter().any(|append| !append.is_queued()));
        let mut seqs = Vec::new();
        for append in appends {
            seqs.push(append.await.unwrap().0);
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn an_append_that_was_queued_is_durable_though_its_future_was_dropped() {
    let disk = MemDisk::default();
    let journal = open(&disk, &small()).unwrap();
    let append = journal.appender().append(event(0, 10));
    assert!(append.is_queued());
    drop(append);
    assert_eq!(block_on(journal.wait_past(Seq(0))).unwrap(), Seq(1));
}

#[test]
fn a_patient_journal_makes_everything_durable_too() {
    let disk = MemDisk::default();
    let journal = open(&disk, &Options { gather: Duration::from_millis(5), patient: true, ..small() }).unwrap();
    let appender = journal.appender();
    for n in 0..10 {
        assert_eq!(block_on(appender.append(event(n, 100))).unwrap(), Seq(n));
    }
    drop(appender.append(event(10, 100)));
    assert_eq!(block_on(journal.wait_past(Seq(10))).unwrap(), Seq(11));
    drop(journal);
    assert_eq!(open(&disk, &small()).unwrap().end(), Seq(11));
}

#[test]
fn what_is_queued_at_close_becomes_durable() {
    let disk = MemDisk::default();
    let journal = open(&disk, &Options { gather: Duration::from_secs(60), ..small() }).unwrap();
    let appender = journal.appender();
    let appends: Vec<_> = (0..50).map(|n| appender.append(event(n, 100))).collect();
    journal.close().unwrap();
    block_on(async {
        for (n, append) in appends.into_iter().enumerate() {
            assert_eq!(append.await.unwrap(), Seq(n as u64));
        }
    });
    assert_eq!(open(&disk, &small()).unwrap().end(), Seq(50));
}
