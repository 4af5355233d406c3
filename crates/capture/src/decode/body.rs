//! A body as a whole: what can be made of it, whatever its format.

use super::tree::{NodeRef, Tree, Undecodable};
use super::{cbor, form, json, xml};
use aws::Protocol;

/// A body, decoded as far as it can be.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// There is none, or it says nothing that a record shows.
    Empty,
    /// Decoded.
    Tree(Tree<'a>),
    /// It cannot be decoded: the record says `null`.
    Malformed,
    /// Only its beginning is known, or it is larger than any record: the record says that it is omitted.
    Omitted,
}

impl<'a> Body<'a> {
    /// The root, where there is a tree.
    pub(crate) fn root(&self) -> Option<NodeRef<'_, 'a>> {
        match self {
            Body::Tree(tree) => Some(tree.root()),
            _ => None,
        }
    }

    /// Decodes a body of a protocol. `bytes` is free of its content encoding.
    pub(crate) fn decode(protocol: Protocol, bytes: &'a [u8], whole: bool, direction: Direction) -> Body<'a> {
        if bytes.is_empty() {
            return if whole { Body::Empty } else { Body::Omitted };
        }
        let tree = match (protocol, direction) {
            (Protocol::Query | Protocol::Ec2, Direction::Request) => form::tree(bytes),
            (Protocol::Query | Protocol::Ec2 | Protocol::RestXml, _) => xml::tree(bytes),
            (Protocol::RpcV2Cbor, _) => cbor::tree(bytes),
            (Protocol::Json | Protocol::RestJson, _) => json::tree(bytes).or_else(|error| {
                // JSON services that are also spoken in CBOR: its maps begin with a byte that is not JSON.
                if bytes.first().is_some_and(|byte| *byte >= 0xa0) { cbor::tree(bytes) } else { Err(error) }
            }),
        };
        match tree {
            // A cut form still decodes: its last value may be cut too.
            Ok(_) if !whole => Body::Omitted,
            Ok(tree) => Body::Tree(tree),
            Err(_) if !whole => Body::Omitted,
            Err(Undecodable::TooLarge) => Body::Omitted,
            Err(Undecodable::Malformed) => Body::Malformed,
        }
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// The element of a query answer that holds the result: `<CreateUserResult>` inside `<CreateUserResponse>`.
pub(crate) fn result_of<'t, 'a>(root: NodeRef<'t, 'a>) -> NodeRef<'t, 'a> {
    let result = root.elements().find(|child| child.name().ends_with("Result"));
    result.filter(|_| root.name().ends_with("Response")).unwrap_or(root)
}
