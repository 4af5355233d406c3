//! What a topic is to be told, through failures and crashes of delivery.

use super::*;
use registry::Notification;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_file_in_the_bucket_is_noted_once_through_any_crash(
        regions in proptest::collection::vec(prop_oneof!["eu-west-1", "eu-west-2", "eu-west-3"], 1..40),
        plan in proptest::collection::vec(
            prop_oneof![
                3 => Just(Write::Takes),
                1 => Just(Write::Refuses),
                1 => Just(Write::TakesAndFails),
                1 => Just(Write::DiesBefore),
                2 => Just(Write::DiesAfter),
            ],
            0..30,
        ),
        steps in proptest::collection::vec(
            prop_oneof![
                4 => (1usize..9).prop_map(Step::Batch),
                2 => Just(Step::Deadline),
                1 => Just(Step::Dies),
                1 => Just(Step::TrailChanges),
            ],
            0..40,
        ),
    ) {
        let house = House::new(plan);
        house.change_trail(|trail| trail.sns_topic_arn = Some("told".to_owned()));
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        run_async(live_through(&house, &entries(&regions), steps.into()));
        let notes = house.registry.list::<Notification>().unwrap();
        let noted = notes.iter().flat_map(|note| note.objects.iter().map(|key| format!("{}/{key}", note.bucket)));
        let mut noted: Vec<String> = noted.collect();
        noted.sort_unstable();
        prop_assert_eq!(noted, house.keys());
        prop_assert!(notes.iter().all(|note| note.topic_arn == "told" && note.trail_arn == house.arn));
    }
}
