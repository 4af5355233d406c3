//! A decoded body: what JSON, XML, forms and CBOR have in common, before a shape gives it meaning.
//!
//! One arena for each body: no allocation for each value, text borrowed from the wire wherever it needs no unescaping.

use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;

/// More values than any record can show: at two bytes each they pass the cap of §2 (100 KB).
pub(crate) const MAX_NODES: usize = 60_000;
/// Deeper than any service model; bounds every recursion over a tree.
pub(crate) const MAX_DEPTH: u32 = 40;

const NONE: u32 = u32::MAX;

/// Why a body has no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// Not of its format (or cut off).
    Malformed,
    /// More values, or deeper, than a record shows.
    TooLarge,
}

/// What one node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits of a JSON number.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// Binary of CBOR; records never show it.
    Bytes,
    List,
    /// A structure or map of JSON or CBOR, an XML element with children, or an inner part of a form's key.
    Object,
}

#[derive(Debug)]
struct Node<'a> {
    name: Cow<'a, str>,
    value: Value<'a>,
    attribute: bool,
    first: u32,
    last: u32,
    next: u32,
}

/// The arena. Node 0 is the root.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

/// The place of a node in its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(u32);

/// What [`Tree::find`] says of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Child(Id),
    /// There is none of that name.
    Nothing,
    /// It is neither the last nor among the first; there are more.
    TooMany,
}

/// How many children are looked at in search of one: to look at all for each key of a form would take an hour of a
/// caller who sends many.
const SEARCHED: usize = 64;

impl<'a> Tree<'a> {
    /// A tree of only its root.
    pub(crate) fn new(name: Cow<'a, str>, value: Value<'a>) -> Tree<'a> {
        let mut nodes = Vec::with_capacity(12);
        nodes.push(Node { name, value, attribute: false, first: NONE, last: NONE, next: NONE });
        Tree { nodes }
    }

    /// The root, to build on.
    pub(crate) const ROOT: Id = Id(0);

    /// The root, to read.
    pub(crate) fn root(&self) -> NodeRef<'_, 'a> {
        NodeRef { tree: self, at: 0 }
    }

    /// Appends a child.
    pub(crate) fn push(&mut self, parent: Id, name: Cow<'a, str>, value: Value<'a>) -> Result<Id, Undecodable> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Undecodable::TooLarge);
        }
        let at = self.nodes.len() as u32;
        self.nodes.push(Node { name, value, attribute: false, first: NONE, last: NONE, next: NONE });
        let last = self.node(parent.0).map_or(NONE, |node| node.last);
        if let Some(before) = self.nodes.get_mut(last as usize) {
            before.next = at;
        }
        if let Some(parent) = self.nodes.get_mut(parent.0 as usize) {
            if parent.first == NONE {
                parent.first = at;
            }
            parent.last = at;
        }
        Ok(Id(at))
    }

    /// Leaves of children with the same name only the last, which is the one that readers of JSON and CBOR go by: what a service acts
    /// on must not be hidden from the record by an earlier one.
    pub(crate) fn keep_last_of_each_name(&mut self, parent: Id) {
        /// Up to so many are compared with one another.
        const FEW: usize = 24;
        let children: SmallVec<[u32; FEW]> =
            NodeRef { tree: self, at: parent.0 }.children().map(|child| child.at).collect();
        let name = |at: &u32| self.node(*at).map_or("", |node| node.name.as_ref());
        let mut seen = HashSet::new();
        let mut kept: SmallVec<[u32; FEW]> = SmallVec::new();
        for (place, child) in children.iter().enumerate().rev() {
            let is_first_seen = if children.len() <= FEW {
                children.iter().skip(place + 1).all(|later| name(later) != name(child))
            } else {
                seen.insert(name(child))
            };
            if is_first_seen {
                kept.push(*child);
            }
        }
        if kept.len() == children.len() {
            return;
        }
        kept.reverse();
        let next = kept.iter().skip(1).copied().chain([NONE]);
        for (child, next) in kept.iter().zip(next) {
            if let Some(node) = self.nodes.get_mut(*child as usize) {
                node.next = next;
            }
        }
        if let (Some(node), Some(first), Some(last)) =
            (self.nodes.get_mut(parent.0 as usize), kept.first(), kept.last())
        {
            (node.first, node.last) = (*first, *last);
        }
    }

    /// Marks a node as an XML attribute.
    pub(crate) fn mark_attribute(&mut self, id: Id) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.attribute = true;
        }
    }

    /// Names a node that was added before its name was known.
    pub(crate) fn rename(&mut self, id: Id, name: &'a str) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.name = Cow::Borrowed(name);
        }
    }

    /// Adds to the text that a node holds.
    pub(crate) fn append_text(&mut self, id: Id, more: Cow<'a, str>) {
        match self.nodes.get_mut(id.0 as usize).map(|node| &mut node.value) {
            Some(Value::Text(text)) if text.is_empty() => *text = more,
            Some(Value::Text(text)) => text.to_mut().push_str(&more),
            _ => {}
        }
    }

    /// Replaces what a node holds.
    pub(crate) fn set(&mut self, id: Id, value: Value<'a>) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.value = value;
        }
    }

    /// Whether a node has a text.
    pub(crate) fn is_text(&self, id: Id) -> bool {
        self.nodes.get(id.0 as usize).is_some_and(|node| matches!(node.value, Value::Text(_)))
    }

    /// Whether a node has children that are no attributes.
    pub(crate) fn has_elements(&self, id: Id) -> bool {
        NodeRef { tree: self, at: id.0 }.children().any(|child| !child.is_attribute())
    }

    /// The child of that name: the last child, or one of the first. Forms list their keys in order, so that the last child
    /// is nearly always the one.
    pub(crate) fn find(&self, parent: Id, name: &str) -> Found {
        let Some(parent) = self.node(parent.0) else { return Found::Nothing };
        if let Some(last) = self.node(parent.last)
            && last.name == name
        {
            return Found::Child(Id(parent.last));
        }
        let mut seen = 0;
        let mut children = NodeRef { tree: self, at: 0 }.siblings_from(parent.first).take(SEARCHED);
        match children.find(|node| (seen += 1, node.name() == name).1) {
            Some(node) => Found::Child(Id(node.at)),
            None if seen < SEARCHED => Found::Nothing,
            None => Found::TooMany,
        }
    }

    fn node(&self, at: u32) -> Option<&Node<'a>> {
        self.nodes.get(at as usize)
    }
}

/// A node to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeRef<'t, 'a> {
    tree: &'t Tree<'a>,
    at: u32,
}

impl<'t, 'a> NodeRef<'t, 'a> {
    /// Member, element or key name; empty for list elements.
    pub(crate) fn name(self) -> &'t str {
        self.tree.node(self.at).map_or("", |node| node.name.as_ref())
    }

    /// What it holds.
    pub(crate) fn value(self) -> &'t Value<'a> {
        self.tree.node(self.at).map_or(&Value::Null, |node| &node.value)
    }

    /// Whether it is an XML attribute.
    pub(crate) fn is_attribute(self) -> bool {
        self.tree.node(self.at).is_some_and(|node| node.attribute)
    }

    /// Its children, in wire order.
    pub(crate) fn children(self) -> impl Iterator<Item = NodeRef<'t, 'a>> + Clone {
        self.siblings_from(self.tree.node(self.at).map_or(NONE, |node| node.first))
    }

    /// Its children without XML attributes.
    pub(crate) fn elements(self) -> impl Iterator<Item = NodeRef<'t, 'a>> + Clone {
        self.children().filter(|child| !child.is_attribute())
    }

    /// The nodes after it under the same parent.
    pub(crate) fn following(self) -> impl Iterator<Item = NodeRef<'t, 'a>> + Clone {
        self.siblings_from(self.tree.node(self.at).map_or(NONE, |node| node.next))
    }

    fn siblings_from(self, first: u32) -> impl Iterator<Item = NodeRef<'t, 'a>> + Clone {
        let tree = self.tree;
        let next = move |at: u32| tree.node(at).map(|_| NodeRef { tree, at });
        std::iter::successors(next(first), move |node| next(tree.node(node.at).map_or(NONE, |node| node.next)))
    }

    /// The first child of that name.
    pub(crate) fn child(self, name: &str) -> Option<NodeRef<'t, 'a>> {
        self.children().find(|child| child.name() == name)
    }

    /// Its text or number; `None` for anything else.
    pub(crate) fn text(self) -> Option<&'t str> {
        match self.value() {
            Value::Text(text) | Value::Number(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_come_back_in_the_order_they_were_added() {
        let mut tree = Tree::new("".into(), Value::Object);
        for name in ["a", "b", "c"] {
            tree.push(Tree::ROOT, name.into(), Value::Text(name.into())).unwrap();
        }
        let names: Vec<_> = tree.root().children().map(NodeRef::name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(tree.root().child("b").and_then(NodeRef::text), Some("b"));
        assert!(matches!(tree.find(Tree::ROOT, "a"), Found::Child(_)));
        assert_eq!(tree.find(Tree::ROOT, "d"), Found::Nothing);
    }

    #[test]
    fn a_tree_never_outgrows_its_bound() {
        let mut tree = Tree::new("".into(), Value::List);
        let grown = (0..=MAX_NODES).try_for_each(|_| tree.push(Tree::ROOT, "".into(), Value::Null).map(drop));
        assert_eq!(grown, Err(Undecodable::TooLarge));
    }
}
