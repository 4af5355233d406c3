//! The head of a request as the recogniser, the credential parser and the signature maths see it: borrowed, raw, never changed.

use percent_encoding::percent_decode;

/// The head of an HTTP request. Nothing is decoded: path and query stand as they were on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, … in capitals.
    pub method: &'a str,
    /// Raw and percent-encoded, starting with `/`.
    pub path: &'a str,
    /// Raw, without the `?`; empty when there is none.
    pub query: &'a str,
    /// All header lines in their order.
    pub headers: Headers<'a>,
    /// Whether the bucket of a call on S3 stands in the path, whatever the host looks like: for somebody who knows the host better and has
    /// put it there.
    pub path_style: bool,
}

impl<'a> Request<'a> {
    /// The `Host` header (or `:authority`), with its port if it has one.
    pub fn host(&self) -> Option<&'a str> {
        self.headers.get("host").or_else(|| self.headers.get(":authority"))
    }

    /// The raw parameters of the query string, in their order.
    pub fn query_pairs(&self) -> Pairs<'a> {
        Pairs::new(self.query.as_bytes())
    }

    /// The raw value of the first query parameter of that name, however it is encoded.
    pub fn query_value(&self, name: &str) -> Option<&'a str> {
        // The value is a piece of `self.query`, cut at ASCII bytes, so it is text.
        self.query_pairs().find(|(key, _)| is_named(key, name)).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Whether the query string has a parameter of that name, however it is encoded, with or without a value.
    pub fn has_query(&self, name: &str) -> bool {
        self.query_pairs().any(|(key, _)| is_named(key, name))
    }
}

/// The header lines of a request or a response. Names compare without regard to case; values are bytes.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a>(pub &'a [(&'a str, &'a [u8])]);

impl<'a> Headers<'a> {
    /// The first value of that name, if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of that name.
    pub fn get_bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// All values of that name, in their order.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Whether there is a header of that name.
    pub fn has(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// All lines in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.0.iter().copied()
    }
}

/// The raw pairs of a query string or of an `application/x-www-form-urlencoded` body.
///
/// A pair without `=` has an empty value. Nothing is percent-decoded.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Reads the bytes of a query string (without `?`) or form body.
    pub fn new(raw: &'a [u8]) -> Pairs<'a> {
        Pairs { rest: raw }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (pair, rest) = split_at_byte(self.rest, b'&');
            self.rest = rest;
            if !pair.is_empty() {
                return Some(split_at_byte(pair, b'='));
            }
        }
    }
}

/// Whether a raw key is that name. A service decodes before it compares, so `%41ction` is `Action`.
pub(crate) fn is_named(raw: &[u8], name: &str) -> bool {
    raw == name.as_bytes() || (raw.len() > name.len() && raw.contains(&b'%') && percent_decode(raw).eq(name.bytes()))
}

/// What stands before and after the first `byte`; the second is empty when it does not occur.
fn split_at_byte(bytes: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(byte, bytes) {
        Some(at) => {
            let (before, after) = bytes.split_at(at);
            (before, after.get(1..).unwrap_or_default())
        }
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_and_not_decoded() {
        let pairs: Vec<_> = Pairs::new(b"a=1&&uploads&k=x%20y=z&").collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"uploads", b""), (b"k", b"x%20y=z")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_parameter_is_known_however_its_name_is_encoded() {
        let request = Request {
            method: "PUT",
            path: "/b",
            query: "%70olicy&x-i%64=A%20B",
            headers: Headers(&[]),
            path_style: false,
        };
        assert!(request.has_query("policy") && !request.has_query("olicy"));
        assert_eq!(request.query_value("x-id"), Some("A%20B"));
    }

    #[test]
    fn header_names_compare_without_case_and_values_may_be_bytes() {
        let headers = Headers(&[("X-Amz-Date", b"1"), ("x-amz-date", b"2"), ("Odd", b"\xff")]);
        assert_eq!(headers.get("x-amz-DATE"), Some("1"));
        assert_eq!(headers.all("x-amz-date").count(), 2);
        assert_eq!(headers.get("odd"), None);
        assert_eq!(headers.get_bytes("odd"), Some(&b"\xff"[..]));
    }
}
