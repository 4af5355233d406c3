use super::*;
use crate::row::COLUMNS;
use proptest::prelude::*;
use smallvec::SmallVec;

const NOW: i64 = 1_800_000_000;

fn row(time: i64, seq: u64) -> Row {
    // Attributes and resources are functions of the place, so that a row that is torn apart shows.
    let attributes: [u32; COLUMNS] = std::array::from_fn(|column| 1 + ((seq as u32) % (2 + column as u32)));
    let resources: SmallVec<[u32; 8]> = (0..seq as u32 % 4).map(|number| 100 + number).collect();
    let read_only = [None, Some(false), Some(true)][(seq % 3) as usize];
    Row { key: Key { time: EventTime(time), seq: Seq(seq) }, attributes, read_only, resources }
}

fn fits(row: &Row, probe: Probe) -> bool {
    match probe {
        Probe::All => true,
        Probe::Column(column, hash) => row.attributes[column] == hash,
        Probe::ReadOnly(flag) => row.read_only == Some(flag),
        Probe::Resource(hash) => row.resources.contains(&hash),
    }
}

/// What the index must say, the slow way.
fn expected(rows: &[Row], probe: Probe, range: Range, limit: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = rows
        .iter()
        .filter(|row| {
            fits(row, probe) && row.key.time >= range.from && row.key < range.below && row.key.seq < range.end
        })
        .map(|row| row.key)
        .collect();
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys.truncate(limit);
    keys
}

fn everything() -> Range {
    let below = Key { time: EventTime(i64::MAX), seq: Seq(u64::MAX) };
    Range { from: EventTime(0), below, end: Seq(u64::MAX) }
}

fn probes() -> impl Strategy<Value = Probe> {
    prop_oneof![
        Just(Probe::All),
        (0..COLUMNS, 1u32..8).prop_map(|(column, hash)| Probe::Column(column, hash)),
        any::<bool>().prop_map(Probe::ReadOnly),
        (99u32..104).prop_map(Probe::Resource),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a plain `Vec`: events in the order of the journal whose times go up, stand still and jump back.
    #[test]
    fn finds_what_a_plain_scan_finds(
        steps in proptest::collection::vec((-5i64..6, prop::bool::weighted(0.02)), 1..4000),
        probe in probes(), from in 0i64..4000, below in 0i64..8000, end in 0u64..5000, limit in 1usize..60,
        forget_to in 0u64..2000,
    ) {
        let mut index = Index::new(usize::MAX);
        let mut rows = Vec::new();
        let mut time = NOW;
        for (seq, (step, jump)) in steps.into_iter().enumerate() {
            time += step.max(-1);
            let at = if jump { time - 500 } else { time };
            let row = row(at, seq as u64);
            index.insert("1", "r", &row);
            index.insert("1", "r", &row);
            rows.push(row);
        }
        prop_assert_eq!(index.rows(), rows.len(), "taken twice, held once");
        let below = Key { time: EventTime(NOW + below - 1000), seq: Seq(end / 2) };
        let range = Range { from: EventTime(NOW + from - 1000), below, end: Seq(end) };
        prop_assert_eq!(index.find("1", "r", probe, range, limit), expected(&rows, probe, range, limit));
        prop_assert_eq!(index.find("1", "r", probe, everything(), limit), expected(&rows, probe, everything(), limit));
        prop_assert!(index.find("1", "other", probe, everything(), limit).is_empty());

        // Retention of the journal.
        index.forget(EventTime(NOW), Seq(forget_to));
        rows.retain(|row| row.key.seq.0 >= forget_to);
        prop_assert_eq!(index.rows(), rows.len());
        prop_assert_eq!(index.find("1", "r", probe, everything(), 5000), expected(&rows, probe, everything(), 5000));
    }
}

#[test]
fn what_is_ninety_days_old_goes_a_chunk_at_a_time() {
    let mut index = Index::new(usize::MAX);
    for seq in 0..5000 {
        index.insert("1", "r", &row(NOW + seq as i64, seq));
    }
    index.forget(EventTime(NOW + KEEP_SECONDS + 3000), Seq(0));
    assert!((2000..=2000 + CHUNK_ROWS).contains(&index.rows()), "{}", index.rows());
    index.forget(EventTime(NOW + KEEP_SECONDS + 9000), Seq(0));
    assert_eq!((index.rows(), index.bytes()), (0, 0));
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut index = Index::new(3000);
    for seq in 0..20_000u64 {
        index.insert(&format!("{}", seq % 3), "r", &row(NOW + seq as i64, seq));
        assert!(index.rows() <= 3000);
    }
    // The newest of each account are still there.
    for account in ["0", "1", "2"] {
        let newest = index.find(account, "r", Probe::All, everything(), 1);
        assert!(newest[0].seq.0 >= 19_997);
    }
    let mut index = Index::new(usize::MAX);
    for seq in 0..2 * PARTITIONS_MAX as u64 {
        index.insert("1", &format!("region-{seq}"), &row(NOW + seq as i64, seq));
    }
    assert_eq!(index.rows(), PARTITIONS_MAX);
    assert!(index.find("1", "region-0", Probe::All, everything(), 1).is_empty());
}

#[test]
fn times_outside_what_a_row_can_hold_are_left_out() {
    let mut index = Index::new(10);
    for time in [-1, i64::from(u32::MAX) + 1, i64::MIN, i64::MAX] {
        index.insert("1", "r", &row(time, 1));
    }
    assert_eq!(index.rows(), 0);
}

#[test]
fn a_full_index_takes_about_forty_bytes_per_event() {
    let mut index = Index::new(usize::MAX);
    for seq in 0..100_000 {
        index.insert("1", "r", &row(NOW + seq as i64 / 10, seq));
    }
    let per_row = index.bytes() / index.rows();
    assert!((33..48).contains(&per_row), "{per_row}");
}
