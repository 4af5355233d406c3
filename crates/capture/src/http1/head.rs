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
    /// A target in none of the forms of RFC 9112, section 3.2, or one with a fragment, which some servers cut off.
    #[error("a request target is a path, or a URL of the host that is called")]
    Target,
    /// CONNECT, which makes a tunnel of the connection, or a method that is not in capitals, which some servers read as if
    /// it were.
    #[error("a method that calls nothing here")]
    Method,
    /// A head in which two readers could see different calls: what the one does, the other does not record.
    #[error("two readers could understand the call differently")]
    Ambiguous,
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
    /// Whether the client waits for `100 Continue`, maybe before a body of no bytes.
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
        if method == "CONNECT" || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(HeadError::Method);
        }
        let facts = Facts::of(request.headers)?;
        if facts.hosts > 1 || (facts.hosts == 0 && minor == 1) {
            return Err(HeadError::Host);
        }
        let authority = authority(target, method)?;
        // Some take the host from the target where there is no other.
        if authority.is_some_and(|named| facts.host.is_none_or(|host| !named.eq_ignore_ascii_case(host))) {
            return Err(HeadError::Host);
        }
        if is_ambiguous(target, request.headers) {
            return Err(HeadError::Ambiguous);
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
            expects_continue: facts.expects_continue && minor == 1,
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
        then(Request { method: self.method(), path, query, headers: Headers(&headers), path_style: false })
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
struct Facts<'h> {
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
    host: Option<&'h [u8]>,
}

impl<'h> Facts<'h> {
    fn of(headers: &[httparse::Header<'h>]) -> Result<Facts<'h>, HeadError> {
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
                4 if is("host") => {
                    facts.hosts += 1;
                    facts.host = Some(header.value);
                }
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

/// The host that an absolute-form target names, which counts before the header (RFC 9112, section 3.2.2); `None` for a path.
fn authority<'t>(target: &'t str, method: &str) -> Result<Option<&'t [u8]>, HeadError> {
    if target.contains('#') {
        return Err(HeadError::Target);
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(None);
    }
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = scheme.and_then(|scheme| target.get(scheme.len()..)).ok_or(HeadError::Target)?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.is_empty() || host.contains('@') { Err(HeadError::Target) } else { Ok(Some(host.as_bytes())) }
}

/// Headers that say which call it is, by whom, or in which form, and have one value.
const DECIDING: [&str; 6] =
    ["authorization", "content-type", "x-amz-copy-source", "x-amz-date", "x-amz-security-token", "x-amz-target"];

/// Whether two readers could see different calls in a head: a header that decides has two values (one takes the first, the
/// other the last), or bytes that are no text (one passes over it, the other reads Latin-1), or is to be taken off on the way
/// (`Connection` names it, RFC 9110, section 7.6.1), or an operation is named in the query string and in `X-Amz-Target`.
fn is_ambiguous(target: &str, headers: &[httparse::Header<'_>]) -> bool {
    let mut first: [Option<&[u8]>; DECIDING.len()] = [None; DECIDING.len()];
    let of = |name: &str| DECIDING.iter().position(|one| one.len() == name.len() && one.eq_ignore_ascii_case(name));
    let is_aws = |name: &str| {
        let start = |with: &str| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        start("x-amz-") && !start("x-amz-meta-")
    };
    for header in headers {
        let deciding = of(header.name);
        if let Some(seen) = deciding.and_then(|at| first.get_mut(at))
            && seen.replace(header.value).is_some_and(|before| before != header.value)
        {
            return true;
        }
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if !header.value.is_ascii()
            && (deciding.is_some() || is_aws(header.name) || is("host") || is("content-encoding"))
            && std::str::from_utf8(header.value).is_err()
        {
            return true;
        }
        let mut taken_off =
            header.value.split(|&byte| byte == b',').filter_map(|token| std::str::from_utf8(token).ok());
        if header.name.len() == 10
            && is("connection")
            && taken_off.any(|token| {
                let token = token.trim();
                let framing = ["host", "content-encoding", "content-length", "transfer-encoding"];
                of(token).is_some() || is_aws(token) || framing.iter().any(|name| token.eq_ignore_ascii_case(name))
            })
        {
            return true;
        }
    }
    let is_targeted = of("x-amz-target").and_then(|at| first.get(at)).is_some_and(Option::is_some);
    let query = target.split_once('?').map(|(_, query)| query).filter(|_| is_targeted);
    query.is_some_and(|query| aws::recognise::form_action(query.as_bytes()).is_some())
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
            ("GET http://h/b HTTP/1.0\r\n\r\n", HeadError::Host),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HeadError::Host),
            ("garbage\r\n\r\n", HeadError::Malformed),
        ] {
            assert_eq!(request(wire).map(|_| ()), Err(error), "{wire}");
        }
    }

    #[test]
    fn a_head_in_which_two_readers_could_see_two_calls_is_refused() {
        let with = |headers: &str| request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        for headers in [
            "X-Amz-Target: A.B\r\nx-amz-target: A.C\r\n",
            "Authorization: AWS4-HMAC-SHA256 a\r\nAuthorization: AWS4-HMAC-SHA256 b\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Type: text/xml\r\n",
            "x-amz-copy-source: /a/b\r\nX-Amz-Copy-Source: /a/c\r\n",
            "Connection: close, x-amz-target\r\nX-Amz-Target: A.B\r\n",
            "Connection: Authorization\r\n",
        ] {
            assert_eq!(with(headers).map(|_| ()), Err(HeadError::Ambiguous), "{headers}");
        }
        let two = "POST /?%41ction=B&Version=1 HTTP/1.1\r\nHost: a\r\nX-Amz-Target: A.C\r\n\r\n";
        assert_eq!(request(two).map(|_| ()), Err(HeadError::Ambiguous));
        for header in ["x-amz-grant-read", "Authorization", "X-Amz-Target", "Content-Type"] {
            let wire = [format!("PUT / HTTP/1.1\r\nHost: a\r\n{header}: ").as_bytes(), b"\xe9\r\n\r\n"].concat();
            assert_eq!(RequestHead::parse(&wire).map(|_| ()), Err(HeadError::Ambiguous), "{header}");
        }
        // What decides nothing, and what is said twice alike, passes.
        for headers in [
            "Content-Type: text/xml\r\ncontent-type: text/xml\r\n",
            "Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
            "x-amz-meta-name: a\r\nx-amz-meta-name: b\r\n",
            "X-Amz-Target: A.B\r\n",
        ] {
            assert!(with(headers).unwrap().is_some(), "{headers}");
        }
        let latin = b"PUT /b/k HTTP/1.1\r\nHost: a\r\nx-amz-meta-name: \xe9\r\nUser-Agent: \xe9\r\n\r\n";
        assert!(RequestHead::parse(latin).unwrap().is_some());
    }

    #[test]
    fn a_target_has_one_of_the_forms_of_http_and_a_method_its_capitals() {
        let parse = |line: &str| request(&format!("{line} HTTP/1.1\r\nHost: h:1\r\n\r\n")).map(|head| head.is_some());
        for line in [
            "GET x:/b/k",
            "GET http:/b/k",
            "PUT /b/k#?acl",
            "PUT b/k",
            "GET ?acl",
            "GET *",
            "GET http://u@h:1/",
            "GET http://",
        ] {
            assert_eq!(parse(line), Err(HeadError::Target), "{line}");
        }
        for line in ["GET http://other/b/k", "DELETE HTTPS://h/k"] {
            assert_eq!(parse(line), Err(HeadError::Host), "{line}");
        }
        for line in ["CONNECT h:1", "delete /b/k", "Put /b/k"] {
            assert_eq!(parse(line), Err(HeadError::Method), "{line}");
        }
        for line in ["GET /", "GET //b/k", "OPTIONS *", "GET http://h:1", "GET HTTP://H:1/b?x"] {
            assert_eq!(parse(line), Ok(true), "{line}");
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
