//! From the bytes of a body to a [`Tree`](crate::tree::Tree): one file for each wire format.

pub(crate) mod cbor;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod xml;

use flate2::bufread::GzDecoder;
use std::borrow::Cow;
use std::io::Read;

/// What a compressed body may grow to: as much as is kept of a plain one.
const MAX_INFLATED: u64 = 1 << 20;

/// Undoes `Content-Encoding: gzip` (request compression, gzip answers). The second value says whether the whole body
/// is there. A body of another encoding, or broken, is given back empty and not whole.
pub(crate) fn content_decoded<'a>(body: &'a [u8], whole: bool, encoding: Option<&str>) -> (Cow<'a, [u8]>, bool) {
    let encoding = encoding.map(str::trim).unwrap_or_default();
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") || encoding.eq_ignore_ascii_case("aws-chunked")
    {
        return (Cow::Borrowed(body), whole);
    }
    if !encoding.eq_ignore_ascii_case("gzip") {
        return (Cow::Borrowed(&[]), false);
    }
    let mut inflated = Vec::with_capacity(body.len().saturating_mul(4).min(MAX_INFLATED as usize));
    let complete = GzDecoder::new(body).take(MAX_INFLATED).read_to_end(&mut inflated).is_ok();
    let whole = whole && complete && (inflated.len() as u64) < MAX_INFLATED;
    (Cow::Owned(inflated), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_undone_and_a_bomb_stops_at_the_bound() {
        let packed = gzip(b"Action=ListUsers");
        assert_eq!(content_decoded(&packed, true, Some("gzip")), (Cow::Borrowed(&b"Action=ListUsers"[..]), true));
        let bomb = gzip(&vec![b'a'; 64 << 20]);
        let (inflated, whole) = content_decoded(&bomb, true, Some("gzip"));
        assert_eq!((inflated.len() as u64, whole), (MAX_INFLATED, false));
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_not_whole() {
        let packed = gzip(b"some longer text, some longer text, some longer text");
        assert!(!content_decoded(&packed[..packed.len() / 2], true, Some("gzip")).1);
        assert_eq!(content_decoded(b"??", true, Some("br")), (Cow::Borrowed(&b""[..]), false));
        assert_eq!(content_decoded(b"ab", false, None), (Cow::Borrowed(&b"ab"[..]), false));
    }
}
