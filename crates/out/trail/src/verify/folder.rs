//! An archive in a folder, as `aws s3 sync s3://BUCKET FOLDER` or `aws s3 sync s3://BUCKET FOLDER/BUCKET` leaves it.

use super::archive::{Archive, ArchiveError, Body, Object};
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A folder with objects under their keys. Where it has a folder named like a bucket, that bucket's objects lie there.
///
/// Signatures of digests are user metadata, which files do not have. A file `KEY.metadata.json` beside an object may hold
/// them: what `aws s3api head-object` says of it, or just its `Metadata`.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Where the objects of buckets lie that were asked for.
    roots: Mutex<HashMap<String, PathBuf>>,
}

impl Folder {
    /// The folder at a path.
    pub fn new(path: PathBuf) -> Folder {
        Folder { path, roots: Mutex::default() }
    }

    /// The file of an object; `None` for a key that leads out of the folder.
    fn path_of(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let is_plain = |text: &str| Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
        ((bucket.is_empty() || is_plain(bucket)) && is_plain(key)).then(|| self.root_of(bucket).join(key))
    }

    fn root_of(&self, bucket: &str) -> PathBuf {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.get(bucket) {
            return root.clone();
        }
        let own = self.path.join(bucket);
        let root = if !bucket.is_empty() && own.is_dir() { own } else { self.path.clone() };
        roots.insert(bucket.to_owned(), root.clone());
        root
    }
}

impl Archive for Folder {
    fn list<'a>(
        &'a self,
        bucket: &'a str,
        prefix: &'a str,
        after: &'a str,
        until: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, ArchiveError>> {
        Box::pin(async move {
            let root = self.root_of(bucket);
            let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
            let mut keys = Vec::new();
            walk(&root, folder, &mut keys)
                .map_err(|error| ArchiveError::Failed(root.display().to_string(), error.to_string()))?;
            keys.retain(|key| key.starts_with(prefix) && key.as_str() > after);
            keys.sort_unstable();
            if let Some(end) = keys.iter().position(|key| until(key)) {
                keys.truncate(end);
            }
            Ok(keys)
        })
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Object, ArchiveError>> {
        Box::pin(async move {
            let path = self.path_of(bucket, key).ok_or(ArchiveError::NotFound)?;
            match File::open(&path) {
                Ok(file) => {
                    // Of log files, which are many, nobody asks for it.
                    let metadata = if is_digest(key) { metadata(&path) } else { BTreeMap::new() };
                    Ok(Object { metadata, body: Body::File(file) })
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    Err(ArchiveError::NotFound)
                }
                Err(error) => Err(ArchiveError::Failed(path.display().to_string(), error.to_string())),
            }
        })
    }

    fn keeps_metadata(&self) -> bool {
        false
    }
}

/// Whether an object is a digest, by its key.
fn is_digest(key: &str) -> bool {
    key.contains("/CloudTrail-Digest/")
}

/// Every file below a folder, as keys from the root.
fn walk(root: &Path, folder: &str, keys: &mut Vec<String>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && !folder.is_empty() => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(root, &key, keys)?;
        } else {
            keys.push(key);
        }
    }
    Ok(())
}

/// What the file beside an object says; nothing when there is none that can be read.
fn metadata(path: &Path) -> BTreeMap<String, String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".metadata.json");
    let read = || -> Option<BTreeMap<String, String>> {
        let mut value: serde_json::Value = serde_json::from_slice(&std::fs::read(beside).ok()?).ok()?;
        let metadata = value.get_mut("Metadata").map(serde_json::Value::take).unwrap_or(value);
        serde_json::from_value(metadata).ok()
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_to_files_below_the_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("own")).unwrap();
        let archive = Folder::new(folder.path().to_owned());
        assert_eq!(archive.path_of("own", "a/b"), Some(folder.path().join("own/a/b")));
        assert_eq!(archive.path_of("other", "a/b"), Some(folder.path().join("a/b")));
        for (bucket, key) in [("own", "../x"), ("..", "x"), ("own", "/etc/passwd"), ("own", "a/../../x")] {
            assert_eq!(archive.path_of(bucket, key), None, "{bucket} {key}");
        }
    }
}
