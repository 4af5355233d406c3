//! Forms (`application/x-www-form-urlencoded`) to a tree: `Filter.1.Value.2=x` becomes a path of nested nodes.

use crate::decode::tree::{Found, Id, MAX_DEPTH, Tree, Undecodable, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Where to find the children that stand behind so many others that nobody looks for them one by one.
type Late<'a> = HashMap<(Id, Cow<'a, str>), Id>;

/// Reads the form of a query or EC2 call. Every part of a dotted key is a node; a pair's value is the text of the last.
/// Keys that would contradict each other (`a=1&a.b=2`) keep both meanings: the node has the text and the children. Of a key that
/// is given twice the first value counts, as for those who act on it (moto, Go's `FormValue`).
pub(crate) fn tree(bytes: &[u8]) -> Result<Tree<'_>, Undecodable> {
    let mut tree = Tree::new("".into(), Value::Object);
    let mut late = Late::new();
    for (key, value) in aws::Pairs::new(bytes) {
        let mut at = Tree::ROOT;
        for (depth, part) in parts(decoded(key)).enumerate() {
            if depth as u32 >= MAX_DEPTH {
                return Err(Undecodable::TooLarge);
            }
            at = step(&mut tree, &mut late, at, part)?;
        }
        if at != Tree::ROOT && !tree.is_text(at) {
            tree.set(at, Value::Text(decoded(value)));
        }
    }
    Ok(tree)
}

fn step<'a>(tree: &mut Tree<'a>, late: &mut Late<'a>, at: Id, part: Cow<'a, str>) -> Result<Id, Undecodable> {
    match tree.find(at, &part) {
        Found::Child(id) => Ok(id),
        Found::Nothing => tree.push(at, part, Value::Object),
        Found::TooMany => {
            let key = (at, part);
            if let Some(id) = late.get(&key) {
                return Ok(*id);
            }
            let id = tree.push(at, key.1.clone(), Value::Object)?;
            late.insert(key, id);
            Ok(id)
        }
    }
}

/// The parts of a dotted key, borrowed where the key is.
fn parts<'a>(key: Cow<'a, str>) -> impl Iterator<Item = Cow<'a, str>> {
    let (borrowed, owned) = match key {
        Cow::Borrowed(key) => (Some(key.split('.').map(Cow::Borrowed)), None),
        Cow::Owned(key) => {
            let parts: Vec<Cow<'a, str>> = key.split('.').map(|part| Cow::Owned(part.to_owned())).collect();
            (None, Some(parts))
        }
    };
    borrowed.into_iter().flatten().chain(owned.into_iter().flatten())
}

/// Undoes percent-encoding and `+`. What is no UTF-8 then becomes U+FFFD: one such byte hides nothing of the rest.
pub(crate) fn decoded(raw: &[u8]) -> Cow<'_, str> {
    if raw.iter().all(|byte| !matches!(byte, b'%' | b'+')) {
        return String::from_utf8_lossy(raw);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => plain.push(b' '),
            b'%' => match hex_pair(tail) {
                Some(value) => {
                    plain.push(value);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => plain.push(b'%'),
            },
            _ => plain.push(byte),
        }
    }
    let text = String::from_utf8(plain);
    Cow::Owned(text.unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned()))
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|b| char::from(*b).to_digit(16));
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_keys_become_paths() {
        let tree =
            tree(b"Action=RunInstances&Filter.1.Name=vpc-id&Filter.1.Value.1=a%26b&Filter.1.Value.2=c+d").unwrap();
        let filter = tree.root().child("Filter").and_then(|f| f.child("1")).unwrap();
        assert_eq!(filter.child("Name").and_then(|n| n.text()), Some("vpc-id"));
        let values: Vec<_> = filter.child("Value").unwrap().children().filter_map(|v| v.text()).collect();
        assert_eq!(values, ["a&b", "c d"]);
        assert_eq!(tree.root().child("Action").and_then(|a| a.text()), Some("RunInstances"));
    }

    #[test]
    fn a_form_of_many_keys_in_any_order_is_read_in_little_time() {
        let started = std::time::Instant::now();
        let key = |at: usize| format!("k{}.{}=v{at}&", at % 19_000, at / 19_000);
        let form: String = (0..38_000).map(key).collect();
        let read = tree(form.as_bytes()).unwrap();
        assert_eq!(read.root().children().count(), 19_000, "no key stands twice");
        assert!(read.root().children().all(|child| child.children().count() == 2));
        assert_eq!(read.root().child("k18999").and_then(|k| k.child("1")).and_then(|v| v.text()), Some("v37999"));
        assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
    }

    #[test]
    fn broken_escapes_stay_and_broken_text_hides_nothing() {
        assert_eq!(decoded(b"100%"), "100%");
        assert_eq!(decoded(b"a%e9b"), "a\u{fffd}b");
        assert_eq!(decoded(b"\xe9"), "\u{fffd}");
        let tree = tree(b"UserName=aa&UserName=bb&X=%ff").unwrap();
        assert_eq!(tree.root().child("UserName").and_then(|name| name.text()), Some("aa"), "the first counts");
        assert_eq!(super::tree(&[b'a', b'.'].repeat(100)).err(), Some(Undecodable::TooLarge));
    }
}
