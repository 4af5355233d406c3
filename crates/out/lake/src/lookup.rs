//! Lookups: candidates from the index, the truth from the journal.

use crate::index::{Index, KEEP_SECONDS, Range};
use crate::lookup_resources::{LookupResource, lookup_resources};
use crate::row::{Hashing, Key, has_attribute};
use crate::token::{self, Cursor};
use event::{Event, EventTime};
use journal::{Entry, Journal, JournalError, ReadLimit, Seq};
use std::sync::{Arc, PoisonError, RwLock};

/// What is asked for, already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Account, 12 digits.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// Only events with this attribute of exactly this value.
    pub attribute: Option<(Attribute, String)>,
    /// Not before this second; `None`: 90 days before `now`.
    pub start: Option<EventTime>,
    /// Not after this second; `None`: the newest event.
    pub end: Option<EventTime>,
    /// Events per page, at least 1.
    pub max_results: usize,
    /// The token of the page before.
    pub next_token: Option<String>,
    /// The present.
    pub now: EventTime,
}

/// What events are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Attribute {
    /// `eventID`.
    EventId,
    /// `eventName`.
    EventName,
    /// `readOnly`: `true` or `false`.
    ReadOnly,
    /// [`Event::lookup_user_name`].
    Username,
    /// A type in the lookup resource list.
    ResourceType,
    /// A name in the lookup resource list.
    ResourceName,
    /// `eventSource`.
    EventSource,
    /// `userIdentity.accessKeyId`.
    AccessKeyId,
}

/// One page, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events.
    pub events: Vec<Found>,
    /// `None` on the last page.
    pub next_token: Option<String>,
}

/// One found event.
#[derive(Debug, Clone)]
pub struct Found {
    /// The record.
    pub event: Event,
    /// Its lookup resource list.
    pub resources: Vec<LookupResource>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The token is not ours, or belongs to other parameters.
    #[error("the token does not belong to this query")]
    InvalidNextToken,
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime is shutting down.
    #[error("the lookup was cancelled by a shutdown")]
    Cancelled,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Events at most, of all accounts and Regions; beyond it the oldest are forgotten, a thousand at a time. An event
    /// takes about 45 bytes. Default: 5,000,000.
    pub events_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { events_max: 5_000_000 }
    }
}

/// Event history over a journal. Cheap to clone. Empty until its [follower](History::follower) has read the journal.
#[derive(Debug, Clone)]
pub struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    journal: Journal,
    hashing: Hashing,
    index: RwLock<Index>,
}

impl History {
    /// An empty history of a journal.
    pub fn new(journal: Journal, options: Options) -> History {
        let index = RwLock::new(Index::new(options.events_max.max(1)));
        History(Arc::new(Shared { journal, hashing: Hashing::default(), index }))
    }

    /// One page. Reads the journal on a thread that may block.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn lookup(&self, query: Query) -> Result<Page, LookupError> {
        let history = self.clone();
        let page = tokio::task::spawn_blocking(move || history.lookup_blocking(&query));
        page.await.map_err(|_| LookupError::Cancelled)?
    }

    /// One page; blocks on the journal.
    ///
    /// # Errors
    /// As [`History::lookup`].
    pub fn lookup_blocking(&self, query: &Query) -> Result<Page, LookupError> {
        let cursor = match &query.next_token {
            Some(token) => Some(token::read(token, query).ok_or(LookupError::InvalidNextToken)?),
            None => None,
        };
        let end = cursor.map_or_else(|| self.read_index(Index::end), |cursor| cursor.end);
        let mut range = self.range(query, cursor, end);
        let probe = self.0.hashing.probe(query.attribute.as_ref());
        let mut events: Vec<(Key, Event)> = Vec::with_capacity(query.max_results + 1);
        // One more than the page, to know whether it is the last.
        let wanted = query.max_results.max(1) + 1;
        while events.len() < wanted {
            let missing = wanted - events.len();
            let keys = self.read_index(|index| index.find(&query.account_id, &query.region, probe, range, missing));
            let Some(&oldest) = keys.last() else { break };
            range.below = oldest;
            let exhausted = keys.len() < missing;
            events
                .extend(read_entries(&self.0.journal, &keys)?.into_iter().filter(|(_, event)| is_answer(event, query)));
            if exhausted {
                break;
            }
        }
        let is_last = events.len() < wanted;
        events.truncate(wanted - 1);
        let next_token = match events.last() {
            Some((last, _)) if !is_last => Some(token::write(&Cursor { last: *last, end }, query)),
            _ => None,
        };
        let found = |(_, event): (Key, Event)| Found { resources: lookup_resources(&event), event };
        Ok(Page { events: events.into_iter().map(found).collect(), next_token })
    }

    fn range(&self, query: &Query, cursor: Option<Cursor>, end: Seq) -> Range {
        let oldest = EventTime(query.now.0 - KEEP_SECONDS);
        let newest = Key { time: query.end.unwrap_or(EventTime(i64::MAX)), seq: Seq(u64::MAX) };
        Range {
            from: query.start.map_or(oldest, |start| start.max(oldest)),
            below: cursor.map_or(newest, |cursor| newest.min(cursor.last)),
            end,
        }
    }

    /// Takes entries of the journal, in order. Called by the follower.
    pub(crate) fn take(&self, batch: &[Entry]) {
        let Some(last) = batch.last() else { return };
        let rows: Vec<_> = batch
            .iter()
            .filter_map(|entry| Some((&entry.event, self.0.hashing.row(entry.seq, &entry.event)?)))
            .collect();
        let now = EventTime((last.appended_ms / 1000) as i64);
        let start = self.0.journal.start();
        let mut index = self.0.index.write().unwrap_or_else(PoisonError::into_inner);
        for (event, row) in &rows {
            index.insert(event.account(), event.region(), row);
        }
        index.taken(last.seq.next());
        index.forget(now, start);
    }

    /// Where the follower starts: at the beginning of what the journal holds, for the index is in memory.
    pub(crate) fn position(&self) -> Seq {
        self.read_index(Index::end).max(self.0.journal.start())
    }

    /// Events remembered now.
    pub fn events(&self) -> usize {
        self.read_index(Index::rows)
    }

    /// Bytes that remembering them takes.
    pub fn bytes(&self) -> usize {
        self.read_index(Index::bytes)
    }

    fn read_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.0.index.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether an event is what was asked for, and not only of the same hash.
fn is_answer(event: &Event, query: &Query) -> bool {
    query.attribute.as_ref().is_none_or(|(attribute, value)| has_attribute(event, *attribute, value))
}

/// The events of those keys, in their order, read in runs where they stand side by side; entries that retention has
/// removed meanwhile are left out.
fn read_entries(journal: &Journal, keys: &[Key]) -> Result<Vec<(Key, Event)>, JournalError> {
    let mut seqs: Vec<u64> = keys.iter().map(|key| key.seq.0).collect();
    seqs.sort_unstable();
    let mut reader = journal.reader(Seq(seqs.first().copied().unwrap_or_default()));
    let mut entries: Vec<Entry> = Vec::with_capacity(seqs.len());
    for run in seqs.chunk_by(|one, next| one + 1 == *next) {
        let Some(&first) = run.first() else { continue };
        let past = first + run.len() as u64;
        reader.seek(Seq(first));
        while reader.position().0 < past {
            let missing = (past - reader.position().0) as usize;
            match reader.read(ReadLimit { max_entries: missing, ..ReadLimit::default() }) {
                Ok(read) if read.is_empty() => break,
                Ok(read) => entries.extend(read),
                Err(JournalError::Gone { start, .. }) => reader.seek(start.min(Seq(past))),
                Err(error) => return Err(error),
            }
        }
    }
    let find = |key: &Key| {
        let place = entries.binary_search_by_key(&key.seq, |entry| entry.seq).ok()?;
        Some((*key, entries.get(place)?.event.clone()))
    };
    Ok(keys.iter().filter_map(find).collect())
}

#[cfg(test)]
mod tests;
