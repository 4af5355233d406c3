//! Who a key is: the keys kept here, then the identity file, then what passed through, which is kept across restarts.

use capture::{Change, Identities, KnownIdentities, Lesson, Principal, Revoked};
use event::{EventTime, Identity};
use iam::Keys;
use registry::{Documents, Expected, KeyStatus, LearnedIdentity, Registry, RegistryError, Versioned};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

/// Keys that are remembered, beside those kept here.
const REMEMBERED: usize = 100_000;
/// Changes that wait to be saved; beyond it they are kept in memory only, and that is told.
const UNSAVED: usize = 4096;

/// After so many changes, sessions that have ended are swept out of the registry.
const SWEEP_EVERY: usize = 1024;

/// The house's answer to "who is this key?".
pub(crate) struct HouseIdentities {
    keys: Keys,
    known: KnownIdentities,
    account: String,
    /// Whether it was told that the upstream speaks of another account.
    told: AtomicBool,
}

/// A change on its way to the registry.
enum Unsaved {
    Learned(Box<Lesson>),
    Forgotten(String),
}

impl HouseIdentities {
    /// The keys of the registry, those of the identity file, and what earlier runs have learned; `account` is the house's,
    /// `now` the present; `alone`: whether no other account lives here. Starts the thread that saves what is learned: a call must not wait for the registry's disk.
    pub(crate) fn open(
        registry: &Registry,
        account: &str,
        stated: impl IntoIterator<Item = (String, Identity)>,
        now: EventTime,
        alone: bool,
    ) -> Result<HouseIdentities, RegistryError> {
        let documents = registry.documents::<LearnedIdentity>()?;
        let (unsaved, changes) = mpsc::sync_channel(UNSAVED);
        let known = KnownIdentities::new(REMEMBERED).with_stated(stated).with_listener(Box::new(move |change| {
            let change = match change {
                Change::Learned(lesson) => Unsaved::Learned(Box::new(lesson.clone())),
                Change::Forgotten(key) => Unsaved::Forgotten(key.to_owned()),
            };
            if unsaved.try_send(change).is_err() {
                tracing::warn!("what was learned of an identity will not survive a restart: the registry is too slow");
            }
        }));
        sweep(&documents, now)?;
        known.restore(documents.list().iter().map(|learned| lesson_of(learned)), now);
        std::thread::Builder::new()
            .name("lessons".to_owned())
            .spawn(move || save_all(&documents, &changes))
            .map_err(|error| tracing::warn!(%error, "learned identities will not survive a restart"))
            .ok();
        Ok(HouseIdentities {
            keys: Keys::of(registry)?,
            known,
            account: account.to_owned(),
            told: AtomicBool::new(!alone),
        })
    }
}

impl Identities for HouseIdentities {
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Principal>> {
        if let Some(key) = self.keys.find(access_key_id).filter(|key| key.status == KeyStatus::Active) {
            let identity = Identity::iam_user(&key.account_id, &key.user_name, &key.principal_id, &key.access_key_id);
            return Some(Arc::new(identity.into()));
        }
        self.known.resolve(access_key_id, at)
    }

    /// A key kept here is what we say it is.
    fn learn(&self, lesson: Lesson, at: EventTime) {
        if self.keys.find(&lesson.access_key_id).is_none() {
            let theirs = lesson.identity.account_id.as_deref().filter(|theirs| *theirs != self.account);
            if let Some(theirs) = theirs.filter(|_| !self.told.swap(true, Ordering::Relaxed)) {
                tracing::warn!(
                    theirs,
                    ours = self.account,
                    "the upstream knows callers of another account; if it is the same house, restart with --account"
                );
            }
            self.known.learn(lesson, at);
        }
    }

    fn forget(&self, revoked: &Revoked) {
        self.known.forget(revoked);
    }
}

fn lesson_of(learned: &LearnedIdentity) -> Lesson {
    Lesson {
        access_key_id: learned.access_key_id.clone(),
        identity: learned.identity.clone(),
        origins: learned.origins.clone(),
        expires: expiry(learned),
    }
}

fn expiry(learned: &LearnedIdentity) -> Option<EventTime> {
    learned.expires_ms.map(|ms| EventTime((ms / 1000) as i64))
}

/// Removes sessions that have ended.
fn sweep(documents: &Documents<LearnedIdentity>, now: EventTime) -> Result<(), RegistryError> {
    let has_ended = |learned: &Versioned<LearnedIdentity>| expiry(learned).is_some_and(|expires| expires < now);
    let ended: Vec<_> = documents.list().into_iter().filter(has_ended).collect();
    documents.delete_all(&ended)
}

fn save_all(documents: &Documents<LearnedIdentity>, changes: &mpsc::Receiver<Unsaved>) {
    for (number, change) in (1usize..).zip(changes) {
        let saved = match change {
            Unsaved::Learned(lesson) => save(documents, *lesson),
            Unsaved::Forgotten(key) => documents.get(&key).map_or(Ok(()), |old| documents.delete(&key, old.version)),
        };
        let swept = if number % SWEEP_EVERY == 0 { sweep(documents, present()) } else { Ok(()) };
        if let Err(error) = saved.and(swept) {
            tracing::warn!(%error, "what was learned of an identity will not survive a restart");
        }
    }
}

fn save(documents: &Documents<LearnedIdentity>, lesson: Lesson) -> Result<(), RegistryError> {
    let expected = documents.get(&lesson.access_key_id).map_or(Expected::Absent, |older| older.version.into());
    let learned = LearnedIdentity {
        access_key_id: lesson.access_key_id,
        identity: lesson.identity,
        origins: lesson.origins,
        expires_ms: lesson.expires.map(|time| time.0.max(0) as u64 * 1000),
    };
    documents.put(learned, expected).map(drop)
}

fn present() -> EventTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    EventTime(since_epoch as i64)
}
