//! Who a key is: the keys kept here, then what passed through, which is kept across restarts.

use capture::{Identities, KnownIdentities, Lesson};
use event::{EventTime, Identity};
use iam::Keys;
use registry::{Documents, Expected, KeyStatus, LearnedIdentity, Registry, RegistryError};
use std::sync::{Arc, mpsc};

/// Keys that are remembered, beside those kept here.
const REMEMBERED: usize = 100_000;
/// Lessons that wait to be saved; beyond it they are kept in memory only, and that is told.
const UNSAVED: usize = 4096;

/// The house's answer to "who is this key?".
pub(crate) struct HouseIdentities {
    keys: Keys,
    known: KnownIdentities,
}

impl HouseIdentities {
    /// The keys of the registry and what earlier runs have learned; `now` is the present. Starts the thread that saves
    /// new lessons: a call must not wait for the registry's disk.
    pub(crate) fn open(registry: &Registry, now: EventTime) -> Result<HouseIdentities, RegistryError> {
        let documents = registry.documents::<LearnedIdentity>()?;
        let (unsaved, lessons) = mpsc::sync_channel(UNSAVED);
        let known = KnownIdentities::new(REMEMBERED).with_listener(Box::new(move |lesson| {
            if unsaved.try_send(lesson.clone()).is_err() {
                tracing::warn!("a learned identity will not survive a restart: the registry is too slow");
            }
        }));
        for learned in documents.list() {
            let expires = learned.expires_ms.map(|ms| EventTime((ms / 1000) as i64));
            if expires.is_some_and(|expires| expires < now) {
                documents.delete(&learned.access_key_id, learned.version)?;
                continue;
            }
            let (access_key_id, identity) = (learned.access_key_id.clone(), learned.identity.clone());
            known.restore([Lesson { access_key_id, identity, expires }], now);
        }
        std::thread::Builder::new()
            .name("lessons".to_owned())
            .spawn(move || save_all(&documents, &lessons))
            .map_err(|error| tracing::warn!(%error, "learned identities will not survive a restart"))
            .ok();
        Ok(HouseIdentities { keys: Keys::of(registry)?, known })
    }
}

impl Identities for HouseIdentities {
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Identity>> {
        if let Some(key) = self.keys.find(access_key_id).filter(|key| key.status == KeyStatus::Active) {
            let identity = Identity::iam_user(&key.account_id, &key.user_name, &key.principal_id, &key.access_key_id);
            return Some(Arc::new(identity));
        }
        self.known.resolve(access_key_id, at)
    }

    /// A key kept here is what we say it is, and what is known already is no lesson.
    fn learn(&self, lesson: Lesson, at: EventTime) {
        let known = self.known.resolve(&lesson.access_key_id, at);
        if self.keys.find(&lesson.access_key_id).is_none() && known.is_none_or(|known| *known != lesson.identity) {
            self.known.learn(lesson, at);
        }
    }
}

fn save_all(documents: &Documents<LearnedIdentity>, lessons: &mpsc::Receiver<Lesson>) {
    for lesson in lessons {
        let expected = documents.get(&lesson.access_key_id).map_or(Expected::Absent, |older| older.version.into());
        let learned = LearnedIdentity {
            access_key_id: lesson.access_key_id,
            identity: lesson.identity,
            expires_ms: lesson.expires.map(|time| time.0.max(0) as u64 * 1000),
        };
        if let Err(error) = documents.put(learned, expected) {
            tracing::warn!(%error, "a learned identity will not survive a restart");
        }
    }
}
