//! What the tests share: events to append, and a disk that can fail and lose power.

use crate::disk::{Disk, SegmentFile};
use bytes::Bytes;
use event::Event;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// The `n`-th event, with `size` bytes of filling.
pub(crate) fn event(n: u64, size: usize) -> Event {
    let filling = "x".repeat(size);
    let json = format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","eventID":"{n}","filling":"{filling}"}}"#
    );
    Event::from_json(Bytes::from(json)).unwrap()
}

/// Segments in memory. What a power cut leaves: of every sector of 512 bytes that was written and not synced, either the old
/// or the new content, each by itself; of every name that was made or removed and not synced, likewise.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By name; what programs see.
    names: BTreeMap<u64, usize>,
    synced_names: BTreeMap<u64, usize>,
    files: Vec<Content>,
    locked: bool,
    /// Changes left until one fails.
    fuse: Option<u32>,
}

#[derive(Debug, Default, Clone)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

const SECTOR: usize = 512;

impl MemDisk {
    /// Lets the change after the next `after` ones fail, once: a write is short, a sync does nothing.
    pub(crate) fn fail_after(&self, after: u32) {
        self.state().fuse = Some(after);
    }

    /// What is there after a power cut at this moment; `chance` decides.
    pub(crate) fn after_power_cut(&self, mut chance: impl FnMut() -> bool) -> MemDisk {
        let state = self.state();
        let mut after = State::default();
        for name in 0..=state.names.keys().chain(state.synced_names.keys()).max().copied().unwrap_or(0) {
            let (old, new) = (state.synced_names.get(&name), state.names.get(&name));
            let Some(file) = (if old == new || chance() { new } else { old }) else { continue };
            let content = survivor(&state.files[*file], &mut chance);
            after.names.insert(name, after.files.len());
            after.files.push(Content { now: content.clone(), synced: content });
        }
        after.synced_names = after.names.clone();
        MemDisk(Arc::new(Mutex::new(after)))
    }

    /// The bytes of a segment, as programs see them.
    pub(crate) fn bytes(&self, first: u64) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[&first]].now.clone()
    }

    /// A disk that holds these segments.
    pub(crate) fn holding(segments: &[(u64, Vec<u8>)]) -> MemDisk {
        let mut state = State::default();
        for (first, bytes) in segments {
            state.names.insert(*first, state.files.len());
            state.files.push(Content { now: bytes.clone(), synced: bytes.clone() });
        }
        state.synced_names = state.names.clone();
        MemDisk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn survivor(content: &Content, chance: &mut impl FnMut() -> bool) -> Vec<u8> {
    let same_length = content.now.len() == content.synced.len();
    let len = if same_length || chance() { content.now.len() } else { content.synced.len() };
    let mut out = vec![0; len];
    for start in (0..len).step_by(SECTOR) {
        let sector = |bytes: &[u8]| -> Vec<u8> {
            let end = (start + SECTOR).min(len);
            (start..end).map(|at| bytes.get(at).copied().unwrap_or(0)).collect()
        };
        let (old, new) = (sector(&content.synced), sector(&content.now));
        let kept = if old == new || chance() { new } else { old };
        out[start..start + kept.len()].copy_from_slice(&kept);
    }
    out
}

impl State {
    /// Burns the fuse; `Err` when this is the change that fails.
    fn change(&mut self) -> io::Result<()> {
        match &mut self.fuse {
            Some(0) => {
                self.fuse = None;
                Err(io::Error::other("injected"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for MemDisk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(self.state().names.keys().copied().collect())
    }

    fn create(&self, first: u64, reserve: u64) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.state();
        state.change()?;
        let file = state.files.len();
        state.files.push(Content { now: vec![0; reserve as usize], synced: Vec::new() });
        state.names.insert(first, file);
        Ok(Box::new(MemFile { disk: self.clone(), file }))
    }

    fn open(&self, first: u64) -> io::Result<Box<dyn SegmentFile>> {
        let file = *self.state().names.get(&first).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemFile { disk: self.clone(), file }))
    }

    fn remove(&self, first: u64) -> io::Result<()> {
        self.state().names.remove(&first).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.synced_names = state.names.clone();
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Box<dyn Send>>> {
        let free = !std::mem::replace(&mut self.state().locked, true);
        Ok(free.then(|| Box::new(Lock(self.clone())) as Box<dyn Send>))
    }

    fn path(&self, first: u64) -> PathBuf {
        PathBuf::from(format!("{first}.seg"))
    }
}

struct Lock(MemDisk);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

struct MemFile {
    disk: MemDisk,
    file: usize,
}

impl SegmentFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let rest = state.files[self.file].now.get(offset as usize..).unwrap_or_default();
        // Short reads happen.
        let count = rest.len().min(buffer.len()).min(1000);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let outcome = state.change();
        let bytes = if outcome.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        let now = &mut state.files[self.file].now;
        let end = offset as usize + bytes.len();
        now.resize(now.len().max(end), 0);
        now[offset as usize..end].copy_from_slice(bytes);
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        let file = &mut state.files[self.file];
        file.synced = file.now.clone();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        state.files[self.file].now.resize(len as usize, 0);
        Ok(())
    }
}
