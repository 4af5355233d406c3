//! Request and response heads, read in place.

use super::Framing;
use aws::{Headers, Request};
use bytes::Bytes;
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ops::Range;

/// More headers than any SDK sends; nginx and the AWS endpoints refuse earlier.
pub(crate) const MAX_HEADERS: usize = 128;
/// Content types whose pieces are messages: of AWS, and of WHATWG's server-sent events.
const EVENT_STREAMS: [&[u8]; 2] = [b"application/vnd.amazon.eventstream", b"text/event-stream"];

/// A request head that this proxy will not pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    /// Not HTTP/1.
    #[error("malformed HTTP message")]
    Malformed,
    /// A head that does not end within the bound of the connection.
    #[error("the request head is too large")]
    TooLarge,
    /// More than [`MAX_HEADERS`] headers.
    #[error("more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// Framing that two readers could understand differently (request smuggling, RFC 9112 section 11.2).
    #[error("ambiguous message length")]
    AmbiguousLength,
    /// Two operations named at once: whoever reads only one of them does what the other does not see.
    #[error("more than one X-Amz-Target")]
    Target,
    /// No `Host` in HTTP/1.1, or two (RFC 9112, section 3.2).
    #[error("a request needs one Host")]
    Host,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer coding")]
    TransferCoding,
}

type Span = Range<u32>;
type Spans = SmallVec<[(Span, Span); 16]>;

/// A request head: its bytes as they came and where its parts stand.
#[derive(Debug, Clone)]
pub(crate) struct RequestHead {
    raw: Bytes,
    method: Span,
    target: Span,
    headers: Spans,
    /// How the body is framed.
    pub(crate) framing: Framing,
    /// Whether the client will send another request on this connection.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue`.
    pub(crate) expects_continue: bool,
}

impl RequestHead {
    /// Reads a head from the beginning of `input`; `None` when it is not complete yet.
    pub(crate) fn parse(input: &[u8]) -> Result<Option<RequestHead>, HeadError> {
        let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let len = match request.parse_with_uninit_headers(input, &mut slots) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyHeaders),
            Err(_) => return Err(HeadError::Malformed),
        };
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
            return Err(HeadError::Malformed);
        };
        let facts = Facts::of(request.headers)?;
        if facts.hosts > 1 || (facts.hosts == 0 && minor == 1) {
            return Err(HeadError::Host);
        }
        if facts.targets > 1 {
            return Err(HeadError::Target);
        }
        let framing = match (facts.transfer_coding, facts.content_length) {
            _ if facts.identity_coding => return Err(HeadError::TransferCoding),
            (Some(_), Some(_)) => return Err(HeadError::AmbiguousLength),
            (Some(false), None) => return Err(HeadError::TransferCoding),
            (Some(true), None) if minor == 0 => return Err(HeadError::TransferCoding),
            (Some(true), None) => Framing::CHUNKED,
            (None, Some(length)) => Framing::length(length),
            (None, None) => Framing::Done,
        };
        Ok(Some(RequestHead {
            method: span(input, method.as_bytes()),
            target: span(input, target.as_bytes()),
            headers: spans(input, request.headers),
            framing,
            keep_alive: facts.keep_alive(minor),
            expects_continue: facts.expects_continue && minor == 1 && !framing.is_done(),
            raw: Bytes::copy_from_slice(&input[..len]),
        }))
    }

    /// The head's bytes, with the empty line that ends it.
    pub(crate) fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The request method.
    pub(crate) fn method(&self) -> &str {
        text(&self.raw, &self.method)
    }

    /// Path and query as sent, without the scheme and authority of an absolute-form target.
    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        let target = text(&self.raw, &self.target);
        let origin = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
            _ => target,
        };
        origin.split_once('?').unwrap_or((origin, ""))
    }

    /// Calls `then` with the request as the `aws` and recorder functions take it.
    pub(crate) fn view<T>(&self, then: impl FnOnce(Request<'_>) -> T) -> T {
        let headers = views(&self.raw, &self.headers);
        let (path, query) = self.path_and_query();
        then(Request { method: self.method(), path, query, headers: Headers(&headers) })
    }

    /// The headers in order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (text(&self.raw, name), slice(&self.raw, value)))
    }
}

/// A response head: its bytes as they came and where its parts stand.
#[derive(Debug, Clone)]
pub(crate) struct ResponseHead {
    raw: Bytes,
    headers: Spans,
    /// Status code.
    pub(crate) status: u16,
    /// How the body is framed.
    pub(crate) framing: Framing,
    /// Whether the upstream keeps the connection open.
    pub(crate) keep_alive: bool,
}

impl ResponseHead {
    /// Reads a head from the beginning of `input`; `None` when it is not complete yet. `to_head`: the request was HEAD.
    pub(crate) fn parse(input: &[u8], to_head: bool) -> Result<Option<ResponseHead>, HeadError> {
        let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let len = match parser.parse_response_with_uninit_headers(&mut response, input, &mut slots) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyHeaders),
            Err(_) => return Err(HeadError::Malformed),
        };
        let (Some(status), Some(minor)) = (response.code, response.version) else { return Err(HeadError::Malformed) };
        let facts = Facts::of(response.headers)?;
        let framing = match (facts.transfer_coding, facts.content_length) {
            _ if to_head || status < 200 || status == 204 || status == 304 => Framing::Done,
            _ if facts.chunked_last => Framing::CHUNKED,
            (Some(_), _) => Framing::UntilClose,
            (None, Some(length)) => Framing::length(length),
            (None, None) => Framing::UntilClose,
        };
        Ok(Some(ResponseHead {
            headers: spans(input, response.headers),
            status,
            framing,
            keep_alive: facts.keep_alive(minor) && framing != Framing::UntilClose,
            raw: Bytes::copy_from_slice(&input[..len]),
        }))
    }

    /// Whether the body is a stream of events that somebody waits for one by one.
    pub(crate) fn is_event_stream(&self) -> bool {
        let mut headers = self.headers.iter().map(|(name, value)| (text(&self.raw, name), slice(&self.raw, value)));
        let content_type = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        content_type.is_some_and(|(_, value)| {
            EVENT_STREAMS.iter().any(|stream| {
                value.trim_ascii_start().get(..stream.len()).is_some_and(|start| start.eq_ignore_ascii_case(stream))
            })
        })
    }

    /// Length of the head on the wire.
    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Calls `then` with the headers as the recorder takes them.
    pub(crate) fn view<T>(&self, then: impl FnOnce(Headers<'_>) -> T) -> T {
        let headers = views(&self.raw, &self.headers);
        then(Headers(&headers))
    }
}

/// What the headers say about framing and the connection.
#[derive(Default)]
struct Facts {
    content_length: Option<u64>,
    /// `Some(true)`: exactly `chunked`; `Some(false)`: anything else.
    transfer_coding: Option<bool>,
    /// A coding that is none, which servers of before 2014 may name (RFC 2616, section 3.6).
    identity_coding: bool,
    /// The last transfer coding is `chunked`, whatever stands before it.
    chunked_last: bool,
    close: bool,
    explicit_keep_alive: bool,
    expects_continue: bool,
    hosts: usize,
    targets: usize,
}

impl Facts {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Facts, HeadError> {
        let mut facts = Facts::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // The length tells these apart before any comparison: most headers are none of them.
            match header.name.len() {
                14 if is("content-length") => {
                    let length = decimal(header.value).ok_or(HeadError::AmbiguousLength)?;
                    if facts.content_length.is_some_and(|other| other != length) {
                        return Err(HeadError::AmbiguousLength);
                    }
                    facts.content_length = Some(length);
                }
                17 if is("transfer-encoding") && header.value.trim_ascii().eq_ignore_ascii_case(b"identity") => {
                    facts.identity_coding = true;
                }
                17 if is("transfer-encoding") => {
                    let chunked = header.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                    facts.transfer_coding = Some(chunked && facts.transfer_coding.is_none());
                    let last = header.value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
                    facts.chunked_last = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
                }
                10 if is("connection") => {
                    for token in header.value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                        facts.close |= token.eq_ignore_ascii_case(b"close");
                        facts.explicit_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                4 if is("host") => facts.hosts += 1,
                12 if is("x-amz-target") => facts.targets += 1,
                6 if is("expect") => {
                    facts.expects_continue = header.value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    fn keep_alive(&self, minor_version: u8) -> bool {
        !self.close && (minor_version == 1 || self.explicit_keep_alive)
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// Where `part`, a slice of `whole`, stands in it.
fn span(whole: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize) as u32;
    start..start + part.len() as u32
}

fn spans(whole: &[u8], headers: &[httparse::Header<'_>]) -> Spans {
    headers.iter().map(|header| (span(whole, header.name.as_bytes()), span(whole, header.value))).collect()
}

fn slice<'a>(raw: &'a [u8], span: &Span) -> &'a [u8] {
    raw.get(span.start as usize..span.end as usize).unwrap_or_default()
}

fn text<'a>(raw: &'a [u8], span: &Span) -> &'a str {
    std::str::from_utf8(slice(raw, span)).unwrap_or_default()
}

fn views<'a>(raw: &'a [u8], spans: &Spans) -> SmallVec<[(&'a str, &'a [u8]); 24]> {
    spans.iter().map(|(name, value)| (text(raw, name), slice(raw, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(wire: &str) -> Result<Option<RequestHead>, HeadError> {
        RequestHead::parse(wire.as_bytes())
    }

    #[test]
    fn a_head_is_kept_as_it_came() {
        let wire = "PUT /b/k%20x?partNumber=1 HTTP/1.1\r\nHOST: s3.test\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nhello";
        let head = request(wire).unwrap().unwrap();
        assert_eq!(head.raw().as_ref(), &wire.as_bytes()[..wire.len() - 5]);
        assert_eq!((head.method(), head.path_and_query()), ("PUT", ("/b/k%20x", "partNumber=1")));
        assert!(head.keep_alive && head.expects_continue);
        assert_eq!(head.framing, Framing::Length(12));
        head.view(|request| assert_eq!(request.headers.get("host"), Some("s3.test")));
    }

    #[test]
    fn an_absolute_target_is_read_by_its_path() {
        let head = request("GET http://h:1/a/b?c=http://d HTTP/1.1\r\nHost: h:1\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.path_and_query(), ("/a/b", "c=http://d"));
        let head = request("GET /a?u=http://d/e HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.path_and_query(), ("/a", "u=http://d/e"));
    }

    #[test]
    fn smuggling_is_refused() {
        for (wire, error) in [
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                HeadError::AmbiguousLength,
            ),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                HeadError::AmbiguousLength,
            ),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", HeadError::AmbiguousLength),
            ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HeadError::TransferCoding),
            ("POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", HeadError::Malformed),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::TransferCoding),
            ("GET / HTTP/1.1\r\n\r\n", HeadError::Host),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HeadError::Host),
            ("POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: A.B\r\nx-amz-target: A.C\r\n\r\n", HeadError::Target),
            ("garbage\r\n\r\n", HeadError::Malformed),
        ] {
            assert_eq!(request(wire).map(|_| ()), Err(error), "{wire}");
        }
    }

    #[test]
    fn a_response_ends_as_its_request_and_status_say() {
        let framing = |wire: &str, to_head| ResponseHead::parse(wire.as_bytes(), to_head).unwrap().unwrap().framing;
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false), Framing::Length(3));
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true), Framing::Done);
        assert_eq!(framing("HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n", false), Framing::Done);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false), Framing::CHUNKED);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false), Framing::CHUNKED);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false), Framing::UntilClose);
        let identity = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(framing(identity, false), Framing::Length(3));
        assert_eq!(framing("HTTP/1.0 200 OK\r\n\r\n", false), Framing::UntilClose);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RequestHead::parse(&bytes);
            let _ = ResponseHead::parse(&bytes, false);
        }
    }
}
