//! Bodies of requests that came `aws-chunked`, made ready for what s3s does with them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;

use super::aws_chunked::{Decoder, Event};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Largest chunk that is verified: s3s gathers a signed chunk to compare its signature before it lets it through.
/// Clients send 64 KiB to 1 MiB.
const SIGNED_CHUNK_MAX: u64 = 64 * 1024 * 1024;

/// What becomes of the chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// The body is what was in them.
    Decode,
    /// They are cut smaller. Unsigned chunks may be as long as the object, and s3s would gather one whole.
    Cut,
    /// They pass as they are, unless one is larger than [`SIGNED_CHUNK_MAX`].
    Limit,
}

/// The trailers of a decoded body, there once it was read to its end.
#[derive(Clone, Default)]
pub(crate) struct Trailers(Arc<OnceLock<Vec<(String, String)>>>);

impl Trailers {
    /// The trailer of that lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let found = self.0.get()?.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone())
    }
}

/// A body that came `aws-chunked`.
pub(crate) struct ChunkedBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    decoder: Option<Decoder>,
    chunks: Chunks,
    ready: VecDeque<Bytes>,
    trailers: Trailers,
}

impl ChunkedBody {
    pub(crate) fn new(body: UnsyncBoxBody<Bytes, BoxError>, chunks: Chunks, trailers: Trailers) -> ChunkedBody {
        ChunkedBody { body, decoder: Some(Decoder::default()), chunks, ready: VecDeque::new(), trailers }
    }

    fn take(&mut self, mut piece: Bytes) -> Result<(), BoxError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        if self.chunks == Chunks::Limit {
            self.ready.push_back(piece.clone());
        }
        while let Some(event) = decoder.next(&mut piece)? {
            match (self.chunks, event) {
                (Chunks::Decode, Event::Data(data)) => self.ready.push_back(data),
                (Chunks::Cut, Event::Data(data)) => {
                    let mut chunk = BytesMut::with_capacity(data.len() + 20);
                    chunk.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                    chunk.extend_from_slice(&data);
                    chunk.extend_from_slice(b"\r\n");
                    self.ready.push_back(chunk.freeze());
                }
                (Chunks::Limit, Event::Chunk(size)) if size > SIGNED_CHUNK_MAX => {
                    return Err("a signed chunk of the body is larger than 64 MiB".into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), BoxError> {
        let Some(decoder) = self.decoder.take() else { return Ok(()) };
        let trailers = decoder.finish()?;
        if self.chunks == Chunks::Cut {
            let mut last = String::from("0\r\n");
            for (name, value) in &trailers {
                last.extend([name, ":", value, "\r\n"]);
            }
            last.push_str("\r\n");
            self.ready.push_back(last.into());
        }
        let _ = self.trailers.0.set(trailers); // once: the decoder is gone
        Ok(())
    }
}

impl Body for ChunkedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.decoder.is_none() {
                return Poll::Ready(None);
            }
            let step = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.take(piece),
                    Err(_trailers_of_http) => Ok(()),
                },
                Some(Err(error)) => Err(error),
                None => self.end(),
            };
            if let Err(error) = step {
                self.decoder = None;
                self.ready.clear();
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    async fn read(body: &'static str, chunks: Chunks) -> Result<(String, Trailers), BoxError> {
        let trailers = Trailers::default();
        let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
        let read = ChunkedBody::new(body, chunks, trailers.clone()).collect().await?.to_bytes();
        Ok((String::from_utf8(read.to_vec())?, trailers))
    }

    #[tokio::test]
    async fn decoding_gives_the_data_and_then_the_trailers() {
        let (data, trailers) = read("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:q\r\n\r\n", Chunks::Decode).await.unwrap();
        assert_eq!(data, "abc");
        assert_eq!(trailers.get("x-amz-checksum-crc32").as_deref(), Some("q"));
        assert_eq!(trailers.get("x-amz-checksum-sha1"), None);
    }

    #[tokio::test]
    async fn cutting_keeps_data_and_trailers() {
        let (cut, _) = read("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:q\r\n\r\n", Chunks::Cut).await.unwrap();
        assert_eq!(cut, "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:q\r\n\r\n");
    }

    #[tokio::test]
    async fn a_chunk_too_large_to_verify_is_refused_before_it_is_gathered() {
        assert!(read("5000000;chunk-signature=0\r\nabc", Chunks::Limit).await.is_err());
        let small = "3;chunk-signature=0\r\nabc\r\n0;chunk-signature=0\r\n\r\n";
        assert_eq!(read(small, Chunks::Limit).await.unwrap().0, small);
    }

    #[tokio::test]
    async fn a_truncated_body_is_an_error() {
        assert!(read("5\r\nhel", Chunks::Decode).await.is_err());
    }
}
