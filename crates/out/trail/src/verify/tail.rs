//! What is not there: digests that were cut off at the end of a chain, which nothing that is left refers to.

use super::report::Finding;
use event::EventTime;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// File names tell the delivery time by slots of this many seconds.
pub(crate) const SLOT: i64 = 300;

/// Which log files digests list, as hashes: eight bytes for each, however long the names are.
#[derive(Debug, Default)]
pub(crate) struct Listed(HashSet<u64>);

/// What is known of the end of a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    /// End of the newest digest that was found.
    pub(crate) newest: EventTime,
    /// The longest window seen, seconds.
    pub(crate) window: i64,
    /// Start of the oldest digest whose log files are in [`Listed`].
    pub(crate) covered_from: EventTime,
    /// The end of the range that was asked for.
    pub(crate) end: EventTime,
    /// The present.
    pub(crate) now: EventTime,
}

impl Listed {
    pub(crate) fn add(&mut self, bucket: &str, key: &str) {
        self.0.insert(hash(bucket, key));
    }

    fn has(&self, bucket: &str, key: &str) -> bool {
        self.0.contains(&hash(bucket, key))
    }
}

fn hash(bucket: &str, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (bucket, key).hash(&mut hasher);
    hasher.finish()
}

/// Whether the trail itself says that it delivered digests after the newest one. A digest is delivered at the end of its
/// window or later, less than a window later. `latest_delivery` is rounded down: the next one may be as late as the very second in
/// which its window ends.
pub(crate) fn by_status(tail: &Tail, latest_delivery: EventTime) -> Option<Finding> {
    let is_cut = latest_delivery <= tail.end && tail.newest.0 + tail.window <= latest_delivery.0;
    is_cut.then(|| missing(tail, format!("the trail delivered digests until {latest_delivery}")))
}

/// Whether log files lie in the archive that were delivered after the newest digest, so long ago that there must have been
/// another. Where log files of covered times are in no digest either, another trail delivers here too, and nothing can be said.
pub(crate) fn by_log_files<'a>(
    tail: &Tail,
    bucket: &str,
    keys: impl Iterator<Item = &'a str>,
    listed: &Listed,
) -> Option<Finding> {
    let mut orphans = 0u64;
    for key in keys.filter(|key| !listed.has(bucket, key)) {
        let Some(slot) = delivery_slot(key) else { continue };
        let is_covered = slot.0 >= tail.covered_from.0 && slot.0 + SLOT <= tail.newest.0;
        if is_covered {
            return None;
        }
        let is_due = slot.0 + 2 * tail.window.max(SLOT) < tail.now.0;
        orphans += u64::from(slot >= tail.newest && slot <= tail.end && is_due);
    }
    let files = if orphans == 1 { "1 log file was" } else { &format!("{orphans} log files were") };
    (orphans > 0).then(|| missing(tail, format!("{files} delivered since, and no digest lists them")))
}

fn missing(tail: &Tail, why: String) -> Finding {
    Finding::Missing { backfill: false, from: tail.newest.to_string(), to: None, why }
}

/// The delivery time in a log file's name, `…_YYYYMMDDTHHmmZ_SUFFIX.json.gz`: the start of its slot.
pub(crate) fn delivery_slot(key: &str) -> Option<EventTime> {
    let (_, name) = key.rsplit_once('/')?;
    let stamp = name.rsplit('_').nth(1)?;
    let part = |from: usize, to: usize| stamp.get(from..to);
    let (date, time) = ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(9, 11)?, part(11, 13)?));
    EventTime::parse(&format!("{}-{}-{}T{}:{}:00Z", date.0, date.1, date.2, time.0, time.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_768_471_200; // 2026-01-15T10:00:00Z

    fn tail() -> Tail {
        Tail {
            newest: EventTime(T),
            window: 3600,
            covered_from: EventTime(T - 7200),
            end: EventTime(T + 9000),
            now: EventTime(T + 90_000),
        }
    }

    fn key(time: i64) -> String {
        let (year, month, day, hour, minute, _) = EventTime(time).civil();
        format!(
            "AWSLogs/1/CloudTrail/r/{year}/1_CloudTrail_r_{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_abc.json.gz"
        )
    }

    #[test]
    fn the_trail_remembers_digests_that_are_gone() {
        assert!(by_status(&tail(), EventTime(T + 3599)).is_none(), "delivered late, as AWS does");
        assert!(
            by_status(&tail(), EventTime(T + 3600)).is_some(),
            "the next one, delivered as soon as its window ended"
        );
        let finding = by_status(&tail(), EventTime(T + 3601)).unwrap();
        assert!(finding.is_bad() && finding.to_string().contains("after 2026-01-15T10:00:00Z"), "{finding}");
        assert!(by_status(&tail(), EventTime(T + 9001)).is_none(), "after the range that was asked for");
    }

    #[test]
    fn log_files_without_a_digest_give_the_cut_away() {
        let mut listed = Listed::default();
        let known = key(T - 600);
        listed.add("b", &known);
        let found = |keys: &[&str], tail: &Tail| by_log_files(tail, "b", keys.iter().copied(), &listed);
        assert!(found(&[&known], &tail()).is_none());
        let orphan = key(T + 600);
        assert!(found(&[&known, &orphan], &tail()).unwrap().to_string().contains("1 log file was delivered since"));
        let soon = Tail { now: EventTime(T + 7000), ..tail() };
        assert!(found(&[&known, &orphan], &soon).is_none(), "its digest may still come");
        let other = key(T - 1200);
        assert!(found(&[&known, &orphan, &other], &tail()).is_none(), "another trail delivers here too");
        assert!(found(&["AWSLogs/1/CloudTrail/r/strange", "x_y"], &tail()).is_none());
    }
}
