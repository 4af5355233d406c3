//! The `aws-chunked` transfer encoding, undone (S3 API reference, "Authenticating requests: using the Authorization
//! header, transferring payload in multiple chunks").
//!
//! Pure: bytes go in, events come out, and the data of a chunk is never gathered. Signatures are not looked at; who
//! wants them verified leaves that to s3s.

use bytes::{Buf, Bytes};

/// Longest line that announces a chunk; the signature of one takes 85 bytes.
const LINE_MAX: usize = 1024;
/// Most bytes of trailers.
const TRAILERS_MAX: usize = 16 * 1024;

/// What the decoder found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A chunk of so many bytes begins; zero announces the trailers.
    Chunk(u64),
    /// The next bytes of a chunk.
    Data(Bytes),
}

/// Why a body is not `aws-chunked`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("the size of a chunk is not a hexadecimal number")]
    Size,
    #[error("a chunk does not end where its size says")]
    End,
    #[error("a line or trailer of the chunked body is too long")]
    TooLong,
    #[error("the body ends in the middle of a chunk")]
    Truncated,
}

/// The state between two pieces of the body.
#[derive(Default)]
pub(crate) struct Decoder {
    state: State,
    line: Vec<u8>,
}

#[derive(Default)]
enum State {
    #[default]
    Size,
    Data(u64),
    /// The line break behind a chunk.
    Break,
    /// Everything behind the last chunk, which is kept in `line`.
    Trailers,
}

impl Decoder {
    /// Takes the next event from the input; `None` once the input is used up.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Event>, ChunkError> {
        while !input.is_empty() {
            match self.state {
                State::Size => {
                    if self.take_line(input)? {
                        let size = parse_size(&self.line)?;
                        self.line.clear();
                        self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                        return Ok(Some(Event::Chunk(size)));
                    }
                }
                State::Data(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let left = left - length as u64;
                    self.state = if left == 0 { State::Break } else { State::Data(left) };
                    return Ok(Some(Event::Data(input.split_to(length))));
                }
                State::Break => {
                    if self.take_line(input)? {
                        if !self.line.is_empty() {
                            return Err(ChunkError::End);
                        }
                        self.state = State::Size;
                    } else if self.line != b"\r" {
                        return Err(ChunkError::End);
                    }
                }
                State::Trailers => {
                    if self.line.len() + input.len() > TRAILERS_MAX {
                        return Err(ChunkError::TooLong);
                    }
                    self.line.extend_from_slice(input);
                    input.clear();
                }
            }
        }
        Ok(None)
    }

    /// The input has ended: gives the trailers, names in lower case. Blank lines between them are passed over, as
    /// AWS's own example has one.
    pub(crate) fn finish(self) -> Result<Vec<(String, String)>, ChunkError> {
        if !matches!(self.state, State::Trailers) {
            return Err(ChunkError::Truncated);
        }
        let text = String::from_utf8_lossy(&self.line);
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Ok(pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect())
    }

    /// Moves input into the line up to its end; `true` once the line is whole, without its line break.
    fn take_line(&mut self, input: &mut Bytes) -> Result<bool, ChunkError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(input.len());
        if self.line.len() + length > LINE_MAX {
            return Err(ChunkError::TooLong);
        }
        self.line.extend_from_slice(&input.split_to(length));
        if end.is_some() {
            input.advance(1);
            self.line.pop_if(|byte| *byte == b'\r');
        }
        Ok(end.is_some())
    }
}

/// The size of `1f4;chunk-signature=…`.
fn parse_size(line: &[u8]) -> Result<u64, ChunkError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = std::str::from_utf8(digits).map_err(|_| ChunkError::Size)?.trim_end();
    if digits.starts_with('+') {
        return Err(ChunkError::Size);
    }
    u64::from_str_radix(digits, 16).map_err(|_| ChunkError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Decoded = (Vec<u8>, Vec<(String, String)>);

    /// Feeds the body in pieces of that many bytes.
    fn decode(body: &[u8], piece: usize) -> Result<Decoded, ChunkError> {
        let mut decoder = Decoder::default();
        let mut data = Vec::new();
        for piece in body.chunks(piece.max(1)) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(event) = decoder.next(&mut input)? {
                if let Event::Data(bytes) = event {
                    data.extend_from_slice(&bytes);
                }
            }
        }
        Ok((data, decoder.finish()?))
    }

    fn check(body: &str, expect: Result<Decoded, ChunkError>) {
        for piece in [1, 2, 3, 1000] {
            assert_eq!(decode(body.as_bytes(), piece), expect, "{body:?} in pieces of {piece}");
        }
    }

    fn decoded(data: &str, trailers: &[(&str, &str)]) -> Result<Decoded, ChunkError> {
        let owned = trailers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Ok((data.as_bytes().to_vec(), owned.collect()))
    }

    #[test]
    fn bodies_of_real_clients_are_decoded() {
        let trailer = [("x-amz-checksum-crc32", "NhCmhg==")];
        check("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", decoded("hello", &trailer));
        let signed = "3;chunk-signature=00ff\r\nabc\r\n2;chunk-signature=11\r\nde\r\n0;chunk-signature=22\r\n\r\n";
        check(signed, decoded("abcde", &[]));
        check("0\r\n", decoded("", &[]));
        check("0\r\n\r\n", decoded("", &[]));
        let both = "A\r\n0123456789\r\n0\r\nX-Amz-Checksum-Sha1: x \n\r\nx-amz-trailer-signature:y\n\r\n\r\n";
        check(both, decoded("0123456789", &[("x-amz-checksum-sha1", "x"), ("x-amz-trailer-signature", "y")]));
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        check("hello", Err(ChunkError::Truncated));
        check("hello\r\n", Err(ChunkError::Size));
        check("-1\r\n", Err(ChunkError::Size));
        check("+1\r\na\r\n", Err(ChunkError::Size));
        check("\r\n", Err(ChunkError::Size));
        check("5\r\nhel", Err(ChunkError::Truncated));
        check("5\r\nhello", Err(ChunkError::Truncated));
        check("5\r\nhello world", Err(ChunkError::End));
        check("5\r\nhello\r\n", Err(ChunkError::Truncated));
        check("ffffffffffffffffff\r\n", Err(ChunkError::Size));
        check("", Err(ChunkError::Truncated));
        assert_eq!(decode(&[b'1'; 5000], 1000), Err(ChunkError::TooLong));
        let trailers = [b"0\r\n".as_slice(), &[b'a'; 20_000]].concat();
        assert_eq!(decode(&trailers, 1000), Err(ChunkError::TooLong));
    }

    proptest! {
        #[test]
        fn encoding_and_decoding_is_the_identity(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..6), piece in 1usize..40) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                body.extend(chunk);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\na:b\r\n\r\n");
            prop_assert_eq!(decode(&body, piece), Ok((chunks.concat(), vec![("a".into(), "b".into())])));
        }

        #[test]
        fn any_bytes_are_chunks_or_refused(cut: u8, words in prop::collection::vec(prop_oneof![
            prop::sample::select(&["5", "0", "a", "\r\n", "\n", "hello", ";chunk-signature=00", "a:b", ":", "ffffffffffffffff", "\r"][..])
                .prop_map(|word| word.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..9),
        ], 0..20)) {
            crate::api::chunked_bytes::chunked(&[&[cut][..], &words.concat()].concat());
        }
    }

    #[test]
    fn what_was_found_once_stays_mended() {
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/aws_chunked")).unwrap() {
            crate::api::chunked_bytes::chunked(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }
}
