//! Who is behind an access key: the seam, and the house's own memory.

use event::{EventTime, Identity, IdentityType};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

/// Who a key is. The recorder asks and teaches through it.
pub trait Identities: Send + Sync {
    /// Who is behind an access key at a time; `None` when nobody has told us. Called for every record: must be quick.
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Principal>>;

    /// Takes in what a response that was complete at that time taught us.
    fn learn(&self, lesson: Lesson, at: EventTime);

    /// Unlearns keys that were taken away.
    fn forget(&self, revoked: &Revoked);
}

/// Who signs with a key, and through whom. Reads like the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The full `userIdentity` of calls signed with the key.
    pub identity: Identity,
    /// Through whom a session was opened, from the first human or workload on (`docs/formats/session-chain.md`). Empty
    /// for keys that are no sessions, and where the origin is not known.
    pub origins: Vec<Identity>,
}

impl From<Identity> for Principal {
    fn from(identity: Identity) -> Principal {
        Principal { identity, origins: Vec::new() }
    }
}

impl Deref for Principal {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

/// Keys that no longer work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// One access key, deleted or made inactive.
    Key(String),
    /// All keys of a user who was deleted or renamed.
    User {
        /// Account of the user.
        account_id: String,
        /// Friendly name.
        user_name: String,
    },
}

/// Whether the identity is that user, by whatever key.
fn is_user(identity: &Identity, account_id: &str, user_name: &str) -> bool {
    identity.identity_type == Some(IdentityType::IAMUser)
        && identity.user_name.as_deref() == Some(user_name)
        && identity.account_id.as_deref().is_none_or(|account| account == account_id)
}

/// What one response taught about one access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The key that the identity signs with.
    pub access_key_id: String,
    /// The full `userIdentity` of calls signed with that key.
    pub identity: Identity,
    /// [`Principal::origins`].
    pub origins: Vec<Identity>,
    /// When the key stops working; `None` for long-term keys.
    pub expires: Option<EventTime>,
}

/// A change of what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A lesson was taken in.
    Learned(&'a Lesson),
    /// What was known of this key is void.
    Forgotten(&'a str),
}

/// Told of every change, so that it can be kept past a restart.
pub type Listener = Box<dyn Fn(Change<'_>) + Send + Sync>;

/// Identities in memory: bounded, forgetting what has expired.
pub struct KnownIdentities {
    /// What was stated from the start: it wins over lessons, and it never changes.
    stated: HashMap<String, Arc<Principal>>,
    known: RwLock<HashMap<String, Known>>,
    capacity: usize,
    listener: Option<Listener>,
}

struct Known {
    principal: Arc<Principal>,
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
        KnownIdentities { stated: HashMap::new(), known: RwLock::default(), capacity: capacity.max(1), listener: None }
    }

    /// Sets what is known without being learned (an identity file): by access key id.
    pub fn with_stated(mut self, stated: impl IntoIterator<Item = (String, Identity)>) -> KnownIdentities {
        self.stated.extend(stated.into_iter().map(|(key, identity)| (key, Arc::new(Principal::from(identity)))));
        self
    }

    /// Sets who is told of changes (not of what is restored).
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
                identity: known.principal.identity.clone(),
                origins: known.principal.origins.clone(),
                expires: known.expires,
            })
            .collect()
    }

    /// When a valid session ends; `None` for other keys.
    fn expiry(&self, access_key_id: &str, at: EventTime) -> Option<EventTime> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(access_key_id).filter(|known| known.is_valid(at))?.expires
    }

    /// Makes room by forgetting what has expired, and if that is not enough the sessions that expire first: some at once, so that
    /// not every new one looks through all. Long-term keys are never forgotten for a new one.
    fn insert(&self, lesson: Lesson, at: EventTime) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.capacity && !known.contains_key(&lesson.access_key_id) {
            known.retain(|_, known| known.is_valid(at));
            if known.len() >= self.capacity {
                let mut ends: Vec<EventTime> = known.values().filter_map(|known| known.expires).collect();
                let last = (self.capacity / 64).min(ends.len().saturating_sub(1));
                if ends.is_empty() {
                    return false;
                }
                let end = *ends.select_nth_unstable(last).1;
                known.retain(|_, known| known.expires.is_none_or(|expires| expires > end));
            }
        }
        let principal = Arc::new(Principal { identity: lesson.identity, origins: lesson.origins });
        known.insert(lesson.access_key_id, Known { principal, expires: lesson.expires });
        true
    }
}

impl Identities for KnownIdentities {
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Principal>> {
        if let Some(stated) = self.stated.get(access_key_id) {
            return Some(Arc::clone(stated));
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(access_key_id).filter(|known| known.is_valid(at)).map(|known| Arc::clone(&known.principal))
    }

    /// What is stated or known already is no lesson. A session never lives longer than was said before.
    fn learn(&self, mut lesson: Lesson, at: EventTime) {
        let said = self.expiry(&lesson.access_key_id, at);
        lesson.expires = said.into_iter().chain(lesson.expires).min();
        let is_news = self
            .resolve(&lesson.access_key_id, at)
            .is_none_or(|known| known.identity != lesson.identity || known.origins != lesson.origins);
        if is_news
            && !self.stated.contains_key(&lesson.access_key_id)
            && self.insert(lesson.clone(), at)
            && let Some(listener) = &self.listener
        {
            listener(Change::Learned(&lesson));
        }
    }

    fn forget(&self, revoked: &Revoked) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> = match revoked {
            Revoked::Key(key) => known.remove_entry(key).map(|(key, _)| key).into_iter().collect(),
            Revoked::User { account_id, user_name } => known
                .extract_if(|_, known| is_user(&known.principal.identity, account_id, user_name))
                .map(|(key, _)| key)
                .collect(),
        };
        drop(known);
        if let Some(listener) = &self.listener {
            gone.iter().for_each(|key| listener(Change::Forgotten(key)));
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
        Lesson { access_key_id: key.to_owned(), identity, origins: Vec::new(), expires: expires.map(EventTime) }
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

    #[test]
    fn what_is_stated_wins_over_lessons() {
        let stated = Identity { user_name: Some("alice".to_owned()), ..Identity::of_type(IdentityType::IAMUser) };
        let known = KnownIdentities::new(10).with_stated([("AKIA1".to_owned(), stated.clone())]);
        known.learn(lesson("AKIA1", None), EventTime(0));
        known.forget(&Revoked::Key("AKIA1".to_owned()));
        assert_eq!(known.resolve("AKIA1", EventTime(0)).unwrap().identity, stated);
    }

    #[test]
    fn keys_that_were_taken_away_are_unknown_and_that_is_told() {
        let told = Arc::new(RwLock::new(Vec::new()));
        let list = Arc::clone(&told);
        let known = KnownIdentities::new(10).with_listener(Box::new(move |change| {
            if let Change::Forgotten(key) = change {
                list.write().unwrap().push(key.to_owned());
            }
        }));
        let of_alice = |key| {
            let identity = Identity::iam_user("111122223333", "alice", "AIDA", key);
            Lesson { identity, ..lesson(key, None) }
        };
        for taught in [of_alice("AKIA1"), of_alice("AKIA2"), lesson("ASIA1", Some(100))] {
            known.learn(taught, EventTime(0));
        }
        known.forget(&Revoked::Key("AKIA1".to_owned()));
        assert!(known.resolve("AKIA1", EventTime(0)).is_none() && known.resolve("AKIA2", EventTime(0)).is_some());
        let user =
            |account_id: &str| Revoked::User { account_id: account_id.to_owned(), user_name: "alice".to_owned() };
        known.forget(&user("444455556666"));
        assert!(known.resolve("AKIA2", EventTime(0)).is_some(), "another account's alice");
        known.forget(&user("111122223333"));
        assert!(known.resolve("AKIA2", EventTime(0)).is_none() && known.resolve("ASIA1", EventTime(0)).is_some());
        assert_eq!(*told.read().unwrap(), ["AKIA1", "AKIA2"]);
    }
}
