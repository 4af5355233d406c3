//! XML to a tree: rest-xml bodies, the answers of query and EC2, error documents.
//!
//! Just as much XML as AWS speaks: elements, attributes, text, CDATA, comments, the five entities and character
//! references. A document type is refused, so that no entity can be defined. Names keep their prefix.

use crate::decode::tree::{Id, MAX_DEPTH, Tree, Undecodable, Value};
use std::borrow::Cow;

type Decoded<T> = Result<T, Undecodable>;

/// Reads one document; the root node is the root element.
pub(crate) fn tree(bytes: &[u8]) -> Decoded<Tree<'_>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Undecodable::Malformed)?;
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text) };
    reader.prolog()?;
    let mut tree = Tree::new("".into(), Value::Text("".into()));
    let mut open: Vec<(Id, &str)> = Vec::with_capacity(8);
    let (name, closed) = reader.start(&mut tree, None)?;
    if !closed {
        open.push((Tree::ROOT, name));
    }
    while let Some(&(parent, name)) = open.last() {
        let text = reader.text()?;
        if reader.eat("</") {
            if !reader.eat(name) {
                return Err(Undecodable::Malformed);
            }
            reader.space();
            reader.expect(">")?;
            if tree.has_elements(parent) {
                tree.set(parent, Value::Object);
            } else {
                tree.append_text(parent, text);
            }
            open.pop();
        } else if reader.eat("<!--") {
            tree.append_text(parent, text);
            reader.skip_past("-->")?;
        } else if reader.eat("<![CDATA[") {
            tree.append_text(parent, text);
            let data = reader.skip_past("]]>")?;
            tree.append_text(parent, Cow::Borrowed(data));
        } else if reader.eat("<?") {
            reader.skip_past("?>")?;
        } else {
            if open.len() >= MAX_DEPTH as usize {
                return Err(Undecodable::TooLarge);
            }
            let id = tree.push(parent, "".into(), Value::Text("".into()))?;
            let (name, closed) = reader.start(&mut tree, Some(id))?;
            if !closed {
                open.push((id, name));
            }
        }
    }
    Ok(tree)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, mark: &str) -> Decoded<()> {
        if self.eat(mark) { Ok(()) } else { Err(Undecodable::Malformed) }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// What stands before the mark; reading goes on behind it.
    fn skip_past(&mut self, mark: &str) -> Decoded<&'a str> {
        let (before, after) = self.rest.split_once(mark).ok_or(Undecodable::Malformed)?;
        self.rest = after;
        Ok(before)
    }

    fn prolog(&mut self) -> Decoded<()> {
        loop {
            self.space();
            if self.eat("<?") {
                self.skip_past("?>")?;
            } else if self.eat("<!--") {
                self.skip_past("-->")?;
            } else {
                return Ok(());
            }
        }
    }

    /// Text up to the next `<`, unescaped.
    fn text(&mut self) -> Decoded<Cow<'a, str>> {
        let end = memchr::memchr(b'<', self.rest.as_bytes()).ok_or(Undecodable::Malformed)?;
        let (text, rest) = self.rest.split_at_checked(end).ok_or(Undecodable::Malformed)?;
        self.rest = rest;
        Ok(unescaped(text))
    }

    fn name(&mut self) -> Decoded<&'a str> {
        let end =
            self.rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=' | '<' | '"' | '\'' | '!'));
        let (name, rest) = self.rest.split_at_checked(end.unwrap_or(0)).ok_or(Undecodable::Malformed)?;
        if name.is_empty() {
            return Err(Undecodable::Malformed);
        }
        self.rest = rest;
        Ok(name)
    }

    /// A start tag into the node (the root if none); the second value says whether the element is already closed.
    fn start(&mut self, tree: &mut Tree<'a>, node: Option<Id>) -> Decoded<(&'a str, bool)> {
        let node = node.unwrap_or(Tree::ROOT);
        self.expect("<")?;
        let name = self.name()?;
        tree.rename(node, name);
        loop {
            self.space();
            if self.eat("/>") {
                return Ok((name, true));
            }
            if self.eat(">") {
                return Ok((name, false));
            }
            let attribute = self.name()?;
            self.space();
            self.expect("=")?;
            self.space();
            let quote = if self.eat("\"") { "\"" } else { self.expect("'").map(|()| "'")? };
            let value = self.skip_past(quote)?;
            let id = tree.push(node, Cow::Borrowed(attribute), Value::Text(unescaped(value)))?;
            tree.mark_attribute(id);
        }
    }
}

/// `#x0010FFFF`: without its `&` and `;`.
const LONGEST_ENTITY: usize = 10;

/// Text with its entities and character references replaced; what is neither stays as it is.
fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        // Not further than an entity can be long: a text of many `&` must not be read to its end for each.
        let end = after.bytes().take(LONGEST_ENTITY + 1).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(after.get(..end)?)?, after.get(end + 1..)?))) {
            Some((character, tail)) => {
                plain.push(character);
                rest = tail;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#').filter(|number| number.len() < LONGEST_ENTITY)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_elements_attributes_entities_and_cdata() {
        let tree = tree(
            b"<?xml version=\"1.0\"?>\n<!-- x --><Tagging xmlns='http://x/'><TagSet>\n <Tag><Key>a&amp;b&#x21;</Key>\
              <Value><![CDATA[<v>]]></Value></Tag><Tag/> </TagSet></Tagging>\n",
        )
        .unwrap();
        let root = tree.root();
        assert_eq!((root.name(), root.value()), ("Tagging", &Value::Object));
        assert!(root.children().next().is_some_and(|a| a.is_attribute() && a.text() == Some("http://x/")));
        let tag = root.child("TagSet").and_then(|set| set.child("Tag")).unwrap();
        assert_eq!(tag.child("Key").and_then(|key| key.text()), Some("a&b!"));
        assert_eq!(tag.child("Value").and_then(|value| value.text()), Some("<v>"));
    }

    #[test]
    fn a_text_of_many_ampersands_is_read_in_little_time() {
        let started = std::time::Instant::now();
        let document = format!("<a>{}</a>", "&#x0010FFFF;&".repeat(80_000));
        assert!(tree(document.as_bytes()).unwrap().root().text().unwrap().starts_with("\u{10ffff}&\u{10ffff}"));
        assert!(tree(format!("<a>{}</a>", "&".repeat(1 << 20)).as_bytes()).is_ok());
        assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
    }

    #[test]
    fn refuses_what_is_no_document() {
        for text in ["", "x", "<a>", "<a></b>", "<a b></a>", "<!DOCTYPE a><a/>", "<a", "<a b='1></a>", "<a><"] {
            assert_eq!(tree(text.as_bytes()).err(), Some(Undecodable::Malformed), "{text}");
        }
        assert_eq!(tree("<a>".repeat(1000).as_bytes()).err(), Some(Undecodable::TooLarge));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in "[<>/a-c&;#x!\\[\\]CDATA'\"= ?-]{0,60}") {
            let _ = tree(text.as_bytes());
        }

        #[test]
        fn text_survives_its_own_escaping(text in "\\PC{0,30}") {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
            let document = format!("<a>{escaped}</a>");
            let tree = tree(document.as_bytes()).unwrap();
            prop_assert_eq!(tree.root().text(), Some(text.as_str()));
        }
    }
}
