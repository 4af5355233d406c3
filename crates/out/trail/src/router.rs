//! One look at each entry for all trails.
//!
//! With many trails, most entries are wanted by few. So one follower, the router, reads the journal, asks the union of all
//! selectors who wants an entry, and lays it into the feeds of those trails; the trails' own followers read nothing until
//! something lies in their feed. What it costs to have a trail that wants nothing is next to nothing.
//!
//! A feed holds entries and *turns*: from here on, what follows was picked for this version of the trail. So a cut always
//! belongs to one version, also when it is made again after a crash from the journal alone.
//!
//! A trail that starts reads the journal itself up to the place where its feed begins. One that is slow to take what is
//! picked for it (its bucket does not answer) loses its feed once all feeds hold [`HELD_BYTES_MAX`] and its own holds most, and reads the journal
//! itself again until it has caught up: nobody waits for it, and nothing is kept in memory for it.

use crate::scope::Scope;
use crate::{NowMs, period};
use event::Union;
use journal::{Ahead, Entry, FollowError, Follower, Seq};
use registry::{Documents, Trail, Version, Versioned, Watch};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The most that all feeds hold together, bytes of records.
const HELD_BYTES_MAX: usize = 32 << 20;

/// The most entries that an emptied feed keeps room for: 24 bytes each.
const SPARE_ENTRIES_MAX: usize = 1024;
/// How many changes of its trail a feed holds: one whose bucket fails must not fill the memory while its trail is changed.
const TURNS_MAX: usize = 64;

/// All feeds. Clones share them.
#[derive(Clone)]
pub(crate) struct Feeds(Arc<Mutex<Table>>);

struct Table {
    trails: Documents<Trail>,
    now_ms: NowMs,
    changes: Watch,
    /// By a number that is never used twice.
    feeds: BTreeMap<u32, Feed>,
    next_number: u32,
    /// Of the selectors of all feeds, by their numbers.
    union: Union,
    /// From this entry on, all feeds are served by the union: before it, selectors held for some that have been replaced.
    union_from: u64,
    /// Everything before this place has been looked at.
    routed_to: u64,
    held_bytes: usize,
    held_bytes_max: usize,
    /// Nobody routes any more.
    is_closed: bool,
    found: Vec<u32>,
}

/// What was picked for one trail.
struct Feed {
    arn: String,
    /// [`Trail::created_ms`] of the trail: another one of the same name is not fed here.
    created_ms: u64,
    /// The version that entries are picked for now.
    trail: Option<Versioned<Trail>>,
    scope: Option<Scope>,
    /// When the trail was found to be gone.
    gone_ms: Option<u64>,
    /// What lies before this place is not in the feed.
    from: u64,
    picked: VecDeque<Entry>,
    turns: VecDeque<Turn>,
    held_bytes: usize,
    /// What was in it has been dropped.
    is_lost: bool,
    /// The trail takes what it gets from here, and not from the journal.
    is_live: bool,
    called: Arc<Notify>,
}

/// From an entry on, entries are picked for this version of the trail.
pub(crate) struct Turn {
    pub(crate) at: u64,
    pub(crate) trail: Versioned<Trail>,
}

/// What a trail finds when it looks into its feed.
pub(crate) enum Look {
    /// The feed begins later, or there is none: read the journal, up to the place where it begins.
    Direct(Option<Seq>),
    /// What was picked of all entries up to the place.
    Picked { entries: Vec<Entry>, turns: VecDeque<Turn>, to: u64 },
}

/// One trail's end of its feed; dropped, the feed is gone.
pub(crate) struct Tap {
    feeds: Feeds,
    number: u32,
    called: Arc<Notify>,
}

impl Feeds {
    /// No feeds yet; entries are looked at from `routed_to` on.
    pub(crate) fn new(trails: Documents<Trail>, routed_to: Seq, now_ms: NowMs) -> Feeds {
        let changes = trails.watch();
        Feeds(Arc::new(Mutex::new(Table {
            trails,
            now_ms,
            changes,
            feeds: BTreeMap::new(),
            next_number: 0,
            union: Union::default(),
            union_from: 0,
            routed_to: routed_to.0,
            held_bytes: 0,
            held_bytes_max: HELD_BYTES_MAX,
            is_closed: false,
            found: Vec::new(),
        })))
    }

    /// A feed for the trail, from here on.
    pub(crate) fn tap(&self, trail: &Trail) -> Tap {
        self.tap_of(trail, None, None)
    }

    /// A feed for a trail that was deleted at `deleted_ms`, of what came before.
    pub(crate) fn tap_of_deleted(&self, trail: &Versioned<Trail>, deleted_ms: u64) -> Tap {
        self.tap_of(trail, Some(trail.clone()), Some(deleted_ms))
    }

    fn tap_of(&self, trail: &Trail, version: Option<Versioned<Trail>>, gone_ms: Option<u64>) -> Tap {
        let called = Arc::new(Notify::new());
        let mut table = self.lock();
        let number = table.next_number;
        table.next_number += 1;
        let feed = Feed {
            arn: trail.arn(),
            created_ms: trail.created_ms,
            scope: version.as_deref().map(Scope::of),
            trail: version,
            gone_ms,
            from: table.routed_to,
            picked: VecDeque::new(),
            turns: VecDeque::new(),
            held_bytes: 0,
            is_lost: false,
            is_live: false,
            called: Arc::clone(&called),
        };
        table.feeds.insert(number, feed);
        table.turn_to_newest();
        Tap { feeds: self.clone(), number, called }
    }

    /// Follows the trails to their newest versions, if any has changed. What is routed from now on is picked for these.
    pub(crate) fn turn(&self) {
        self.lock().turn();
    }

    /// Nobody routes any more: what lies in the feeds can still be had, and then each trail reads the journal itself.
    pub(crate) fn close(&self) {
        let mut table = self.lock();
        table.is_closed = true;
        for feed in table.feeds.values() {
            feed.called.notify_one();
        }
    }

    /// A panic elsewhere leaves the table as it was.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn turn(&mut self) {
        // The sender lives as long as the registry, which the documents hold.
        if self.changes.has_changed().unwrap_or(false) {
            self.turn_to_newest();
        }
    }

    /// The trails are read after the mark is taken: a change that comes between is seen twice rather than never.
    fn turn_to_newest(&mut self) {
        self.changes.mark_unchanged();
        for feed in self.feeds.values_mut() {
            let newest = self.trails.get(&feed.arn).filter(|trail| trail.created_ms == feed.created_ms);
            if newest.is_none() {
                feed.gone_ms.get_or_insert_with(|| (self.now_ms)());
            }
            if let Some(newest) = newest
                && feed.version() != Some(newest.version)
            {
                feed.turns.push_back(Turn { at: self.routed_to, trail: newest.clone() });
                feed.scope = Some(Scope::of(&newest));
                feed.trail = Some(newest);
                if feed.turns.len() > TURNS_MAX {
                    self.held_bytes -= feed.lose();
                }
                feed.called.notify_one();
            }
        }
        let scopes =
            || self.feeds.iter().filter_map(|(number, feed)| feed.scope.as_ref().map(|scope| (*number, scope)));
        self.union = Union::new(scopes().map(|(number, scope)| (number, scope.matcher())));
        self.union_from = scopes().map(|(_, scope)| scope.since()).max().unwrap_or(0);
    }

    fn route(&mut self, batch: &[Entry]) {
        // The batch was read before: its entries are judged by trails that are at least as new as they are.
        self.turn();
        let mut found = std::mem::take(&mut self.found);
        for entry in batch.iter().filter(|entry| entry.seq.0 >= self.routed_to) {
            self.union.matching(&entry.event, &mut found);
            if entry.seq.0 < self.union_from {
                self.judge_by_earlier(entry, &mut found);
            }
            for number in &found {
                let Some(feed) = self.feeds.get_mut(number) else { continue };
                if feed.wants(entry) {
                    self.held_bytes += feed.add(entry);
                    if self.held_bytes > self.held_bytes_max {
                        self.held_bytes -= lose_largest(&mut self.feeds);
                    }
                }
            }
        }
        self.found = found;
        if let Some(last) = batch.last() {
            self.routed_to = self.routed_to.max(last.seq.0 + 1);
        }
    }

    /// Corrects what the union found for feeds whose selectors were others when the entry came.
    fn judge_by_earlier(&self, entry: &Entry, found: &mut Vec<u32>) {
        for (number, feed) in &self.feeds {
            let Some(scope) = feed.scope.as_ref().filter(|scope| entry.seq.0 < scope.since()) else { continue };
            found.retain(|other| other != number);
            if scope.selects(entry) {
                found.push(*number);
            }
        }
    }

    fn look(&mut self, number: u32, next: u64) -> Look {
        let routed_to = self.routed_to;
        let Some(feed) = self.feeds.get_mut(&number) else { return Look::Direct(None) };
        if std::mem::take(&mut feed.is_lost) {
            feed.from = routed_to;
            feed.turns = feed.trail.iter().map(|trail| Turn { at: routed_to, trail: trail.clone() }).collect();
        }
        feed.is_live = next >= feed.from;
        if !feed.is_live {
            return Look::Direct(Some(Seq(feed.from)));
        }
        if self.is_closed && next >= routed_to && feed.picked.is_empty() && feed.turns.is_empty() {
            return Look::Direct(None);
        }
        self.held_bytes -= std::mem::take(&mut feed.held_bytes);
        // As much is likely to come again.
        let next = VecDeque::with_capacity(feed.picked.len().min(SPARE_ENTRIES_MAX));
        let entries = std::mem::replace(&mut feed.picked, next).into();
        Look::Picked { entries, turns: std::mem::take(&mut feed.turns), to: routed_to }
    }

    fn idle_to(&self, number: u32) -> Option<u64> {
        let feed = self.feeds.get(&number)?;
        let is_idle = feed.picked.is_empty() && feed.turns.is_empty() && !feed.is_lost && feed.is_live;
        is_idle.then_some(self.routed_to)
    }
}

/// Drops what is in the largest feed, so that nobody who keeps up loses anything for one who does not; gives by how much less is
/// held.
fn lose_largest(feeds: &mut BTreeMap<u32, Feed>) -> usize {
    feeds.values_mut().max_by_key(|feed| feed.held_bytes).map_or(0, Feed::lose)
}

impl Feed {
    fn version(&self) -> Option<Version> {
        self.trail.as_ref().map(|trail| trail.version)
    }

    /// Whether the trail that the entry was found for delivers it.
    fn wants(&self, entry: &Entry) -> bool {
        let found = self.trail.as_ref().zip(self.scope.as_ref());
        !self.is_past(entry) && found.is_some_and(|(trail, scope)| scope.delivers(trail, entry))
    }

    /// Whether the trail was gone when the entry came: it has what came before, and the call that deleted it.
    fn is_past(&self, entry: &Entry) -> bool {
        self.gone_ms.is_some_and(|gone_ms| match &self.trail {
            Some(trail) => period::is_past(trail, entry, gone_ms, "DeleteTrail"),
            None => entry.appended_ms > gone_ms,
        })
    }

    /// Lays an entry in; gives by how much more is held.
    fn add(&mut self, entry: &Entry) -> usize {
        if self.is_lost {
            return 0;
        }
        let bytes = entry.event.json().len();
        self.picked.push_back(entry.clone());
        self.held_bytes += bytes;
        self.called.notify_one();
        bytes
    }

    /// Drops what is in it; gives by how much less is held.
    fn lose(&mut self) -> usize {
        (self.is_lost, self.picked) = (true, VecDeque::new());
        self.turns.clear();
        self.called.notify_one();
        std::mem::take(&mut self.held_bytes)
    }
}

impl Tap {
    /// What there is for a trail that stands at `next`.
    pub(crate) fn look(&self, next: u64) -> Look {
        self.feeds.lock().look(self.number, next)
    }

    /// Whether the trail was gone when the entry came, which whoever reads the journal has to ask.
    pub(crate) fn is_past(&self, entry: &Entry) -> bool {
        self.feeds.lock().feeds.get(&self.number).is_some_and(|feed| feed.is_past(entry))
    }

    /// Resolves when there is something new to look at.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// How far the trail has come without looking: to where the router is, while nothing lies in the feed.
    pub(crate) fn idle_to(&self) -> Option<u64> {
        self.feeds.lock().idle_to(self.number)
    }

    /// The same for others to ask.
    pub(crate) fn ahead(&self) -> Ahead {
        let (feeds, number) = (self.feeds.clone(), self.number);
        Arc::new(move || feeds.lock().idle_to(number).map(Seq))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut table = self.feeds.lock();
        if let Some(feed) = table.feeds.remove(&self.number) {
            table.held_bytes -= feed.held_bytes;
            table.turn_to_newest();
        }
    }
}

/// Reads the journal for all feeds. Its position is not kept: who starts, reads for themselves up to where it is.
pub(crate) struct Router {
    feeds: Feeds,
}

impl Router {
    pub(crate) fn new(feeds: Feeds) -> Router {
        Router { feeds }
    }
}

impl Follower for Router {
    fn name(&self) -> &str {
        "trails"
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        Ok(Seq(self.feeds.lock().routed_to))
    }

    async fn follow(&mut self, batch: &[Entry]) -> Result<(), FollowError> {
        self.feeds.lock().route(batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::tests::{call_on, entry_of, trail};
    use crate::scope::tests::beginning;
    use event::Selectors;
    use proptest::prelude::*;
    use registry::{Expected, Registry, RegistryError};

    const NAMES: [&str; 4] = ["CreateQueue", "DeleteQueue", "TagQueue", "UntagQueue"];

    /// When trails that were deleted are found to be.
    const GONE_MS: u64 = 100;

    fn named(name: &str, with: &str) -> Trail {
        Trail { name: name.to_owned(), selectors: Some(beginning(with)), ..trail() }
    }

    fn house(trails: &[Trail]) -> (tempfile::TempDir, Registry, Feeds) {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
        for trail in trails {
            registry.put(trail.clone(), Expected::Absent).unwrap();
        }
        let feeds = Feeds::new(registry.documents().unwrap(), Seq(0), Arc::new(|| GONE_MS));
        (folder, registry, feeds)
    }

    fn change(registry: &Registry, trail: &Trail, selectors: Selectors, journal_end: u64) {
        let change = |trail: &mut Trail| -> Result<(), RegistryError> {
            trail.select(selectors.clone(), journal_end, 0);
            Ok(())
        };
        registry.update(&trail.arn(), change).unwrap();
    }

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |(seq, name): (u64, &&str)| entry_of(seq, seq, "sqs.amazonaws.com", name, "eu-west-1");
        (0..).zip(names).map(entry).collect()
    }

    fn picked(look: Look) -> (Vec<u64>, Vec<u64>, u64) {
        match look {
            Look::Picked { entries, turns, to } => {
                (entries.iter().map(|entry| entry.seq.0).collect(), turns.iter().map(|turn| turn.at).collect(), to)
            }
            Look::Direct(end) => panic!("nothing is picked before {end:?}"),
        }
    }

    #[test]
    fn each_trail_finds_what_it_wants_and_from_where_it_changed() {
        let (create, tag) = (named("create", "Create"), named("tag", "Tag"));
        let (_folder, registry, feeds) = house(&[create.clone(), tag.clone()]);
        let (one, other) = (feeds.tap(&create), feeds.tap(&tag));
        let all = entries(&["CreateQueue", "TagQueue", "CreateQueue", "TagQueue", "CreateQueue"]);
        feeds.lock().route(&all[..2]);
        assert_eq!(picked(one.look(0)), (vec![0], vec![0], 2));
        change(&registry, &create, beginning("Tag"), 3);
        feeds.lock().route(&all[2..]);
        assert_eq!(picked(one.look(2)), (vec![2, 3], vec![2], 5), "what came before the change is judged as before");
        assert_eq!((one.idle_to(), other.idle_to()), (Some(5), None));
        assert_eq!(picked(other.look(0)), (vec![1, 3], vec![0], 5));
        assert_eq!(other.idle_to(), Some(5));
        drop(one);
        assert_eq!(feeds.lock().feeds.len(), 1);
    }

    #[test]
    fn who_comes_late_reads_up_to_where_the_feed_begins() {
        let (_folder, _registry, feeds) = house(&[trail()]);
        let all = entries(&NAMES);
        feeds.lock().route(&all[..3]);
        let tap = feeds.tap(&trail());
        assert!(matches!(tap.look(0), Look::Direct(Some(Seq(3)))));
        assert_eq!(tap.idle_to(), None);
        feeds.lock().route(&all[3..]);
        assert_eq!(picked(tap.look(3)), (vec![3], vec![3], 4));
        feeds.close();
        assert!(matches!(tap.look(4), Look::Direct(None)), "nobody routes any more");
    }

    #[test]
    fn who_keeps_up_loses_nothing_for_one_who_does_not() {
        let (quick, slow) = (named("quick", "C"), named("slow", "C"));
        let (_folder, _registry, feeds) = house(&[quick.clone(), slow.clone()]);
        let (quick, slow) = (feeds.tap(&quick), feeds.tap(&slow));
        let all = entries(&["CreateQueue"; 40]);
        feeds.lock().held_bytes_max = all[0].event.json().len() * 10;
        for (next, entry) in (0..).zip(&all) {
            feeds.lock().route(std::slice::from_ref(entry));
            assert_eq!(picked(quick.look(next)).0, [next]);
        }
        assert!(matches!(slow.look(0), Look::Direct(Some(Seq(40)))), "it reads the journal itself");
    }

    #[test]
    fn a_trail_of_the_same_name_is_another_trail() {
        let (_folder, registry, feeds) = house(&[trail()]);
        let tap = feeds.tap(&trail());
        let version = registry.get::<Trail>(&trail().arn()).unwrap().unwrap().version;
        registry.delete::<Trail>(&trail().arn(), version).unwrap();
        registry.put(Trail { created_ms: 2, selectors: Some(beginning("Tag")), ..trail() }, Expected::Absent).unwrap();
        feeds.lock().route(&entries(&NAMES));
        assert_eq!(picked(tap.look(0)).0, [0, 1, 2, 3], "what was picked is picked for the trail that was tapped");
    }

    #[test]
    fn a_deleted_trail_has_what_came_before_and_the_call_that_deleted_it() {
        let (_folder, registry, feeds) = house(&[trail()]);
        let tap = feeds.tap(&trail());
        let version = registry.get::<Trail>(&trail().arn()).unwrap().unwrap().version;
        registry.delete::<Trail>(&trail().arn(), version).unwrap();
        let delete = |seq, appended_ms| call_on("main", seq, appended_ms, "DeleteTrail");
        let other = |seq, appended_ms| entry_of(seq, appended_ms, "sqs.amazonaws.com", "CreateQueue", "eu-west-1");
        feeds.lock().route(&[other(0, 99), other(1, GONE_MS), other(2, 101), delete(3, 102), other(4, 103)]);
        feeds.lock().route(&[other(5, 104), delete(6, 90_000)]);
        assert_eq!(picked(tap.look(0)).0, [0, 1, 3]);
        assert_eq!([other(1, GONE_MS), other(2, 101)].map(|entry| tap.is_past(&entry)), [false, true]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Route(usize),
        Look(usize),
    }

    proptest! {
        #[test]
        fn each_trail_takes_each_entry_that_it_wants_once_however_slow_it_is(
            names in prop::collection::vec(prop::sample::select(&NAMES[..]), 1..60),
            steps in prop::collection::vec(prop_oneof![(1usize..8).prop_map(Step::Route), (0usize..3).prop_map(Step::Look)], 0..60),
            held_bytes_max in 0usize..4000,
        ) {
            let trails = [named("one", "Create"), named("two", "T"), trail()];
            let (_folder, _registry, feeds) = house(&trails);
            feeds.lock().held_bytes_max = held_bytes_max;
            let all = entries(&names);
            let taps: Vec<Tap> = trails.iter().map(|trail| feeds.tap(trail)).collect();
            let mut taken: [(u64, Vec<u64>); 3] = Default::default();
            let mut look = |which: usize, turn: u64| {
                let (next, found) = &mut taken[which];
                match taps[which].look(*next) {
                    Look::Direct(end) => {
                        // As much of the journal as comes in one batch.
                        let end = end.map_or(all.len() as u64, |end| end.0).min(*next + 1 + turn % 5);
                        let scope = Scope::of(&trails[which]);
                        let range = &all[*next as usize..end as usize];
                        found.extend(range.iter().filter(|entry| scope.wants(&trails[which], entry)).map(|entry| entry.seq.0));
                        *next = end;
                    }
                    Look::Picked { entries, to, .. } => {
                        found.extend(entries.iter().map(|entry| entry.seq.0).filter(|seq| seq >= next));
                        *next = to;
                    }
                }
                *next
            };
            let mut routed = 0;
            for (turn, step) in steps.iter().enumerate() {
                match step {
                    Step::Route(count) => {
                        let end = (routed + count).min(all.len());
                        feeds.lock().route(&all[routed..end]);
                        routed = end;
                    }
                    Step::Look(which) => {
                        look(*which, turn as u64);
                    }
                }
            }
            feeds.close();
            for which in 0..trails.len() {
                while look(which, 4) < all.len() as u64 {}
            }
            prop_assert_eq!(feeds.lock().held_bytes, 0);
            for (trail, (_, found)) in trails.iter().zip(&taken) {
                let scope = Scope::of(trail);
                let wanted: Vec<u64> =
                    all.iter().filter(|entry| scope.wants(trail, entry)).map(|entry| entry.seq.0).collect();
                prop_assert_eq!(found, &wanted, "{}", trail.name);
            }
        }
    }
}
