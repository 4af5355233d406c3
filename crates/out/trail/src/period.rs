//! When a trail logs: which stretch of the journal is its own.

use journal::Entry;
use registry::{DeliveryState, Period, Trail};
use serde::Deserialize;
use std::borrow::Cow;

/// How long after a stop the call that stopped it is waited for. It was made while the trail was logging, and is its last
/// event; but it is recorded only after it was carried out. The final digest waits for it. The call that deleted a trail is its
/// last event in the same way.
const STOP_CALL_MS: u64 = 10_000;

/// Whether the trail was logging when the entry was appended.
pub(crate) fn was_logging(trail: &Trail, entry: &Entry) -> bool {
    trail.logging.periods.iter().any(|period| holds(trail, period, entry))
}

fn holds(trail: &Trail, period: &Period, entry: &Entry) -> bool {
    let begun = entry.seq.0 >= period.from;
    begun && !period.stopped_ms.is_some_and(|stopped_ms| is_past(trail, entry, stopped_ms, "StopLogging"))
}

/// Whether an entry was appended after the end of a trail's events at `ended_ms`, and is not the call of that name which ended
/// them.
pub(crate) fn is_past(trail: &Trail, entry: &Entry, ended_ms: u64, call: &str) -> bool {
    let may_be_the_call = || entry.appended_ms <= ended_ms.saturating_add(STOP_CALL_MS) && entry.event.name() == call;
    entry.appended_ms > ended_ms && !(may_be_the_call() && is_done_to(trail, entry))
}

/// Whether an entry is a call that was carried out on the trail.
fn is_done_to(trail: &Trail, entry: &Entry) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Call<'a> {
        #[serde(borrow)]
        error_code: Option<Cow<'a, str>>,
        #[serde(borrow)]
        request_parameters: Option<Named<'a>>,
    }
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Option<Cow<'a, str>>,
    }
    let named = || {
        let call: Call<'_> = serde_json::from_slice(entry.event.json()).ok()?;
        call.request_parameters.filter(|_| call.error_code.is_none())?.name
    };
    entry.event.source() == "cloudtrail.amazonaws.com"
        && named().is_some_and(|name| name == trail.name || name == trail.arn())
}

/// The stop after which nothing more can come, once `now_ms` is past it; `None` while logging, or shortly after.
pub(crate) fn over_since(trail: &Trail, now_ms: u64) -> Option<u64> {
    let stopped_ms = trail.logging.periods.last()?.stopped_ms?;
    (now_ms > stopped_ms.saturating_add(STOP_CALL_MS)).then_some(stopped_ms)
}

/// Where delivery of a trail has to go on, as a sequence number; `None` when there is nothing to do.
pub(crate) fn resume_at(trail: &Trail, state: Option<&DeliveryState>) -> Option<u64> {
    let state = state.filter(|state| state.trail_created_ms == trail.created_ms);
    if let Some(state) = state.filter(|state| state.pending.is_some()) {
        return Some(state.next);
    }
    unfinished_from(trail, state.map_or(0, |state| state.next), state.and_then(|state| state.finished_ms))
}

/// The same for any reader of a trail's events that has come to `next`, and is done with the stop of logging at `finished_ms`.
pub(crate) fn unfinished_from(trail: &Trail, next: u64, finished_ms: Option<u64>) -> Option<u64> {
    let unfinished = |period: &&Period| period.stopped_ms.is_none_or(|stopped_ms| Some(stopped_ms) > finished_ms);
    let first = trail.logging.periods.iter().find(unfinished)?;
    Some(first.from.max(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::tests::{call_on, entry, trail};
    use registry::Logging;

    #[test]
    fn a_trail_owns_what_was_appended_between_start_and_stop() {
        let mut trail = trail();
        trail.logging = Logging::default();
        assert!(!was_logging(&trail, &entry(5, 100)), "a new trail does not log");
        trail.logging.start(5, 100, 0);
        assert!(!was_logging(&trail, &entry(4, 100)));
        assert!(was_logging(&trail, &entry(5, 100)));
        trail.logging.stop(200);
        assert!(was_logging(&trail, &entry(9, 200)));
        assert!(!was_logging(&trail, &entry(10, 201)));
    }

    #[test]
    fn the_call_that_stops_logging_is_its_last_event() {
        let mut trail = trail();
        trail.logging.stop(200);
        assert!(was_logging(&trail, &call_on("main", 10, 230, "StopLogging")));
        assert!(was_logging(&trail, &call_on(&trail.arn(), 10, 230, "StopLogging")));
        assert!(!was_logging(&trail, &call_on("main", 10, 90_000, "StopLogging")));
        assert!(!was_logging(&trail, &call_on("other", 10, 230, "StopLogging")), "it stopped another trail");
        assert!(!was_logging(&trail, &call_on("main", 10, 230, "StartLogging")));
        assert_eq!((over_since(&trail, 10_200), over_since(&trail, 10_201)), (None, Some(200)));
    }

    #[test]
    fn delivery_resumes_where_something_is_left() {
        let mut trail = trail();
        trail.logging = Logging::default();
        assert_eq!(resume_at(&trail, None), None);
        trail.logging.start(5, 100, 0);
        assert_eq!(resume_at(&trail, None), Some(5));
        let mut state = DeliveryState::of(&trail);
        state.next = 8;
        assert_eq!(resume_at(&trail, Some(&state)), Some(8));
        trail.logging.stop(200);
        assert_eq!(resume_at(&trail, Some(&state)), Some(8), "stopped, but not finished");
        state.finished_ms = Some(200);
        assert_eq!(resume_at(&trail, Some(&state)), None);
        trail.logging.start(50, 300, state.next);
        assert_eq!(resume_at(&trail, Some(&state)), Some(50), "what was appended while stopped is not read");
        state.trail_created_ms += 1;
        assert_eq!(resume_at(&trail, Some(&state)), Some(5), "the state of an earlier trail of that name is void");
    }
}
