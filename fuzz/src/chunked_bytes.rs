//! `aws-chunked` bodies from bytes of any kind.

use super::aws_chunked::{ChunkError, Decoder, Event};
use bytes::Bytes;

type Decoded = (Vec<u8>, Vec<(String, String)>);

/// The first byte says where the rest is cut in two. It is refused, or its data is in it; and in one piece it is what it is
/// in two, and byte by byte.
pub fn chunked(input: &[u8]) {
    let Some((cut, body)) = input.split_first() else { return };
    let (first, second) = body.split_at(usize::from(*cut).min(body.len()));
    let whole = decoded(&mut std::iter::once(body));
    assert_eq!(whole, decoded(&mut [first, second].into_iter()), "pieces matter");
    assert_eq!(whole, decoded(&mut body.chunks(1)), "pieces matter");
    let Ok((data, trailers)) = whole else { return };
    assert!(data.len() + 2 <= body.len(), "more data than body");
    assert!(trailers.iter().all(|(name, _)| !name.contains(['\n', ':'])));
    // Written again in one chunk it says the same.
    let mut again = match data.len() {
        0 => b"0\r\n".to_vec(),
        size => [format!("{size:x}\r\n").as_bytes(), &data, b"\r\n0\r\n"].concat(),
    };
    trailers.iter().for_each(|(name, value)| again.extend_from_slice(format!("{name}:{value}\r\n").as_bytes()));
    let again = decoded(&mut std::iter::once(&again[..])).expect("what was just written");
    assert_eq!(again.0, data);
}

fn decoded(pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Decoded, ChunkError> {
    let (mut decoder, mut data, mut announced) = (Decoder::default(), Vec::new(), 0u64);
    for piece in pieces {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(event) = decoder.next(&mut piece)? {
            match event {
                Event::Chunk(size) => announced = announced.saturating_add(size),
                Event::Data(bytes) => data.extend_from_slice(&bytes),
            }
        }
        assert!(piece.is_empty(), "bytes were left over");
    }
    assert!(data.len() as u64 <= announced);
    decoder.finish().map(|trailers| (data, trailers))
}
