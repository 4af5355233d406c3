//! Whatever a log group does, and whenever the process dies: every event arrives, in order, and only what was under way may
//! arrive twice.

use super::*;
use proptest::prelude::*;

/// What the log group does with one call.
#[derive(Debug, Clone, Copy)]
enum Call {
    Takes,
    Refuses,
    /// It has the events, but the answer is lost.
    TakesAndFails,
    /// The process dies before the events are there.
    DiesBefore,
    /// The process dies when they are.
    DiesAfter,
}

#[derive(Default)]
struct Faulty {
    plan: Mutex<VecDeque<Call>>,
    /// The ids of each call that was taken.
    taken: Mutex<Vec<Vec<u64>>>,
    died: tokio::sync::Notify,
}

impl LogGroups for Faulty {
    fn create_stream<'a>(&'a self, _: &'a LogGroup, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a LogGroup,
        _: &'a str,
        _: u64,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<usize, CallError>> {
        Box::pin(async move {
            let call = self.plan.lock().unwrap().pop_front().unwrap_or(Call::Takes);
            if matches!(call, Call::Takes | Call::TakesAndFails | Call::DiesAfter) {
                let ids = events.iter().map(|event| event.id().parse().unwrap()).collect();
                self.taken.lock().unwrap().push(ids);
            }
            match call {
                Call::Takes => Ok(events.len()),
                Call::Refuses => Err(Groups::missing()),
                Call::TakesAndFails => Err(CallError::Unreachable("connection reset".to_owned())),
                Call::DiesBefore | Call::DiesAfter => {
                    self.died.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

/// What happens to a follower between batches.
#[derive(Debug, Clone, Copy)]
enum Step {
    Batch(usize),
    /// What is gathered has waited long enough.
    Deadline,
    Dies,
}

fn follower(registry: &Registry, groups: &Arc<Faulty>) -> LogsFollower {
    let trails: Documents<Trail> = registry.documents().unwrap();
    let trail = trails.get(&trail().arn()).unwrap();
    let tools = LogsTools {
        home: crate::Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
        feeds: Feeds::new(trails.clone(), Seq(0), Arc::new(|| 0)),
        trails,
        states: registry.documents().unwrap(),
        groups: groups.clone(),
        metrics: NotifyMetrics::default(),
        now_ms: Arc::new(|| 1_768_471_500_000),
    };
    LogsFollower::new(tools, trail, 0)
}

/// As the loop of the journal's followers does it: the same batch again after an error. Returns whether a step said to die.
async fn run(follower: &mut LogsFollower, entries: &[Entry], steps: &mut VecDeque<Step>) -> bool {
    let mut at = follower.position().await.unwrap().0 as usize;
    loop {
        match steps.pop_front().unwrap_or(Step::Batch(3)) {
            Step::Dies => return true,
            Step::Deadline => {
                follower.waiting = follower.waiting.and_then(|since| since.checked_sub(GATHER));
                while follower.flush(Flush::Deadline).await.is_err() {}
            }
            Step::Batch(size) => {
                let batch = &entries[at..entries.len().min(at + size)];
                while follower.follow(batch).await.is_err() {}
                at += batch.len();
            }
        }
        if at == entries.len() {
            follower.waiting = follower.waiting.and_then(|since| since.checked_sub(GATHER));
            while follower.flush(Flush::Deadline).await.is_err() {}
            follower.flush(Flush::Drain).await.unwrap();
            return false;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_event_arrives_in_order_through_any_crash(
        sizes in proptest::collection::vec(prop_oneof![4 => 0usize..2000, 1 => Just(250 * 1024)], 1..40),
        plan in proptest::collection::vec(
            prop_oneof![
                3 => Just(Call::Takes),
                1 => Just(Call::Refuses),
                1 => Just(Call::TakesAndFails),
                1 => Just(Call::DiesBefore),
                1 => Just(Call::DiesAfter),
            ],
            0..30,
        ),
        steps in proptest::collection::vec(
            prop_oneof![4 => (1usize..9).prop_map(Step::Batch), 2 => Just(Step::Deadline), 1 => Just(Step::Dies)],
            0..40,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        registry.put(with_group(), Expected::Absent).unwrap();
        let entry = |(seq, size): (u64, &usize)| {
            let name = "x".repeat(*size);
            let json = format!(
                r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"s","eventName":"{name}","awsRegion":"eu-west-1","eventID":"{seq}","recipientAccountId":"111122223333","eventCategory":"Management"}}"#
            );
            Entry { seq: Seq(seq), appended_ms: 1_768_471_400_000 + seq, event: Event::from_json(json.into()).unwrap() }
        };
        let entries: Vec<Entry> = (0..).zip(&sizes).map(entry).collect();
        let groups = Arc::new(Faulty { plan: Mutex::new(plan.clone().into()), ..Faulty::default() });
        let mut steps: VecDeque<Step> = steps.into();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            loop {
                let mut follower = follower(&registry, &groups);
                let died = tokio::select! {
                    () = groups.died.notified() => true,
                    died = run(&mut follower, &entries, &mut steps) => died,
                };
                if !died {
                    return;
                }
            }
        });
        let taken = groups.taken.lock().unwrap();
        let all: Vec<u64> = taken.iter().flatten().copied().collect();
        let mut first: Vec<u64> = Vec::new();
        for id in &all {
            if first.last().is_none_or(|last| id > last) {
                first.push(*id);
            }
        }
        prop_assert_eq!(first, (0..entries.len() as u64).collect::<Vec<_>>(), "all of them, in order");
        let lost = plan.iter().filter(|call| matches!(call, Call::TakesAndFails | Call::DiesAfter)).count();
        let most: usize = taken.iter().map(Vec::len).max().unwrap_or(0);
        prop_assert!(all.len() <= entries.len() + lost * most, "only what was under way came again");
        let state = registry.get::<LogsState>(&trail().arn()).unwrap().unwrap();
        prop_assert_eq!((state.next, state.latest_error.as_deref()), (entries.len() as u64, None));
    }
}
