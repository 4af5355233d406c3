//! Delivered cuts that wait to be logged: one file for each, so that a bucket that takes no log holds up no log file, and a crash
//! loses none. I/O.

use super::layout::entries;
use super::merkle::sha256;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The form of files.
const VERSION: u32 = 1;

/// The folder of the waiting cuts. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// The cut that was kept last: mostly it is logged at once, and need not be read from the disk for that.
    newest: Arc<Mutex<Option<Noted>>>,
}

/// What a cut adds to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) head: NotedHead,
    /// The entries, as a bundle of any length, in pieces of whole entries.
    pub(crate) bundle: Vec<Bytes>,
}

/// Whose cut it is, and where its log lies. The first line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotedHead {
    version: u32,
    /// ARN of the trail.
    pub(crate) trail_arn: String,
    /// What the origin of its log begins with: `opentrail/ACCOUNT/REGION/TRAIL`.
    pub(crate) origin: String,
    /// `Trail::created_ms`.
    pub(crate) trail_created_ms: u64,
    /// The first entry of the cut.
    pub(crate) from: u64,
    /// One past its last.
    pub(crate) to: u64,
    /// The bucket of the log.
    pub(crate) bucket: String,
    /// The folder of the trail's logs in it; ends with a slash.
    pub(crate) folder: String,
    /// The KMS key of the trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key_id: Option<String>,
    /// SHA-256 of the bundle, lower-case hex.
    sha256: String,
}

/// Whose a cut is and where its log lies.
pub(crate) struct Place {
    pub(crate) trail_arn: String,
    pub(crate) origin: String,
    pub(crate) trail_created_ms: u64,
    pub(crate) bucket: String,
    pub(crate) folder: String,
    pub(crate) kms_key_id: Option<String>,
}

impl Noted {
    pub(crate) fn new(place: Place, from: u64, to: u64, bundle: Vec<Bytes>) -> Noted {
        let Place { trail_arn, origin, trail_created_ms, bucket, folder, kms_key_id } = place;
        let mut hash = Context::new(&SHA256);
        bundle.iter().for_each(|piece| hash.update(piece));
        let sha256 = hex::encode(hash.finish());
        let version = VERSION;
        let head =
            NotedHead { version, trail_arn, origin, trail_created_ms, from, to, bucket, folder, kms_key_id, sha256 };
        Noted { head, bundle }
    }

    /// The name of its file: cuts are logged in the order of their names.
    pub(crate) fn name(&self) -> String {
        format!("{:020}-{:020}.leaves", self.head.trail_created_ms, self.head.from)
    }

    fn parse(mut bytes: Bytes) -> Option<Noted> {
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: NotedHead = serde_json::from_slice(bytes.get(..at)?).ok()?;
        let bundle = bytes.split_off(at + 1);
        let whole = head.version == VERSION
            && hex::encode(sha256(&bundle)) == head.sha256
            && entries(&bundle).all(|entry| entry.is_some());
        whole.then(|| Noted { head, bundle: vec![bundle] })
    }

    /// How long its bundle is, bytes.
    pub(crate) fn len(&self) -> usize {
        self.bundle.iter().map(Bytes::len).sum()
    }
}

/// The trail's creation and the first entry of a cut, by the name of its file.
pub(crate) fn cut_of(name: &str) -> Option<(u64, u64)> {
    let (created, from) = name.strip_suffix(".leaves")?.split_once('-')?;
    Some((created.parse().ok()?, from.parse().ok()?))
}

/// Makes a folder that is its owner's alone, where there is none.
fn make_private(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl Spool {
    /// The spool in a folder, which is made.
    pub(crate) fn open(folder: PathBuf) -> Result<Spool> {
        make_private(&folder)?;
        Ok(Spool { folder, newest: Arc::default() })
    }

    fn folder_of(&self, arn: &str) -> PathBuf {
        self.folder.join(hex::encode(sha256(arn.as_bytes())).get(..32).unwrap_or_default())
    }

    /// A panic elsewhere leaves it as it was.
    fn newest(&self) -> MutexGuard<'_, Option<Noted>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a cut, durably. One that is kept already stays as it is: it may be logged by now.
    pub(crate) fn keep(&self, noted: Noted) -> Result<()> {
        let folder = self.folder_of(&noted.head.trail_arn);
        let path = folder.join(noted.name());
        if path.exists() {
            return Ok(());
        }
        if !folder.is_dir() {
            make_private(&folder)?;
            sync_folder(&self.folder)?;
        }
        let unfinished = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(serde_json::to_string(&noted.head)?.as_bytes())?;
        file.write_all(b"\n")?;
        noted.bundle.iter().try_for_each(|piece| file.write_all(piece))?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        sync_folder(&folder)?;
        *self.newest() = Some(noted);
        Ok(())
    }

    /// The names of a trail's waiting cuts, in order.
    pub(crate) fn waiting(&self, arn: &str) -> Result<Vec<String>> {
        let mut names: Vec<String> = names_in(&self.folder_of(arn))?;
        names.retain(|name| cut_of(name).is_some());
        names.sort_unstable();
        Ok(names)
    }

    /// A waiting cut.
    pub(crate) fn read(&self, arn: &str, name: &str) -> Result<Noted> {
        if let Some(noted) = self.newest().take_if(|noted| noted.head.trail_arn == arn && noted.name() == name) {
            return Ok(noted);
        }
        let path = self.folder_of(arn).join(name);
        let damaged = || Error::new(ErrorKind::InvalidData, format!("{} is damaged", path.display()));
        Noted::parse(std::fs::read(&path)?.into()).ok_or_else(damaged)
    }

    /// Removes a cut that is logged.
    pub(crate) fn remove(&self, arn: &str, name: &str) -> Result<()> {
        match std::fs::remove_file(self.folder_of(arn).join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts a cut aside that is damaged, for people to look at.
    pub(crate) fn put_aside(&self, arn: &str, name: &str) -> Result<()> {
        let path = self.folder_of(arn).join(name);
        std::fs::rename(&path, path.with_extension("damaged"))
    }

    /// The ARNs of all trails of which cuts wait.
    pub(crate) fn trails(&self) -> Result<Vec<String>> {
        let mut arns = Vec::new();
        for folder in names_in(&self.folder)? {
            let folder = self.folder.join(folder);
            let first = names_in(&folder)?.into_iter().find(|name| cut_of(name).is_some());
            if let Some(noted) = first.and_then(|name| Noted::parse(std::fs::read(folder.join(name)).ok()?.into())) {
                arns.push(noted.head.trail_arn);
            }
        }
        Ok(arns)
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn place() -> Place {
        Place {
            trail_arn: "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main".to_owned(),
            origin: "opentrail/111122223333/eu-west-1/main".to_owned(),
            trail_created_ms: 1,
            bucket: "audit".to_owned(),
            folder: "AWSLogs/111122223333/CloudTrail-Transparency/eu-west-1/main/".to_owned(),
            kms_key_id: None,
        }
    }

    #[test]
    fn what_is_kept_comes_back_in_order_and_is_never_changed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().join("transparency")).unwrap();
        let noted = |from: u64, bundle: &[u8]| Noted::new(place(), from, from + 1, vec![bundle.to_vec().into()]);
        let arn = place().trail_arn;
        for from in [20, 3, 100] {
            spool.keep(noted(from, &[0, 1, from as u8])).unwrap();
        }
        spool.keep(noted(3, &[0, 1, 99])).unwrap();
        let names = spool.waiting(&arn).unwrap();
        assert_eq!(names.iter().filter_map(|name| cut_of(name)).collect::<Vec<_>>(), [(1, 3), (1, 20), (1, 100)]);
        assert_eq!(spool.read(&arn, &names[0]).unwrap(), noted(3, &[0, 1, 3]), "the first one stays");
        assert_eq!(spool.trails().unwrap(), std::slice::from_ref(&arn));
        spool.remove(&arn, &names[0]).unwrap();
        assert_eq!(spool.waiting(&arn).unwrap().len(), 2);
        // A byte that turned over on the disk is not logged.
        let path = spool.folder_of(&arn).join(&names[1]);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(spool.read(&arn, &names[1]).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn the_kept_sample_is_read_for_ever() {
        let sample = include_bytes!("../../testdata/v1/00000000000000000001-00000000000000000042.leaves");
        let noted = Noted::parse(Bytes::from_static(sample)).unwrap();
        assert_eq!(noted, Noted::new(place(), 42, 44, vec![Bytes::from_static(b"\0\x03abc\0\0")]));
        assert_eq!(noted.name(), "00000000000000000001-00000000000000000042.leaves");
    }
}
