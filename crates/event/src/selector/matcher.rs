//! Selectors compiled: what can be known before an event comes is worked out before it comes.

use super::texts::{Condition, Texts};
use super::{AdvancedEventSelector, DataResource, EventSelector, Operators, ReadWriteType, SelectorField, Selectors};
use crate::{Category, Event, Field};
use std::borrow::Cow;

/// The selectors of one trail, compiled. Asking allocates nothing.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// One is enough.
    pub(crate) clauses: Box<[Clause]>,
}

/// Conditions that must all hold.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    /// Bit [`Category`]` as u8` is set for each category that is wanted.
    categories: u8,
    /// Of the categories that have no name of their own here, those that are wanted.
    other_categories: Vec<Condition>,
    /// Bits of [`tri`] that are wanted of `readOnly`.
    read_only: u8,
    /// Bit 0: sessions that are not from the console are wanted; bit 1: those that are.
    from_console: u8,
    /// The only Region that is wanted.
    pub(crate) region: Option<Box<str>>,
    pub(crate) tests: Vec<Test>,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// A field that the head holds.
    Field(Field, Condition),
    /// `resources.type`: any entry may hit, and any may veto.
    ResourceType(Condition),
    /// `resources.ARN`: any entry may hit, and any may veto.
    ResourceArn(Condition),
    /// An entry of this type with one of these ARNs.
    Resource(Box<str>, Texts),
}

/// The bit of a value that may be absent, false or true.
fn tri(value: Option<bool>) -> u8 {
    1 << value.map_or(0, |value| 1 + u8::from(value))
}

const ANY: u8 = u8::MAX;

impl Matcher {
    /// Compiles selectors.
    pub fn new(selectors: &Selectors) -> Matcher {
        let clauses = match selectors {
            Selectors::Basic(selectors) => basic(selectors),
            Selectors::Advanced(selectors) => selectors.iter().map(advanced).collect(),
        };
        Matcher { clauses: clauses.into() }
    }

    /// The same for the events of one Region only.
    #[must_use]
    pub fn only_in(mut self, region: &str) -> Matcher {
        for clause in &mut self.clauses {
            clause.region = Some(region.into());
        }
        self
    }

    /// Whether the event is selected.
    pub fn matches(&self, event: &Event) -> bool {
        self.clauses.iter().any(|clause| clause.holds(event))
    }
}

impl Clause {
    fn of(category: Category) -> Clause {
        Clause {
            categories: 1 << category as u8,
            other_categories: Vec::new(),
            read_only: ANY,
            from_console: ANY,
            region: None,
            tests: Vec::new(),
        }
    }

    /// Whether events of that category can be selected.
    pub(crate) fn is_for(&self, category: Category) -> bool {
        self.categories & 1 << category as u8 != 0
    }

    /// Whether all conditions hold: the cheap ones are asked first.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        self.is_for(event.category())
            && self.read_only & tri(event.read_only()) != 0
            && self.from_console & 1 << u8::from(event.from_console()) != 0
            && self.region.as_ref().is_none_or(|region| **region == *event.region())
            && self.tests.iter().all(|test| test.holds(event))
            && (event.category() != Category::Other || self.wants_other(event))
    }

    /// The head does not hold the names of the categories that only event data stores take: they are read here.
    fn wants_other(&self, event: &Event) -> bool {
        let name = category_name(event);
        self.other_categories.iter().all(|condition| condition.allows(name.as_deref()))
    }
}

impl Test {
    fn holds(&self, event: &Event) -> bool {
        match self {
            Test::Field(field, condition) => condition.allows(event.get(*field)),
            Test::ResourceType(condition) => {
                condition.allows(event.resources().filter_map(|resource| resource.resource_type))
            }
            Test::ResourceArn(condition) => condition.allows(event.resources().filter_map(|resource| resource.arn)),
            Test::Resource(resource_type, arns) => event.resources().any(|resource| {
                resource.resource_type == Some(resource_type) && resource.arn.is_some_and(|arn| arns.hit(arn))
            }),
        }
    }
}

/// `eventCategory` as the record spells it.
pub(crate) fn category_name(event: &Event) -> Option<Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        #[serde(borrow, rename = "eventCategory")]
        category: Option<Cow<'a, str>>,
    }
    match event.category() {
        Category::Management => Some("Management".into()),
        Category::Data => Some("Data".into()),
        Category::NetworkActivity => Some("NetworkActivity".into()),
        Category::Insight => Some("Insight".into()),
        Category::Aggregated => Some("Aggregated".into()),
        Category::Other => serde_json::from_slice::<Record<'_>>(event.json()).ok()?.category,
    }
}

/// `reference/trails-and-delivery.md §6.3`. A source that one selector leaves out is left out of the whole trail.
fn basic(selectors: &[EventSelector]) -> Vec<Clause> {
    let excluded: Vec<String> = selectors.iter().flat_map(|selector| selector.excluded().iter().cloned()).collect();
    let mut clauses = Vec::new();
    for selector in selectors {
        let read_only = match selector.read_write_type {
            ReadWriteType::All => ANY,
            ReadWriteType::ReadOnly => tri(Some(true)),
            // An event that does not say so is not known to only read.
            ReadWriteType::WriteOnly => tri(Some(false)) | tri(None),
        };
        if selector.include_management_events {
            let mut clause = Clause { read_only, ..Clause::of(Category::Management) };
            if !excluded.is_empty() {
                let operators = Operators { not_equals: excluded.clone(), ..Operators::default() };
                clause.tests.push(Test::Field(Field::EventSource, Condition::of(&operators)));
            }
            clauses.push(clause);
        }
        for data in &selector.data_resources {
            let test = Test::Resource(data.resource_type.as_str().into(), arns(data));
            clauses.push(Clause { read_only, tests: vec![test], ..Clause::of(Category::Data) });
        }
    }
    clauses
}

/// What the values of a data resource stand for: a whole ARN, or every ARN that begins like that.
fn arns(data: &DataResource) -> Texts {
    let (mut whole, mut beginnings) = (Vec::new(), Vec::new());
    for value in data.values.iter().map(|value| DataResource::meant(value)) {
        if value.split(':').count() == 3 {
            // `arn:aws:s3`: the whole service.
            beginnings.push(format!("{value}:"));
        } else if value.ends_with(['/', ':']) || data.resource_type == "AWS::S3::Object" {
            beginnings.push(value.to_owned());
        } else {
            whole.push(value.to_owned());
        }
    }
    Texts::new(&whole, &beginnings, &[])
}

/// `reference/trails-and-delivery.md §6.4`.
fn advanced(selector: &AdvancedEventSelector) -> Clause {
    const NAMED: [(Category, &str); 5] = [
        (Category::Management, "Management"),
        (Category::Data, "Data"),
        (Category::NetworkActivity, "NetworkActivity"),
        (Category::Insight, "Insight"),
        (Category::Aggregated, "Aggregated"),
    ];
    let mut clause = Clause { categories: ANY, ..Clause::of(Category::Management) };
    for field_selector in &selector.field_selectors {
        let condition = Condition::of(&field_selector.operators);
        let field = match field_selector.field {
            SelectorField::EventCategory => {
                for (category, _) in NAMED.iter().filter(|(_, name)| !condition.allows([*name])) {
                    clause.categories &= !(1 << *category as u8);
                }
                clause.other_categories.push(condition);
                continue;
            }
            SelectorField::ReadOnly => {
                for value in [None, Some(false), Some(true)] {
                    let text = value.map(|value| if value { "true" } else { "false" });
                    if !condition.allows(text) {
                        clause.read_only &= !tri(value);
                    }
                }
                continue;
            }
            SelectorField::SessionCredentialFromConsole => {
                for (bit, text) in [(1, None), (2, Some("true"))] {
                    if !condition.allows(text) {
                        clause.from_console &= !bit;
                    }
                }
                continue;
            }
            SelectorField::ResourcesType => {
                clause.tests.push(Test::ResourceType(condition));
                continue;
            }
            SelectorField::ResourcesArn => {
                clause.tests.push(Test::ResourceArn(condition));
                continue;
            }
            SelectorField::ErrorCode => Field::ErrorCode,
            SelectorField::EventName => Field::EventName,
            SelectorField::EventSource => Field::EventSource,
            SelectorField::EventType => Field::EventType,
            SelectorField::UserIdentityArn => Field::IdentityArn,
            SelectorField::VpcEndpointId => Field::VpcEndpointId,
        };
        clause.tests.push(Test::Field(field, condition));
    }
    clause
}
