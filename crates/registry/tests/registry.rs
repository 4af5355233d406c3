//! The registry through its door: versions, conflicts, watching, and what survives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use event::{DataResource, EventSelector, Selectors};
use opentrail_registry::{
    DigestChains, DigestLink, DigestState, Document, Expected, Meta, Position, Registry, RegistryError, Trail, Version,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.sqlite");
    (folder, path)
}

fn position(follower: &str, next: u64) -> Position {
    Position { follower: follower.to_owned(), next }
}

#[test]
fn a_change_on_an_old_version_is_a_conflict_and_changes_nothing() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    let first = registry.put(position("lake", 1), Expected::Absent).unwrap();
    let second = registry.put(position("lake", 2), first).unwrap();
    assert!(second > first);
    let conflict = |result: Result<Version, RegistryError>| match result {
        Err(RegistryError::Conflict { kind: "position", key, found }) if key == "lake" => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(conflict(registry.put(position("lake", 3), first)), Some(second));
    assert_eq!(conflict(registry.put(position("lake", 3), Expected::Absent)), Some(second));
    assert_eq!(conflict(registry.delete::<Position>("lake", first).map(|()| first)), Some(second));
    assert_eq!(registry.get::<Position>("lake").unwrap().unwrap().next, 2);
    registry.delete::<Position>("lake", second).unwrap();
    assert_eq!(conflict(registry.put(position("lake", 3), second)), None);
    assert!(registry.get::<Position>("lake").unwrap().is_none());
}

#[test]
fn a_version_never_returns_even_after_delete_and_reopening() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    let first = registry.put(position("lake", 1), Expected::Absent).unwrap();
    registry.delete::<Position>("lake", first).unwrap();
    drop(registry);
    let registry = Registry::open(&path).unwrap();
    let second = registry.put(position("lake", 1), Expected::Absent).unwrap();
    assert!(second > first);
}

#[test]
fn an_update_is_tried_again_until_nobody_was_faster() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    registry.put(position("lake", 0), Expected::Absent).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let count = |position: &mut Position| -> Result<(), RegistryError> {
                        position.next += 1;
                        Ok(())
                    };
                    registry.update("lake", count).unwrap();
                }
            });
        }
    });
    assert_eq!(registry.get::<Position>("lake").unwrap().unwrap().next, 100);
    let missing = registry.update("nobody", |_: &mut Position| Ok::<(), RegistryError>(()));
    assert!(matches!(missing, Err(RegistryError::NotFound { .. })));
}

#[tokio::test]
async fn a_watch_fires_after_the_change_can_be_seen_and_only_for_its_kind() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    let mut watch = registry.watch::<Position>().unwrap();
    let meta = Meta { account_id: "111122223333".to_owned(), created_ms: 1 };
    registry.put(meta, Expected::Absent).unwrap();
    assert!(!watch.has_changed().unwrap());
    let other = registry.clone();
    let writer = std::thread::spawn(move || other.put(position("lake", 7), Expected::Absent).unwrap());
    watch.changed().await.unwrap();
    assert_eq!(registry.get::<Position>("lake").unwrap().unwrap().next, 7);
    let version = writer.join().unwrap();
    assert!(!watch.has_changed().unwrap());
    registry.delete::<Position>("lake", version).unwrap();
    watch.changed().await.unwrap();
    assert!(registry.list::<Position>().unwrap().is_empty());
}

#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let registry = Registry::open(&path).unwrap();
    registry.put(position("lake", 1), Expected::Absent).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn a_second_process_is_told_that_the_file_is_in_use() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    let error = Registry::open(&path).err().unwrap();
    assert!(matches!(&error, RegistryError::InUse(file) if *file == path), "{error}");
    drop(registry);
    Registry::open(&path).unwrap();
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let (_folder, path) = folder();
    drop(Registry::open(&path).unwrap());
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let error = Registry::open(&path).err().unwrap();
    assert!(matches!(error, RegistryError::Layout { found: 99, .. }), "{error}");
}

#[test]
fn what_is_no_registry_is_refused() {
    let (_folder, path) = folder();
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    assert!(matches!(Registry::open(&path), Err(RegistryError::Database(_))));
    assert!(matches!(Registry::open(&path.join("no/folder")), Err(RegistryError::Open { .. })));
}

#[test]
fn an_unreadable_document_is_named() {
    let (_folder, path) = folder();
    drop(Registry::open(&path).unwrap());
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("INSERT INTO documents VALUES ('position', 'lake', 1, '{\"form\":1}')", []).unwrap();
    drop(database);
    let registry = Registry::open(&path).unwrap();
    match registry.get::<Position>("lake") {
        Err(RegistryError::Unreadable { key, .. }) => assert_eq!(key, "lake"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_has_a_limit() {
    let (_folder, path) = folder();
    let registry = Registry::open(&path).unwrap();
    let result = registry.put(position(&"x".repeat(Position::BODY_MAX), 1), Expected::Absent);
    assert!(matches!(result, Err(RegistryError::TooLarge { .. })));
}

#[test]
fn digests_of_a_large_organization_are_within_the_limit() {
    let (_folder, path) = folder();
    let trail = Trail::new("eu-west-1", "111122223333", "main", "organization-trail-bucket", 0);
    let chain = |number: u64| {
        let account = 100_000_000_000 + number;
        let link = DigestLink {
            bucket: "organization-trail-bucket".to_owned(),
            object: format!(
                "AWSLogs/o-exampleorgid/{account}/CloudTrail-Digest/eu-west-1/2026/01/15/{account}_CloudTrail-Digest_eu-west-1_main_eu-west-1_20260115T100203Z.json.gz"
            ),
            hash: "9b".repeat(32),
            signature: "7f".repeat(256),
        };
        (format!("{account}/eu-west-1"), link)
    };
    let chains =
        DigestChains { logging_started_ms: 0, anchor: 0, trail: trail.clone(), links: (0..5000).map(chain).collect() };
    let state = DigestState { chains: Some(chains), ..DigestState::of(&trail) };
    Registry::open(&path).unwrap().put(state.clone(), Expected::Absent).unwrap();
    let kept = Registry::open(&path).unwrap().get::<DigestState>(&trail.arn()).unwrap().unwrap();
    assert_eq!(*kept.document, state);
}

#[test]
fn a_trail_is_kept_with_all_the_large_selectors_that_were_replaced() {
    let (_folder, path) = folder();
    let mut trail = Trail::new("eu-west-1", "111122223333", "main", "audit", 1);
    trail.logging.start(0, 1, 0);
    for number in 0..16 {
        let value = DataResource { resource_type: "AWS::S3::Object".to_owned(), values: vec!["x".repeat(1_200_000)] };
        let selector = EventSelector { data_resources: vec![value], ..EventSelector::default() };
        trail.select(Selectors::Basic(vec![selector]), number + 1, 0);
    }
    Registry::open(&path).unwrap().put(trail.clone(), Expected::Absent).unwrap();
    let kept = Registry::open(&path).unwrap().get::<Trail>(&trail.arn()).unwrap().unwrap();
    assert_eq!(*kept.document, trail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_a_map_that_survives(steps in proptest::collection::vec((0usize..4, 0u8..5, any::<u32>()), 1..40)) {
        let (_folder, path) = folder();
        let mut registry = Registry::open(&path).unwrap();
        let mut model: BTreeMap<String, (Version, u64)> = BTreeMap::new();
        for (key, action, value) in steps {
            let key = ["a", "b", "c", "ü"][key].to_owned();
            let found = model.get(&key).copied();
            match (action, found) {
                (0, _) => {
                    drop(registry);
                    registry = Registry::open(&path).unwrap();
                }
                (1, Some((version, _))) => {
                    registry.delete::<Position>(&key, version).unwrap();
                    model.remove(&key);
                }
                (_, found) => {
                    let expected = found.map_or(Expected::Absent, |(version, _)| version.into());
                    let version = registry.put(position(&key, u64::from(value)), expected).unwrap();
                    model.insert(key, (version, u64::from(value)));
                }
            }
            let all: BTreeMap<String, (Version, u64)> = registry
                .list::<Position>()
                .unwrap()
                .into_iter()
                .map(|found| (found.follower.clone(), (found.version, found.next)))
                .collect();
            prop_assert_eq!(&all, &model);
        }
    }
}

/// Every sample ever stored reads as it was meant: a changed form must keep these files and add its own.
mod samples {
    use super::*;
    use event::{AdvancedEventSelector, EventSelector, FieldSelector, Identity, Operators, SelectorField, Selectors};
    use opentrail_registry::{
        AccessKey, Aggregation, DelegatedAdministrator, DeletedTrail, DeliveredCut, DeliveredFile, DeliveryState,
        DeliveryStatus, DigestChains, DigestLink, DigestState, Document, InsightSelector, KeyStatus, LearnedIdentity,
        LogKey, LogTree, Logging, LogsState, Notification, NotificationState, Organization, PendingCut, PendingDigests,
        PendingRound, Period, ReplacedSelectors, Secret, SigningKey, Tag, TransparencyLog, Witnessed,
    };

    fn trail() -> Trail {
        Trail {
            s3_key_prefix: Some("ct".to_owned()),
            sns_topic_name: Some("told".to_owned()),
            sns_topic_arn: Some("arn:aws:sns:eu-west-1:111122223333:told".to_owned()),
            is_multi_region_trail: true,
            log_file_validation_enabled: true,
            tags: vec![
                Tag { key: "team".to_owned(), value: Some("audit".to_owned()) },
                Tag { key: "bare".to_owned(), value: None },
            ],
            logging: Logging {
                started_ms: Some(1_768_471_400_000),
                stopped_ms: Some(1_768_471_390_000),
                periods: vec![
                    Period { from: 7, stopped_ms: Some(1_768_471_390_000) },
                    Period { from: 12, stopped_ms: None },
                ],
            },
            ..Trail::new("eu-west-1", "111122223333", "main", "audit", 1_768_471_323_000)
        }
    }

    /// Reads the sample of a kind from the folder of a form, by storing its text as an earlier program would have.
    fn check<T: Document + PartialEq + std::fmt::Debug>(form: &str, expected: T) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(form).join(format!("{}.json", T::KIND));
        let body = std::fs::read_to_string(&file).unwrap();
        let (_folder, path) = folder();
        drop(Registry::open(&path).unwrap());
        let database = rusqlite::Connection::open(&path).unwrap();
        let row = rusqlite::params![T::KIND, expected.key(), body.trim_end()];
        database.execute("INSERT INTO documents VALUES (?1, ?2, 1, ?3)", row).unwrap();
        drop(database);
        let registry = Registry::open(&path).unwrap();
        let found = registry.get::<T>(&expected.key()).unwrap().unwrap();
        assert_eq!(*found.document, expected, "{}", file.display());
        // What is written today reads back the same, too.
        registry.delete::<T>(&expected.key(), found.version).unwrap();
        registry.put(expected, Expected::Absent).unwrap();
        drop(registry);
        let registry = Registry::open(&path).unwrap();
        assert_eq!(registry.list::<T>().unwrap()[0].document, found.document);
    }

    #[test]
    fn trail_form_1() {
        check("v1", trail());
    }

    #[test]
    fn trail_form_2() {
        let condition = |field, operators| FieldSelector { field, operators };
        let equals = |value: &str| Operators { equals: vec![value.to_owned()], ..Operators::default() };
        let selectors = Selectors::Advanced(vec![AdvancedEventSelector {
            name: Some("s3 writes".to_owned()),
            field_selectors: vec![
                condition(SelectorField::EventCategory, equals("Data")),
                condition(SelectorField::ResourcesType, equals("AWS::S3::Object")),
                condition(
                    SelectorField::ResourcesArn,
                    Operators {
                        starts_with: vec!["arn:aws:s3:::audit/".to_owned()],
                        not_ends_with: vec![".tmp".to_owned()],
                        ..Operators::default()
                    },
                ),
            ],
        }]);
        let insight = InsightSelector {
            insight_type: "ApiCallRateInsight".to_owned(),
            event_categories: Some(vec!["Data".to_owned()]),
        };
        let aggregation = Aggregation { templates: vec!["API_ACTIVITY".to_owned()], event_category: "Data".to_owned() };
        let trail = Trail {
            selectors: Some(selectors),
            replaced_selectors: vec![replaced(None, None)],
            insight_selectors: vec![insight],
            aggregations: vec![aggregation],
            ..trail()
        };
        check("v2", trail);
    }

    fn replaced(multi_region: Option<bool>, global: Option<bool>) -> ReplacedSelectors {
        ReplacedSelectors {
            until: 9,
            selectors: None,
            is_multi_region_trail: multi_region,
            include_global_service_events: global,
        }
    }

    #[test]
    fn deleted_trail_form_1() {
        check("v1", DeletedTrail { trail: trail(), deleted_ms: 1_768_471_399_000 });
    }

    #[test]
    fn trail_form_4() {
        check("v4", Trail { replaced_selectors: vec![replaced(Some(false), Some(true))], ..trail() });
    }

    /// The trail of an organization, whose selectors do not say what they exclude.
    fn trail_of_an_organization() -> Trail {
        Trail {
            is_organization_trail: true,
            organization: Some(Organization {
                id: "o-exampleorgid".to_owned(),
                accounts: vec!["444455556666".to_owned()],
            }),
            selectors: Some(Selectors::Basic(vec![EventSelector {
                exclude_management_event_sources: None,
                ..EventSelector::default()
            }])),
            ..trail()
        }
    }

    #[test]
    fn trail_form_3() {
        check("v3", trail_of_an_organization());
    }

    #[test]
    fn delegated_administrator_form_1() {
        check(
            "v1",
            DelegatedAdministrator {
                account_id: "444455556666".to_owned(),
                organization_id: "o-exampleorgid".to_owned(),
                registered_ms: 1_768_471_323_000,
            },
        );
    }

    #[test]
    fn notification_form_1() {
        check(
            "v1",
            Notification {
                trail_arn: trail().arn(),
                trail_created_ms: trail().created_ms,
                from: 42,
                topic_arn: "arn:aws:sns:eu-west-1:111122223333:told".to_owned(),
                delivered_ms: 1_768_471_450_000,
                bucket: "audit".to_owned(),
                objects: vec!["ct/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/111122223333_CloudTrail_eu-west-1_20260115T1000Z_uUReUnG7VDRbgjnJ.json.gz".to_owned()],
            },
        );
    }

    #[test]
    fn notification_state_form_1() {
        check(
            "v1",
            NotificationState {
                latest_notification_ms: Some(1_768_471_450_000),
                latest_attempt_ms: Some(1_768_471_500_000),
                latest_error: Some("NotFound".to_owned()),
                ..NotificationState::of(&trail().arn(), trail().created_ms)
            },
        );
    }

    #[test]
    fn logs_state_form_1() {
        check(
            "v1",
            LogsState {
                next: 42,
                finished_ms: Some(1_768_471_390_000),
                latest_delivery_ms: Some(1_768_471_450_000),
                latest_error: Some("ResourceNotFoundException".to_owned()),
                ..LogsState::of(&trail())
            },
        );
    }

    #[test]
    fn delivery_state_forms() {
        check("v1", delivery_state(trail()));
        check("v2", delivery_state(trail_of_an_organization()));
    }

    fn delivery_state(with: Trail) -> DeliveryState {
        DeliveryState {
            trail_arn: trail().arn(),
            trail_created_ms: trail().created_ms,
            next: 42,
            pending: Some(PendingCut { to: 50, delivery_ms: 1_768_471_500_000, trail: with }),
            finished_ms: Some(1_768_471_390_000),
            status: DeliveryStatus {
                latest_delivery_ms: Some(1_768_471_450_000),
                latest_attempt_ms: Some(1_768_471_500_000),
                latest_error: Some("NoSuchBucket".to_owned()),
            },
        }
    }

    #[test]
    fn digest_state_forms() {
        check("v1", digest_state(trail(), "eu-west-1"));
        check("v2", digest_state(trail_of_an_organization(), "444455556666/eu-west-1"));
    }

    fn digest_state(with: Trail, chain: &str) -> DigestState {
        let link = DigestLink {
            bucket: "audit".to_owned(),
            object: "ct/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/15/111122223333_CloudTrail-Digest_eu-west-1_main_eu-west-1_20260115T100203Z.json.gz".to_owned(),
            hash: "97fb791cf91ffc440d274f8190dbdd9aa09c34432aba82739df18b6d3c13df2d".to_owned(),
            signature: "50887ccf".to_owned(),
        };
        DigestState {
            trail_arn: trail().arn(),
            trail_created_ms: trail().created_ms,
            chains: Some(DigestChains {
                logging_started_ms: 1_768_471_323_000,
                anchor: 1_768_471_323,
                trail: with.clone(),
                links: [(chain.to_owned(), link)].into(),
            }),
            covered_to: 1_768_474_923,
            digested_to: 42,
            pending: Some(PendingDigests {
                start: 1_768_474_923,
                end: 1_768_478_523,
                to: 50,
                is_final: true,
                backfill_at: Some(1_768_478_530),
                trail: with,
            }),
            latest_delivery_ms: Some(1_768_474_924_000),
            latest_error: Some("AccessDenied".to_owned()),
        }
    }

    #[test]
    fn delivered_cut_forms() {
        check("v1", delivered_cut(None));
        check("v2", delivered_cut(Some("444455556666".to_owned())));
    }

    fn delivered_cut(account: Option<String>) -> DeliveredCut {
        DeliveredCut {
                trail_arn: trail().arn(),
                trail_created_ms: trail().created_ms,
                from: 42,
                bucket: "audit".to_owned(),
                files: vec![DeliveredFile {
                    account,
                    region: "eu-west-1".to_owned(),
                    object: "ct/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/111122223333_CloudTrail_eu-west-1_20260115T1000Z_uUReUnG7VDRbgjnJ.json.gz".to_owned(),
                    hash: "9bb6196fc6b84d6f075a56548feca262bd99ba3c2de41b618e5b6e22c1fc71f6".to_owned(),
                    newest: 1_768_471_330,
                    oldest: 1_768_471_323,
                }],
            }
    }

    #[test]
    fn signing_key_form_1() {
        check(
            "v1",
            SigningKey {
                region: "eu-west-1".to_owned(),
                fingerprint: "31e8b5433410dfb61a9dc45cc65b22ff".to_owned(),
                public_key: "MIIBCgKCAQEA".to_owned(),
                sealed_private_key: "c2VhbGVk".to_owned(),
                valid_from_ms: 1_768_467_723_000,
                valid_to_ms: 1_771_063_323_000,
            },
        );
    }

    #[test]
    fn transparency_log_form_1() {
        let log = TransparencyLog {
            trail_arn: trail().arn(),
            origin: "opentrail/111122223333/eu-west-1/main/20260115T100203Z".to_owned(),
            began: "20260115T100203Z".to_owned(),
            bucket: "audit".to_owned(),
            folder: "AWSLogs/111122223333/CloudTrail-Transparency/eu-west-1/main/20260115T100203Z/".to_owned(),
            public_key: "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c".to_owned(),
            tree: LogTree {
                size: 1,
                edge: vec!["bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=".to_owned()],
                bundle: "AAA=".to_owned(),
            },
            taken: (1, 42),
            pending: Some(PendingRound {
                cuts: vec!["00000000000000000001-00000000000000000042.leaves".to_owned()],
                size: 3,
                root: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77".to_owned(),
            }),
            latest_ms: Some(1_768_474_924_000),
        };
        check("v1", log);
    }

    #[test]
    fn log_key_form_1() {
        check(
            "v1",
            LogKey {
                public_key: "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c".to_owned(),
                sealed_private_key: "c2VhbGVk".to_owned(),
                made_ms: 1_768_467_723_000,
            },
        );
    }

    #[test]
    fn witnessed_form_1() {
        check(
            "v1",
            Witnessed {
                origin: "opentrail/111122223333/eu-west-1/main/20260115T100203Z".to_owned(),
                witness: "s3://elsewhere/witness".to_owned(),
                size: 3,
                latest_ms: 1_768_474_924_000,
            },
        );
    }

    #[test]
    fn access_key_form_1() {
        check(
            "v1",
            AccessKey {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
                user_name: "admin".to_owned(),
                principal_id: "AIDACKCEVSQ6C2EXAMPLE".to_owned(),
                account_id: "111122223333".to_owned(),
                status: KeyStatus::Active,
                created_ms: 1_768_471_323_000,
            },
        );
    }

    #[test]
    fn learned_identity_form_1() {
        check(
            "v1",
            LearnedIdentity {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                identity: Identity::iam_user("111122223333", "jo", "AIDACKCEVSQ6C2EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
                origins: Vec::new(),
                expires_ms: Some(1_768_474_923_000),
            },
        );
    }

    #[test]
    fn a_learned_session_keeps_its_origins() {
        let (_folder, path) = folder();
        let jo = Identity::iam_user("111122223333", "jo", "AIDACKCEVSQ6C2EXAMPLE", "AKIAIOSFODNN7EXAMPLE");
        let session = LearnedIdentity {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            identity: jo.clone(),
            origins: vec![jo],
            expires_ms: Some(1_768_474_923_000),
        };
        Registry::open(&path).unwrap().put(session.clone(), Expected::Absent).unwrap();
        let kept = Registry::open(&path).unwrap().get::<LearnedIdentity>("ASIAIOSFODNN7EXAMPLE").unwrap().unwrap();
        assert_eq!(*kept.document, session);
    }

    #[test]
    fn position_form_1() {
        check("v1", position("lake", 42));
    }

    #[test]
    fn meta_form_1() {
        check("v1", Meta { account_id: "111122223333".to_owned(), created_ms: 1_768_471_323_000 });
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = AccessKey {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI".to_owned()),
            user_name: "admin".to_owned(),
            principal_id: "AIDA".to_owned(),
            account_id: "111122223333".to_owned(),
            status: KeyStatus::Active,
            created_ms: 0,
        };
        assert!(!format!("{key:?}").contains("wJalr"), "{key:?}");
    }
}
