//! From the bytes of a body to a [`Tree`](crate::decode::tree::Tree): one file for each wire format.

pub(crate) mod body;
pub(crate) mod cbor;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod tree;
pub(crate) mod xml;

use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read;

/// What a compressed body may grow to: as much as is kept of a plain one.
const MAX_INFLATED: u64 = 1 << 20;

/// Undoes `Content-Encoding: gzip` (request compression, gzip answers). The second value says whether the whole body
/// is there. A text that is not encoded, though its head says so, is taken as it is, as services take it that do not look at
/// the head; what is no text is given back empty and not whole.
pub(crate) fn content_decoded<'a>(body: &'a [u8], whole: bool, encoding: Option<&str>) -> (Cow<'a, [u8]>, bool) {
    let encoding = encoding.map(str::trim).unwrap_or_default();
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") || encoding.eq_ignore_ascii_case("aws-chunked")
    {
        return (Cow::Borrowed(body), whole);
    }
    let is_gzip = encoding.eq_ignore_ascii_case("gzip") && body.starts_with(&[0x1f, 0x8b]);
    if !is_gzip {
        return if std::str::from_utf8(body).is_ok() {
            (Cow::Borrowed(body), whole)
        } else {
            (Cow::Borrowed(&[]), false)
        };
    }
    let mut inflated = Vec::with_capacity(body.len().saturating_mul(4).min(MAX_INFLATED as usize));
    let complete = MultiGzDecoder::new(body).take(MAX_INFLATED).read_to_end(&mut inflated).is_ok();
    let whole = whole && complete && (inflated.len() as u64) < MAX_INFLATED;
    (Cow::Owned(inflated), whole)
}

/// Percent-decodes a path label: there `+` is itself.
pub(crate) fn percent_decoded(raw: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(raw).decode_utf8().ok()
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
        assert_eq!(content_decoded(b"a=b", true, Some("br")), (Cow::Borrowed(&b"a=b"[..]), true));
        assert_eq!(content_decoded(b"\xff?", true, Some("br")), (Cow::Borrowed(&b""[..]), false));
        assert_eq!(content_decoded(b"a=b", true, Some("gzip")), (Cow::Borrowed(&b"a=b"[..]), true));
        let twice = [gzip(b"UserName=b"), gzip(b"ob")].concat();
        assert_eq!(content_decoded(&twice, true, Some("gzip")), (Cow::Borrowed(&b"UserName=bob"[..]), true));
        assert_eq!(content_decoded(b"ab", false, None), (Cow::Borrowed(&b"ab"[..]), false));
    }
}
