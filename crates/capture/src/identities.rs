//! Who is behind an access key: the seam, and the house's own memory.

use event::{EventTime, Identity};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Who a key is. The recorder asks and teaches through it.
pub trait Identities: Send + Sync {
    /// The identity behind an access key at a time; `None` when nobody has told us. Called for every record: must be
    /// quick.
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Identity>>;

    /// Takes in what a response that was complete at that time taught us.
    fn learn(&self, lesson: Lesson, at: EventTime);
}

/// What one response taught about one access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The key that the identity signs with.
    pub access_key_id: String,
    /// The full `userIdentity` of calls signed with that key.
    pub identity: Identity,
    /// When the key stops working; `None` for long-term keys.
    pub expires: Option<EventTime>,
}

/// Told of every lesson that was taken in, so that it can be kept past a restart.
pub type Listener = Box<dyn Fn(&Lesson) + Send + Sync>;

/// Identities in memory: bounded, forgetting what has expired.
pub struct KnownIdentities {
    known: RwLock<HashMap<String, Known>>,
    capacity: usize,
    listener: Option<Listener>,
}

struct Known {
    identity: Arc<Identity>,
    expires: Option<EventTime>,
}

impl Known {
    fn is_valid(&self, at: EventTime) -> bool {
        self.expires.is_none_or(|expires| at <= expires)
    }
}

impl KnownIdentities {
    /// An empty memory for at most so many keys.
    pub fn new(capacity: usize) -> KnownIdentities {
        KnownIdentities { known: RwLock::default(), capacity: capacity.max(1), listener: None }
    }

    /// Sets who is told of new lessons (not of restored ones).
    pub fn with_listener(mut self, listener: Listener) -> KnownIdentities {
        self.listener = Some(listener);
        self
    }

    /// Takes back what was kept, leaving out what has expired by then.
    pub fn restore(&self, lessons: impl IntoIterator<Item = Lesson>, at: EventTime) {
        lessons.into_iter().filter(|lesson| lesson.expires.is_none_or(|expires| at <= expires)).for_each(|lesson| {
            self.insert(lesson, at);
        });
    }

    /// Everything that is known and has not expired by then, in no order.
    pub fn snapshot(&self, at: EventTime) -> Vec<Lesson> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let valid = known.iter().filter(|(_, known)| known.is_valid(at));
        valid
            .map(|(key, known)| Lesson {
                access_key_id: key.clone(),
                identity: Identity::clone(&known.identity),
                expires: known.expires,
            })
            .collect()
    }

    /// Makes room by forgetting what has expired, and if that is not enough the session that expires first. Long-term
    /// keys are never forgotten for a new one.
    fn insert(&self, lesson: Lesson, at: EventTime) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.capacity && !known.contains_key(&lesson.access_key_id) {
            known.retain(|_, known| known.is_valid(at));
            if known.len() >= self.capacity {
                let sessions = known.iter().filter_map(|(key, known)| Some((known.expires?, key)));
                let Some(first) = sessions.min().map(|(_, key)| key.clone()) else { return false };
                known.remove(&first);
            }
        }
        known.insert(lesson.access_key_id, Known { identity: Arc::new(lesson.identity), expires: lesson.expires });
        true
    }
}

impl Identities for KnownIdentities {
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Identity>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(access_key_id).filter(|known| known.is_valid(at)).map(|known| Arc::clone(&known.identity))
    }

    fn learn(&self, lesson: Lesson, at: EventTime) {
        if self.insert(lesson.clone(), at)
            && let Some(listener) = &self.listener
        {
            listener(&lesson);
        }
    }
}

impl std::fmt::Debug for KnownIdentities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownIdentities").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::IdentityType;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn lesson(key: &str, expires: Option<i64>) -> Lesson {
        let identity = Identity { access_key_id: Some(key.to_owned()), ..Identity::of_type(IdentityType::AssumedRole) };
        Lesson { access_key_id: key.to_owned(), identity, expires: expires.map(EventTime) }
    }

    #[test]
    fn a_session_is_known_until_it_expires() {
        let known = KnownIdentities::new(10);
        known.learn(lesson("ASIA1", Some(100)), EventTime(0));
        assert!(known.resolve("ASIA1", EventTime(100)).is_some());
        assert!(known.resolve("ASIA1", EventTime(101)).is_none());
        assert!(known.resolve("ASIA2", EventTime(0)).is_none());
    }

    #[test]
    fn the_memory_stays_bounded_and_keeps_long_term_keys() {
        let known = KnownIdentities::new(3);
        known.learn(lesson("AKIA1", None), EventTime(0));
        for number in 0..100 {
            known.learn(lesson(&format!("ASIA{number}"), Some(1000 + number)), EventTime(0));
        }
        assert_eq!(known.snapshot(EventTime(0)).len(), 3);
        assert!(known.resolve("AKIA1", EventTime(0)).is_some() && known.resolve("ASIA99", EventTime(0)).is_some());
        let full = KnownIdentities::new(1);
        full.learn(lesson("AKIA1", None), EventTime(0));
        full.learn(lesson("ASIA1", Some(5)), EventTime(0));
        assert!(full.resolve("ASIA1", EventTime(0)).is_none());
    }

    #[test]
    fn lessons_survive_a_restart_and_are_told_once() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let known = KnownIdentities::new(10).with_listener(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        known.learn(lesson("ASIA1", Some(100)), EventTime(0));
        known.learn(lesson("ASIA2", Some(10)), EventTime(0));
        let kept = known.snapshot(EventTime(0));
        let restarted = KnownIdentities::new(10);
        restarted.restore(kept, EventTime(50));
        assert!(restarted.resolve("ASIA1", EventTime(50)).is_some());
        assert_eq!(restarted.snapshot(EventTime(0)).len(), 1);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
