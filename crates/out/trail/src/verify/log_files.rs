//! Log files as they come: gathered, inflated, and hashed several at a time.

use super::archive::{ArchiveError, Body};
use super::check::{LogCheck, verdict_of};
use super::report::Verdict;
use crate::hash::sha256_of_each;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// A log file up to this size, as stored, is at hand whole before it is inflated, bytes.
const GATHERED_MAX: usize = 256 << 10;

/// So many files are hashed together: two at a time, of which the longer has to wait for nobody as long as there are more. All lie in the
/// processor's cache.
const TOGETHER: usize = 4;

/// Checks log files, on as many threads as ask it to.
#[derive(Clone, Default)]
pub(super) struct LogFiles(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Benches that were used and may be used again: making them costs as much as a small file. One is taken only while there is
    /// something to be computed, so that there are few more than processors, and they stay in their caches.
    free: Mutex<Vec<Bench>>,
    inflated: Mutex<Vec<Inflated>>,
}

struct Bench {
    check: LogCheck,
    buffer: Vec<u8>,
}

/// A file whose content lies on its bench and waits to be hashed.
struct Inflated {
    bench: Bench,
    size: usize,
    expected: String,
    tell: oneshot::Sender<Verdict>,
}

/// What is known of a file that was read.
enum Content {
    Inflated(usize),
    Checked(Verdict),
}

impl LogFiles {
    /// What is to be said of a file.
    ///
    /// # Errors
    /// [`ArchiveError::Failed`] when it cannot be read to its end.
    pub(super) async fn check(&self, key: &str, body: Body, hash: &str) -> Result<Verdict, ArchiveError> {
        let (bench, content) = match body {
            Body::Stream(chunks) => self.read_stream(chunks, hash).await?,
            // Read right here, though it may wait for the disk: the threads of the runtime have nothing else to do, and handing
            // each small file to another thread and back costs as much as reading it.
            Body::File(mut file) => {
                let failed = |error: std::io::Error| ArchiveError::Failed(key.to_owned(), error.to_string());
                self.read_file(&mut file, hash).map_err(failed)?
            }
        };
        match content {
            Content::Inflated(size) => self
                .hash(bench, size, hash)
                .await
                .ok_or_else(|| ArchiveError::Failed(key.to_owned(), "it was read, and not looked at".to_owned())),
            Content::Checked(verdict) => {
                self.give_back(bench);
                Ok(verdict)
            }
        }
    }

    fn read_file(&self, file: &mut impl Read, hash: &str) -> std::io::Result<(Bench, Content)> {
        let mut bench = self.take();
        let Bench { check, buffer } = &mut bench;
        let (mut filled, mut is_whole) = (0, true);
        loop {
            let count = file.read(buffer.get_mut(filled..).unwrap_or_default())?;
            filled += count;
            let bytes = buffer.get(..filled).unwrap_or_default();
            match count {
                0 => {
                    let content = if is_whole { at_hand(check, bytes, hash) } else { at_end(check, bytes, hash) };
                    return Ok((bench, content));
                }
                _ if filled == buffer.len() => {
                    check.push(bytes);
                    (filled, is_whole) = (0, false);
                }
                _ => {}
            }
        }
    }

    /// A small file is gathered before it is looked at, a large one is looked at as it comes.
    async fn read_stream(
        &self,
        mut chunks: BoxStream<'static, Result<Bytes, ArchiveError>>,
        hash: &str,
    ) -> Result<(Bench, Content), ArchiveError> {
        let (mut gathered, mut size) = (Vec::new(), 0);
        while size <= GATHERED_MAX {
            let Some(chunk) = chunks.next().await else {
                let mut bench = self.take();
                let content = bench.gathered(&gathered, hash);
                return Ok((bench, content));
            };
            let chunk: Bytes = chunk?;
            size += chunk.len();
            gathered.push(chunk);
        }
        let mut bench = self.take();
        gathered.drain(..).for_each(|chunk| bench.check.push(&chunk));
        while let Some(chunk) = chunks.next().await {
            bench.check.push(&chunk?);
        }
        let content = at_end(&mut bench.check, &[], hash);
        Ok((bench, content))
    }

    /// The verdict on content that lies on a bench. Whoever makes enough of them complete hashes them all; so does whoever finds, when
    /// others have had their turn, that nobody has.
    async fn hash(&self, bench: Bench, size: usize, hash: &str) -> Option<Verdict> {
        let (tell, mut told) = oneshot::channel();
        let waiting = Inflated { bench, size, expected: hash.to_owned(), tell };
        if self.lay_down(waiting) < TOGETHER {
            tokio::task::yield_now().await;
        }
        if let Ok(verdict) = told.try_recv() {
            return Some(verdict);
        }
        self.hash_all();
        told.await.ok()
    }

    fn lay_down(&self, waiting: Inflated) -> usize {
        let mut inflated = self.0.inflated.lock().unwrap_or_else(PoisonError::into_inner);
        inflated.push(waiting);
        inflated.len()
    }

    fn hash_all(&self) {
        let all = std::mem::take(&mut *self.0.inflated.lock().unwrap_or_else(PoisonError::into_inner));
        let contents: Vec<&[u8]> = all.iter().map(|one| one.bench.check.inflated(one.size)).collect();
        let hashes = sha256_of_each(&contents);
        for (Inflated { bench, expected, tell, .. }, hash) in all.into_iter().zip(hashes) {
            // Who has gone away does not want to know.
            let _ = tell.send(verdict_of(&hash, &expected));
            self.give_back(bench);
        }
    }

    fn take(&self) -> Bench {
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Bench { check: LogCheck::new(), buffer: vec![0; GATHERED_MAX] })
    }

    /// One on which something failed is not given back.
    fn give_back(&self, bench: Bench) {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner).push(bench);
    }
}

impl Bench {
    fn gathered(&mut self, chunks: &[Bytes], hash: &str) -> Content {
        let Bench { check, buffer } = self;
        if let [chunk] = chunks {
            return at_hand(check, chunk, hash);
        }
        let mut filled = 0;
        for chunk in chunks {
            if let Some(room) = buffer.get_mut(filled..filled + chunk.len()) {
                room.copy_from_slice(chunk);
                filled += chunk.len();
            }
        }
        at_hand(check, buffer.get(..filled).unwrap_or_default(), hash)
    }
}

fn at_hand(check: &mut LogCheck, file: &[u8], hash: &str) -> Content {
    check.inflate_at_once(file).map_or_else(|| at_end(check, file, hash), Content::Inflated)
}

fn at_end(check: &mut LogCheck, rest: &[u8], hash: &str) -> Content {
    check.push(rest);
    Content::Checked(check.finish(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{compress, sha256_hex};
    use futures_util::{future, stream};
    use std::io::Write;

    /// Files that are smaller and larger than what is gathered; content that does not compress.
    fn files() -> impl Iterator<Item = Vec<u8>> {
        [0, 1, 1000, GATHERED_MAX - 200, GATHERED_MAX, 3 * GATHERED_MAX].into_iter().map(|size| {
            let mut state = 1u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..size).map(|_| next()).collect()
        })
    }

    fn in_pieces(file: &[u8], piece: usize) -> Body {
        let pieces: Vec<_> = file.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Body::Stream(stream::iter(pieces).boxed())
    }

    fn in_a_folder(file: &[u8]) -> Body {
        let mut stored = tempfile::tempfile().unwrap();
        stored.write_all(file).unwrap();
        std::io::Seek::rewind(&mut stored).unwrap();
        Body::File(stored)
    }

    #[tokio::test]
    async fn a_log_file_is_the_same_file_in_a_folder_and_in_any_pieces() {
        let log_files = LogFiles::default();
        for content in files() {
            let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
            for (file, expected) in [
                (file.clone(), Verdict::Valid),
                ([&file[..], b"x"].concat(), Verdict::invalid("unexpected data after end of compressed stream")),
                (b"no gzip".repeat(file.len() / 7 + 1), Verdict::invalid("invalid format")),
            ] {
                let verdict = log_files.check("k", in_a_folder(&file), &hash).await;
                assert_eq!(verdict.as_ref(), Ok(&expected), "a file of {} bytes", file.len());
                for piece in [file.len(), 1000, 64 * 1024] {
                    let verdict = log_files.check("k", in_pieces(&file, piece), &hash).await;
                    assert_eq!(verdict.as_ref(), Ok(&expected), "{} bytes in pieces of {piece}", file.len());
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn every_file_of_many_has_its_own_verdict() {
        let log_files = LogFiles::default();
        let checks = (0..500usize).map(|number| {
            let content = format!("{number} ").repeat(number * 7 % 1000).into_bytes();
            let (file, is_right) = (compress(&content).unwrap(), number % 3 > 0);
            let hash = if is_right { sha256_hex(&content) } else { sha256_hex(b"another") };
            let log_files = log_files.clone();
            tokio::spawn(async move { (is_right, log_files.check("k", in_pieces(&file, 1 << 20), &hash).await) })
        });
        for checked in future::join_all(checks.collect::<Vec<_>>()).await {
            let (is_right, verdict) = checked.unwrap();
            let wrong = Verdict::invalid("hash value doesn't match");
            assert_eq!(verdict, Ok(if is_right { Verdict::Valid } else { wrong }));
        }
        assert!(log_files.0.inflated.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_goes_away_holds_up_nobody() {
        let log_files = LogFiles::default();
        let (file, hash) = (compress(b"content").unwrap(), sha256_hex(b"content"));
        // Asked once, it lies down and lets others come by; then it is asked no more.
        let mut gone = Box::pin(log_files.check("k", in_pieces(&file, 100), &hash));
        assert!(future::poll_immediate(&mut gone).await.is_none());
        drop(gone);
        assert_eq!(log_files.check("k", in_pieces(&file, 100), &hash).await, Ok(Verdict::Valid));
        assert!(log_files.0.inflated.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_transfer_that_breaks_off_leaves_nothing_behind() {
        let log_files = LogFiles::default();
        let content = b"content".repeat(10);
        let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
        for before in [10, 2 * GATHERED_MAX] {
            let broken = ArchiveError::Failed("k".to_owned(), "broken off".to_owned());
            let pieces = [Ok(Bytes::from(vec![b'x'; before])), Err(broken.clone())];
            let end = log_files.check("k", Body::Stream(stream::iter(pieces).boxed()), &hash).await;
            assert_eq!(end, Err(broken));
            assert_eq!(log_files.check("k", in_pieces(&file, file.len()), &hash).await, Ok(Verdict::Valid));
        }
    }
}
