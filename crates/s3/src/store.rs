//! The store: buckets and objects in a folder, for use within the process. [`S3Api`](crate::S3Api) speaks S3 to it.

mod buckets;
mod lookups;
mod objects;
mod readers;
mod reading;
mod receiving;
mod uploads;

use self::lookups::Lookups;
pub use self::objects::{Copied, Deletion, NewObject};
use self::readers::Readers;
pub use self::reading::{Object, ObjectStream};
pub use self::receiving::Received;
pub use self::uploads::{CompletedPart, Completion, UploadPage};

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};

use crate::blobs::{BlobId, Blobs};
use crate::commit::{Committer, Tx};
use crate::error::{Result, StoreError};
use crate::index;
use crate::sweep;

/// Buckets and objects in a folder. Cloning gives another handle to the same store; the last one that is dropped
/// waits for the writer and gives the folder free.
///
/// What a function here has answered is durable: it survives `kill -9` and a power cut.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    blobs: Arc<Blobs>,
    index_path: PathBuf,
    readers: Readers,
    lookups: Lookups,
    /// The Regions of buckets, by name: every answer tells it.
    regions: RwLock<HashMap<String, Arc<str>>>,
    committer: Option<Committer>,
    threads: Vec<JoinHandle<()>>,
    _lock: File,
}

impl Store {
    /// Opens the store in this folder, making what is missing (folders with mode 0700, files with 0600), and clears
    /// away what a crash left half done. Blocking.
    ///
    /// # Errors
    /// If the folder is open in another process, was written by a newer version, or cannot be read or written.
    pub fn open(dir: &Path) -> Result<Store> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(StoreError::io(format!("create {}", dir.display())))?;
        let lock = lock(dir)?;
        let blobs = Arc::new(Blobs::open(dir)?);
        let index_path = dir.join("index.sqlite");
        touch(&index_path)?;
        let index = index::open(&index_path)?;
        let unnamed = settle(&index, &blobs)?;
        let regions = index::buckets::list(&index)?.into_iter().map(|bucket| (bucket.name, bucket.region.into()));
        let regions = RwLock::new(regions.collect());
        sync_folder(dir)?;

        let (freed, to_sweep) = mpsc::channel();
        let (swept, to_forget) = mpsc::channel();
        let _ = freed.send(unnamed); // cannot fail: the receiver is in scope
        let sweeper = sweep::start(index::connect(&index_path)?, blobs.clone(), to_sweep, swept)?;
        let (committer, writer) = Committer::start(index, blobs.clone(), freed, to_forget)?;
        let readers = Readers::start(&index_path).map_err(StoreError::io("start the threads that read the index"))?;
        let inner = Inner {
            blobs,
            lookups: Lookups::new(index_path.clone()),
            index_path,
            readers,
            regions,
            committer: Some(committer),
            threads: vec![writer, sweeper],
            _lock: lock,
        };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Reads the index, away from the async threads.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        self.inner.readers.read(read).await
    }

    /// Finds something in the index that takes few pages, right here unless the disk is slow.
    async fn look_up<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.lookups.find(&self.inner.readers, find).await
    }

    /// Changes the index; see [`Committer::commit`].
    async fn commit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.committer.as_ref().ok_or(StoreError::Closed)?.commit(change).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.committer = None; // the writer ends, and with it the sweeper
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic there was reported there
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("index", &self.inner.index_path).finish_non_exhaustive()
    }
}

/// Runs what blocks where blocking is fine.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let doing = format!("lock {}", path.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(StoreError::io(doing.clone()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse(dir.display().to_string())),
        Err(error) => Err(StoreError::Io { doing, source: error.into() }),
    }
}

/// Makes the file with mode 0600, which SQLite then gives to its companions too.
fn touch(path: &Path) -> Result<()> {
    let make = || -> io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))
    };
    make().map_err(StoreError::io(format!("create {}", path.display())))
}

fn sync_folder(dir: &Path) -> Result<()> {
    let sync = || File::open(dir)?.sync_all();
    sync().map_err(StoreError::io(format!("sync {}", dir.display())))
}

/// After a crash: gives the blobs that the index names their place, and returns those to sweep.
fn settle(index: &Connection, blobs: &Blobs) -> Result<Vec<BlobId>> {
    for id in blobs.leftovers()? {
        let named =
            index.query_row("SELECT EXISTS (SELECT 1 FROM blobs WHERE id = ?1)", [id.to_string()], |row| row.get(0))?;
        let settled = if named { blobs.publish(id) } else { blobs.remove(id) };
        settled.map_err(StoreError::io("clear away what a crash left"))?;
    }
    let mut select = index.prepare("SELECT id FROM blobs WHERE refs = 0")?;
    let ids = select.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(ids.iter().filter_map(|id| BlobId::parse(id)).collect())
}
