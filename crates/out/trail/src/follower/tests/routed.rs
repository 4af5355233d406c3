//! A follower whose entries are picked by the router, through failures, crashes and changes of its selectors.

use super::*;
use crate::cut::tests::entry_of;
use crate::router::Router;
use crate::scope::tests::beginning;

#[derive(Debug, Clone, Copy)]
enum Act {
    /// So many entries are appended to the journal.
    Append(usize),
    /// The router looks at so many.
    Route(usize),
    /// The follower's loop makes one turn.
    Turn,
    Deadline,
    Dies,
    /// The trail selects names that begin so from now on.
    Select(&'static str),
}

/// A journal, of which part is appended, and what the trail selected when each entry was.
struct Story {
    entries: Vec<Entry>,
    appended: usize,
    selects: &'static str,
    wanted: Vec<u64>,
}

impl Story {
    fn append(&mut self, count: usize) {
        let end = (self.appended + count).min(self.entries.len());
        let new = &self.entries[self.appended..end];
        let is_wanted = |entry: &&Entry| entry.event.name().starts_with(self.selects);
        self.wanted.extend(new.iter().filter(is_wanted).map(|entry| entry.seq.0));
        self.appended = end;
    }
}

/// One turn of the loop that runs followers; `at` is where it stands.
async fn turn(follower: &mut TrailFollower, journal: &[Entry], at: &mut u64) {
    let batch = match follower.reading() {
        Reading::Journal(end) => {
            let end = end.map_or(journal.len() as u64, |end| end.0).min(journal.len() as u64).min(*at + 3).max(*at);
            let batch = journal[*at as usize..end as usize].to_vec();
            *at = end;
            batch
        }
        Reading::Picked(batch, to) => {
            *at = to.0;
            batch
        }
    };
    if !batch.is_empty() {
        while follower.follow(&batch).await.is_err() {}
    }
    if follower.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
        while follower.flush(Flush::Deadline).await.is_err() {}
    }
}

/// One process; gives whether it died.
async fn live(house: &House, story: &mut Story, acts: &mut VecDeque<Act>, routed: &mut usize) -> bool {
    let feeds = Feeds::new(house.registry.documents().unwrap(), Seq(*routed as u64), Arc::new(|| 0));
    let mut router = Router::new(feeds.clone());
    let mut follower = house.follower_of(feeds.clone());
    let mut at = follower.position().await.unwrap().0;
    while let Some(act) = acts.pop_front() {
        match act {
            Act::Append(count) => story.append(count),
            Act::Route(count) => {
                let end = (*routed + count).min(story.appended);
                router.follow(&story.entries[*routed..end]).await.unwrap();
                *routed = end;
            }
            Act::Turn => turn(&mut follower, &story.entries[..story.appended], &mut at).await,
            Act::Deadline => while follower.flush(Flush::Deadline).await.is_err() {},
            Act::Dies => return true,
            Act::Select(with) => {
                let delivered = house.registry.get::<DeliveryState>(&house.arn).unwrap().map_or(0, |state| state.next);
                house.change_trail(|trail| trail.select(beginning(with), story.appended as u64, delivered));
                story.selects = with;
            }
        }
    }
    story.append(usize::MAX / 2);
    router.follow(&story.entries[*routed..]).await.unwrap();
    feeds.close();
    while (at as usize) < story.entries.len() || !follower.is_settled() {
        turn(&mut follower, &story.entries, &mut at).await;
        while follower.flush(Flush::Drain).await.is_err() {}
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_event_that_was_selected_is_delivered_once_through_any_crash(
        names in prop::collection::vec(prop::sample::select(&["CreateQueue", "CreateTopic", "TagQueue"][..]), 1..40),
        plan in prop::collection::vec(
            prop_oneof![
                4 => Just(Write::Takes),
                1 => Just(Write::Refuses),
                1 => Just(Write::TakesAndFails),
                1 => Just(Write::DiesBefore),
                1 => Just(Write::DiesAfter),
            ],
            0..20,
        ),
        acts in prop::collection::vec(
            prop_oneof![
                4 => (1usize..6).prop_map(Act::Append),
                4 => (1usize..6).prop_map(Act::Route),
                5 => Just(Act::Turn),
                2 => Just(Act::Deadline),
                1 => Just(Act::Dies),
                1 => prop::sample::select(&["Create", "CreateQ", "Tag", ""][..]).prop_map(Act::Select),
            ],
            0..60,
        ),
        router_starts_at_the_end in any::<bool>(),
    ) {
        let house = House::new(plan);
        let entries: Vec<Entry> = (0..)
            .zip(&names)
            .map(|(seq, name)| entry_of(seq, START_MS + seq, "sqs.amazonaws.com", name, "eu-west-1"))
            .collect();
        let mut story = Story { entries, appended: 0, selects: "", wanted: Vec::new() };
        let mut acts = VecDeque::from(acts);
        run_async(async {
            loop {
                let next = house.registry.get::<DeliveryState>(&house.arn).unwrap().map_or(0, |state| state.next);
                let mut routed = if router_starts_at_the_end { story.appended } else { next as usize };
                let died = tokio::select! {
                    () = house.bucket.died.notified() => true,
                    died = live(&house, &mut story, &mut acts, &mut routed) => died,
                };
                if !died {
                    return;
                }
            }
        });
        prop_assert_eq!(house.delivered(), story.wanted);
        prop_assert_eq!(&*house.bucket.changed.lock().unwrap(), &Vec::<String>::new(), "written again, but not the same");
        let state = house.state();
        prop_assert_eq!((state.next, state.pending), (story.entries.len() as u64, None));
    }
}
