//! The files that hold the bytes of objects, and the leases that keep them alive while someone reads.
//!
//! A blob is written once under a random name and never changed. It is born in `incoming/` and moves to `blobs/xx/`
//! once the index names it; what is still in `incoming/` at start and unknown to the index belongs to no object.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};

/// The name of a blob: 128 random bits, written as 32 hexadecimal digits. Never derived from a key, so that no key
/// can reach outside the store's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobId(pub(crate) u128);

impl BlobId {
    pub(crate) fn random() -> BlobId {
        BlobId(uuid::Uuid::new_v4().as_u128())
    }

    pub(crate) fn parse(text: &str) -> Option<BlobId> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        u128::from_str_radix(text, 16).ok().filter(|_| digits).map(BlobId)
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for BlobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<BlobId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        BlobId::parse(&text).ok_or_else(|| serde::de::Error::custom("a blob name has 32 hexadecimal digits"))
    }
}

/// The blobs of one store.
pub(crate) struct Blobs {
    root: PathBuf,
    leases: Mutex<HashMap<BlobId, Lease>>,
    /// Held shared from reading an object's row until its blobs are leased; taken exclusively before a blob goes.
    finding: RwLock<()>,
    /// Blobs whose last reader went after their last object, to be swept.
    abandoned: Mutex<Vec<BlobId>>,
}

#[derive(Default)]
struct Lease {
    readers: usize,
    doomed: bool,
}

impl Blobs {
    /// Makes the folders that are missing, with mode 0700.
    pub(crate) fn open(root: &Path) -> Result<Blobs> {
        for name in ["incoming", "blobs"] {
            let path = root.join(name);
            make_folder(&path).map_err(StoreError::io(format!("create {}", path.display())))?;
        }
        Ok(Blobs {
            root: root.to_owned(),
            leases: Mutex::default(),
            finding: RwLock::default(),
            abandoned: Mutex::default(),
        })
    }

    /// A new, empty blob.
    pub(crate) fn create(self: &Arc<Self>) -> Result<(File, Incoming)> {
        let id = BlobId::random();
        let path = self.incoming(id);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(StoreError::io(format!("create {}", path.display())))?;
        Ok((file, Incoming { id, blobs: self.clone(), published: AtomicBool::new(false) }))
    }

    /// Makes the names of the blobs in `incoming/` survive a power cut.
    pub(crate) fn sync_incoming(&self) -> Result<()> {
        let path = self.root.join("incoming");
        let synced = File::open(&path).and_then(|folder| folder.sync_all());
        synced.map_err(StoreError::io(format!("sync {}", path.display())))
    }

    /// Opens a blob, wherever it lies.
    pub(crate) fn open_blob(&self, id: BlobId) -> io::Result<File> {
        // A blob moves once, from `incoming/` to its place: looking there again closes the race with the move.
        let look = |path| match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            other => Some(other),
        };
        look(self.place(id))
            .or_else(|| look(self.incoming(id)))
            .or_else(|| look(self.place(id)))
            .unwrap_or_else(|| Err(io::Error::new(io::ErrorKind::NotFound, format!("the blob {id} is missing"))))
    }

    /// The blobs in `incoming/`: at start, what a crash left there.
    pub(crate) fn leftovers(&self) -> Result<Vec<BlobId>> {
        let path = self.root.join("incoming");
        let list = || -> io::Result<Vec<BlobId>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&path)? {
                found.extend(entry?.file_name().to_str().and_then(BlobId::parse));
            }
            Ok(found)
        };
        list().map_err(StoreError::io(format!("list {}", path.display())))
    }

    /// Moves a blob that the index names to its place.
    pub(crate) fn publish(&self, id: BlobId) -> io::Result<()> {
        let (from, to) = (self.incoming(id), self.place(id));
        match (fs::rename(&from, &to), to.parent()) {
            (Err(e), Some(folder)) if e.kind() == io::ErrorKind::NotFound => {
                make_folder(folder)?; // the first blob with these digits
                fs::rename(from, to)
            }
            (renamed, _) => renamed,
        }
    }

    /// Removes a blob, wherever it lies; one that is gone already is fine.
    pub(crate) fn remove(&self, id: BlobId) -> io::Result<()> {
        for path in [self.place(id), self.incoming(id)] {
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs `find` and leases the blobs it names, with no chance for them to go in between.
    pub(crate) fn find_and_lease<T>(
        self: &Arc<Self>,
        find: impl FnOnce() -> Result<T>,
        blobs_of: impl FnOnce(&T) -> Vec<BlobId>,
    ) -> Result<(T, Leased)> {
        let _finding = self.finding.read().unwrap_or_else(PoisonError::into_inner);
        let found = find()?;
        let ids = blobs_of(&found);
        let mut leases = lock(&self.leases);
        for id in &ids {
            leases.entry(*id).or_default().readers += 1;
        }
        drop(leases);
        Ok((found, Leased { ids, blobs: self.clone() }))
    }

    /// Of blobs that no object names any more, those that nobody reads. The others are handed out by
    /// [`Blobs::take_abandoned`] after their last reader.
    pub(crate) fn unleased(&self, freed: Vec<BlobId>) -> Vec<BlobId> {
        let _nobody_finds = self.finding.write().unwrap_or_else(PoisonError::into_inner);
        let mut leases = lock(&self.leases);
        let is_free = |id: &BlobId| match leases.get_mut(id) {
            Some(lease) => {
                lease.doomed = true;
                false
            }
            None => true,
        };
        freed.into_iter().filter(is_free).collect()
    }

    /// Blobs that became free when their last reader left.
    pub(crate) fn take_abandoned(&self) -> Vec<BlobId> {
        std::mem::take(&mut lock(&self.abandoned))
    }

    fn incoming(&self, id: BlobId) -> PathBuf {
        self.root.join(format!("incoming/{id}"))
    }

    fn place(&self, id: BlobId) -> PathBuf {
        self.root.join(format!("blobs/{:02x}/{id}", id.0 >> 120))
    }
}

/// A blob that no object names yet: removed when dropped, unless it was published.
pub(crate) struct Incoming {
    pub(crate) id: BlobId,
    blobs: Arc<Blobs>,
    published: AtomicBool,
}

impl Incoming {
    /// The index names the blob, durably: gives it its place.
    pub(crate) fn publish(self) {
        self.published.store(true, Ordering::Relaxed);
        if let Err(error) = self.blobs.publish(self.id) {
            // Readers look in `incoming/` too, and the next start tries again.
            tracing::warn!(blob = %self.id, %error, "cannot move a blob to its place");
        }
    }

    /// Whether the index names the blob is not known: leaves that to the next start.
    pub(crate) fn leave(self) {
        self.published.store(true, Ordering::Relaxed);
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Relaxed)
            && let Err(error) = self.blobs.remove(self.id)
        {
            tracing::warn!(blob = %self.id, %error, "cannot remove an unfinished upload");
        }
    }
}

/// Keeps blobs on the disk as long as it lives, even when the last object that named them goes.
pub(crate) struct Leased {
    ids: Vec<BlobId>,
    blobs: Arc<Blobs>,
}

impl Leased {
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let mut leases = lock(&self.blobs.leases);
        for id in &self.ids {
            let Some(lease) = leases.get_mut(id) else { continue };
            lease.readers -= 1;
            if lease.readers == 0 && leases.remove(id).is_some_and(|lease| lease.doomed) {
                lock(&self.blobs.abandoned).push(*id);
            }
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// None of these locks guards an invariant that a panic could break half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_always_32_hex_digits_below_the_root() {
        for id in [BlobId(0), BlobId(u128::MAX), BlobId::random()] {
            assert_eq!(BlobId::parse(&id.to_string()), Some(id));
        }
        for bad in ["", "..", "+0000000000000000000000000000000", "0000000000000000000000000000000G", "00"] {
            assert_eq!(BlobId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_unpublished_blob_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path()).unwrap());
        let (_, incoming) = blobs.create().unwrap();
        assert_eq!(blobs.leftovers().unwrap(), [incoming.id]);
        drop(incoming);
        assert!(blobs.leftovers().unwrap().is_empty());
    }

    #[test]
    fn a_leased_blob_is_swept_only_after_its_last_reader() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path()).unwrap());
        let id = BlobId::random();
        let lease = || blobs.find_and_lease(|| Ok(()), |_| vec![id]).unwrap().1;
        let (first, second) = (lease(), lease());
        assert!(blobs.unleased(vec![id]).is_empty());
        drop(first);
        assert!(blobs.take_abandoned().is_empty());
        drop(second);
        assert_eq!(blobs.take_abandoned(), [id]);
        assert_eq!(blobs.unleased(vec![id]), [id]);
    }
}
