//! REST routes: method, path and query string to an operation.
//!
//! A service's templates are compiled once into a tree of path segments. Literals are tried before labels, and labels
//! before greedy labels; at the end of a path, the operation wins whose query literals (`?uploads`) and whose required
//! parameters and headers the request has. Nothing is allocated to find an operation.

use super::s3;
use crate::{Location, Operation, Request, Service};
use percent_encoding::percent_decode_str;

/// How well an operation fits a request; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    /// The request has all required parameters and headers (or, for a form, the service's version).
    complete: bool,
    /// How many query literals of the template it has.
    literals: usize,
    /// How many required parameters and headers it has.
    required: usize,
    /// Both end with a slash, or neither does.
    same_end: bool,
    /// Not deprecated.
    current: bool,
}

impl Fit {
    pub(super) fn named(version: bool) -> Fit {
        Fit { complete: version, literals: 0, required: 0, same_end: true, current: true }
    }

    /// The fit but for the operation's age.
    pub(super) fn of_route(self) -> Fit {
        Fit { current: true, ..self }
    }

    /// Complete, or at least named by a query literal.
    pub(super) fn is_usable(&self) -> bool {
        self.complete || self.literals > 0
    }
}

/// The REST routes of one service.
#[derive(Debug)]
pub(crate) enum Router {
    Tree(Vec<Node>),
    S3(s3::Routes),
}

/// A place in the tree: what has been read of the path.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Literal segments, sorted, and the node behind each.
    literals: Vec<(Box<str>, usize)>,
    label: Option<usize>,
    greedy: Vec<Greedy>,
    leaves: Vec<Leaf>,
}

/// A label that takes one segment or more, and the literals behind it.
#[derive(Debug)]
struct Greedy {
    behind: Vec<Box<str>>,
    leaves: Vec<Leaf>,
}

/// An operation at the end of its path.
#[derive(Debug)]
pub(crate) struct Leaf {
    operation: u32,
    method: Box<str>,
    /// Query parameters that the template names, with their values where it gives any.
    literals: Vec<(Box<str>, Box<str>)>,
    required: Vec<Required>,
    slash: bool,
    deprecated: bool,
}

/// A parameter that the operation cannot do without.
#[derive(Debug)]
enum Required {
    Query(Box<str>),
    Header(Box<str>),
}

impl Leaf {
    pub(super) fn new(operation: Operation<'_>) -> Leaf {
        let (path, query) = split(operation.request_uri());
        let literals = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.into(), value.into())
        });
        let members = operation.input().into_iter().flat_map(|input| input.members());
        let required = members.filter(|member| member.is_required()).filter_map(|member| match member.location() {
            Location::QueryString => Some(Required::Query(member.wire_name().into())),
            Location::Header => Some(Required::Header(member.wire_name().into())),
            _ => None,
        });
        Leaf {
            operation: operation.number(),
            method: operation.http_method().into(),
            literals: literals.collect(),
            required: required.collect(),
            slash: path.len() > 1 && path.ends_with('/'),
            deprecated: operation.is_deprecated(),
        }
    }

    fn fit(&self, request: &Request<'_>) -> Option<Fit> {
        if *self.method != *request.method {
            return None;
        }
        let literal = |(name, value): &(Box<str>, Box<str>)| match request.query_value(name) {
            Some(found) => value.is_empty() || *found == **value,
            None => false,
        };
        if !self.literals.iter().all(literal) {
            return None;
        }
        let present = |required: &&Required| match required {
            Required::Query(name) => request.has_query(name),
            Required::Header(name) => request.headers.has(name),
        };
        let required = self.required.iter().filter(present).count();
        Some(Fit {
            complete: required == self.required.len(),
            literals: self.literals.len(),
            required,
            same_end: self.slash == (request.path.len() > 1 && request.path.ends_with('/')),
            current: !self.deprecated,
        })
    }
}

/// The best of the operations at one place. More query literals beat all else: an operation that the request names but
/// does not fill in is still the operation that it names, and the service's error is about that one.
pub(super) fn pick(leaves: &[Leaf], request: &Request<'_>) -> Option<(u32, Fit)> {
    let fits = leaves.iter().filter_map(|leaf| leaf.fit(request).map(|fit| (leaf.operation, fit)));
    // `max_by_key` takes the last of equals; the first by name is as good and stays the same when operations are added.
    fits.reduce(|best, next| if (next.1.literals, next.1) > (best.1.literals, best.1) { next } else { best })
}

fn split(template: &str) -> (&str, &str) {
    template.split_once('?').unwrap_or((template, ""))
}

impl Router {
    pub(crate) fn new(service: &Service) -> Router {
        if service.name() == "s3" {
            return Router::S3(s3::Routes::new(service));
        }
        let mut nodes = vec![Node::default()];
        for operation in service.operations() {
            insert(&mut nodes, operation);
        }
        Router::Tree(nodes)
    }

    /// The operation that fits best.
    pub(super) fn find<'c>(&self, service: &'c Service, request: &Request<'_>) -> Option<(Operation<'c>, Fit)> {
        let (number, fit) = match self {
            Router::Tree(nodes) => {
                let path = request.path.strip_prefix('/').unwrap_or(request.path);
                let path = path.strip_suffix('/').unwrap_or(path);
                walk(nodes, 0, (!path.is_empty()).then_some(path), request)?
            }
            Router::S3(routes) => routes.find(request)?,
        };
        Some((Operation::at(service, number)?, fit))
    }
}

fn insert(nodes: &mut Vec<Node>, operation: Operation<'_>) {
    let (path, _) = split(operation.request_uri());
    let path = path.trim_matches('/');
    let mut at = 0;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    while let Some(segment) = segments.next() {
        if segment.ends_with("+}") {
            let behind: Vec<Box<str>> = segments.map(Into::into).collect();
            if let Some(node) = nodes.get_mut(at) {
                node.add_greedy(behind, Leaf::new(operation));
            }
            return;
        }
        let fresh = nodes.len();
        let Some(node) = nodes.get_mut(at) else { return };
        let next = node.child(segment, fresh);
        if next == fresh {
            nodes.push(Node::default());
        }
        at = next;
    }
    if let Some(node) = nodes.get_mut(at) {
        node.leaves.push(Leaf::new(operation));
    }
}

impl Node {
    /// The node behind a segment of a template; `fresh` if it has to be made.
    fn child(&mut self, segment: &str, fresh: usize) -> usize {
        if segment.starts_with('{') {
            return *self.label.get_or_insert(fresh);
        }
        match self.literals.binary_search_by(|(own, _)| (**own).cmp(segment)) {
            Ok(at) => self.literals.get(at).map_or(fresh, |(_, node)| *node),
            Err(at) => {
                self.literals.insert(at, (segment.into(), fresh));
                fresh
            }
        }
    }

    fn add_greedy(&mut self, behind: Vec<Box<str>>, leaf: Leaf) {
        match self.greedy.iter_mut().find(|greedy| greedy.behind == behind) {
            Some(greedy) => greedy.leaves.push(leaf),
            None => {
                self.greedy.push(Greedy { behind, leaves: vec![leaf] });
                // Those with more literals behind them are the more specific.
                self.greedy.sort_by_key(|greedy| std::cmp::Reverse(greedy.behind.len()));
            }
        }
    }

    fn literal(&self, segment: &str) -> Option<usize> {
        let found = self.literals.binary_search_by(|(own, _)| (**own).cmp(segment)).ok();
        if found.is_none() && segment.contains('%') {
            let decoded = percent_decode_str(segment).decode_utf8().ok()?;
            return self.literals.iter().find(|(own, _)| **own == *decoded).map(|(_, node)| *node);
        }
        found.and_then(|at| self.literals.get(at)).map(|(_, node)| *node)
    }
}

/// Literals first, then labels, then greedy labels. The first complete fit wins; without one, the first fit at all.
/// Never deeper than the deepest template.
fn walk(nodes: &[Node], at: usize, rest: Option<&str>, request: &Request<'_>) -> Option<(u32, Fit)> {
    let node = nodes.get(at)?;
    let Some(path) = rest else { return pick(&node.leaves, request) };
    let (segment, behind) = path.split_once('/').map_or((path, None), |(segment, behind)| (segment, Some(behind)));
    let mut best: Option<(u32, Fit)> = None;
    let label = node.label.filter(|_| !segment.is_empty());
    for next in node.literal(segment).into_iter().chain(label) {
        match walk(nodes, next, behind, request) {
            Some(found) if found.1.complete => return Some(found),
            found => best = best.or(found),
        }
    }
    for greedy in &node.greedy {
        if has_end(path, &greedy.behind) {
            match pick(&greedy.leaves, request) {
                Some(found) if found.1.complete => return Some(found),
                found => best = best.or(found),
            }
        }
    }
    best
}

/// Whether a path ends with these segments and has something before them.
fn has_end(path: &str, end: &[Box<str>]) -> bool {
    let mut rest = path;
    for segment in end.iter().rev() {
        match rest.rsplit_once('/') {
            Some((before, last)) if last == &**segment => rest = before,
            _ => return false,
        }
    }
    !rest.is_empty()
}
