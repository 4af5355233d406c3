//! The first start: the administrator into the registry, and the credentials file beside it. The only I/O of this room.

use crate::credentials::{NoRandomness, administrator, shared_credentials};
use registry::{AccessKey, Expected, KeyStatus, Registry, RegistryError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What [`ensure_administrator`] found or did.
#[derive(Debug, Clone)]
pub struct FirstStart {
    /// The administrator's key.
    pub key: Arc<AccessKey>,
    /// Whether the credentials file was written now.
    pub wrote_file: bool,
}

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The system has no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The credentials file cannot be written.
    #[error("cannot write {}: {source}; check that the data folder is writable", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes sure that the account has an administrator, and that `path` is a credentials file: both are made at the first
/// start. A file that is there is left alone, whatever is in it; one that was lost is written again from the registry.
/// Blocks on the disk.
///
/// # Errors
/// [`FirstStartError`]. Called again, it goes on where it failed.
pub fn ensure_administrator(
    registry: &Registry,
    account_id: &str,
    region: &str,
    path: &Path,
    now_ms: u64,
) -> Result<FirstStart, FirstStartError> {
    let is_administrator = |key: &AccessKey| {
        key.user_name == "administrator" && key.account_id == account_id && key.status == KeyStatus::Active
    };
    let kept = registry.list::<AccessKey>()?.into_iter().find(|key| is_administrator(key));
    let key = match kept {
        Some(key) => key.document,
        None => {
            let mut random = |bytes: &mut [u8]| aws_lc_rs::rand::fill(bytes).map_err(|_| NoRandomness);
            let key = administrator(account_id, now_ms, &mut random)?;
            // The registry first: a file with a key that nobody knows would be worse than no file.
            registry.put(key.clone(), Expected::Absent)?;
            Arc::new(key)
        }
    };
    let wrote_file = write_private(path, shared_credentials(&key, region).as_bytes())
        .map_err(|source| FirstStartError::File { path: path.to_owned(), source })?;
    Ok(FirstStart { key, wrote_file })
}

/// Writes a file that is not there yet, readable by its owner alone, whole or not at all. `false` when it is there.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    // A half-written one of an earlier start may be there; its mode could be anything.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;
    use std::os::unix::fs::PermissionsExt;

    fn start(registry: &Registry, folder: &Path) -> FirstStart {
        ensure_administrator(registry, "123456789012", "us-east-1", &folder.join("credentials"), 1).unwrap()
    }

    #[test]
    fn the_first_start_makes_one_administrator_and_later_starts_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let first = start(&registry, folder.path());
        assert!(first.wrote_file);
        let second = start(&registry, folder.path());
        assert!(!second.wrote_file && second.key == first.key);
        assert_eq!(registry.list::<AccessKey>().unwrap().len(), 1);
        let found = Keys::of(&registry).unwrap().find(&first.key.access_key_id);
        assert_eq!(found, Some(first.key));
    }

    #[test]
    fn the_credentials_are_for_their_owner_alone_and_come_back_when_lost() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let path = folder.path().join("credentials");
        // What a crash in the middle of writing leaves behind, readable by all.
        std::fs::write(folder.path().join("credentials.new"), "half").unwrap();
        start(&registry, folder.path());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
        assert!(start(&registry, folder.path()).wrote_file);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::write(&path, "[default]\n# edited by its owner\n").unwrap();
        assert!(!start(&registry, folder.path()).wrote_file);
        assert!(std::fs::read_to_string(&path).unwrap().contains("edited"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let path = folder.path().join("missing/credentials");
        let error = ensure_administrator(&registry, "123456789012", "us-east-1", &path, 1).unwrap_err();
        assert!(error.to_string().contains("missing/credentials"));
    }
}
