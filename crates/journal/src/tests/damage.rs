//! Files damaged on purpose: what is read is a prefix of what was written, or an error that names the file, never garbage.

use super::{block_on, everything, open, small};
use crate::disk::Disk;
use crate::frame::{SEGMENT_HEADER, SegmentHeader};
use crate::testing::{MemDisk, event};
use crate::{Durability, Journal, JournalError, Options, ReadLimit, Seq};

/// A disk with `batches` of so many entries each, in one segment, as a killed process leaves it, and where each frame ends.
fn written(batches: &[u64], durability: Durability) -> (MemDisk, Vec<usize>) {
    let disk = MemDisk::default();
    let journal = open(&disk, &Options { durability, ..one_segment() }).unwrap();
    let (mut next, mut ends) = (0, Vec::new());
    let mut end = SEGMENT_HEADER;
    for count in batches {
        let events: Vec<_> = (next..next + count).map(|n| event(n, 40)).collect();
        for event in &events {
            let mut frame = Vec::new();
            crate::frame::Prepared::new(event.clone()).write(&mut frame, 0, 0, 0, 0);
            end += frame.len();
            ends.push(end);
        }
        next += count;
        block_on(journal.appender().append_all(events)).unwrap();
    }
    (MemDisk::holding(&[(0, disk.bytes(0))]), ends)
}

fn one_segment() -> Options {
    Options { segment_bytes: 6000, ..small() }
}

/// Opens what is left; all that is read must be the first entries.
fn count_read(disk: &MemDisk) -> Result<usize, JournalError> {
    let journal = open(disk, &one_segment())?;
    let all = everything(&journal);
    assert_eq!(all, (0..all.len() as u64).map(|n| (n, n)).collect::<Vec<_>>());
    assert_eq!(journal.end(), Seq(all.len() as u64));
    // It goes on from there.
    assert_eq!(block_on(journal.appender().append(event(all.len() as u64, 0))).unwrap(), Seq(all.len() as u64));
    drop(journal);
    let again = open(disk, &one_segment())?;
    assert_eq!(everything(&again).len(), all.len() + 1);
    Ok(all.len())
}

#[test]
fn a_segment_cut_at_any_byte_reads_as_the_frames_that_are_whole() {
    let (disk, ends) = written(&[1, 3, 2], Durability::Sync);
    let bytes = disk.bytes(0);
    for len in 0..bytes.len() {
        let cut = MemDisk::holding(&[(0, bytes[..len].to_vec())]);
        let whole = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(count_read(&cut).unwrap(), whole, "cut at {len}");
    }
}

#[test]
fn a_tail_that_was_never_written_out_reads_as_the_frames_before_it() {
    let (disk, ends) = written(&[1, 3, 2], Durability::Sync);
    let bytes = disk.bytes(0);
    for len in SEGMENT_HEADER..ends[5] {
        let mut torn = bytes.clone();
        torn[len..].fill(0);
        let whole = ends.iter().filter(|end| **end <= len).count();
        // A frame may end in the zeros that were cut.
        let read = count_read(&MemDisk::holding(&[(0, torn)])).unwrap();
        assert_eq!(read, whole, "zeros from {len}");
    }
}

#[test]
fn a_changed_byte_is_damage_where_it_was_acknowledged_and_a_torn_tail_in_the_last_batch() {
    let (disk, ends) = written(&[1, 3, 2], Durability::Sync);
    let bytes = disk.bytes(0);
    for at in 0..ends[5] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let outcome = count_read(&MemDisk::holding(&[(0, changed)]));
        let frame = ends.iter().filter(|end| **end <= at).count();
        match outcome {
            // Nothing stands behind the last batch that would prove that it was synced.
            Ok(read) => assert!(frame >= 4 && read == frame, "byte {at} changed, {read} read"),
            Err(JournalError::Damaged { file, offset, .. }) => {
                assert!(frame < 4, "byte {at}");
                assert_eq!(file, disk.path(0));
                let start =
                    if at < SEGMENT_HEADER { 0 } else { frame.checked_sub(1).map_or(SEGMENT_HEADER, |n| ends[n]) };
                assert_eq!(offset, start as u64, "byte {at}");
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_frame_that_a_caller_writes_into_his_call_is_none() {
    let (disk, ends) = written(&[1, 1], Durability::Sync);
    let salt = SegmentHeader::decode(&disk.bytes(0)).unwrap().salt;
    for (known, is_damage) in [(0, false), (salt ^ 1, false), (salt, true)] {
        let mut bytes = disk.bytes(0);
        // The last frame is torn, and in what is left of it stands what looks like one of a later batch.
        bytes.truncate(ends[0]);
        bytes.extend_from_slice(&[1; 40]);
        crate::frame::Prepared::new(event(9, 40)).write(&mut bytes, 1 << 60, 0, 0, known);
        bytes.extend_from_slice(&[1; 40]);
        match count_read(&MemDisk::holding(&[(0, bytes)])) {
            Ok(read) => assert_eq!((read, is_damage), (1, false)),
            Err(error) => assert!(is_damage && matches!(error, JournalError::Damaged { .. }), "{error}"),
        }
    }
}

#[test]
fn without_syncs_any_changed_byte_ends_the_journal_there() {
    let (disk, ends) = written(&[1, 1, 1], Durability::Buffered);
    let bytes = disk.bytes(0);
    for at in SEGMENT_HEADER..ends[2] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let frame = ends.iter().filter(|end| **end <= at).count();
        assert_eq!(count_read(&MemDisk::holding(&[(0, changed)])).unwrap(), frame, "byte {at}");
    }
}

#[test]
fn damage_in_an_older_segment_is_named_when_it_is_read_and_the_rest_stays_readable() {
    let disk = MemDisk::default();
    let journal = open(&disk, &small()).unwrap();
    (0..40).for_each(|n| assert_eq!(block_on(journal.appender().append(event(n, 200))).unwrap(), Seq(n)));
    journal.close().unwrap();
    let firsts = disk.segments().unwrap();
    assert!(firsts.len() > 3);
    let segments: Vec<_> = firsts.iter().map(|first| (*first, disk.bytes(*first))).collect();
    let (victim, len) = (segments[1].0, segments[1].1.len());
    for at in SEGMENT_HEADER..len {
        let mut segments = segments.clone();
        segments[1].1[at] ^= 0x01;
        let damaged = MemDisk::holding(&segments);
        let journal = open(&damaged, &small()).unwrap();
        let (read, error) = read_until_error(&journal);
        assert_eq!(read, (0..read.len() as u64).collect::<Vec<_>>());
        assert!(read.len() as u64 >= victim && (read.len() as u64) < firsts[2], "byte {at}");
        let JournalError::Damaged { file, offset, .. } = &error else { panic!("byte {at}: {error}") };
        assert!(*file == damaged.path(victim) && *offset <= at as u64, "byte {at}: {error}");
        let rest = journal.read(Seq(firsts[2]), ReadLimit::default()).unwrap();
        assert_eq!(rest[0].event.id(), firsts[2].to_string());
    }
    for len in 0..len {
        let mut segments = segments.clone();
        segments[1].1.truncate(len);
        let error = match open(&MemDisk::holding(&segments), &small()) {
            Ok(journal) => read_until_error(&journal).1,
            Err(error) => error,
        };
        assert!(matches!(error, JournalError::Damaged { .. }), "cut at {len}: {error}");
    }
}

fn read_until_error(journal: &Journal) -> (Vec<u64>, JournalError) {
    let (mut reader, mut read) = (journal.reader(Seq(0)), Vec::new());
    loop {
        match reader.read(ReadLimit { max_entries: 7, max_bytes: 100_000 }) {
            Ok(entries) => {
                assert!(!entries.is_empty(), "damage went unnoticed");
                read.extend(entries.iter().map(|entry| entry.event.id().parse::<u64>().unwrap()));
            }
            Err(error) => return (read, error),
        }
    }
}

#[test]
fn a_segment_that_was_only_just_created_is_begun_again() {
    let disk = MemDisk::default();
    let journal = open(&disk, &small()).unwrap();
    (0..10).for_each(|n| assert_eq!(block_on(journal.appender().append(event(n, 500))).unwrap(), Seq(n)));
    journal.close().unwrap();
    let mut segments: Vec<_> = disk.segments().unwrap().iter().map(|first| (*first, disk.bytes(*first))).collect();
    for content in [vec![], vec![0; 3000], vec![0x4f; 30]] {
        segments.push((10, content));
        let journal = open(&MemDisk::holding(&segments), &small()).unwrap();
        segments.pop();
        assert_eq!(journal.end(), Seq(10));
        assert_eq!(block_on(journal.appender().append(event(10, 0))).unwrap(), Seq(10));
        assert_eq!(everything(&journal).len(), 11);
    }
}

#[test]
fn a_renamed_or_newer_segment_is_refused_by_name() {
    let (disk, _) = written(&[1], Durability::Sync);
    let renamed = MemDisk::holding(&[(7, disk.bytes(0))]);
    assert!(matches!(open(&renamed, &small()), Err(JournalError::Damaged { offset: 0, .. })));

    let mut newer = disk.bytes(0);
    newer[8] = 3;
    let sum = crc_fast::crc32_iscsi(&newer[..36]);
    newer[36..40].copy_from_slice(&sum.to_le_bytes());
    let error = open(&MemDisk::holding(&[(0, newer)]), &small()).unwrap_err();
    assert!(matches!(error, JournalError::Version { version: 3, .. }), "{error}");
}
