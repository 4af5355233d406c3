//! JSON (RFC 8259) to a tree: json and rest-json bodies, error bodies, policies.

use crate::decode::tree::{Id, MAX_DEPTH, Tree, Undecodable, Value};
use std::borrow::Cow;

type Decoded<T> = Result<T, Undecodable>;

/// Reads one JSON value; trailing bytes other than white space are malformed.
pub(crate) fn tree(bytes: &[u8]) -> Decoded<Tree<'_>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Undecodable::Malformed)?;
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let mut tree = Tree::new("".into(), Value::Null);
    let value = reader.scalar_or_open()?;
    let open = value.clone();
    tree.set(Tree::ROOT, value);
    reader.inside(&mut tree, Tree::ROOT, &open, 0)?;
    reader.space();
    if reader.at == text.len() { Ok(tree) } else { Err(Undecodable::Malformed) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Decoded<()> {
        if self.eat(byte) { Ok(()) } else { Err(Undecodable::Malformed) }
    }

    /// A scalar, or the opening of an object or list.
    fn scalar_or_open(&mut self) -> Decoded<Value<'a>> {
        match self.peek().ok_or(Undecodable::Malformed)? {
            b'{' => {
                self.at += 1;
                Ok(Value::Object)
            }
            b'[' => {
                self.at += 1;
                Ok(Value::List)
            }
            b'"' => self.string().map(Value::Text),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number().map(|digits| Value::Number(Cow::Borrowed(digits))),
        }
    }

    /// What is between the opening and the closing of an object or list.
    fn inside(&mut self, tree: &mut Tree<'a>, parent: Id, open: &Value<'a>, depth: u32) -> Decoded<()> {
        let (object, close) = match open {
            Value::Object => (true, b'}'),
            Value::List => (false, b']'),
            _ => return Ok(()),
        };
        if depth >= MAX_DEPTH {
            return Err(Undecodable::TooLarge);
        }
        self.space();
        if self.eat(close) {
            return Ok(());
        }
        loop {
            self.space();
            let name = if object {
                let name = self.string()?;
                self.space();
                self.expect(b':')?;
                self.space();
                name
            } else {
                Cow::Borrowed("")
            };
            let value = self.scalar_or_open()?;
            let nested = matches!(value, Value::Object | Value::List).then(|| value.clone());
            let id = tree.push(parent, name, value)?;
            if let Some(open) = nested {
                self.inside(tree, id, &open, depth + 1)?;
            }
            self.space();
            if self.eat(close) {
                if object {
                    tree.keep_last_of_each_name(parent);
                }
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Decoded<Value<'a>> {
        if !self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(Undecodable::Malformed);
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Decoded<&'a str> {
        let rest = self.text.get(self.at..).ok_or(Undecodable::Malformed)?;
        let length = rest.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let digits = rest.get(..length).filter(|digits| is_number(digits)).ok_or(Undecodable::Malformed)?;
        self.at += length;
        Ok(digits)
    }

    fn string(&mut self) -> Decoded<Cow<'a, str>> {
        self.expect(b'"')?;
        let rest = self.text.get(self.at..).ok_or(Undecodable::Malformed)?;
        let end = memchr::memchr2(b'"', b'\\', rest.as_bytes()).ok_or(Undecodable::Malformed)?;
        let plain = rest.get(..end).ok_or(Undecodable::Malformed)?;
        self.at += end;
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        self.escaped_into(&mut text)?;
        Ok(Cow::Owned(text))
    }

    /// The rest of a string from its first backslash on.
    fn escaped_into(&mut self, text: &mut String) -> Decoded<()> {
        loop {
            let rest = self.text.get(self.at..).ok_or(Undecodable::Malformed)?;
            let end = memchr::memchr2(b'"', b'\\', rest.as_bytes()).ok_or(Undecodable::Malformed)?;
            text.push_str(rest.get(..end).ok_or(Undecodable::Malformed)?);
            self.at += end;
            if self.eat(b'"') {
                return Ok(());
            }
            self.at += 1;
            let escape = self.peek().ok_or(Undecodable::Malformed)?;
            self.at += 1;
            text.push(match escape {
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return Err(Undecodable::Malformed),
            });
        }
    }

    /// The character of a `\u` escape, or of a pair of them; a lone surrogate becomes U+FFFD.
    fn unicode(&mut self) -> Decoded<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Decoded<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Undecodable::Malformed)?;
        self.at += 4;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Undecodable::Malformed);
        }
        u32::from_str_radix(digits, 16).map_err(|_| Undecodable::Malformed)
    }
}

/// Whether text is a JSON number.
pub(crate) fn is_number(text: &str) -> bool {
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let digits =
        |from: usize| bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let whole = digits(0);
    if whole == 0 || (whole > 1 && bytes.first() == Some(&b'0')) {
        return false;
    }
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_members_with_one_name_the_last_is_read() {
        let many = (0..30).map(|n| format!(r#""n{n}":{n},"#)).collect::<String>();
        for more in ["", many.as_str()] {
            let text = format!(r#"{{"a":{{"x":1}},{more}"b":1,"\u0061":2,"b":[3,3],"a":4}}"#);
            let tree = tree(text.as_bytes()).unwrap();
            let root = tree.root();
            assert_eq!(root.child("a").and_then(|a| a.text()), Some("4"), "{text}");
            assert_eq!(root.children().filter(|child| matches!(child.name(), "a" | "b")).count(), 2, "{text}");
            assert_eq!(root.child("b").map(|b| b.children().count()), Some(2), "what is in lists has no name");
        }
    }

    #[test]
    fn reads_nested_values_and_escapes() {
        let tree = tree(br#" {"a":[1,-2.5e3,{"b":null}],"c":"x\n\u00e9\ud83d\ude00","d":true} "#).unwrap();
        let root = tree.root();
        assert_eq!(root.child("c").and_then(|n| n.text()), Some("x\n\u{e9}\u{1f600}"));
        assert_eq!(root.child("d").map(|n| n.value().clone()), Some(Value::Bool(true)));
        assert_eq!(root.child("a").map(|n| n.children().count()), Some(3));
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in ["", "{", "[1,]", "{\"a\"}", "01", "1.", "nul", "\"\\x\"", "{} x", "{\"a\":1,}", "\"\\u12\"", "-"] {
            assert_eq!(tree(text.as_bytes()).err(), Some(Undecodable::Malformed), "{text}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(tree(deep.as_bytes()).err(), Some(Undecodable::TooLarge));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_on_any_text(text in "\\PC{0,40}|[\\[\\]{},:\"0-9truefalsn\\\\.eE+ -]{0,24}") {
            let ours = tree(text.as_bytes()).is_ok();
            // serde_json refuses raw control characters in strings and numbers out of range; both cannot occur here.
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
