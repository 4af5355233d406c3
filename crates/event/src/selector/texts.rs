//! Sets of texts that values are held against: whole, by beginning, by end. A look costs the logarithm of the set.

use crate::selector::Operators;
use std::cmp::Ordering;

/// A set of whole texts, beginnings and ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    /// Sorted.
    pub(crate) whole: Box<[Box<str>]>,
    /// Sorted, none the beginning of another.
    pub(crate) beginnings: Box<[Box<str>]>,
    /// Sorted from their ends, none the end of another.
    ends: Box<[Box<str>]>,
}

impl Texts {
    pub(crate) fn new(whole: &[String], beginnings: &[String], ends: &[String]) -> Texts {
        let mut whole: Vec<Box<str>> = whole.iter().map(|text| text.as_str().into()).collect();
        whole.sort_unstable();
        whole.dedup();
        let mut beginnings: Vec<Box<str>> = beginnings.iter().map(|text| text.as_str().into()).collect();
        beginnings.sort_unstable();
        // Sorted, what begins with an earlier one stands right behind it.
        beginnings.dedup_by(|later, earlier| later.starts_with(&**earlier));
        let mut ends: Vec<Box<str>> = ends.iter().map(|text| text.as_str().into()).collect();
        ends.sort_unstable_by(|one, other| from_end(one, other));
        ends.dedup_by(|later, earlier| later.ends_with(&**earlier));
        Texts { whole: whole.into(), beginnings: beginnings.into(), ends: ends.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.beginnings.is_empty() && self.ends.is_empty()
    }

    /// Whether no ends are in it: those cannot be looked up by the value.
    pub(crate) fn has_no_ends(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the value is one of the whole texts, or has one of the beginnings or ends.
    pub(crate) fn hit(&self, value: &str) -> bool {
        self.whole.binary_search_by(|text| (**text).cmp(value)).is_ok()
            || before(&self.beginnings, |text| text <= value).is_some_and(|text| value.starts_with(text))
            || before(&self.ends, |text| from_end(text, value) != Ordering::Greater)
                .is_some_and(|text| value.ends_with(text))
    }
}

/// The last text that is in order before a value. If any text of the set begins the value, it is this one: a text
/// between the two would begin with the shorter, and none does.
fn before(texts: &[Box<str>], is_before: impl Fn(&str) -> bool) -> Option<&str> {
    let index = texts.partition_point(|text| is_before(text)).checked_sub(1)?;
    texts.get(index).map(|text| &**text)
}

/// Order of texts read backwards.
fn from_end(one: &str, other: &str) -> Ordering {
    one.bytes().rev().cmp(other.bytes().rev())
}

/// What a condition on one field says: some positive text hits, if there are any, and no negative one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    pub(crate) positive: Texts,
    negative: Texts,
}

impl Condition {
    pub(crate) fn of(operators: &Operators) -> Condition {
        Condition {
            positive: Texts::new(&operators.equals, &operators.starts_with, &operators.ends_with),
            negative: Texts::new(&operators.not_equals, &operators.not_starts_with, &operators.not_ends_with),
        }
    }

    /// Whether the values of a field, of which there may be none or several, agree with the condition.
    pub(crate) fn allows<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> bool {
        let mut hit = self.positive.is_empty();
        for value in values {
            if self.negative.hit(value) {
                return false;
            }
            hit = hit || self.positive.hit(value);
        }
        hit
    }
}
