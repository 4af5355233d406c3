//! Where a call comes from when trusted proxies stand in between: `sourceIPAddress`. Pure.
//!
//! Nobody is believed who is not on the list: a header that any client can write says nothing
//! (`reference/event-record.md`, section 1: the address is the caller's).

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bytes of the PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", sections 2.1 and 2.2).
const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its line end.
const VERSION_1_MAX_BYTES: usize = 107;
/// The longest header of version 2 that is read; the address block has at most 216 bytes, the rest are TLVs.
pub(super) const HEADER_MAX_BYTES: usize = 4096;

/// Addresses whose word about the caller's address is believed. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// What the beginning of a connection from a trusted proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preamble {
    /// No PROXY header: the connection begins with what it carries.
    None,
    /// More bytes are needed to tell.
    Incomplete,
    /// A header of so many bytes; the caller's address, where it gives one.
    Header { len: usize, caller: Option<IpAddr> },
    /// A PROXY header that cannot be read.
    Malformed,
}

impl TrustedProxies {
    /// The networks whose addresses are believed.
    pub fn new(networks: Vec<IpNet>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    /// Whether that address is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The caller's address: from the right end of `X-Forwarded-For`, the first that is no trusted proxy; the last
    /// readable one when all are. An entry that cannot be read ends the search: what stands before it could be anybody's.
    pub(crate) fn caller<'a>(&self, peer: IpAddr, forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>) -> IpAddr {
        let mut caller = peer;
        let entries = forwarded_for.rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
        for entry in entries {
            if !self.trusts(caller) {
                break;
            }
            match std::str::from_utf8(entry).ok().and_then(|text| address(text.trim())) {
                Some(address) => caller = address,
                None => break,
            }
        }
        caller
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(inside, _)| inside);
    let parsed = bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// Reads the PROXY header at the beginning of `bytes`.
pub(crate) fn preamble(bytes: &[u8]) -> Preamble {
    if bytes.len() < VERSION_2.len() && (VERSION_2.starts_with(bytes) || VERSION_1.starts_with(bytes)) {
        return Preamble::Incomplete;
    }
    if bytes.starts_with(VERSION_2) {
        return version_2(bytes);
    }
    if bytes.starts_with(VERSION_1) { version_1(bytes) } else { Preamble::None }
}

/// `PROXY TCP4 198.51.100.7 203.0.113.9 40000 443\r\n`
fn version_1(bytes: &[u8]) -> Preamble {
    let line_end = bytes.windows(2).take(VERSION_1_MAX_BYTES - 1).position(|pair| pair == b"\r\n");
    let Some(line_end) = line_end else {
        return if bytes.len() < VERSION_1_MAX_BYTES { Preamble::Incomplete } else { Preamble::Malformed };
    };
    let line = std::str::from_utf8(&bytes[..line_end]).unwrap_or_default();
    let mut words = line.split(' ').skip(1);
    let len = line_end + 2;
    match (words.next(), words.next().and_then(address)) {
        (Some("UNKNOWN"), _) => Preamble::Header { len, caller: None },
        (Some("TCP4" | "TCP6"), Some(caller)) => Preamble::Header { len, caller: Some(caller) },
        _ => Preamble::Malformed,
    }
}

fn version_2(bytes: &[u8]) -> Preamble {
    let Some((&[version_command, family, high, low], rest)) = bytes[VERSION_2.len()..].split_first_chunk::<4>() else {
        return Preamble::Incomplete;
    };
    let block_len = usize::from(u16::from_be_bytes([high, low]));
    let len = VERSION_2.len() + 4 + block_len;
    if version_command >> 4 != 2 || len > HEADER_MAX_BYTES {
        return Preamble::Malformed;
    }
    let Some(block) = rest.get(..block_len) else { return Preamble::Incomplete };
    // The low half of the byte: 0 is the proxy's own connection (a health check), 1 is a caller's.
    let caller = match (version_command & 0xf, family >> 4) {
        (1, 1) => block.first_chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
        (1, 2) => block.first_chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)).to_canonical()),
        (0 | 1, _) => return Preamble::Header { len, caller: None },
        _ => return Preamble::Malformed,
    };
    caller.map_or(Preamble::Malformed, |caller| Preamble::Header { len, caller: Some(caller) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn caller(peer: &str, lines: &[&str]) -> String {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        trusted.caller(ip(peer), lines.iter().map(|line| line.as_bytes())).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(caller("198.51.100.7", &["1.2.3.4"]), "198.51.100.7");
        assert_eq!(caller("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            caller("10.0.0.1", &["9.9.9.9, 1.2.3.4, 10.0.0.2"]),
            "1.2.3.4",
            "what the caller wrote is not believed"
        );
        assert_eq!(caller("10.0.0.1", &["9.9.9.9", "1.2.3.4"]), "1.2.3.4", "lines are one list");
        assert_eq!(caller("::1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(caller("10.0.0.1", &["1.2.3.4:80"]), "1.2.3.4");
        assert_eq!(caller("10.0.0.1", &["9.9.9.9, unknown"]), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn both_versions_of_the_proxy_protocol_are_read() {
        let line = b"PROXY TCP4 198.51.100.7 203.0.113.9 40000 443\r\nGET";
        assert_eq!(preamble(line), Preamble::Header { len: line.len() - 3, caller: Some(ip("198.51.100.7")) });
        assert_eq!(preamble(b"PROXY UNKNOWN\r\n"), Preamble::Header { len: 15, caller: None });
        let mut binary = VERSION_2.to_vec();
        binary.extend([0x21, 0x11, 0, 12, 198, 51, 100, 7, 203, 0, 113, 9, 0x9c, 0x40, 1, 0xbb]);
        assert_eq!(preamble(&binary), Preamble::Header { len: 28, caller: Some(ip("198.51.100.7")) });
        for cut in 0..binary.len() {
            assert_eq!(preamble(&binary[..cut]), Preamble::Incomplete, "{cut}");
        }
    }

    #[test]
    fn other_beginnings_are_left_alone_and_broken_headers_refused() {
        for bytes in
            [&b"PUT /b/k HTTP/1.1\r\n"[..], b"POST / HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00"]
        {
            assert_eq!(preamble(bytes), Preamble::None);
        }
        for bytes in [&b"PROXY TCP4 nobody x 1 2\r\n"[..], &[b"PROXY ".as_slice(), &[b'x'; 200]].concat()] {
            assert_eq!(preamble(bytes), Preamble::Malformed);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_told_apart(bytes in proptest::collection::vec(any::<u8>(), 0..64), version in 0u8..3) {
            let start: &[u8] = match version { 1 => VERSION_1, 2 => VERSION_2, _ => b"" };
            let bytes = [start, &bytes].concat();
            if let Preamble::Header { len, .. } = preamble(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
