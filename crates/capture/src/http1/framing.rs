//! Where a message body ends (RFC 9112, section 6), and which of its bytes are payload.

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Everything has passed.
    Done,
    /// So many bytes are still to come (`Content-Length`).
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked(Chunked),
    /// Until the sender closes the connection (responses only).
    UntilClose,
}

/// Bytes that are not a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunked transfer coding is malformed")]
pub(crate) struct FramingError;

/// The most bytes a chunk extension or a trailer section may have: no SDK sends any; a bound keeps a peer from
/// sending them forever.
const MAX_LINE_BYTES: u32 = 16 << 10;

/// Where we are inside a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Before or in the size of a chunk: its value so far and how many digits.
    Size { value: u64, digits: u8 },
    /// In the chunk extension, after the size.
    Extension { size: u64, seen: u32 },
    /// The line feed that ends the size line.
    SizeLf { size: u64 },
    /// In the data of a chunk.
    Data { left: u64 },
    /// The carriage return after the data.
    DataCr,
    /// The line feed after the data.
    DataLf,
    /// At the start of a trailer line.
    Trailer { seen: u32 },
    /// Inside a trailer line.
    TrailerLine { seen: u32 },
    /// The line feed that ends a trailer line.
    TrailerLf { seen: u32 },
    /// The line feed that ends the body.
    LastLf,
}

impl Framing {
    /// A chunked body, from its start.
    pub(crate) const CHUNKED: Framing = Framing::Chunked(Chunked::Size { value: 0, digits: 0 });

    /// A body of `length` bytes.
    pub(crate) fn length(length: u64) -> Framing {
        if length == 0 { Framing::Done } else { Framing::Length(length) }
    }

    /// Whether the whole body has passed.
    pub(crate) fn is_done(self) -> bool {
        self == Framing::Done
    }

    /// Follows `input`: hands its payload to `payload` and returns how many bytes belong to this body (all of them,
    /// unless the body ends before).
    pub(crate) fn feed(&mut self, input: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, FramingError> {
        match self {
            Framing::Done => Ok(0),
            Framing::UntilClose => {
                payload(input);
                Ok(input.len())
            }
            Framing::Length(left) => {
                let taken = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                payload(&input[..taken]);
                *self = Framing::length(*left - taken as u64);
                Ok(taken)
            }
            Framing::Chunked(state) => {
                let mut at = 0;
                while at < input.len() {
                    if let Chunked::Data { left } = state {
                        let taken = (input.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                        payload(&input[at..at + taken]);
                        at += taken;
                        *left -= taken as u64;
                        if *left == 0 {
                            *state = Chunked::DataCr;
                        }
                        continue;
                    }
                    match state.step(input[at])? {
                        Some(next) => *state = next,
                        None => {
                            *self = Framing::Done;
                            return Ok(at + 1);
                        }
                    }
                    at += 1;
                }
                Ok(at)
            }
        }
    }
}

impl Chunked {
    /// The state after one byte that is not chunk data; `None` when it was the last of the body.
    fn step(self, byte: u8) -> Result<Option<Chunked>, FramingError> {
        Ok(Some(match (self, byte) {
            (Chunked::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = (byte as char).to_digit(16).ok_or(FramingError)?;
                Chunked::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Chunked::Size { digits: 0, .. }, _) => return Err(FramingError),
            (Chunked::Size { value, .. }, b'\r') => Chunked::SizeLf { size: value },
            (Chunked::Size { value, .. }, b';' | b' ' | b'\t') => Chunked::Extension { size: value, seen: 1 },
            (Chunked::Extension { size, .. }, b'\r') => Chunked::SizeLf { size },
            (Chunked::Extension { size, seen }, _) if byte != b'\n' && seen < MAX_LINE_BYTES => {
                Chunked::Extension { size, seen: seen + 1 }
            }
            (Chunked::SizeLf { size: 0 }, b'\n') => Chunked::Trailer { seen: 0 },
            (Chunked::SizeLf { size }, b'\n') => Chunked::Data { left: size },
            (Chunked::DataCr, b'\r') => Chunked::DataLf,
            (Chunked::DataLf, b'\n') => Chunked::Size { value: 0, digits: 0 },
            (Chunked::Trailer { .. }, b'\r') => Chunked::LastLf,
            (Chunked::Trailer { seen } | Chunked::TrailerLine { seen }, _)
                if byte != b'\n' && byte != b'\r' && seen < MAX_LINE_BYTES =>
            {
                Chunked::TrailerLine { seen: seen + 1 }
            }
            (Chunked::TrailerLine { seen }, b'\r') => Chunked::TrailerLf { seen },
            (Chunked::TrailerLf { seen }, b'\n') => Chunked::Trailer { seen },
            (Chunked::LastLf, b'\n') => return Ok(None),
            _ => return Err(FramingError),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), FramingError> {
        let (mut framing, mut payload, mut consumed) = (framing, Vec::new(), 0);
        for piece in pieces {
            consumed += framing.feed(piece, |bytes| payload.extend_from_slice(bytes))?;
        }
        Ok((payload, consumed, framing.is_done()))
    }

    #[test]
    fn a_chunked_body_ends_where_it_says() {
        let wire = b"5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\nx-amz-checksum-crc32: AAAA\r\n\r\nGET / HTTP/1.1\r\n";
        let body_len = wire.len() - b"GET / HTTP/1.1\r\n".len();
        assert_eq!(decode(Framing::CHUNKED, &[wire]), Ok((b"hello world".to_vec(), body_len, true)));
    }

    #[test]
    fn a_counted_body_leaves_the_next_message_alone() {
        assert_eq!(decode(Framing::length(5), &[b"he", b"lloGET"]), Ok((b"hello".to_vec(), 5, true)));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for wire in [
            &b"\r\n"[..],
            b"g\r\n",
            b"5\nhello",
            b"5\r\nhelloX\n",
            b"11111111111111111\r\n",
            b"0\r\n\nX",
            b"5;a\nb\r\n",
        ] {
            assert_eq!(decode(Framing::CHUNKED, &[wire]), Err(FramingError), "{wire:?}");
        }
    }

    #[test]
    fn an_endless_extension_is_refused() {
        let mut wire = b"5;".to_vec();
        wire.resize(1 << 20, b'a');
        assert_eq!(decode(Framing::CHUNKED, &[&wire]), Err(FramingError));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6), cut in 1usize..9) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = wire.chunks(cut).collect();
            prop_assert_eq!(decode(Framing::CHUNKED, &pieces), Ok((chunks.concat(), wire.len(), true)));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(Framing::CHUNKED, &[&bytes]);
        }
    }
}
