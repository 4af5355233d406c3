//! Who a key is: the keys kept here, then what passed through, which is kept across restarts.

use capture::{Identities, KnownIdentities, Lesson};
use event::{EventTime, Identity};
use iam::Keys;
use registry::{Documents, Expected, KeyStatus, LearnedIdentity, Registry, RegistryError};
use std::sync::{Arc, mpsc};

/// Lessons that wait to be saved; beyond it they are kept in memory only, and the loss is told.
const UNSAVED: usize = 4096;

/// The house's answer to "who is this key?".
pub struct HouseIdentities {
    keys: Keys,
    known: KnownIdentities,
    unsaved: mpsc::SyncSender<Lesson>,
}

impl HouseIdentities {
    /// The keys of the registry and what earlier runs have learned; `now` is the present. Starts the thread that saves
    /// new lessons: it must not make a call wait for the registry's disk.
    pub fn open(registry: &Registry, now: EventTime) -> Result<Arc<HouseIdentities>, RegistryError> {
        let documents = registry.documents::<LearnedIdentity>()?;
        let known = KnownIdentities::default();
        for learned in documents.list() {
            let expires = learned.expires_ms.map(|ms| EventTime((ms / 1000) as i64));
            if expires.is_some_and(|expires| expires <= now) {
                documents.delete(&learned.access_key_id, learned.version)?;
                continue;
            }
            known.learn(Lesson {
                access_key_id: learned.access_key_id.clone(),
                identity: learned.identity.clone(),
                expires,
            });
        }
        let (unsaved, lessons) = mpsc::sync_channel(UNSAVED);
        std::thread::spawn(move || save_all(&documents, &lessons));
        Ok(Arc::new(HouseIdentities { keys: Keys::of(registry)?, known, unsaved }))
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

    fn learn(&self, lesson: Lesson) {
        if self.keys.find(&lesson.access_key_id).is_some() {
            return;
        }
        if self.known.resolve(&lesson.access_key_id, EventTime(i64::MIN)).is_some_and(|known| *known == lesson.identity) {
            return;
        }
        self.known.learn(lesson.clone());
        if self.unsaved.try_send(lesson).is_err() {
            tracing::warn!("a learned identity will not survive a restart: the registry is too slow");
        }
    }
}

fn save_all(documents: &Documents<LearnedIdentity>, lessons: &mpsc::Receiver<Lesson>) {
    for lesson in lessons {
        let expected = match documents.get(&lesson.access_key_id) {
            Some(older) => Expected::from(older.version),
            None => Expected::Absent,
        };
        let learned = LearnedIdentity {
            access_key_id: lesson.access_key_id,
            identity: lesson.identity,
            expires_ms: lesson.expires.map(|time| (time.0.max(0) as u64) * 1000),
        };
        if let Err(error) = documents.put(learned, expected) {
            tracing::warn!(%error, "a learned identity will not survive a restart");
        }
    }
}
