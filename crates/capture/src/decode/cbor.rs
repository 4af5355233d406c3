//! CBOR (RFC 8949) to a tree: rpc-v2-cbor bodies, and JSON services spoken in `application/x-amz-cbor-1.1`.

use crate::decode::tree::{Id, MAX_DEPTH, Tree, Undecodable, Value};
use std::borrow::Cow;

type Decoded<T> = Result<T, Undecodable>;

/// Reads one CBOR item. Tags are passed over (tag 1 marks timestamps: the shape knows them anyway).
pub(crate) fn tree(bytes: &[u8]) -> Decoded<Tree<'_>> {
    let mut reader = Reader { rest: bytes };
    let mut tree = Tree::new("".into(), Value::Null);
    reader.item(&mut tree, Tree::ROOT, 0)?;
    if reader.rest.is_empty() { Ok(tree) } else { Err(Undecodable::Malformed) }
}

/// The first bytes of an item: its kind, the low five bits and the number that they stand for (`None`: indefinite).
struct Lead {
    kind: u8,
    bits: u8,
    number: Option<u64>,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: u64) -> Decoded<&'a [u8]> {
        let length = usize::try_from(length).map_err(|_| Undecodable::Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Undecodable::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn lead(&mut self) -> Decoded<Lead> {
        let first = self.bytes(1)?.first().copied().ok_or(Undecodable::Malformed)?;
        let (kind, bits) = (first >> 5, first & 31);
        let number = match bits {
            0..=23 => Some(u64::from(bits)),
            24..=27 => {
                let bytes = self.bytes(1 << (bits - 24))?;
                Some(bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return Err(Undecodable::Malformed),
        };
        Ok(Lead { kind, bits, number })
    }

    fn is_break(&mut self) -> bool {
        match self.rest.split_first() {
            Some((0xff, rest)) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn item(&mut self, tree: &mut Tree<'a>, node: Id, depth: u32) -> Decoded<()> {
        if depth > MAX_DEPTH {
            return Err(Undecodable::TooLarge);
        }
        let lead = self.lead()?;
        let value = match (lead.kind, lead.number) {
            (0, Some(number)) => Value::Number(Cow::Owned(number.to_string())),
            (1, Some(number)) => Value::Number(Cow::Owned((-1 - i128::from(number)).to_string())),
            (2, length) => {
                self.chunks(2, length)?;
                Value::Bytes
            }
            (3, length) => Value::Text(self.text(length)?),
            (4 | 5, length) => return self.nested(tree, node, lead.kind == 5, length, depth),
            (6, Some(_)) => return self.item(tree, node, depth + 1),
            (7, Some(number)) => simple(lead.bits, number)?,
            _ => return Err(Undecodable::Malformed),
        };
        tree.set(node, value);
        Ok(())
    }

    fn nested(&mut self, tree: &mut Tree<'a>, node: Id, map: bool, length: Option<u64>, depth: u32) -> Decoded<()> {
        tree.set(node, if map { Value::Object } else { Value::List });
        let mut left = length;
        loop {
            let is_end = match &mut left {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => self.is_break(),
            };
            if is_end {
                if map {
                    tree.keep_last_of_each_name(node);
                }
                return Ok(());
            }
            let name = if map {
                let key = self.lead()?;
                if key.kind != 3 {
                    return Err(Undecodable::Malformed);
                }
                self.text(key.number)?
            } else {
                Cow::Borrowed("")
            };
            let child = tree.push(node, name, Value::Null)?;
            self.item(tree, child, depth + 1)?;
        }
    }

    fn text(&mut self, length: Option<u64>) -> Decoded<Cow<'a, str>> {
        match self.chunks(3, length)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Undecodable::Malformed),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Undecodable::Malformed),
        }
    }

    /// A string of that length, or the chunks of an indefinite one.
    fn chunks(&mut self, kind: u8, length: Option<u64>) -> Decoded<Cow<'a, [u8]>> {
        if let Some(length) = length {
            return self.bytes(length).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        while !self.is_break() {
            let chunk = self.lead()?;
            let length = chunk.number.filter(|_| chunk.kind == kind).ok_or(Undecodable::Malformed)?;
            whole.extend_from_slice(self.bytes(length)?);
        }
        Ok(Cow::Owned(whole))
    }
}

/// Booleans, null and floats.
fn simple<'a>(bits: u8, number: u64) -> Decoded<Value<'a>> {
    let float = match bits {
        20 => return Ok(Value::Bool(false)),
        21 => return Ok(Value::Bool(true)),
        22 | 23 => return Ok(Value::Null),
        25 => half(number as u16),
        26 => f64::from(f32::from_bits(number as u32)),
        27 => f64::from_bits(number),
        _ => return Err(Undecodable::Malformed),
    };
    Ok(if float.is_finite() {
        Value::Number(Cow::Owned(digits(float)))
    } else {
        Value::Text(Cow::Owned(float.to_string()))
    })
}

/// A finite number as JSON writes it: Rust's form has neither exponents nor a bare point.
fn digits(float: f64) -> String {
    float.to_string()
}

/// RFC 8949 appendix D.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let value = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_maps_lists_numbers_and_indefinite_items() {
        // {"a": [1, -2, 1.5], "b": h'0102', "c": (_ "x", "y"), "d": 1(1700000000), "e": null} as an indefinite map
        let bytes = [
            0xbf, 0x61, b'a', 0x83, 0x01, 0x21, 0xf9, 0x3e, 0x00, 0x61, b'b', 0x42, 1, 2, 0x61, b'c', 0x7f, 0x61, b'x',
            0x61, b'y', 0xff, 0x61, b'd', 0xc1, 0x1a, 0x65, 0x53, 0xf1, 0x00, 0x61, b'e', 0xf6, 0xff,
        ];
        let tree = tree(&bytes).unwrap();
        let numbers: Vec<_> = tree.root().child("a").unwrap().children().filter_map(|n| n.text()).collect();
        assert_eq!(numbers, ["1", "-2", "1.5"]);
        assert_eq!(tree.root().child("b").map(|b| b.value().clone()), Some(Value::Bytes));
        assert_eq!(tree.root().child("c").and_then(|c| c.text()), Some("xy"));
        assert_eq!(tree.root().child("d").and_then(|d| d.text()), Some("1700000000"));
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = tree(&bytes);
        }
    }

    #[test]
    fn a_promise_of_many_items_costs_nothing() {
        assert_eq!(tree(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).err(), Some(Undecodable::Malformed));
        assert_eq!(tree(&[0x81].repeat(1000)).err(), Some(Undecodable::TooLarge));
    }
}
