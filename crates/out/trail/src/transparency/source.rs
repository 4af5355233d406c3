//! Reading a log from where it lies. I/O, behind one small trait.

use super::layout::{CHECKPOINT, bundle_path, entries, tile_of, tile_path};
use super::merkle::{Hash, Needs, TILE_WIDTH, TileId, Tiles};
use super::note::{Checkpoint, Note, NoteError};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// The objects of one log, by their paths in its folder.
pub trait LogSource: Send + Sync {
    /// An object; `None` where there is none.
    ///
    /// # Errors
    /// A text for people: nothing can be said.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>>;
}

/// Why a log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It cannot be told.
    #[error("{0}")]
    Failed(String),
    /// An object is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// An object is not what it should be.
    #[error("{0} is no part of a transparency log")]
    Malformed(String),
    /// The checkpoint.
    #[error("checkpoint: {0}")]
    Checkpoint(NoteError),
}

/// The newest checkpoint; who signed it is not asked here.
///
/// # Errors
/// [`ReadError`].
pub async fn checkpoint(source: &dyn LogSource) -> Result<Option<(Note, Checkpoint)>, ReadError> {
    let bytes = source.read(CHECKPOINT).await.map_err(ReadError::Failed)?;
    bytes.map(|bytes| checkpoint_of(&bytes).map_err(ReadError::Checkpoint)).transpose()
}

/// A checkpoint and the note that it is in.
pub(crate) fn checkpoint_of(bytes: &[u8]) -> Result<(Note, Checkpoint), NoteError> {
    let note = Note::parse(bytes)?;
    let checkpoint = Checkpoint::of(&note)?;
    Ok((note, checkpoint))
}

/// A part of a log of `size` entries that may be there in full though it is partial in that size.
async fn part(
    source: &dyn LogSource,
    path: impl Fn(u64) -> String,
    width: u64,
) -> Result<Option<(String, Bytes)>, ReadError> {
    for path in [width, TILE_WIDTH].map(path) {
        if let Some(bytes) = source.read(&path).await.map_err(ReadError::Failed)? {
            return Ok(Some((path, bytes)));
        }
    }
    Ok(None)
}

/// A tile of a log of `size` entries: as many hashes as it has in that size.
///
/// # Errors
/// [`ReadError`].
pub async fn tile(source: &dyn LogSource, tile: TileId, size: u64) -> Result<Vec<Hash>, ReadError> {
    let width = tile.width(size);
    let found = part(source, |width| tile_path(tile, width), width).await?;
    let (path, bytes) = found.ok_or_else(|| ReadError::Missing(tile_path(tile, width)))?;
    let mut row = tile_of(&bytes).filter(|row| row.len() as u64 >= width).ok_or(ReadError::Malformed(path))?;
    row.truncate(width as usize);
    Ok(row)
}

/// A bundle of a log of `size` entries: as many entries as it has in that size.
///
/// # Errors
/// [`ReadError`].
pub async fn bundle(source: &dyn LogSource, index: u64, size: u64) -> Result<Vec<Bytes>, ReadError> {
    let width = TileId { level: 0, index }.width(size);
    let found = part(source, |width| bundle_path(index, width), width).await?;
    let (path, bytes) = found.ok_or_else(|| ReadError::Missing(bundle_path(index, width)))?;
    let read: Option<Vec<Bytes>> = entries(&bytes).map(|entry| Some(bytes.slice_ref(entry?))).collect();
    let mut read = read.filter(|read| read.len() as u64 >= width).ok_or(ReadError::Malformed(path))?;
    read.truncate(width as usize);
    Ok(read)
}

/// Tiles that were read.
#[derive(Debug, Default)]
pub struct TileCache(HashMap<TileId, Vec<Hash>>);

impl Tiles for TileCache {
    fn tile(&self, tile: TileId) -> Option<&[Hash]> {
        self.0.get(&tile).map(Vec::as_slice)
    }
}

impl TileCache {
    /// Does what needs tiles of a log of `size` entries, reading those that it turns out to need.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn with<T>(
        &mut self,
        source: &dyn LogSource,
        size: u64,
        work: impl Fn(&TileCache) -> Result<T, Needs>,
    ) -> Result<T, ReadError> {
        loop {
            let Needs(wanted) = match work(self) {
                Ok(done) => return Ok(done),
                Err(needs) => needs,
            };
            let row = tile(source, wanted, size).await?;
            if self.0.insert(wanted, row).is_some() {
                return Err(ReadError::Malformed(tile_path(wanted, wanted.width(size))));
            }
        }
    }
}
