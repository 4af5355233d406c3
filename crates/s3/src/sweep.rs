//! Removes the files that no object names any more, away from whoever waits for an answer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OptionalExtension};

use crate::blobs::{BlobId, Blobs};
use crate::error::{Result, StoreError};

/// Starts the sweeper. It ends when the sender of `freed` is dropped. `swept` is told which blobs are gone.
pub(crate) fn start(
    index: Connection,
    blobs: Arc<Blobs>,
    freed: Receiver<Vec<BlobId>>,
    swept: Sender<Vec<BlobId>>,
) -> Result<JoinHandle<()>> {
    let sweep = move || {
        for mut candidates in freed {
            candidates.extend(blobs.take_abandoned());
            let gone: Vec<_> =
                blobs.unleased(candidates).into_iter().filter(|id| remove(&index, &blobs, *id)).collect();
            if !gone.is_empty() && swept.send(gone).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().name("s3-sweep".into()).spawn(sweep).map_err(StoreError::io("start the sweeper"))
}

/// Removes a blob that nobody reads. A copy may have named it again while it was being read: the index decides.
fn remove(index: &Connection, blobs: &Blobs, id: BlobId) -> bool {
    let removed = is_unnamed(index, id).and_then(|unnamed| {
        if unnamed { blobs.remove(id).map_err(StoreError::io("remove a blob")).map(|()| true) } else { Ok(false) }
    });
    removed.unwrap_or_else(|error| {
        // It stays counted with no references, so the next start tries again.
        tracing::warn!(blob = %id, error = &error as &dyn std::error::Error, "cannot sweep a blob");
        false
    })
}

fn is_unnamed(index: &Connection, id: BlobId) -> Result<bool> {
    let mut select = index.prepare_cached("SELECT refs FROM blobs WHERE id = ?1")?;
    let refs: Option<i64> = select.query_row([id.to_string()], |row| row.get(0)).optional()?;
    Ok(refs == Some(0))
}
