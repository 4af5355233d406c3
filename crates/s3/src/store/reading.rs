//! Giving out the bytes of an object: read in big steps on blocking threads, one step ahead of the reader.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::task::JoinHandle;

use crate::blobs::Leased;
use crate::content::{Content, Segment};
use crate::error::{Result, StoreError};
use crate::object::ObjectInfo;

/// Bytes read in one step. Two such steps are in memory at most for one reader.
const STEP: u64 = 512 * 1024;

/// An object that was found, with its bytes held on the disk for as long as this lives, whatever happens to its key.
#[derive(Clone)]
pub struct Object {
    pub(crate) info: ObjectInfo,
    pub(crate) content: Content,
    pub(crate) lease: Arc<Leased>,
}

impl Object {
    /// What is known about it.
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Its bytes.
    pub fn stream(self) -> ObjectStream {
        let all = 0..self.info.size;
        self.stream_range(all)
    }

    /// Those of its bytes; the range is cut to the object's size.
    pub fn stream_range(self, range: Range<u64>) -> ObjectStream {
        let end = range.end.min(self.info.size);
        let start = range.start.min(end);
        match self.content.slice(start..end) {
            Content::Inline(bytes) => {
                ObjectStream { left: bytes.len() as u64, state: State::Inline(Some(bytes).filter(|b| !b.is_empty())) }
            }
            Content::Segments(segments) => {
                let cursor = Cursor { segments: segments.into(), file: None, lease: self.lease };
                ObjectStream { left: end - start, state: State::Reading(cursor.read()) }
            }
        }
    }

    /// All of its bytes at once, for objects known to be small.
    pub async fn bytes(self) -> Result<Bytes> {
        let mut stream = self.stream();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(StoreError::io("read a blob"))?);
        }
        Ok(bytes.freeze())
    }
}

/// The bytes of an object, in order.
pub struct ObjectStream {
    left: u64,
    state: State,
}

enum State {
    Inline(Option<Bytes>),
    Reading(JoinHandle<io::Result<Option<(Bytes, Cursor)>>>),
    Done,
}

impl ObjectStream {
    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let step = match &mut self.state {
            State::Done => return Poll::Ready(None),
            State::Inline(bytes) => {
                let bytes = bytes.take();
                self.left = 0;
                return Poll::Ready(bytes.map(Ok));
            }
            State::Reading(step) => ready!(Pin::new(step).poll(cx)),
        };
        let step = step.unwrap_or_else(|_| Err(io::Error::other("the process is stopping")));
        Poll::Ready(match step {
            Ok(Some((bytes, cursor))) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                self.state = if self.left == 0 { State::Done } else { State::Reading(cursor.read()) };
                Some(Ok(bytes))
            }
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Err(error) => {
                self.state = State::Done;
                Some(Err(error))
            }
        })
    }
}

/// What is still to be read.
struct Cursor {
    segments: VecDeque<Segment>,
    /// The open blob of the first segment, at its offset.
    file: Option<File>,
    lease: Arc<Leased>,
}

impl Cursor {
    fn read(self) -> JoinHandle<io::Result<Option<(Bytes, Cursor)>>> {
        tokio::task::spawn_blocking(move || self.step())
    }

    fn step(mut self) -> io::Result<Option<(Bytes, Cursor)>> {
        let Some(segment) = self.segments.front_mut() else { return Ok(None) };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = self.lease.blobs().open_blob(segment.blob)?;
                file.seek(SeekFrom::Start(segment.offset))?;
                file
            }
        };
        let length = segment.length.min(STEP);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        if (&mut file).take(length).read_to_end(&mut bytes)? as u64 != length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the blob {} is too short", segment.blob),
            ));
        }
        segment.offset += length;
        segment.length -= length;
        if segment.length == 0 {
            self.segments.pop_front();
        } else {
            self.file = Some(file);
        }
        Ok(Some((Bytes::from(bytes), self)))
    }
}
