//! The registry itself: SQLite below, one map per kind above.

use crate::document::{decode, encode};
use crate::{Document, RegistryError, Version, Versioned};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// The registry of one data folder. Clones share it.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

/// All documents of one kind, in memory. Take one for the path of a request; clones share it.
pub struct Documents<T> {
    registry: Registry,
    kind: Arc<Kind<T>>,
}

/// Fires when a kind has changed: `changed().await` returns after the commit. It holds a number, not the change: look
/// at the documents again. Changes in quick succession may fire once.
pub type Watch = watch::Receiver<u64>;

/// What a change expects to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No document stands under the key.
    Absent,
    /// The document stands at this version.
    At(Version),
}

impl From<Version> for Expected {
    fn from(version: Version) -> Expected {
        Expected::At(version)
    }
}

struct Shared {
    database: Mutex<Connection>,
    /// `Arc<Kind<T>>` by `T::KIND`, each loaded at its first use.
    kinds: Mutex<HashMap<&'static str, Arc<dyn Any + Send + Sync>>>,
}

struct Kind<T> {
    documents: RwLock<BTreeMap<String, Versioned<T>>>,
    changes: watch::Sender<u64>,
}

/// Layout of the tables, kept in SQLite's `user_version` (`docs/formats/registry.md`).
const LAYOUT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE documents (
        kind    TEXT    NOT NULL,
        key     TEXT    NOT NULL,
        version INTEGER NOT NULL,
        body    TEXT    NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE changes (latest INTEGER NOT NULL) STRICT;
    INSERT INTO changes VALUES (0);
    PRAGMA user_version = 1;";

impl Registry {
    /// Opens the registry in the file `path`, making it when it is not there. The folder must exist.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] while another process has it, [`RegistryError::Layout`] when a newer program wrote it,
    /// [`RegistryError::Open`] or [`RegistryError::Database`] when it cannot be used.
    pub fn open(path: &Path) -> Result<Registry, RegistryError> {
        make_private(path).map_err(|source| RegistryError::Open { path: path.to_owned(), source })?;
        let database = prepare(path).map_err(|error| match error {
            RegistryError::Database(cause) if is_busy(&cause) => RegistryError::InUse(path.to_owned()),
            other => other,
        })?;
        Ok(Registry(Arc::new(Shared { database: Mutex::new(database), kinds: Mutex::default() })))
    }

    /// The documents of one kind; the first call for a kind reads them from disk.
    ///
    /// # Errors
    /// [`RegistryError::Unreadable`] when one of them cannot be read, [`RegistryError::Database`].
    pub fn documents<T: Document>(&self) -> Result<Documents<T>, RegistryError> {
        let mut kinds = lock(&self.0.kinds);
        let kind = match kinds.get(T::KIND) {
            Some(kind) => Arc::clone(kind).downcast::<Kind<T>>().map_err(|_| RegistryError::Unreadable {
                kind: T::KIND,
                key: String::new(),
                reason: "two types claim this kind".to_owned(),
            })?,
            None => {
                let kind = Arc::new(Kind::<T>::load(&lock(&self.0.database))?);
                kinds.insert(T::KIND, Arc::<Kind<T>>::clone(&kind));
                kind
            }
        };
        Ok(Documents { registry: self.clone(), kind })
    }

    /// The document under `key`. See [`Registry::documents`] for errors.
    pub fn get<T: Document>(&self, key: &str) -> Result<Option<Versioned<T>>, RegistryError> {
        Ok(self.documents::<T>()?.get(key))
    }

    /// All documents of a kind, by key. See [`Registry::documents`] for errors.
    pub fn list<T: Document>(&self) -> Result<Vec<Versioned<T>>, RegistryError> {
        Ok(self.documents::<T>()?.list())
    }

    /// A receiver that fires after each change of a kind. See [`Registry::documents`] for errors.
    pub fn watch<T: Document>(&self) -> Result<Watch, RegistryError> {
        Ok(self.documents::<T>()?.watch())
    }

    /// Writes a document in place of what is expected under its key; durable when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when something else stands there, [`RegistryError::TooLarge`], and those of
    /// [`Registry::documents`].
    pub fn put<T: Document>(&self, document: T, expected: impl Into<Expected>) -> Result<Version, RegistryError> {
        self.documents::<T>()?.put(document, expected)
    }

    /// Changes the document under `key` by `change`, which is tried again on the newer document when somebody else was
    /// faster; so it must be a function of the document. What it refuses is left as it was.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], whatever `change` refuses with, and those of [`Registry::put`] but no conflict.
    pub fn update<T, E>(&self, key: &str, change: impl FnMut(&mut T) -> Result<(), E>) -> Result<Versioned<T>, E>
    where
        T: Document + Clone,
        E: From<RegistryError>,
    {
        self.documents::<T>()?.update(key, change)
    }

    /// Removes the document under `key` if it stands at `version`; durable when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when it stands elsewhere or is gone, and those of [`Registry::documents`].
    pub fn delete<T: Document>(&self, key: &str, version: Version) -> Result<(), RegistryError> {
        self.documents::<T>()?.delete(key, version)
    }
}

impl<T: Document> Documents<T> {
    /// The document under `key`.
    pub fn get(&self, key: &str) -> Option<Versioned<T>> {
        self.kind.documents.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// All documents, by key.
    pub fn list(&self) -> Vec<Versioned<T>> {
        self.kind.documents.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A receiver that fires after each change of this kind.
    pub fn watch(&self) -> Watch {
        self.kind.changes.subscribe()
    }

    /// See [`Registry::put`].
    pub fn put(&self, document: T, expected: impl Into<Expected>) -> Result<Version, RegistryError> {
        self.put_shared(&Arc::new(document), expected.into())
    }

    fn put_shared(&self, document: &Arc<T>, expected: Expected) -> Result<Version, RegistryError> {
        let key = document.key();
        let unwritable = |error: serde_json::Error| RegistryError::Unreadable {
            kind: T::KIND,
            key: key.clone(),
            reason: error.to_string(),
        };
        let body = encode(document.as_ref()).map_err(unwritable)?;
        if body.len() > T::BODY_MAX {
            return Err(RegistryError::TooLarge { kind: T::KIND, key, size: body.len() });
        }
        self.commit(&key, Some(document), |database, version| match expected {
            Expected::Absent => database
                .prepare_cached("INSERT OR IGNORE INTO documents VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![T::KIND, key, version.0 as i64, body.as_str()]),
            Expected::At(at) => database
                .prepare_cached(
                    "UPDATE documents SET version = ?3, body = ?4 WHERE kind = ?1 AND key = ?2 AND version = ?5",
                )?
                .execute(params![T::KIND, key, version.0 as i64, body.as_str(), at.0 as i64]),
        })
    }

    /// See [`Registry::update`].
    pub fn update<E>(&self, key: &str, mut change: impl FnMut(&mut T) -> Result<(), E>) -> Result<Versioned<T>, E>
    where
        T: Clone,
        E: From<RegistryError>,
    {
        loop {
            let found = self.get(key).ok_or_else(|| RegistryError::NotFound { kind: T::KIND, key: key.to_owned() })?;
            let mut document = T::clone(&found);
            change(&mut document)?;
            let changed = Arc::new(document);
            match self.put_shared(&changed, found.version.into()) {
                Ok(version) => return Ok(Versioned { version, document: changed }),
                Err(RegistryError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// See [`Registry::delete`].
    pub fn delete(&self, key: &str, version: Version) -> Result<(), RegistryError> {
        let removed = self.commit(key, None, |database, _| {
            database
                .prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2 AND version = ?3")?
                .execute(params![T::KIND, key, version.0 as i64])
        });
        removed.map(|_| ())
    }

    /// Removes those of these documents that stand at these versions, all as one change; durable when it returns.
    ///
    /// # Errors
    /// Those of [`Registry::documents`].
    pub fn delete_all(&self, gone: &[Versioned<T>]) -> Result<(), RegistryError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut database = lock(&self.registry.0.database);
        let transaction = database.transaction()?;
        let latest: i64 =
            transaction.query_row("UPDATE changes SET latest = latest + 1 RETURNING latest", [], |row| row.get(0))?;
        let mut removed = Vec::with_capacity(gone.len());
        {
            let mut statement =
                transaction.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2 AND version = ?3")?;
            for document in gone {
                let key = document.key();
                if statement.execute(params![T::KIND, key, document.version.0 as i64])? > 0 {
                    removed.push(key);
                }
            }
        }
        transaction.commit()?;
        let mut documents = self.kind.documents.write().unwrap_or_else(PoisonError::into_inner);
        removed.iter().for_each(|key| drop(documents.remove(key)));
        drop(documents);
        drop(database);
        self.kind.changes.send_replace(latest as u64);
        Ok(())
    }

    /// Runs one statement as one change: on disk first, then in memory, then to the watchers. The database stays
    /// locked throughout, so that memory sees changes in the order of their commits.
    fn commit(
        &self,
        key: &str,
        document: Option<&Arc<T>>,
        statement: impl FnOnce(&Connection, Version) -> rusqlite::Result<usize>,
    ) -> Result<Version, RegistryError> {
        let mut database = lock(&self.registry.0.database);
        let transaction = database.transaction()?;
        let latest: i64 = transaction
            .prepare_cached("UPDATE changes SET latest = latest + 1 RETURNING latest")?
            .query_row([], |row| row.get(0))?;
        let version = Version(latest as u64);
        if statement(&transaction, version)? == 0 {
            transaction.rollback()?;
            return Err(RegistryError::Conflict {
                kind: T::KIND,
                key: key.to_owned(),
                found: self.get(key).map(|found| found.version),
            });
        }
        transaction.commit()?;
        {
            let mut documents = self.kind.documents.write().unwrap_or_else(PoisonError::into_inner);
            match document {
                Some(document) => {
                    documents.insert(key.to_owned(), Versioned { version, document: Arc::clone(document) });
                }
                None => {
                    documents.remove(key);
                }
            }
        }
        self.kind.changes.send_replace(version.0);
        Ok(version)
    }
}

impl<T> Clone for Documents<T> {
    fn clone(&self) -> Self {
        Documents { registry: self.registry.clone(), kind: Arc::clone(&self.kind) }
    }
}

impl<T: Document> Kind<T> {
    fn load(database: &Connection) -> Result<Kind<T>, RegistryError> {
        let mut statement = database.prepare("SELECT key, version, body FROM documents WHERE kind = ?1")?;
        let mut rows = statement.query([T::KIND])?;
        let mut documents = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let version = Version(row.get::<_, i64>(1)? as u64);
            let document = match row.get_ref(2)?.as_str() {
                Ok(body) => decode::<T>(body),
                Err(error) => Err(error.to_string()),
            };
            let document =
                document.map_err(|reason| RegistryError::Unreadable { kind: T::KIND, key: key.clone(), reason })?;
            documents.insert(key, Versioned { version, document: Arc::new(document) });
        }
        Ok(Kind { documents: RwLock::new(documents), changes: watch::Sender::new(0) })
    }
}

/// Makes the file if it is not there, readable by its owner alone: SQLite gives its write-ahead log the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let made = !path.exists();
    let file =
        std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    if made && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Opens the database, takes its lock, and lays it out when it is new.
fn prepare(path: &Path) -> Result<Connection, RegistryError> {
    let mut database = Connection::open(path)?;
    // Whoever has the file keeps it: waiting would only hide that.
    database.busy_timeout(std::time::Duration::ZERO)?;
    // One process at a time: the maps in memory are then the truth, and no shared-memory file is needed.
    database.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    let transaction = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let layout: Option<i64> =
        transaction.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0)).optional()?;
    match layout.unwrap_or(0) {
        0 => transaction.execute_batch(TABLES)?,
        LAYOUT => {}
        found => return Err(RegistryError::Layout { path: path.to_owned(), found, known: LAYOUT }),
    }
    transaction.commit()?;
    Ok(database)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// A panic elsewhere leaves no half-done change behind (transactions roll back), so its poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
