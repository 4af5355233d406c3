//! The only file that touches files: a folder of segments, behind a seam so that tests can let it fail.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A folder of segment files, each named by the place of its first entry.
pub(crate) trait Disk: Debug + Send + Sync {
    /// The first places of all segments, in order.
    fn segments(&self) -> io::Result<Vec<u64>>;
    /// An empty segment file with `reserve` bytes set aside, in place of one that may be there.
    fn create(&self, first: u64, reserve: u64) -> io::Result<Box<dyn SegmentFile>>;
    /// A segment file that is there, for reading and repair.
    fn open(&self, first: u64) -> io::Result<Box<dyn SegmentFile>>;
    /// Removes a segment file.
    fn remove(&self, first: u64) -> io::Result<()>;
    /// Makes creations and removals durable.
    fn sync(&self) -> io::Result<()>;
    /// Keeps other processes out until the guard is dropped; `None` when another one holds it.
    fn lock(&self) -> io::Result<Option<Box<dyn Send>>>;
    /// Where a segment is, for people.
    fn path(&self, first: u64) -> PathBuf;
}

/// One segment file. Positions are bytes from its start.
pub(crate) trait SegmentFile: Send + Sync {
    /// Its length, set-aside bytes included.
    fn len(&self) -> io::Result<u64>;
    /// Reads some bytes; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// Segments in a folder of the file system.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The folder itself, to be synced.
    handle: File,
    /// A descriptor that is given up for a new segment where the process has no other left: a journal that stopped for the
    /// want of one would take nothing until it is started again.
    spare: Mutex<Option<File>>,
}

const LOCK: &str = "lock";
const SUFFIX: &str = ".seg";

impl Folder {
    /// Opens the folder, creating it (mode 0700) where it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            // The folder's own name must survive a power cut too.
            if let Some(parent) = path.canonicalize()?.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        let handle = File::open(path)?;
        let spare = Mutex::new(Some(handle.try_clone()?));
        Ok(Folder { path: path.to_owned(), handle, spare })
    }

    fn create_file(&self, first: u64) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let created = match options.open(self.path(first)) {
            Err(error) if no_descriptor_left(&error) && spare.take().is_some() => options.open(self.path(first)),
            created => created,
        };
        if spare.is_none() {
            *spare = self.handle.try_clone().ok();
        }
        created
    }
}

impl Disk for Folder {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut firsts = Vec::new();
        for file in fs::read_dir(&self.path)? {
            firsts.extend(file?.file_name().to_str().and_then(first_of_name));
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    fn create(&self, first: u64, reserve: u64) -> io::Result<Box<dyn SegmentFile>> {
        let file = self.create_file(first)?;
        // Set aside with the length: a sync then has no new length to commit. Measured here, it halves the CPU
        // time of syncing large batches. Not every file system can; the file grows then.
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, reserve) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(Box::new(file))
    }

    fn open(&self, first: u64) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(self.path(first))?))
    }

    fn remove(&self, first: u64) -> io::Result<()> {
        fs::remove_file(self.path(first))
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn lock(&self) -> io::Result<Option<Box<dyn Send>>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(self.path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}{SUFFIX}"))
    }
}

fn no_descriptor_left(error: &io::Error) -> bool {
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The first place that a file's name tells; `None` for files that are no segments.
fn first_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl SegmentFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_twenty_digits_and_the_suffix_name_a_segment() {
        assert_eq!(first_of_name("00000000000000000042.seg"), Some(42));
        assert_eq!(first_of_name("18446744073709551615.seg"), Some(u64::MAX));
        for other in
            ["42.seg", "0000000000000000004x.seg", "99999999999999999999.seg", "lock", "+0000000000000000042.seg"]
        {
            assert_eq!(first_of_name(other), None, "{other}");
        }
    }

    #[test]
    fn files_are_for_the_owner_only_and_the_lock_keeps_others_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/journal");
        let folder = Folder::open(&path).unwrap();
        folder.create(3, 1000).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path(3))), (0o700, 0o600));
        assert_eq!(folder.segments().unwrap(), [3]);

        let guard = folder.lock().unwrap().unwrap();
        assert!(Folder::open(&path).unwrap().lock().unwrap().is_none());
        drop(guard);
        assert!(folder.lock().unwrap().is_some());
    }
}
