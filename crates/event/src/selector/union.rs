//! The selectors of many trails, asked at once.
//!
//! Each clause of each trail is filed under the one of its conditions that few events meet: the ARN of a resource, the
//! name of the event, the caller, and so on. An event looks up its own values in these files and asks only the clauses
//! that stand there, so that its cost grows with the trails that may want it and not with those that exist.

use super::matcher::{Clause, Matcher, Test};
use super::texts::Texts;
use crate::{Category, Event, Field};
use std::collections::HashMap;

/// The selectors of many trails, each known by a number.
#[derive(Debug, Default)]
pub struct Union {
    clauses: Vec<(u32, Clause)>,
    files: Vec<(Key, File)>,
    /// Clauses that no file could take, by category.
    rest: [Vec<u32>; CATEGORIES],
}

const CATEGORIES: usize = Category::Other as usize + 1;

/// What clauses are filed under; the first is thought to be met by the fewest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ResourceArn,
    Field(Field),
    ResourceType,
}

const KEYS: [Key; 9] = [
    Key::ResourceArn,
    Key::Field(Field::EventName),
    Key::Field(Field::IdentityArn),
    Key::Field(Field::VpcEndpointId),
    Key::Field(Field::ErrorCode),
    Key::Field(Field::AwsRegion),
    Key::Field(Field::EventSource),
    Key::ResourceType,
    Key::Field(Field::EventType),
];

/// Clauses by the values that one of their conditions asks for.
#[derive(Debug, Default)]
struct File {
    whole: HashMap<Box<str>, Vec<u32>>,
    /// Sorted by their texts.
    beginnings: Vec<Beginning>,
}

#[derive(Debug)]
struct Beginning {
    text: Box<str>,
    clauses: Vec<u32>,
    /// The longest other beginning that this one begins with.
    shorter: Option<u32>,
}

impl Union {
    /// Puts matchers together, each under its number.
    pub fn new<'m>(matchers: impl IntoIterator<Item = (u32, &'m Matcher)>) -> Union {
        let mut union = Union::default();
        let mut files: Vec<File> = KEYS.iter().map(|_| File::default()).collect();
        for (number, matcher) in matchers {
            for clause in &matcher.clauses {
                let index = union.clauses.len() as u32;
                union.clauses.push((number, clause.clone()));
                let filed = KEYS.iter().zip(&mut files).any(|(key, file)| file_under(*key, clause, file, index));
                if !filed {
                    for (category, rest) in CATEGORY_ORDER.into_iter().zip(&mut union.rest) {
                        if clause.is_for(category) {
                            rest.push(index);
                        }
                    }
                }
            }
        }
        for (key, mut file) in KEYS.into_iter().zip(files) {
            if !file.whole.is_empty() || !file.beginnings.is_empty() {
                file.link();
                union.files.push((key, file));
            }
        }
        union
    }

    /// The numbers of all matchers that select the event, in ascending order, into `found`.
    pub fn matching(&self, event: &Event, found: &mut Vec<u32>) {
        found.clear();
        let mut ask = |indices: &[u32]| {
            for &index in indices {
                let Some((number, clause)) = self.clauses.get(index as usize) else { continue };
                // Clauses of one matcher stand together: looking at the last saves most of what would be asked twice.
                if found.last() != Some(number) && clause.holds(event) {
                    found.push(*number);
                }
            }
        };
        if let Some(rest) = self.rest.get(event.category() as usize) {
            ask(rest);
        }
        for (key, file) in &self.files {
            match key {
                Key::Field(field) => file.look_up(event.get(*field), &mut ask),
                Key::ResourceArn => file.look_up(event.resources().filter_map(|resource| resource.arn), &mut ask),
                Key::ResourceType => {
                    file.look_up(event.resources().filter_map(|resource| resource.resource_type), &mut ask);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
    }
}

/// The categories in the order of their codes.
const CATEGORY_ORDER: [Category; CATEGORIES] = [
    Category::Management,
    Category::Data,
    Category::NetworkActivity,
    Category::Insight,
    Category::Aggregated,
    Category::Other,
];

/// Files a clause under a key, if one of its conditions asks for values of it that can be looked up.
fn file_under(key: Key, clause: &Clause, file: &mut File, index: u32) -> bool {
    if let (Key::Field(Field::AwsRegion), Some(region)) = (key, &clause.region) {
        file.whole.entry(region.clone()).or_default().push(index);
        return true;
    }
    let texts = clause.tests.iter().filter_map(|test| match (key, test) {
        (Key::Field(field), Test::Field(tested, condition)) if field == *tested => Some(&condition.positive),
        (Key::ResourceType, Test::ResourceType(condition)) | (Key::ResourceArn, Test::ResourceArn(condition)) => {
            Some(&condition.positive)
        }
        (Key::ResourceArn, Test::Resource(_, arns)) => Some(arns),
        _ => None,
    });
    match texts.into_iter().find(|texts| texts.has_no_ends() && (!texts.is_empty())) {
        Some(texts) => {
            file.add(texts, index);
            true
        }
        None => false,
    }
}

impl File {
    fn add(&mut self, texts: &Texts, index: u32) {
        for text in &texts.whole {
            self.whole.entry(text.clone()).or_default().push(index);
        }
        for text in &texts.beginnings {
            self.beginnings.push(Beginning { text: text.clone(), clauses: vec![index], shorter: None });
        }
    }

    /// Sorts the beginnings and links each to the longest that it begins with itself.
    fn link(&mut self) {
        self.beginnings.sort_by(|one, other| one.text.cmp(&other.text));
        self.beginnings.dedup_by(|later, earlier| {
            let same = later.text == earlier.text;
            if same {
                earlier.clauses.append(&mut later.clauses);
            }
            same
        });
        // Those that begin the text at hand, the longest last.
        let mut open: Vec<usize> = Vec::new();
        for index in 0..self.beginnings.len() {
            while let Some(&last) = open.last()
                && !self.beginnings[index].text.starts_with(&*self.beginnings[last].text)
            {
                open.pop();
            }
            self.beginnings[index].shorter = open.last().map(|&last| last as u32);
            open.push(index);
        }
    }

    fn look_up<'a>(&self, values: impl IntoIterator<Item = &'a str>, ask: &mut impl FnMut(&[u32])) {
        for value in values {
            if let Some(clauses) = self.whole.get(value) {
                ask(clauses);
            }
            // All that begin the value begin the last one before it too, or are it.
            let mut next = self.beginnings.partition_point(|beginning| &*beginning.text <= value).checked_sub(1);
            while let Some(beginning) = next.and_then(|index| self.beginnings.get(index)) {
                if value.starts_with(&*beginning.text) {
                    ask(&beginning.clauses);
                }
                next = beginning.shorter.map(|index| index as usize);
            }
        }
    }
}
