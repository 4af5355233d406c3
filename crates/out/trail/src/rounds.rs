//! When digests are due, and what each of them lists: pure functions of what is saved.
//!
//! A round makes one digest for each chain of a trail, all with the same window. What a round writes follows from
//! [`PendingDigests`] and what was saved before it, so that a round that was cut off is made again to the byte.

use crate::digest::{DigestFile, HASH_ALGORITHM, ListedFile, SIGNATURE_ALGORITHM};
use crate::name::{ChainName, chain_key, digest_key};
use event::EventTime;
use registry::{DeliveredCut, DeliveredFile, DigestChains, DigestLink, DigestState, PendingDigests, Trail};
use std::collections::{BTreeMap, BTreeSet};

/// The most chains of a trail for one account. A caller may make up Regions, and each would have a digest every hour for
/// ever: files of further Regions are listed in the account's chain of the home Region.
const CHAINS_MAX: usize = 64;

/// When more windows than this were missed, one digest covers all but the last.
const MISSED_MAX: i64 = 1000;

/// What comes next for the digests of a trail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// None are wanted.
    Never,
    /// The next round is due at this time, milliseconds since the epoch.
    At(u64),
    /// This round is due.
    Now(Box<PendingDigests>),
}

/// What is due at `now_ms`, when everything before `delivered_to` is delivered and windows have `interval` seconds
/// (at least 1). Not to be asked while a round is pending.
pub(crate) fn next(trail: &Trail, state: &DigestState, interval: i64, now_ms: u64, delivered_to: u64) -> Next {
    let now = seconds(now_ms);
    let round = |start, end, is_final| {
        let trail = trail.clone();
        Next::Now(Box::new(PendingDigests { start, end, to: delivered_to, is_final, backfill_at: None, trail }))
    };
    let Some(chains) = &state.chains else {
        if !is_wanted(trail) {
            return Next::Never;
        }
        // A starting digest carries the window before logging began (`reference/integrity.md` §3).
        let end = now.max(state.covered_to + 1);
        return round(end - interval, end, false);
    };
    let organization_id = |trail: &Trail| trail.organization.as_ref().map(|organization| organization.id.clone());
    let is_moved = organization_id(trail) != organization_id(&chains.trail);
    if !trail.log_file_validation_enabled || chains.logging_started_ms != started_ms(trail) || is_moved {
        // A chain ends where it lies.
        let (start, end) = (state.covered_to, now.max(state.covered_to + 1));
        let trail = Trail { organization: chains.trail.organization.clone(), ..trail.clone() };
        let (to, is_final) = (delivered_to, true);
        return Next::Now(Box::new(PendingDigests { start, end, to, is_final, backfill_at: None, trail }));
    }
    let since_anchor = |time: i64| (time - chains.anchor).div_euclid(interval);
    let (done, passed) = (since_anchor(state.covered_to), since_anchor(now));
    match passed - done {
        ..=0 => Next::At(milliseconds(chains.anchor + (done + 1) * interval)),
        1..=MISSED_MAX => round(state.covered_to, chains.anchor + (done + 1) * interval, false),
        _ => round(state.covered_to, chains.anchor + (passed - 1) * interval, false),
    }
}

/// A round before its time, because the process ends: log files that are delivered have their proof beside them.
pub(crate) fn early(trail: &Trail, state: &DigestState, now_ms: u64, delivered_to: u64) -> PendingDigests {
    let end = seconds(now_ms).max(state.covered_to + 1);
    let trail = trail.clone();
    PendingDigests { start: state.covered_to, end, to: delivered_to, is_final: false, backfill_at: None, trail }
}

/// The last round of the chains, because logging has stopped or the trail is gone. `None` where there are no chains.
pub(crate) fn last(trail: &Trail, state: &DigestState, now_ms: u64, delivered_to: u64) -> Option<PendingDigests> {
    state.chains.as_ref()?;
    Some(PendingDigests { is_final: true, ..early(trail, state, now_ms, delivered_to) })
}

/// A round for log files whose chains were lost before a digest listed them: the trail was deleted, and the process died
/// before the last digests. They cannot be linked to what went before, so they are backfill digests.
pub(crate) fn backfill(state: &DigestState, now_ms: u64) -> Option<PendingDigests> {
    let chains = state.chains.as_ref()?;
    let backfill_at = Some(seconds(now_ms));
    Some(PendingDigests { is_final: true, to: u64::MAX, backfill_at, ..early(&chains.trail, state, now_ms, u64::MAX) })
}

/// The digests of a round, by chain ([`chain_key`]), with no fingerprint in them yet.
pub(crate) fn digests(
    state: &DigestState,
    round: &PendingDigests,
    cuts: &[&DeliveredCut],
) -> Vec<(String, DigestFile)> {
    let none = BTreeMap::new();
    let links = match (&state.chains, round.backfill_at) {
        (Some(chains), None) => &chains.links,
        _ => &none,
    };
    let trail = &round.trail;
    let at_home = |account: &str| chain_key(trail, account, &trail.home_region).into_owned();
    let mut chains: BTreeSet<String> = links.keys().cloned().collect();
    if round.backfill_at.is_none() {
        let members = trail.organization.iter().flat_map(|organization| &organization.accounts).map(String::as_str);
        chains.extend(members.chain([trail.account_id.as_str()]).map(at_home));
    }
    let mut chains_of: BTreeMap<String, usize> = BTreeMap::new();
    for chain in &chains {
        *chains_of.entry(ChainName::of(trail, chain).account.to_owned()).or_default() += 1;
    }
    let mut listed: BTreeMap<String, Vec<(&str, &DeliveredFile)>> = BTreeMap::new();
    for cut in cuts.iter().filter(|cut| cut.from < round.to) {
        for file in &cut.files {
            let account = file.account.as_deref().unwrap_or(&trail.account_id);
            let own = chain_key(trail, account, &file.region).into_owned();
            let count = chains_of.entry(account.to_owned()).or_default();
            let chain = if chains.contains(&own) || *count < CHAINS_MAX { own } else { at_home(account) };
            *count += usize::from(chains.insert(chain.clone()));
            listed.entry(chain).or_default().push((&cut.bucket, file));
        }
    }
    let digest = |chain: String| {
        let files = listed.remove(&chain).unwrap_or_default();
        let digest = digest_of(round, &chain, links.get(&chain), &files);
        (chain, digest)
    };
    chains.into_iter().map(digest).collect()
}

fn digest_of(
    round: &PendingDigests,
    chain: &str,
    previous: Option<&DigestLink>,
    files: &[(&str, &DeliveredFile)],
) -> DigestFile {
    let trail = &round.trail;
    let name = ChainName::of(trail, chain);
    let text = |seconds: i64| EventTime(seconds).to_string();
    let listed = |(bucket, file): &(&str, &DeliveredFile)| ListedFile {
        s3_bucket: (*bucket).to_owned(),
        s3_object: file.object.clone(),
        hash_value: file.hash.clone(),
        hash_algorithm: HASH_ALGORITHM.to_owned(),
        newest_event_time: Some(text(file.newest)),
        oldest_event_time: Some(text(file.oldest)),
    };
    DigestFile {
        aws_account_id: name.account.to_owned(),
        digest_start_time: text(round.start),
        digest_end_time: text(round.end),
        digest_s3_bucket: trail.s3_bucket_name.clone(),
        digest_s3_object: digest_key(&name, EventTime(round.end), round.backfill_at.is_some()),
        digest_public_key_fingerprint: String::new(),
        digest_signature_algorithm: SIGNATURE_ALGORITHM.to_owned(),
        newest_event_time: files.iter().map(|(_, file)| file.newest).max().map(text),
        oldest_event_time: files.iter().map(|(_, file)| file.oldest).min().map(text),
        previous_digest_s3_bucket: previous.map(|link| link.bucket.clone()),
        previous_digest_s3_object: previous.map(|link| link.object.clone()),
        previous_digest_hash_value: previous.map(|link| link.hash.clone()),
        previous_digest_hash_algorithm: previous.map(|_| HASH_ALGORITHM.to_owned()),
        previous_digest_signature: previous.map(|link| link.signature.clone()),
        log_files: files.iter().map(listed).collect(),
    }
}

/// The state once all digests of the pending round are written, given what the next ones refer to.
pub(crate) fn done(state: &DigestState, links: BTreeMap<String, DigestLink>, now_ms: u64) -> DigestState {
    let Some(round) = &state.pending else { return state.clone() };
    let anchor = state.chains.as_ref().map_or(round.end, |chains| chains.anchor);
    let logging_started_ms =
        state.chains.as_ref().map_or_else(|| started_ms(&round.trail), |chains| chains.logging_started_ms);
    let chains = DigestChains { logging_started_ms, anchor, trail: round.trail.clone(), links };
    DigestState {
        chains: (!round.is_final).then_some(chains),
        covered_to: round.end,
        digested_to: round.to,
        pending: None,
        latest_delivery_ms: Some(now_ms),
        latest_error: None,
        ..state.clone()
    }
}

fn is_wanted(trail: &Trail) -> bool {
    trail.log_file_validation_enabled && trail.logging.is_on()
}

fn started_ms(trail: &Trail) -> u64 {
    trail.logging.started_ms.unwrap_or_default()
}

fn seconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)
}

fn milliseconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::tests::trail;
    use proptest::prelude::*;

    /// 2026-01-15T10:02:03Z.
    const T: i64 = 1_768_471_323;
    const HOUR: i64 = 3600;

    fn validating() -> Trail {
        Trail { log_file_validation_enabled: true, ..trail() }
    }

    fn cut(from: u64, regions: &[&str]) -> DeliveredCut {
        let file = |region: &&str| DeliveredFile {
            account: None,
            region: (*region).to_owned(),
            object: format!("{region}/{from}"),
            hash: "00".to_owned(),
            newest: T + from as i64,
            oldest: T - from as i64,
        };
        DeliveredCut {
            trail_arn: trail().arn(),
            trail_created_ms: 1,
            from,
            bucket: "audit".to_owned(),
            files: regions.iter().map(file).collect(),
        }
    }

    /// Carries out a round on paper.
    fn carry_out(state: &DigestState, round: PendingDigests, cuts: &[&DeliveredCut]) -> (DigestState, Vec<DigestFile>) {
        let pending = DigestState { pending: Some(round.clone()), ..state.clone() };
        let made = digests(&pending, &round, cuts);
        let link = |digest: &DigestFile| DigestLink {
            bucket: digest.digest_s3_bucket.clone(),
            object: digest.digest_s3_object.clone(),
            hash: "hash".to_owned(),
            signature: "signature".to_owned(),
        };
        let links = made.iter().map(|(region, digest)| (region.clone(), link(digest))).collect();
        (done(&pending, links, 0), made.into_iter().map(|(_, digest)| digest).collect())
    }

    fn due(trail: &Trail, state: &DigestState, now: i64) -> PendingDigests {
        match next(trail, state, HOUR, now as u64 * 1000, u64::MAX) {
            Next::Now(round) => *round,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_chain_starts_with_the_hour_before_logging_and_goes_on_every_hour_also_when_nothing_came() {
        let trail = validating();
        let round = due(&trail, &DigestState::of(&trail), T);
        let (state, made) = carry_out(&DigestState::of(&trail), round, &[]);
        assert_eq!(made.len(), 1, "the home Region");
        assert_eq!(
            (made[0].digest_start_time.as_str(), made[0].digest_end_time.as_str()),
            ("2026-01-15T09:02:03Z", "2026-01-15T10:02:03Z")
        );
        assert_eq!(made[0].previous_digest_signature, None);
        assert_eq!(
            made[0].digest_s3_object,
            "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/15/111122223333_CloudTrail-Digest_eu-west-1_main_eu-west-1_20260115T100203Z.json.gz"
        );
        assert_eq!(next(&trail, &state, HOUR, (T + HOUR) as u64 * 1000 - 1, 0), Next::At((T + HOUR) as u64 * 1000));
        let (_, again) = carry_out(&state, due(&trail, &state, T + HOUR), &[]);
        assert_eq!(
            (again[0].digest_start_time.as_str(), again[0].digest_end_time.as_str()),
            ("2026-01-15T10:02:03Z", "2026-01-15T11:02:03Z")
        );
        assert_eq!(again[0].previous_digest_s3_object.as_ref(), Some(&made[0].digest_s3_object));
        assert_eq!((again[0].newest_event_time.as_ref(), again[0].log_files.len()), (None, 0));
    }

    #[test]
    fn each_region_has_a_chain_from_its_first_file_on_and_made_up_ones_are_listed_at_home() {
        let trail = validating();
        let (state, _) = carry_out(&DigestState::of(&trail), due(&trail, &DigestState::of(&trail), T), &[]);
        let many: Vec<String> = (0..100).map(|number| format!("made-up-{number:03}")).collect();
        let regions: Vec<&str> =
            ["eu-west-1", "us-east-1"].into_iter().chain(many.iter().map(String::as_str)).collect();
        let (state, made) = carry_out(&state, due(&trail, &state, T + HOUR), &[&cut(3, &regions)]);
        assert_eq!(made.len(), CHAINS_MAX);
        assert_eq!(made.iter().map(|digest| digest.log_files.len()).sum::<usize>(), 102);
        let of = |region: &str| {
            let marked = format!("/CloudTrail-Digest/{region}/");
            made.iter().find(|digest| digest.digest_s3_object.contains(&marked)).unwrap()
        };
        assert!(
            of("eu-west-1").previous_digest_signature.is_some() && of("us-east-1").previous_digest_signature.is_none()
        );
        assert_eq!(of("eu-west-1").log_files.len(), 1 + 102 - CHAINS_MAX);
        assert_eq!(of("us-east-1").newest_event_time.as_deref(), Some("2026-01-15T10:02:06Z"));
        assert_eq!(of("us-east-1").oldest_event_time.as_deref(), Some("2026-01-15T10:02:00Z"));
        let (_, next) = carry_out(&state, due(&trail, &state, T + 2 * HOUR), &[]);
        assert!(next.len() == CHAINS_MAX && next.iter().all(|digest| digest.previous_digest_signature.is_some()));
    }

    #[test]
    fn turning_validation_off_or_starting_anew_ends_the_chain_and_a_new_one_starts_with_nothing_before_it() {
        let mut trail = validating();
        let (state, _) = carry_out(&DigestState::of(&trail), due(&trail, &DigestState::of(&trail), T), &[]);
        trail.logging.stop(5);
        assert_eq!(
            next(&trail, &state, HOUR, T as u64 * 1000, 0),
            Next::At((T + HOUR) as u64 * 1000),
            "its last files may still come"
        );
        trail.logging.start(9, 7, 9);
        let round = due(&trail, &state, T);
        assert_eq!((round.start, round.end, round.is_final), (T, T + 1, true));
        let (state, _) = carry_out(&state, round, &[]);
        assert_eq!(state.chains, None);
        let (state, made) = carry_out(&state, due(&trail, &state, T), &[]);
        assert_eq!(
            (made[0].digest_end_time.as_str(), made[0].previous_digest_signature.as_ref()),
            ("2026-01-15T10:02:05Z", None),
            "no name comes again"
        );
        trail.log_file_validation_enabled = false;
        let (state, made) = carry_out(&state, due(&trail, &state, T + 60), &[]);
        assert!(made[0].previous_digest_signature.is_some());
        assert_eq!(next(&trail, &state, HOUR, (T + 61) as u64 * 1000, 0), Next::Never);
        assert_eq!(last(&trail, &state, 0, 0), None);
    }

    #[test]
    fn missed_hours_are_made_up_for_one_by_one_and_missed_years_at_once() {
        let trail = validating();
        let (state, _) = carry_out(&DigestState::of(&trail), due(&trail, &DigestState::of(&trail), T), &[]);
        let round = due(&trail, &state, T + 5 * HOUR + 7);
        assert_eq!((round.start, round.end), (T, T + HOUR));
        let round = due(&trail, &state, T + 5000 * HOUR + 7);
        assert_eq!((round.start, round.end), (T, T + 4999 * HOUR));
    }

    #[test]
    fn each_account_of_an_organization_has_chains_of_its_own_until_the_trail_leaves_it() {
        let mut trail = validating();
        let members = vec!["444455556666".to_owned()];
        trail.organization = Some(registry::Organization { id: "o-exampleorgid".to_owned(), accounts: members });
        let (state, made) = carry_out(&DigestState::of(&trail), due(&trail, &DigestState::of(&trail), T), &[]);
        let accounts: Vec<&str> = made.iter().map(|digest| digest.aws_account_id.as_str()).collect();
        assert_eq!(accounts, ["444455556666", "111122223333"], "listed members have a chain at once");
        assert!(made.iter().all(|digest| digest.digest_s3_object.starts_with("AWSLogs/o-exampleorgid/")));
        let mut cut = cut(3, &["eu-west-1", "us-east-1", "us-east-1"]);
        cut.files[1].account = Some("444455556666".to_owned());
        cut.files[2].account = Some("777788889999".to_owned());
        let (state, made) = carry_out(&state, due(&trail, &state, T + HOUR), &[&cut]);
        let chains: Vec<(&str, usize, bool)> = made
            .iter()
            .map(|digest| {
                let linked = digest.previous_digest_signature.is_some();
                (digest.digest_s3_object.split("/2026/").next().unwrap(), digest.log_files.len(), linked)
            })
            .collect();
        let folder =
            |account: &str, region: &str| format!("AWSLogs/o-exampleorgid/{account}/CloudTrail-Digest/{region}");
        let expected = [
            (&*folder("444455556666", "eu-west-1"), 0, true),
            (&*folder("444455556666", "us-east-1"), 1, false),
            (&*folder("777788889999", "us-east-1"), 1, false),
            (&*folder("111122223333", "eu-west-1"), 1, true),
        ];
        assert_eq!(chains, expected);
        trail.organization = None;
        let round = due(&trail, &state, T + HOUR + 9);
        assert!(round.is_final);
        let (state, made) = carry_out(&state, round, &[]);
        assert!(made.len() == 4 && made[0].digest_s3_object.starts_with("AWSLogs/o-exampleorgid/"));
        let (_, made) = carry_out(&state, due(&trail, &state, T + HOUR + 10), &[]);
        assert!(made.len() == 1 && made[0].digest_s3_object.starts_with("AWSLogs/111122223333/"));
        assert_eq!(made[0].previous_digest_signature, None);
    }

    #[test]
    fn backfill_lists_what_was_left_and_links_to_nothing() {
        let trail = validating();
        let (state, _) = carry_out(&DigestState::of(&trail), due(&trail, &DigestState::of(&trail), T), &[]);
        let round = backfill(&state, (T + 99) as u64 * 1000).unwrap();
        let made = digests(&state, &round, &[&cut(3, &["us-east-1"])]);
        assert_eq!(made.len(), 1);
        assert!(made[0].1.digest_s3_object.ends_with("_main_eu-west-1_20260115T100342Z_backfill.json.gz"));
        assert_eq!((made[0].1.previous_digest_signature.as_ref(), made[0].1.log_files.len()), (None, 1));
    }

    proptest! {
        #[test]
        fn windows_join_and_every_file_is_listed_once(
            steps in proptest::collection::vec((1i64..9000, 0usize..4, any::<bool>()), 1..40),
        ) {
            let mut trail = validating();
            let (mut state, mut now, mut next_cut) = (DigestState::of(&trail), T, 0u64);
            let mut waiting: Vec<DeliveredCut> = Vec::new();
            let (mut delivered, mut made) = (Vec::new(), Vec::<DigestFile>::new());
            for (later, files, restart) in steps {
                for _ in 0..files {
                    waiting.push(cut(next_cut, &["eu-west-1"]));
                    delivered.push(format!("eu-west-1/{next_cut}"));
                    next_cut += 1;
                }
                now += later;
                if restart {
                    trail.logging.stop(now as u64 * 1000);
                    trail.logging.start(0, now as u64 * 1000 + 1, 0);
                }
                while let Next::Now(round) = next(&trail, &state, HOUR, now as u64 * 1000, next_cut) {
                    let (new, digests) = carry_out(&state, *round, &waiting.iter().collect::<Vec<_>>());
                    state = new;
                    waiting.retain(|cut| cut.from >= state.digested_to);
                    made.extend(digests);
                }
            }
            let (_, digests) = carry_out(&state, last(&trail, &state, now as u64 * 1000, next_cut).unwrap(), &waiting.iter().collect::<Vec<_>>());
            made.extend(digests);
            let listed: Vec<String> = made.iter().flat_map(|digest| &digest.log_files).map(|file| file.s3_object.clone()).collect();
            prop_assert_eq!(listed, delivered);
            let mut names: Vec<&str> = made.iter().map(|digest| digest.digest_s3_object.as_str()).collect();
            prop_assert!(names.is_sorted());
            names.dedup();
            prop_assert_eq!(names.len(), made.len());
            for pair in made.windows(2) {
                let linked = pair[1].previous_digest_s3_object.as_ref() == Some(&pair[0].digest_s3_object);
                prop_assert!(linked || pair[1].previous_digest_s3_object.is_none());
                prop_assert!(!linked || pair[1].digest_start_time == pair[0].digest_end_time);
            }
        }
    }
}
