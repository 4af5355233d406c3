//! The canonical request: what both sides agree was asked.

use crate::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// RFC 3986's unreserved characters stay; everything else is `%XX`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// How a request becomes canonical.
#[derive(Debug, Clone, Copy)]
pub struct Canonical<'a> {
    /// `SignedHeaders` as the caller sent it: lower-case names separated by `;`.
    pub signed_headers: &'a str,
    /// The value of `x-amz-content-sha256`, or the hex hash of the payload, or [`super::UNSIGNED_PAYLOAD`].
    pub payload_hash: &'a str,
    /// S3 (and what signs as S3) takes the path as it is and encodes it once; other services normalise it and encode the
    /// encoded path again.
    pub s3_path: bool,
    /// Whether the signature stands in the query string; its parameter is then not part of what is signed.
    pub presigned: bool,
}

/// The canonical request, as bytes because header values may be any bytes.
pub fn canonical_request(request: &Request<'_>, how: Canonical<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    push_path(&mut out, request.path, how.s3_path);
    out.push(b'\n');
    push_query(&mut out, request, how.presigned);
    out.push(b'\n');
    for name in how.signed_headers.split(';') {
        push_header(&mut out, request, name);
    }
    out.push(b'\n');
    out.extend_from_slice(how.signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(how.payload_hash.as_bytes());
    out
}

fn push_encoded(out: &mut Vec<u8>, bytes: &[u8], set: &'static AsciiSet) {
    for piece in percent_encode(bytes, set) {
        out.extend_from_slice(piece.as_bytes());
    }
}

fn push_path(out: &mut Vec<u8>, path: &str, s3_path: bool) {
    if s3_path {
        let decoded: Vec<u8> = percent_decode(path.as_bytes()).collect();
        push_encoded(out, if decoded.is_empty() { b"/" } else { &decoded }, ENCODED_PATH);
        return;
    }
    push_encoded(out, normalised(path).as_bytes(), ENCODED_PATH);
}

/// Without empty, `.` and `..` segments (RFC 3986 §5.2.4); a slash at the end stays.
fn normalised(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let ends_with_slash = path.ends_with('/') && !segments.is_empty();
    format!("/{}{}", segments.join("/"), if ends_with_slash { "/" } else { "" })
}

/// Names and values encoded one way, sorted by name and then by value.
fn push_query(out: &mut Vec<u8>, request: &Request<'_>, presigned: bool) {
    let encode = |raw: &[u8]| {
        let decoded: Vec<u8> = percent_decode(raw).collect();
        let mut encoded = Vec::with_capacity(decoded.len());
        push_encoded(&mut encoded, &decoded, ENCODED);
        encoded
    };
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = request
        .query_pairs()
        .filter(|(name, _)| !(presigned && *name == b"X-Amz-Signature"))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort_unstable();
    for (number, (name, value)) in pairs.iter().enumerate() {
        if number > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// `name:value` with the values of equal names joined by commas and runs of white space made one space.
fn push_header(out: &mut Vec<u8>, request: &Request<'_>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    for (number, value) in request.headers.all(name).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (number, word) in words.enumerate() {
            if number > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
    out.push(b'\n');
}
