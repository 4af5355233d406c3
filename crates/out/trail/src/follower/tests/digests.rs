//! Digests through failures and crashes: what lies in the bucket proves itself.

use super::*;
use crate::cut::tests::gunzip;
use crate::digest::{DigestFile, sha256_hex};

impl House {
    fn validating(plan: impl IntoIterator<Item = Write>) -> House {
        let house = House::new(plan);
        house.change_trail(|trail| trail.log_file_validation_enabled = true);
        house
    }

    /// The digests of a Region, oldest first, each with the hash of its bytes.
    fn digests(&self, region: &str) -> Vec<(DigestFile, String)> {
        let objects = self.bucket.objects.lock().unwrap();
        let marked = format!("/CloudTrail-Digest/{region}/");
        let bodies = objects.iter().filter(|(key, _)| key.contains(&marked)).map(|(_, body)| gunzip(body));
        bodies.map(|json| (serde_json::from_slice(&json).unwrap(), sha256_hex(&json))).collect()
    }

    /// That every log file is listed once, with its hash, and that every chain is linked; the number of chains begun.
    fn check_chains(&self, regions: &[&str]) -> usize {
        let objects = self.bucket.objects.lock().unwrap().clone();
        let mut listed = BTreeMap::new();
        let mut starts = 0;
        for region in regions {
            let mut before: Option<(DigestFile, String)> = None;
            for (digest, hash) in self.digests(region) {
                if let Some(link) = &digest.previous_digest_s3_object {
                    let (previous, previous_hash) = before.as_ref().unwrap();
                    assert_eq!(link, &previous.digest_s3_object);
                    assert_eq!(digest.previous_digest_hash_value.as_ref(), Some(previous_hash));
                    assert_eq!(digest.digest_start_time, previous.digest_end_time);
                } else {
                    starts += 1;
                }
                for file in &digest.log_files {
                    let earlier =
                        listed.insert(format!("{}/{}", file.s3_bucket, file.s3_object), file.hash_value.clone());
                    assert_eq!(earlier, None, "listed twice: {}", file.s3_object);
                }
                before = Some((digest, hash));
            }
        }
        let is_log_file = |(key, _): &(&String, &Bytes)| !key.contains("/CloudTrail-Digest/");
        let delivered: BTreeMap<String, String> =
            objects.iter().filter(is_log_file).map(|(key, body)| (key.clone(), sha256_hex(&gunzip(body)))).collect();
        assert_eq!(listed, delivered);
        starts
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_log_file_is_in_one_digest_of_a_linked_chain_through_any_crash(
        regions in proptest::collection::vec(prop_oneof!["eu-west-1", "eu-west-2"], 1..40),
        plan in proptest::collection::vec(
            prop_oneof![
                4 => Just(Write::Takes),
                1 => Just(Write::Refuses),
                1 => Just(Write::TakesAndFails),
                1 => Just(Write::DiesBefore),
                1 => Just(Write::DiesAfter),
            ],
            0..30,
        ),
        steps in proptest::collection::vec(
            prop_oneof![
                4 => (1usize..9).prop_map(Step::Batch),
                4 => Just(Step::Deadline),
                1 => Just(Step::Dies),
                1 => Just(Step::TrailChanges),
            ],
            0..40,
        ),
    ) {
        let house = House::validating(plan);
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        let entries = entries(&regions);
        run_async(live_through(&house, &entries, steps.into()));
        house.bucket.plan.lock().unwrap().clear();
        run_async(house.follower().part()).unwrap();
        prop_assert_eq!(house.delivered(), (0..entries.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(&*house.bucket.changed.lock().unwrap(), &Vec::<String>::new(), "written again, but not the same");
        let starts = house.check_chains(&["eu-west-1", "eu-west-2"]);
        prop_assert!(starts <= 2, "a crash begins no new chain");
        prop_assert_eq!(house.registry.list::<registry::DeliveredCut>().unwrap().len(), 0, "nothing is left over");
    }
}

#[test]
fn digests_that_cannot_be_written_hold_up_no_log_file_and_are_told() {
    let house = House::validating([Write::Refuses]);
    let digests = || house.registry.get::<registry::DigestState>(&house.arn).unwrap().unwrap();
    run_async(async {
        let mut follower = house.follower();
        follower.flush(Flush::Deadline).await.unwrap();
        assert_eq!((digests().latest_error.as_deref(), digests().latest_delivery_ms), (Some("NoSuchBucket"), None));
        let retry = follower.deadline().unwrap();
        assert!(retry > Instant::now(), "not at once");
        follower.follow(&entries(&["eu-west-1"])).await.unwrap();
        follower.cut().await.unwrap();
        assert_eq!(house.delivered(), [0]);
        tokio::time::sleep_until(retry.into()).await;
        follower.flush(Flush::Deadline).await.unwrap();
        assert_eq!(digests().latest_error, None, "gone after a success");
        assert!(digests().latest_delivery_ms.is_some());
        follower.part().await.unwrap();
    });
    assert_eq!(house.check_chains(&["eu-west-1"]), 1);
}

#[test]
fn digests_that_wait_for_a_log_file_tell_why() {
    let house = House::validating([Write::Takes, Write::Refuses, Write::Refuses]);
    let digests = || house.registry.get::<registry::DigestState>(&house.arn).unwrap().unwrap();
    run_async(async {
        let mut follower = house.follower();
        follower.flush(Flush::Deadline).await.unwrap();
        follower.follow(&entries(&["eu-west-1"])).await.unwrap();
        follower.cut().await.unwrap_err();
        assert_eq!(digests().latest_error, None, "none is due yet");
        house.clock.fetch_add(3_600_000, Ordering::Relaxed);
        follower.flush(Flush::Drain).await.unwrap_err();
        assert_eq!(digests().latest_error.as_deref(), Some("NoSuchBucket"));
        while follower.flush(Flush::Drain).await.is_err() {}
        follower.flush(Flush::Deadline).await.unwrap();
        assert_eq!(digests().latest_error, None, "gone after a success");
    });
    assert_eq!(house.check_chains(&["eu-west-1"]), 1);
}

#[test]
fn a_digest_that_is_due_cuts_no_log_file_before_its_time() {
    let house = House::validating([]);
    run_async(async {
        let mut follower = house.follower();
        follower.tools.interval = Duration::from_secs(3600);
        follower.follow(&entries(&["eu-west-1"])).await.unwrap();
        for _ in 0..3 {
            follower.flush(Flush::Deadline).await.unwrap();
            house.clock.fetch_add(3_600_000, Ordering::Relaxed);
        }
        assert!(house.digests("eu-west-1").len() >= 3);
        assert_eq!(house.delivered(), [0u64; 0]);
        follower.flush(Flush::Drain).await.unwrap();
        assert_eq!(house.delivered(), [0]);
    });
    assert_eq!(house.check_chains(&["eu-west-1"]), 1, "at the end of the process the file has its proof");
}

#[test]
fn the_chain_ends_when_validation_is_turned_off_and_another_begins_when_it_is_turned_on() {
    let house = House::validating([]);
    let entries = entries(&["eu-west-1"; 4]);
    run_async(async {
        let mut follower = house.follower();
        follower.flush(Flush::Deadline).await.unwrap();
        follower.follow(&entries[..1]).await.unwrap();
        house.change_trail(|trail| trail.log_file_validation_enabled = false);
        follower.flush(Flush::Deadline).await.unwrap();
        follower.flush(Flush::Deadline).await.unwrap();
        house.check_chains(&["eu-west-1"]);
        assert_eq!(house.digests("eu-west-1").len(), 2, "starting and final");
        assert_eq!(follower.deadline(), None);
        follower.follow(&entries[1..2]).await.unwrap();
        follower.flush(Flush::Deadline).await.unwrap();
        assert_eq!(house.digests("eu-west-1").len(), 2, "what is delivered meanwhile is in none");
        house.change_trail(|trail| trail.log_file_validation_enabled = true);
        follower.follow(&entries[2..]).await.unwrap();
        follower.flush(Flush::Drain).await.unwrap();
        follower.part().await.unwrap();
    });
    let digests = house.digests("eu-west-1");
    let starts: Vec<bool> = digests.iter().map(|(digest, _)| digest.previous_digest_signature.is_none()).collect();
    assert!(starts[0] && !starts[1] && starts[2] && !starts[starts.len() - 1], "{starts:?}");
    let listed: usize = digests.iter().map(|(digest, _)| digest.log_files.len()).sum();
    assert_eq!((listed, house.delivered().len()), (2, 4), "files of one and of two events; four events");
}

#[test]
fn files_of_a_trail_that_was_deleted_before_its_last_digest_are_in_a_backfill_digest() {
    let house = House::validating([]);
    run_async(async {
        let mut follower = house.follower();
        follower.flush(Flush::Deadline).await.unwrap();
        follower.follow(&entries(&["eu-west-1"])).await.unwrap();
        follower.cut().await.unwrap();
        // Here the trail is deleted and the process dies.
        let digests = follower.tools.digests.clone();
        drop(follower);
        let left = digests.states.get(&house.arn).unwrap();
        Digester::backfill(digests.clone(), left).await.unwrap();
        assert!(digests.states.get(&house.arn).is_none() && digests.cuts.list().is_empty());
    });
    house.check_chains(&["eu-west-1"]);
    let keys = house.keys();
    assert_eq!(keys.iter().filter(|key| key.ends_with("_backfill.json.gz")).count(), 1, "{keys:?}");
}
