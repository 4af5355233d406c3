//! What goes together in one call of PutLogEvents: pure.
//!
//! All events of a call get the time of their delivery, one and the same, so that they are in order and never 24 hours apart.

use event::Event;
use std::collections::{BTreeMap, VecDeque};

/// Larger events are not sent to CloudWatch Logs (`reference/trails-and-delivery.md` §8.2).
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// The most that a call may carry: bytes of messages, with this much more for each event.
const CALL_BYTES_MAX: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;
/// The most events of a call.
const CALL_EVENTS_MAX: usize = 10_000;

/// Whether an event may be sent at all.
pub(crate) fn is_sendable(event: &Event) -> bool {
    event.json().len() <= EVENT_BYTES_MAX
}

/// Events that are gathered: together they fit into one call.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// By stream: one for a trail of one account.
    puts: BTreeMap<String, Put>,
    events: usize,
    bytes: usize,
}

/// One call of PutLogEvents.
#[derive(Debug, Default)]
pub(crate) struct Put {
    /// The stream.
    pub(crate) stream: String,
    /// In the order of the journal.
    pub(crate) events: Vec<Event>,
    /// When the newest of them was appended, milliseconds since the epoch.
    pub(crate) newest_ms: u64,
}

impl Batch {
    /// Whether nothing is gathered.
    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Whether this event fits in, too. A sendable event always does when nothing is gathered.
    pub(crate) fn has_room_for(&self, event: &Event) -> bool {
        self.events < CALL_EVENTS_MAX && self.bytes + size(event) <= CALL_BYTES_MAX
    }

    /// Gathers an event that was appended at that time for a stream.
    pub(crate) fn add(&mut self, stream: &str, appended_ms: u64, event: &Event) {
        self.events += 1;
        self.bytes += size(event);
        if !self.puts.contains_key(stream) {
            self.puts.insert(stream.to_owned(), Put { stream: stream.to_owned(), ..Put::default() });
        }
        if let Some(put) = self.puts.get_mut(stream) {
            put.events.push(event.clone());
            put.newest_ms = put.newest_ms.max(appended_ms);
        }
    }

    /// The calls that put it, one for each stream.
    pub(crate) fn into_puts(self) -> VecDeque<Put> {
        self.puts.into_values().collect()
    }
}

fn size(event: &Event) -> usize {
    event.json().len() + EVENT_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event_of(bytes: usize, id: usize) -> Event {
        let empty =
            format!(r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"s","eventName":"","eventID":"{id}"}}"#);
        let name = "x".repeat(bytes.saturating_sub(empty.len()));
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"s","eventName":"{name}","eventID":"{id}"}}"#
        );
        Event::from_json(json.into()).unwrap()
    }

    #[test]
    fn an_event_over_256_kb_is_not_sent() {
        assert!(is_sendable(&event_of(256 * 1024, 1)));
        assert!(!is_sendable(&event_of(256 * 1024 + 1, 1)));
    }

    #[test]
    fn a_call_is_full_with_ten_thousand_events_or_a_megabyte() {
        let mut batch = Batch::default();
        let event = event_of(0, 1);
        let mut count = 0;
        while batch.has_room_for(&event) {
            batch.add("s", 0, &event);
            count += 1;
        }
        assert_eq!(count, 10_000.min(1_048_576 / (event.json().len() + 26)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_event_goes_once_in_order_in_calls_that_are_allowed(
            events in proptest::collection::vec((0usize..256 * 1024, 0usize..3), 1..60),
        ) {
            let mut calls: Vec<Put> = Vec::new();
            let mut batch = Batch::default();
            for (id, (bytes, stream)) in events.iter().enumerate() {
                let event = event_of(*bytes, id);
                if !batch.has_room_for(&event) {
                    calls.extend(std::mem::take(&mut batch).into_puts());
                }
                prop_assert!(batch.has_room_for(&event));
                batch.add(&stream.to_string(), id as u64, &event);
            }
            calls.extend(batch.into_puts());
            for put in &calls {
                let bytes: usize = put.events.iter().map(|event| event.json().len() + 26).sum();
                prop_assert!(!put.events.is_empty() && put.events.len() <= 10_000 && bytes <= 1_048_576);
                prop_assert_eq!(put.newest_ms.to_string(), put.events.last().unwrap().id());
            }
            for stream in 0..3usize {
                let sent: Vec<usize> = calls
                    .iter()
                    .filter(|put| put.stream == stream.to_string())
                    .flat_map(|put| put.events.iter().map(|event| event.id().parse().unwrap()))
                    .collect();
                let wanted: Vec<usize> =
                    events.iter().enumerate().filter(|(_, (_, of))| *of == stream).map(|(id, _)| id).collect();
                prop_assert_eq!(sent, wanted);
            }
        }
    }
}
