//! What a topic is told later, and what it is not told any more: pure.

use registry::{Notification, Trail};
use std::time::Duration;

/// Waits between tries to publish: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a topic is tried that takes nothing: as long as a bucket.
const KEPT_MS: u64 = 30 * 24 * 3600 * 1000;
/// The same for a trail that is gone: nobody sees its status any more.
const KEPT_OF_THE_GONE_MS: u64 = 3600 * 1000;
/// The most cuts of a trail whose notifications wait.
const WAITING_MAX: usize = 10_000;

/// Where a notification goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Address<'a> {
    /// To this topic.
    Topic(&'a str),
    /// Nowhere: the trail has no topic any more.
    Nowhere,
}

/// Where a notification goes now, given the trail of its ARN: to the trail's topic of today; one of a trail that is gone to the
/// topic of then.
pub(crate) fn address<'a>(note: &'a Notification, trail: Option<&'a Trail>) -> Address<'a> {
    match own(note, trail) {
        None => Address::Topic(&note.topic_arn),
        Some(trail) => trail.sns_topic_arn.as_deref().map_or(Address::Nowhere, Address::Topic),
    }
}

/// The trail that a notification is of, unless it is gone.
pub(crate) fn own<'a>(note: &Notification, trail: Option<&'a Trail>) -> Option<&'a Trail> {
    trail.filter(|trail| trail.created_ms == note.trail_created_ms)
}

/// Whether a notification that could not be published, with so many behind it, is given up.
pub(crate) fn is_given_up(note: &Notification, trail: Option<&Trail>, behind: usize, now_ms: u64) -> bool {
    let kept_ms = if own(note, trail).is_some() { KEPT_MS } else { KEPT_OF_THE_GONE_MS };
    behind >= WAITING_MAX || now_ms.saturating_sub(note.delivered_ms) > kept_ms
}

/// The wait after one that did not help; the first without.
pub(crate) fn next_wait(before: Option<Duration>) -> Duration {
    before.map_or(RETRY.0, |before| (before * 2).min(RETRY.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::tests::trail;

    fn note() -> Notification {
        Notification {
            trail_arn: trail().arn(),
            trail_created_ms: trail().created_ms,
            from: 3,
            topic_arn: "then".to_owned(),
            delivered_ms: 1000,
            bucket: "audit".to_owned(),
            objects: vec!["a".to_owned()],
        }
    }

    #[test]
    fn messages_go_to_the_topic_of_today() {
        let told = Trail { sns_topic_arn: Some("now".to_owned()), ..trail() };
        let later = Trail { created_ms: 99, ..told.clone() };
        assert_eq!(address(&note(), Some(&told)), Address::Topic("now"));
        assert_eq!(address(&note(), Some(&trail())), Address::Nowhere, "its topic was taken away");
        for gone in [None, Some(&later)] {
            assert_eq!(address(&note(), gone), Address::Topic("then"));
        }
    }

    #[test]
    fn a_dead_topic_is_tried_for_long_and_not_for_ever() {
        let trail = trail();
        let day = 24 * 3600 * 1000;
        assert!(!is_given_up(&note(), Some(&trail), 9999, 30 * day));
        assert!(is_given_up(&note(), Some(&trail), 0, 31 * day));
        assert!(is_given_up(&note(), Some(&trail), 10_000, 2000));
        assert!(is_given_up(&note(), None, 0, day) && !is_given_up(&note(), None, 0, 2000));
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut waits = vec![next_wait(None)];
        for _ in 0..8 {
            waits.push(next_wait(waits.last().copied()));
        }
        assert_eq!(waits.iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
