//! Bytes as they come from a socket: HTTP/1.1 heads and framing, what a proxy says before them, whole conversations.

use super::exchange::{play_with, recorder};
use crate::http1::{Framing, FramingError, RequestHead, ResponseHead};
use crate::proxy::origin::{Preamble, TrustedProxies, preamble as read_preamble};
use crate::{Captured, Exchange, Failure, Keep, Response};
use aws::Headers;
use event::EventTime;

/// The input as a request and as a response (its first byte says whether to a `HEAD`, and where the body is cut in two):
/// a head is refused, or read the same whatever stands behind it and never before it is whole; a body has the same
/// payload in one piece and in two.
pub fn http1(input: &[u8]) {
    let Some((how, wire)) = input.split_first() else { return };
    let (to_head, cut) = (how & 1 == 1, usize::from(how >> 1));
    if let Ok(Some(head)) = RequestHead::parse(wire) {
        let len = head.raw().len();
        assert_eq!(head.raw().as_ref(), &wire[..len]);
        let alone = RequestHead::parse(&wire[..len]).expect("a head").expect("all of it");
        assert_eq!((alone.method(), alone.framing), (head.method(), head.framing));
        for early in [len / 3, len / 2, len - 1] {
            assert!(matches!(RequestHead::parse(&wire[..early]), Ok(None)), "a part of a head is a head or an error");
        }
        unambiguous(&head);
        head.view(|request| assert!(request.headers.iter().count() <= 128));
        whole_or_in_pieces(head.framing, &wire[len..], cut);
    }
    if let Ok(Some(head)) = ResponseHead::parse(wire, to_head) {
        let len = head.len();
        assert!(len <= wire.len());
        assert!(matches!(ResponseHead::parse(&wire[..len - 1], to_head), Ok(None)));
        whole_or_in_pieces(head.framing, &wire[len..], cut);
    }
    whole_or_in_pieces(Framing::CHUNKED, wire, cut);
}

/// RFC 9112, section 6.3: what two readers could frame differently has been refused.
fn unambiguous(head: &RequestHead) {
    let values = |wanted: &str| -> Vec<Vec<u8>> {
        let lines = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        lines.map(|(_, value)| value.trim_ascii().to_ascii_lowercase()).collect()
    };
    let (lengths, codings, hosts) = (values("content-length"), values("transfer-encoding"), values("host"));
    assert!(hosts.len() <= 1);
    match head.framing {
        Framing::Chunked(_) => assert!(lengths.is_empty() && codings == [b"chunked"]),
        Framing::Length(_) => assert!(codings.is_empty() && !lengths.is_empty()),
        Framing::Done => assert!(codings.is_empty()),
        Framing::UntilClose => panic!("a request that ends with its connection"),
    }
    for length in &lengths {
        let number: u64 = std::str::from_utf8(length).expect("digits").parse().expect("a number");
        assert_eq!(Framing::length(number), head.framing);
    }
}

fn whole_or_in_pieces(framing: Framing, bytes: &[u8], cut: usize) {
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let whole = fed(framing, &[bytes]);
    assert_eq!(whole, fed(framing, &[first, second]), "pieces matter");
    if let Ok((payload, consumed, _)) = whole {
        assert!(payload.len() <= consumed && consumed <= bytes.len());
    }
}

/// Payload, consumed bytes, and whether the body is complete.
fn fed(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), FramingError> {
    let (mut payload, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        consumed += framing.feed(piece, |bytes| payload.extend_from_slice(bytes))?;
    }
    Ok((payload, consumed, framing.is_done()))
}

/// The input as the beginning of a connection from a trusted proxy, and as its `X-Forwarded-For`: a header is never
/// longer than what came, is the same whatever stands behind it, and is not taken before it is whole; the caller is the
/// proxy or is named.
pub fn preamble(input: &[u8]) {
    if let Preamble::Header { len, origin } = read_preamble(input) {
        assert!((1..=input.len()).contains(&len));
        if let Some(endpoint) = &origin.vpc_endpoint {
            let digits = endpoint.strip_prefix("vpce-").expect("an endpoint's id");
            assert!(origin.caller.is_some() && endpoint.len() <= 64);
            assert!(digits.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        }
        assert_eq!(read_preamble(&input[..len]), Preamble::Header { len, origin });
        assert_eq!(read_preamble(&input[..len - 1]), Preamble::Incomplete);
        assert_eq!(read_preamble(&input[..len / 2]), Preamble::Incomplete);
    }
    let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    let peer = [10, 0, 0, 1].into();
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let caller = proxies.caller(peer, lines.iter().copied());
    assert!(caller == peer || !lines.is_empty());
    let stranger = [198, 51, 100, 7].into();
    assert_eq!(proxies.caller(stranger, lines.into_iter()), stranger, "a stranger was believed");
}

/// Both sides of a connection: the first byte says how it ended, the next two how long the request is; what follows is
/// the request and then the answer, as they would be read from the wire. A record within the caps comes out, or a reason.
pub fn conversation(input: &[u8]) {
    let Some(([fate, low, high], rest)) = input.split_first_chunk() else { return };
    let (asked, answered) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(rest.len()));
    let Ok(Some(head)) = RequestHead::parse(asked) else { return };
    let recorder = recorder(fate & 0x80 == 0);
    let opened = head.view(|request| recorder.open(&request));
    let request_body = kept(head.framing, &asked[head.raw().len()..], opened.request_body());
    let answer = ResponseHead::parse(answered, head.method() == "HEAD").ok().flatten();
    let keep = answer.as_ref().map_or(Keep::Nothing, |answer| opened.response_body(answer.status));
    let body = answer.as_ref().map(|answer| kept(answer.framing, &answered[answer.len()..], keep)).unwrap_or_default();
    let failure = [Failure::Unreachable, Failure::ResetMidBody, Failure::ClientGone, Failure::ClientLeft];
    let play = |response: Option<Response<'_>>| {
        head.view(|request| {
            let exchange = Exchange {
                request,
                request_body: Captured { bytes: &request_body.0, total: request_body.1 },
                response,
                client: [198, 51, 100, 7].into(),
                vpc_endpoint: None,
                tls: None,
                completed: EventTime(1_768_471_323),
                failure: failure.get(usize::from(*fate % 8)).copied(),
            };
            play_with(&recorder, &opened, &exchange);
        });
    };
    match &answer {
        None => play(None),
        Some(answer) => answer.view(|headers: Headers<'_>| {
            let body = Captured { bytes: &body.0, total: body.1 };
            play(Some(Response { status: answer.status, headers, body }));
        }),
    }
}

/// What the proxy would keep of a body, and how much of it passed.
fn kept(mut framing: Framing, wire: &[u8], keep: Keep) -> (Vec<u8>, u64) {
    let mut payload = Vec::new();
    let _ = framing.feed(wire, |bytes| payload.extend_from_slice(bytes));
    let total = payload.len() as u64;
    payload.truncate(keep.limit());
    (payload, total)
}
