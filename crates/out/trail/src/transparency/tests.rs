//! Logs through failures and crashes: never two trees of one size, never an entry lost or doubled.

use super::layout::{CHECKPOINT, push_entry};
use super::leaf::Leaf;
use super::log::{LogError, LogTask};
use super::merkle::{leaf_hash, row_hash};
use super::note::{Checkpoint, Note, VerifierKey};
use super::source::{bundle, checkpoint};
use super::spool::{Noted, Place, tests::place};
use super::witnessing::BucketSource;
use super::*;
use crate::ObjectHeaders;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use registry::RegistryError;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// What the bucket does with one write.
#[derive(Debug, Clone, Copy)]
enum Write {
    Takes,
    Refuses,
    TakesAndFails,
    DiesBefore,
    DiesAfter,
}

#[derive(Default)]
struct FakeBucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    plan: Mutex<VecDeque<Write>>,
    /// How many reads are not answered.
    unread: AtomicU64,
    died: Notify,
    /// Every checkpoint that was ever there.
    checkpoints: Mutex<Vec<Checkpoint>>,
    /// Objects that may not change and did.
    changed: Mutex<Vec<String>>,
}

impl LogBucket for FakeBucket {
    fn check_bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        assert_eq!(headers.content_encoding, "");
        Box::pin(async move {
            let write = self.plan.lock().unwrap().pop_front().unwrap_or(Write::Takes);
            if matches!(write, Write::Takes | Write::TakesAndFails | Write::DiesAfter) {
                let is_checkpoint = key.ends_with(CHECKPOINT);
                if is_checkpoint {
                    let note = Note::parse(&body).unwrap();
                    self.checkpoints.lock().unwrap().push(Checkpoint::of(&note).unwrap());
                }
                let before = self.objects.lock().unwrap().insert(format!("{bucket}/{key}"), body.clone());
                if !is_checkpoint && before.is_some_and(|before| before != body) {
                    self.changed.lock().unwrap().push(key.to_owned());
                }
            }
            match write {
                Write::Takes => Ok(()),
                Write::Refuses => Err(BucketError::NoSuchBucket(bucket.to_owned())),
                Write::TakesAndFails => Err(BucketError::Unreachable("connection reset".to_owned())),
                Write::DiesBefore | Write::DiesAfter => {
                    self.died.notify_one();
                    std::future::pending().await
                }
            }
        })
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BucketError>> {
        Box::pin(async move {
            let left = self.unread.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            match left {
                Ok(_) => Err(BucketError::Unreachable("connection refused".to_owned())),
                Err(_) => Ok(self.objects.lock().unwrap().get(&format!("{bucket}/{key}")).cloned()),
            }
        })
    }
}

struct House {
    folder: TempDir,
    registry: Registry,
    bucket: Arc<FakeBucket>,
    clock: Arc<AtomicU64>,
}

impl House {
    fn new(plan: Vec<Write>) -> House {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let bucket = FakeBucket { plan: Mutex::new(plan.into()), ..FakeBucket::default() };
        House { folder, registry, bucket: Arc::new(bucket), clock: Arc::new(AtomicU64::new(1_768_471_323_000)) }
    }

    /// What a new process has.
    fn inner(&self) -> Arc<Inner> {
        let clock = Arc::clone(&self.clock);
        Arc::new(Inner {
            spool: Spool::open(self.folder.path().join("transparency")).unwrap(),
            states: self.registry.documents().unwrap(),
            witnessed: self.registry.documents().unwrap(),
            keys: SigningKeys::open(&self.registry, &self.folder.path().join("digest.key")).unwrap(),
            bucket: Arc::<FakeBucket>::clone(&self.bucket),
            witnesses: Vec::new(),
            now_ms: Arc::new(move || clock.fetch_add(1, Ordering::Relaxed)),
            tasks: Mutex::default(),
            statuses: Mutex::default(),
            stop: watch::Sender::new(false),
        })
    }

    fn task(&self) -> LogTask {
        LogTask::new(self.inner(), &place().trail_arn)
    }

    fn keep(&self, place: Place, from: u64, count: u64) {
        let mut bundle = Vec::new();
        (from..from + count).for_each(|number| push_entry(&mut bundle, &number.to_be_bytes()));
        self.inner().spool.keep(Noted::new(place, from, from + count, vec![bundle.into()])).unwrap();
    }

    fn state(&self) -> TransparencyLog {
        TransparencyLog::clone(&self.registry.get::<TransparencyLog>(&place().trail_arn).unwrap().unwrap())
    }

    /// The entries of the log that is written now, read as anybody would, their signature and every checkpoint that ever was checked.
    async fn log(&self) -> Vec<Bytes> {
        let state = self.state();
        let bucket: Arc<dyn LogBucket> = Arc::<FakeBucket>::clone(&self.bucket);
        let source = BucketSource { bucket, name: state.bucket.clone(), folder: state.folder.clone() };
        let (note, newest) = checkpoint(&source).await.unwrap().unwrap();
        let key = VerifierKey::parse(&log::key_of(&state).unwrap().to_string()).unwrap();
        assert_eq!(note.verified_by(&key), Ok(0));
        let mut all = Vec::new();
        for index in 0..newest.size.div_ceil(256) {
            all.extend(bundle(&source, index, newest.size).await.unwrap());
        }
        assert_eq!(all.len() as u64, newest.size);
        let hashes: Vec<_> = all.iter().map(|entry| leaf_hash(entry)).collect();
        for checkpoint in self.bucket.checkpoints.lock().unwrap().iter().filter(|one| one.origin == newest.origin) {
            assert_eq!(row_hash(&hashes[..checkpoint.size as usize]), checkpoint.root, "at {}", checkpoint.size);
        }
        let mut tiles = source::TileCache::default();
        let size = newest.size;
        let root = tiles.with(&source, size, |tiles| merkle::range_hash(tiles, 0, size)).await.unwrap();
        assert_eq!(root, newest.root, "by its tiles");
        all
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// More than all that a plan of writes can refuse.
const TRIES: usize = 1000;

/// Writes what waits, as often as it takes: with a new process after each death.
async fn settle(house: &House) {
    let mut task = house.task();
    for _ in 0..TRIES {
        tokio::select! {
            () = house.bucket.died.notified() => task = house.task(),
            done = task.work() => match done {
                Ok(()) => return,
                // What a dead process had begun to save was saved after the next one had read: so late no real one writes.
                Err(LogError::Registry(RegistryError::Conflict { .. })) => task = house.task(),
                Err(_) => {}
            },
        }
    }
    panic!("it does not come to an end: {:?}", task.work().await);
}

fn numbers(all: &[Bytes]) -> Vec<u64> {
    all.iter().map(|entry| u64::from_be_bytes(entry[..].try_into().unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_crash_makes_two_trees_of_one_size_or_loses_an_entry(
        cuts in proptest::collection::vec(1u64..400, 1..6),
        plan in proptest::collection::vec(
            prop_oneof![
                6 => Just(Write::Takes),
                1 => Just(Write::Refuses),
                1 => Just(Write::TakesAndFails),
                1 => Just(Write::DiesBefore),
                1 => Just(Write::DiesAfter),
            ],
            0..40,
        ),
        together in any::<bool>(),
    ) {
        let house = House::new(plan);
        run(async {
            let mut from = 0;
            for count in cuts {
                house.keep(place(), from, count);
                from += count;
                if !together {
                    settle(&house).await;
                }
                // Delivery that dies before its position is saved brings the cut again.
                house.keep(place(), from - count, count);
            }
            settle(&house).await;
            let all = house.log().await;
            assert_eq!(numbers(&all), (0..from).collect::<Vec<_>>());
            assert!(house.bucket.changed.lock().unwrap().is_empty(), "what is immutable never changes");
            assert!(house.inner().spool.waiting(&place().trail_arn).unwrap().is_empty());
        });
    }
}

#[test]
fn a_log_that_moves_begins_anew_and_says_where_it_was() {
    let house = House::new(Vec::new());
    run(async {
        house.keep(place(), 0, 3);
        settle(&house).await;
        let before = house.state();
        let elsewhere = || Place { bucket: "elsewhere".to_owned(), ..place() };
        house.keep(elsewhere(), 3, 2);
        settle(&house).await;
        let all = house.log().await;
        let root = Edge::load(&before.tree).unwrap().tree.root();
        assert_eq!(Leaf::parse(&all[0]), Some(Leaf::Link { size: 3, root, origin: before.origin.clone() }));
        assert_eq!(numbers(&all[1..]), [3, 4]);
        let state = house.state();
        assert!(
            state.bucket == "elsewhere" && state.origin > before.origin,
            "{} after {}",
            state.origin,
            before.origin
        );
        house.keep(elsewhere(), 5, 1);
        settle(&house).await;
        assert_eq!(house.state().origin, state.origin, "and goes on there");
        assert_eq!(numbers(&house.log().await[1..]), [3, 4, 5]);
    });
}

#[test]
fn a_registry_from_a_backup_does_not_fork_the_log() {
    let house = House::new(Vec::new());
    run(async {
        house.keep(place(), 0, 3);
        settle(&house).await;
        let old = house.state();
        house.keep(place(), 3, 2);
        settle(&house).await;
        let newest = house.state();
        let version = house.registry.get::<TransparencyLog>(&place().trail_arn).unwrap().unwrap().version;
        house.registry.put(old, version).unwrap();
        house.keep(place(), 3, 7);
        // Nor does it where the store answers later than this program starts.
        house.bucket.unread.store(2, Ordering::Relaxed);
        settle(&house).await;
        let all = house.log().await;
        let root = Edge::load(&newest.tree).unwrap().tree.root();
        assert_eq!(Leaf::parse(&all[0]), Some(Leaf::Link { size: 5, root, origin: newest.origin.clone() }));
        assert_eq!(numbers(&all[1..]), (3..10).collect::<Vec<_>>());
        let forked = house.bucket.checkpoints.lock().unwrap().iter().filter(|one| one.origin == newest.origin).count();
        assert_eq!(forked, 2, "the old log got no more checkpoints");
    });
}

#[test]
fn a_lost_key_or_a_damaged_cut_begins_a_new_log_and_loses_nothing_silently() {
    let house = House::new(Vec::new());
    run(async {
        house.keep(place(), 0, 3);
        settle(&house).await;
        let before = house.state();
        std::fs::remove_file(house.folder.path().join("digest.key")).unwrap();
        house.keep(place(), 3, 2);
        settle(&house).await;
        let state = house.state();
        assert!(state.origin != before.origin && state.public_key != before.public_key);
        assert_eq!(numbers(&house.log().await[1..]), [3, 4]);
        // A cut that cannot be read is put aside; those after it are logged.
        house.keep(place(), 5, 1);
        house.keep(place(), 6, 1);
        let waiting = house.folder.path().join("transparency");
        let folder = std::fs::read_dir(&waiting).unwrap().next().unwrap().unwrap().path();
        let name = house.inner().spool.waiting(&place().trail_arn).unwrap()[0].clone();
        std::fs::write(folder.join(&name), b"nonsense").unwrap();
        settle(&house).await;
        assert_eq!(numbers(&house.log().await[1..]), [3, 4, 6]);
        assert!(folder.join(name.replace(".leaves", ".damaged")).exists());
    });
}
