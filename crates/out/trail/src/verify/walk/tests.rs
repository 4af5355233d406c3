//! Walks over chains on paper.

use super::*;
use crate::digest::{DigestFile, sha256_hex};
use proptest::prelude::*;

/// 2026-01-15T10:00:00Z.
const T: i64 = 1_768_471_200;
const HOUR: i64 = 3600;

fn chain() -> Chain {
    Chain {
        prefix: Some("ct".to_owned()),
        organization: None,
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        trail: "main".to_owned(),
        home_region: "eu-west-1".to_owned(),
    }
}

/// A chain of `count` hourly digests, the newest last.
fn digests(count: i64) -> Vec<Parsed> {
    let mut made: Vec<Parsed> = Vec::new();
    for number in 0..count {
        let (start, end) = (EventTime(T + (number - 1) * HOUR), EventTime(T + number * HOUR));
        let before = made.last();
        let digest = DigestFile {
            digest_start_time: start.to_string(),
            digest_end_time: end.to_string(),
            digest_s3_bucket: "b".to_owned(),
            digest_s3_object: chain().digest_key(end, false),
            previous_digest_s3_bucket: before.map(|_| "b".to_owned()),
            previous_digest_s3_object: before.map(|before| before.digest.digest_s3_object.clone()),
            previous_digest_hash_value: before.map(|before| before.hash.clone()),
            previous_digest_signature: before.and_then(|before| before.signature.clone()),
            ..DigestFile::default()
        };
        let hash = sha256_hex(&digest.to_json().unwrap());
        made.push(Parsed { digest, hash, signature: Some(format!("s{number}")), start, end, backfill_at: None });
    }
    made
}

/// Walks; `there` says what becomes of the digest with that number: its key and `Ok`, or why it is bad.
fn walk(
    all: &[Parsed],
    start: i64,
    remembered: Vec<Stretch>,
    deleted: &[usize],
    bad: &[usize],
) -> (Vec<String>, usize) {
    let chain = chain();
    let key = |number: usize| all[number].digest.digest_s3_object.clone();
    let keys: Vec<String> = (0..all.len()).filter(|number| !deleted.contains(number)).map(key).collect();
    let (keys, _) = sort_keys(&chain, keys, EventTime(start), EventTime(T + 1000 * HOUR));
    let mut walk = Walk::new(&chain, "b", keys, EventTime(start), false, remembered);
    let (mut lines, mut checked) = (Vec::new(), 0);
    while let Some((_, wanted)) = walk.wanted() {
        let number = all.iter().position(|parsed| parsed.digest.digest_s3_object == wanted).unwrap();
        let outcome = match (deleted.contains(&number), bad.contains(&number)) {
            (true, _) => Outcome::Bad("not found".to_owned()),
            (_, true) => Outcome::Bad("signature verification failed".to_owned()),
            _ => Outcome::Good(&all[number]),
        };
        let (findings, then) = walk.take(outcome);
        checked += usize::from(then == Then::CheckLogs);
        lines.extend(findings.iter().map(short));
    }
    lines.extend(walk.unmet(EventTime(T + 1000 * HOUR)).iter().map(short));
    (lines, checked)
}

/// `3 valid` for the digest with that number.
fn short(finding: &Finding) -> String {
    match finding {
        Finding::Digest { key, verdict, .. } => format!("{} {verdict}", (end_in_name(key).unwrap().0 - T) / HOUR),
        other => other.to_string(),
    }
}

#[test]
fn an_untouched_chain_is_valid_from_the_newest_to_the_start() {
    assert_eq!(walk(&digests(4), T - HOUR, vec![], &[], &[]).0, ["3 valid", "2 valid", "1 valid", "0 valid"]);
    // The AWS CLI goes on until a digest starts before the start.
    assert_eq!(walk(&digests(4), T + 2 * HOUR, vec![], &[], &[]).0, ["3 valid", "2 valid"]);
    assert_eq!(walk(&[], T, vec![], &[], &[]), (vec![], 0));
}

#[test]
fn where_the_chain_ends_under_another_prefix_the_listed_ones_before_it_follow() {
    let mut all = digests(6);
    let elsewhere = |key: &str| key.replace("ct/", "other/");
    for number in [3, 4] {
        all[number].digest.digest_s3_object = elsewhere(&all[number].digest.digest_s3_object);
        let before = &mut all[number + 1].digest.previous_digest_s3_object;
        *before = before.as_deref().map(elsewhere);
    }
    let starting = &mut all[3].digest;
    (starting.previous_digest_s3_bucket, starting.previous_digest_s3_object) = (None, None);
    let (lines, checked) = walk(&all, T - HOUR, vec![], &[], &[1]);
    assert_eq!(lines[..3], ["5 valid", "4 valid", "3 valid"]);
    assert_eq!(lines[4..], ["2 valid", "1 INVALID: signature verification failed", "0 valid"]);
    assert_eq!(checked, 5);
}

#[test]
fn links_that_lead_round_end_the_walk() {
    for to in [0, 1, 2] {
        let mut all = digests(3);
        let newest = all[to].digest.digest_s3_object.clone();
        let oldest = &mut all[0].digest;
        oldest.previous_digest_s3_bucket = Some("b".to_owned());
        oldest.previous_digest_s3_object = Some(newest);
        let (lines, checked) = walk(&all, T - HOUR, vec![], &[], &[]);
        assert_eq!(lines[..3], ["2 valid", "1 valid", "0 valid"]);
        // The listing is followed once more, and ends.
        let again = |number| format!("{number} INVALID: does not end before the digest that follows it");
        assert_eq!(lines[3..], (0..=to).rev().map(again).collect::<Vec<_>>());
        assert_eq!(checked, 3);
    }
}

/// What is said of the digests of a folder, in which those of these numbers say nothing of the one before.
fn walk_in_a_folder(all: &[Parsed], starting: &[usize]) -> Vec<String> {
    let mut all = all.to_vec();
    for &number in starting {
        all[number].digest.previous_digest_s3_bucket = None;
        all[number].digest.previous_digest_s3_object = None;
        all[number].digest.previous_digest_signature = None;
    }
    let chain = chain();
    let keys = all.iter().map(|parsed| parsed.digest.digest_s3_object.clone()).collect();
    let mut walk = Walk::new(&chain, "b", keys, EventTime(T - HOUR), false, Vec::new());
    let mut lines = Vec::new();
    while let Some((_, wanted)) = walk.wanted() {
        let parsed = all.iter().find(|parsed| parsed.digest.digest_s3_object == wanted).unwrap();
        let is_told = walk.signature().is_some();
        let outcome = if is_told { Outcome::Good(parsed) } else { Outcome::Unsigned(parsed) };
        let (findings, _) = walk.take(outcome);
        let digests = findings.iter().filter(|finding| matches!(finding, Finding::Digest { .. }));
        lines.extend(digests.map(|finding| short(finding).chars().take(9).collect::<String>()));
    }
    lines
}

#[test]
fn only_the_newest_of_a_chain_may_be_without_a_signature() {
    let all = digests(5);
    assert_eq!(walk_in_a_folder(&all, &[]), ["4 not ver", "3 valid", "2 valid", "1 valid", "0 valid"]);
    // The last one before a restart that is vouched for.
    assert_eq!(walk_in_a_folder(&all, &[2]), ["4 not ver", "3 valid", "2 valid", "1 not ver", "0 valid"]);
    // A restart that nobody vouches for: anybody can write one.
    assert_eq!(walk_in_a_folder(&all, &[4]), ["4 not ver", "3 INVALID", "2 valid", "1 valid", "0 valid"]);
    assert_eq!(walk_in_a_folder(&all, &[4, 3])[..3], ["4 not ver", "3 INVALID", "2 INVALID"]);
}

#[test]
fn every_deleted_digest_is_named_also_when_its_neighbour_is_deleted_too() {
    let all = digests(7);
    assert_eq!(walk(&all, T, vec![], &[3], &[]).0[3], "3 INVALID: not found");
    let (lines, _) = walk(&all, T, vec![], &[2, 3, 4], &[]);
    assert_eq!(
        lines,
        [
            "6 valid",
            "5 valid",
            "4 INVALID: not found",
            "3 INVALID: not found",
            "2 INVALID: not found",
            "1 valid",
            "0 valid"
        ]
    );
    let (lines, _) = walk(&all, T, vec![], &[2], &[3]);
    assert_eq!(lines[3..5], ["3 INVALID: signature verification failed", "2 INVALID: not found"]);
}

#[test]
fn windows_of_other_lengths_are_told_as_a_stretch() {
    let mut all = digests(8);
    for parsed in &mut all[..3] {
        parsed.end = EventTime(parsed.end.0 - 7);
        parsed.digest.digest_s3_object = chain().digest_key(parsed.end, false);
    }
    for number in 1..all.len() {
        let before = all[number - 1].digest.digest_s3_object.clone();
        all[number].digest.previous_digest_s3_object = Some(before);
    }
    let (lines, _) = walk(&all, T - 3 * HOUR, vec![], &[3, 4], &[]);
    assert!(lines.iter().any(|line| line.contains("between 2026-01-15T11:59:53Z and")), "{lines:?}");
}

#[test]
fn a_new_chain_after_a_pause_is_a_gap_and_no_fault() {
    let mut all = digests(6);
    all[3].digest.previous_digest_s3_bucket = None;
    all[3].digest.previous_digest_s3_object = None;
    let (lines, _) = walk(&all, T, vec![], &[2], &[]);
    assert_eq!(
        lines[2..],
        [
            "3 valid",
            "No log files were delivered by CloudTrail between 2026-01-15T11:00:00Z and 2026-01-15T12:00:00Z",
            "1 valid",
            "0 valid"
        ]
    );
}

#[test]
fn a_digest_that_was_exchanged_for_another_genuine_one_is_found() {
    let mut all = digests(3);
    all[1].hash = "00".to_owned();
    assert_eq!(walk(&all, T, vec![], &[], &[]).0[1], "1 INVALID: differs from what the next digest says of it");
}

fn remembered(all: &[Parsed], newest: usize, oldest: usize) -> Stretch {
    let before = oldest.checked_sub(1).map(|before| &all[before]);
    Stretch {
        bucket: "b".to_owned(),
        newest: all[newest].digest.digest_s3_object.clone(),
        newest_hash: all[newest].hash.clone(),
        newest_end: all[newest].end.0,
        oldest: all[oldest].digest.digest_s3_object.clone(),
        oldest_start: all[oldest].start.0,
        before: before.map(|before| ("b".to_owned(), before.digest.digest_s3_object.clone())),
        before_hash: before.map(|before| before.hash.clone()),
        before_signature: before.and_then(|before| before.signature.clone()),
        digests: (newest - oldest + 1) as u64,
        logs: 0,
        at_edges: Some(Vec::new()),
    }
}

#[test]
fn what_was_verified_before_is_not_looked_at_again_and_must_still_be_there() {
    let all = digests(9);
    let (lines, checked) = walk(&all, T - HOUR, vec![remembered(&all, 6, 3)], &[], &[]);
    assert_eq!((lines.join(","), checked), ("8 valid,7 valid,2 valid,1 valid,0 valid".to_owned(), 5));
    let (lines, _) = walk(&all, T - HOUR, vec![remembered(&all, 8, 3)], &[7, 8], &[]);
    assert_eq!(lines[0], "6 valid");
    assert_eq!(lines.last().unwrap(), "8 INVALID: not found, though it was verified before", "a cut tail");
    let mut changed = remembered(&all, 6, 3);
    changed.newest_hash = "00".to_owned();
    assert_eq!(walk(&all, T - HOUR, vec![changed], &[], &[]).0[2], "6 INVALID: differs from what was verified before");
}

#[test]
fn what_was_verified_twice_is_not_missed() {
    let all = digests(9);
    let (whole, inside, across) = (remembered(&all, 8, 0), remembered(&all, 5, 0), remembered(&all, 6, 3));
    assert_eq!(walk(&all, T - HOUR, vec![whole.clone(), inside.clone()], &[], &[]), (vec![], 0));
    let (lines, _) = walk(&all, T - HOUR, vec![remembered(&all, 8, 5), across.clone()], &[], &[]);
    assert_eq!(lines, ["4 valid", "3 valid", "2 valid", "1 valid", "0 valid"]);
    let (lines, _) = walk(&all, T - HOUR, vec![whole.clone(), inside.clone()], &[8], &[]);
    assert_eq!(lines.last().unwrap(), "8 INVALID: not found, though it was verified before");
    assert_eq!(Stretch::outermost(vec![whole.clone(), across, inside]), [whole]);
}

proptest! {
    #[test]
    fn every_digest_between_two_that_are_there_has_a_verdict(
        count in 2i64..30,
        deleted in proptest::collection::btree_set(1usize..29, 0..12),
        bad in proptest::collection::btree_set(1usize..29, 0..6),
    ) {
        let all = digests(count);
        let last = all.len() - 1;
        // The two ends are there; cut tails are told by other means.
        let inside = |set: &std::collections::BTreeSet<usize>| set.iter().copied().filter(|number| *number < last).collect::<Vec<_>>();
        let (deleted, bad) = (inside(&deleted), inside(&bad));
        let (lines, _) = walk(&all, T - HOUR, vec![], &deleted, &bad);
        let expected: Vec<String> = (0..all.len()).rev().map(|number| {
            let verdict = if deleted.contains(&number) { "INVALID: not found" } else if bad.contains(&number) { "INVALID: signature verification failed" } else { "valid" };
            format!("{number} {verdict}")
        }).collect();
        prop_assert_eq!(lines, expected);
    }

    #[test]
    fn foreign_keys_are_none_of_the_chain(key in "[a-zA-Z0-9_/.-]{0,200}") {
        prop_assert_eq!(chain().end_of(&key), None);
        let folder = chain().digest_folder();
        let _ = chain().end_of(&format!("{folder}{key}"));
    }
}
