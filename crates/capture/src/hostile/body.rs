//! Bodies of every wire format, before a service model gives them meaning.

use crate::decode::tree::{MAX_DEPTH, MAX_NODES, NodeRef, Tree, Undecodable};
use crate::decode::{cbor, content_decoded, form, json, xml};
use crate::render::verbatim;
use crate::render::write::Json;
use serde_json::value::RawValue;

/// The input as a body of the format that its first byte chooses: refused, or a tree within its bounds that can be
/// written as JSON. JSON and forms are read as others read them.
pub fn body(input: &[u8]) {
    let Some((format, bytes)) = input.split_first() else { return };
    match format % 5 {
        0 => {
            let read = json::tree(bytes);
            agrees_with_serde(bytes, read.as_ref().err().copied());
            bounded(read, bytes.len());
        }
        1 => bounded(xml::tree(bytes), bytes.len()),
        2 => bounded(cbor::tree(bytes), bytes.len()),
        3 => {
            let read = form::tree(bytes);
            let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            assert_eq!(form::decoded(bytes), percent_encoding::percent_decode(&spaced).decode_utf8_lossy());
            bounded(read, bytes.len());
        }
        _ => {
            let (plain, _) = content_decoded(bytes, true, Some("gzip"));
            assert!(plain.len() <= 1 << 20);
        }
    }
}

fn bounded(read: Result<Tree<'_>, Undecodable>, size: usize) {
    let Ok(tree) = read else { return };
    let nodes = count(tree.root(), 0);
    // A dot makes two parts of a form's key; everything else takes more bytes than that.
    assert!(nodes <= MAX_NODES && nodes <= 2 * size + 1, "{nodes} nodes of {size} bytes");
    let mut out = Json::default();
    verbatim(tree.root(), 0, &mut out);
    serde_json::from_slice::<&RawValue>(out.as_bytes()).expect("what is written is JSON");
}

fn count(node: NodeRef<'_, '_>, depth: u32) -> usize {
    assert!(depth <= MAX_DEPTH + 1, "deeper than the bound");
    1 + node.children().map(|child| count(child, depth + 1)).sum::<usize>()
}

/// Serde's bound of nesting is another, and it refuses raw control characters, which services pass.
fn agrees_with_serde(bytes: &[u8], refused: Option<Undecodable>) {
    let theirs = serde_json::from_slice::<&RawValue>(bytes);
    let lenient = bytes.iter().any(u8::is_ascii_control);
    match (theirs, refused) {
        (Ok(_), None | Some(Undecodable::TooLarge)) | (Err(_), Some(_)) => {}
        (Ok(_), Some(Undecodable::Malformed)) => panic!("refused, but it is JSON"),
        (Err(error), None) => assert!(lenient || error.to_string().starts_with("recursion"), "taken, but {error}"),
    }
}
