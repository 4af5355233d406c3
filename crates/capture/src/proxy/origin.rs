//! Where a call comes from when trusted proxies stand in between: `sourceIPAddress` and `vpcEndpointId`. Pure.
//!
//! Nobody is believed who is not on the list: a header that any client can write says nothing
//! (`reference/event-record.md`, section 1: the address is the caller's).

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The first bytes of the PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", sections 2.1 and 2.2).
const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its line end.
const VERSION_1_MAX_BYTES: usize = 107;
/// The longest header of version 2 that is read; the address block has at most 216 bytes, the rest are TLVs.
pub(super) const HEADER_MAX_BYTES: usize = 4096;
/// The TLV of a Network Load Balancer, and what stands first in its value: the id of a VPC endpoint follows (AWS, "Target
/// groups for your Network Load Balancers", "Proxy protocol": `PP2_TYPE_AWS`, `PP2_SUBTYPE_AWS_VPCE_ID`).
const TYPE_AWS: u8 = 0xea;
const SUBTYPE_VPCE_ID: u8 = 0x01;
/// The longest id of an endpoint that is believed; those of today have 22 letters.
const ENDPOINT_MAX_BYTES: usize = 64;

/// Addresses whose word about the caller's address is believed. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// What the beginning of a connection from a trusted proxy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Preamble {
    /// No PROXY header: the connection begins with what it carries.
    None,
    /// More bytes are needed to tell.
    Incomplete,
    /// A header of so many bytes, and what it says.
    Header { len: usize, origin: Origin },
    /// A PROXY header that cannot be read.
    Malformed,
}

/// What a proxy says about who called it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The caller's address.
    pub(crate) caller: Option<IpAddr>,
    /// The VPC endpoint through which it came, `vpce-…`.
    pub(crate) vpc_endpoint: Option<Arc<str>>,
}

impl Origin {
    fn of(caller: IpAddr) -> Origin {
        Origin { caller: Some(caller), vpc_endpoint: None }
    }
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
            // Empty elements of a list are passed over (RFC 9110, section 5.6.1).
            if entry.trim_ascii().is_empty() {
                continue;
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
        (Some("UNKNOWN"), _) => Preamble::Header { len, origin: Origin::default() },
        (Some("TCP4" | "TCP6"), Some(caller)) => Preamble::Header { len, origin: Origin::of(caller) },
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
    let (caller, addresses_len) = match (version_command & 0xf, family >> 4) {
        (1, 1) => (block.first_chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))), 12),
        (1, 2) => (block.first_chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)).to_canonical()), 36),
        (0 | 1, _) => return Preamble::Header { len, origin: Origin::default() },
        _ => return Preamble::Malformed,
    };
    let Some(caller) = caller else { return Preamble::Malformed };
    let vpc_endpoint = block.get(addresses_len..).and_then(endpoint_in).map(Arc::from);
    Preamble::Header { len, origin: Origin { vpc_endpoint, ..Origin::of(caller) } }
}

/// The VPC endpoint that the TLVs behind the addresses name. One that is not written as an endpoint's id is none, and so is
/// whatever stands behind a TLV that is longer than the header.
fn endpoint_in(mut tlvs: &[u8]) -> Option<&str> {
    while let Some((&[kind, high, low], rest)) = tlvs.split_first_chunk::<3>() {
        let (value, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        match value {
            [SUBTYPE_VPCE_ID, id @ ..] if kind == TYPE_AWS => return std::str::from_utf8(id).ok().filter(is_endpoint),
            _ => tlvs = behind,
        }
    }
    None
}

fn is_endpoint(id: &&str) -> bool {
    let is_digits = |digits: &str| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    id.len() <= ENDPOINT_MAX_BYTES && id.strip_prefix("vpce-").is_some_and(is_digits)
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
        assert_eq!(caller("10.0.0.1", &["1.2.3.4, ,"]), "1.2.3.4");
    }

    #[test]
    fn both_versions_of_the_proxy_protocol_are_read() {
        let line = b"PROXY TCP4 198.51.100.7 203.0.113.9 40000 443\r\nGET";
        let origin = Origin::of(ip("198.51.100.7"));
        assert_eq!(preamble(line), Preamble::Header { len: line.len() - 3, origin: origin.clone() });
        assert_eq!(preamble(b"PROXY UNKNOWN\r\n"), Preamble::Header { len: 15, origin: Origin::default() });
        let mut binary = VERSION_2.to_vec();
        binary.extend([0x21, 0x11, 0, 12, 198, 51, 100, 7, 203, 0, 113, 9, 0x9c, 0x40, 1, 0xbb]);
        assert_eq!(preamble(&binary), Preamble::Header { len: 28, origin });
        for cut in 0..binary.len() {
            assert_eq!(preamble(&binary[..cut]), Preamble::Incomplete, "{cut}");
        }
    }

    /// A header of version 2 with these TLVs.
    fn with_tlvs(command_and_family: [u8; 2], addresses: &[u8], tlvs: &[(u8, &[u8])]) -> Vec<u8> {
        let mut block = addresses.to_vec();
        for (kind, value) in tlvs {
            block.push(*kind);
            block.extend((value.len() as u16).to_be_bytes());
            block.extend(*value);
        }
        [VERSION_2, &command_and_family, &(block.len() as u16).to_be_bytes(), &block].concat()
    }

    fn endpoint_of(header: &[u8]) -> Option<String> {
        match preamble(header) {
            Preamble::Header { len, origin } if len == header.len() => origin.vpc_endpoint.map(|id| id.to_string()),
            other => panic!("{other:?}"),
        }
    }

    const ENDPOINT: &[u8] = b"\x01vpce-08d2bf15fac5001c9";
    const V4: [u8; 12] = [198, 51, 100, 7, 203, 0, 113, 9, 0x9c, 0x40, 1, 0xbb];

    #[test]
    fn a_load_balancer_names_the_endpoint_through_which_the_caller_came() {
        let named = Some("vpce-08d2bf15fac5001c9".to_owned());
        let others: [(u8, &[u8]); 3] = [(0x03, &[0; 4]), (0x04, b""), (TYPE_AWS, b"\x02something else")];
        let [crc, noop, other] = others;
        assert_eq!(endpoint_of(&with_tlvs([0x21, 0x11], &V4, &[(TYPE_AWS, ENDPOINT)])), named);
        assert_eq!(endpoint_of(&with_tlvs([0x21, 0x21], &[1; 36], &[crc, noop, other, (TYPE_AWS, ENDPOINT)])), named);
        for header in [
            with_tlvs([0x21, 0x11], &V4, &others),
            with_tlvs([0x20, 0x11], &V4, &[(TYPE_AWS, ENDPOINT)]),
            with_tlvs([0x21, 0x00], &[], &[(TYPE_AWS, ENDPOINT)]),
        ] {
            assert_eq!(endpoint_of(&header), None, "{header:?}");
        }
    }

    #[test]
    fn what_is_no_id_of_an_endpoint_names_none() {
        let long = format!("\x01vpce-{}", "0".repeat(60));
        for value in [
            &b""[..],
            b"\x01",
            b"vpce-08d2bf15fac5001c9",
            b"\x01vpce-",
            b"\x01vpc-08d2bf15fac5001c9",
            b"\x01vpce-08D2",
            b"\x01vpce-08d2\"",
            b"\x01vpce-\xff",
            b"\x01vpce-svc-08d2",
            long.as_bytes(),
        ] {
            let header = with_tlvs([0x21, 0x11], &V4, &[(TYPE_AWS, value)]);
            assert_eq!(endpoint_of(&header), None, "{value:?}");
        }
        let longest = &long[..long.len() - 1];
        assert!(endpoint_of(&with_tlvs([0x21, 0x11], &V4, &[(TYPE_AWS, longest.as_bytes())])).is_some());
        // A TLV that says it is longer than the header ends the search; the caller is known all the same.
        let mut cut = with_tlvs([0x21, 0x11], &V4, &[(0x04, b"")]);
        let length_at = cut.len() - 2;
        cut[length_at] = 0xff;
        assert_eq!(endpoint_of(&cut), None);
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

        #[test]
        fn tlvs_of_any_kind_are_read_past(tlvs in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..8), at in 0usize..9) {
            let mut tlvs: Vec<(u8, &[u8])> = tlvs.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
            tlvs.retain(|(kind, _)| *kind != TYPE_AWS);
            prop_assert_eq!(endpoint_of(&with_tlvs([0x21, 0x11], &V4, &tlvs)), None);
            tlvs.insert(at.min(tlvs.len()), (TYPE_AWS, ENDPOINT));
            let named = Some("vpce-08d2bf15fac5001c9".to_owned());
            prop_assert_eq!(endpoint_of(&with_tlvs([0x21, 0x11], &V4, &tlvs)), named);
        }
    }
}
