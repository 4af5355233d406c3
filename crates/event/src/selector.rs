//! Which events a trail wants: event selectors as PutEventSelectors takes them.
//!
//! The semantics are those of `reference/trails-and-delivery.md §6`. A trail has basic selectors or advanced ones, never
//! both. Either kind is compiled into one [`Matcher`], and the matchers of many trails into one [`Union`], which looks at
//! an event once for all of them.

mod check;
mod matcher;
#[cfg(test)]
mod plain;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod union;

pub use check::SelectorError;
pub use matcher::Matcher;
pub use tables::has_network_activity;
pub use union::Union;

use serde::{Deserialize, Serialize};

/// The event selectors of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selectors {
    /// `EventSelectors`.
    #[serde(rename = "basic")]
    Basic(Vec<EventSelector>),
    /// `AdvancedEventSelectors`.
    #[serde(rename = "advanced")]
    Advanced(Vec<AdvancedEventSelector>),
}

/// A basic event selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSelector {
    /// Which of the selected events: applies to management and data events alike.
    pub read_write_type: ReadWriteType,
    /// Whether management events are selected.
    pub include_management_events: bool,
    /// The resources whose data events are selected.
    pub data_resources: Vec<DataResource>,
    /// Services whose management events the trail leaves out, such as `kms.amazonaws.com`; `None` where the caller did not
    /// say, and is shown nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_management_event_sources: Option<Vec<String>>,
}

/// `ReadWriteType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is named as AWS names it")]
pub enum ReadWriteType {
    All,
    ReadOnly,
    WriteOnly,
}

/// Resources of one type, by ARN or by the beginning of their ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataResource {
    /// `AWS::S3::Object`, `AWS::Lambda::Function` or `AWS::DynamoDB::Table`.
    #[serde(rename = "Type")]
    pub resource_type: String,
    /// Whole ARNs, beginnings that end at a `/` or `:`, beginnings of S3 keys, or a whole service such as `arn:aws:s3`.
    pub values: Vec<String>,
}

/// An advanced event selector: all of its fields must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedEventSelector {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The conditions.
    pub field_selectors: Vec<FieldSelector>,
}

/// A condition on one field. The positive operators are alternatives; any hit of a negative one is a veto.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FieldSelector {
    /// The field of the record.
    pub field: SelectorField,
    /// The values, by operator.
    #[serde(flatten)]
    pub operators: Operators,
}

/// The values of a condition, by operator; an operator that is not used is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each is named as AWS names it")]
pub struct Operators {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_equals: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_starts_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ends_with: Vec<String>,
}

/// A field that advanced selectors can ask for. In the order of their names, which is the order in which
/// GetEventSelectors shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is named as in the record")]
pub enum SelectorField {
    #[serde(rename = "errorCode")]
    ErrorCode,
    #[serde(rename = "eventCategory")]
    EventCategory,
    #[serde(rename = "eventName")]
    EventName,
    #[serde(rename = "eventSource")]
    EventSource,
    #[serde(rename = "eventType")]
    EventType,
    #[serde(rename = "readOnly")]
    ReadOnly,
    #[serde(rename = "resources.ARN")]
    ResourcesArn,
    #[serde(rename = "resources.type")]
    ResourcesType,
    #[serde(rename = "sessionCredentialFromConsole")]
    SessionCredentialFromConsole,
    #[serde(rename = "userIdentity.arn")]
    UserIdentityArn,
    #[serde(rename = "vpcEndpointId")]
    VpcEndpointId,
}

impl SelectorField {
    /// All fields, in the order of their names.
    pub const ALL: [SelectorField; 11] = [
        SelectorField::ErrorCode,
        SelectorField::EventCategory,
        SelectorField::EventName,
        SelectorField::EventSource,
        SelectorField::EventType,
        SelectorField::ReadOnly,
        SelectorField::ResourcesArn,
        SelectorField::ResourcesType,
        SelectorField::SessionCredentialFromConsole,
        SelectorField::UserIdentityArn,
        SelectorField::VpcEndpointId,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            SelectorField::ErrorCode => "errorCode",
            SelectorField::EventCategory => "eventCategory",
            SelectorField::EventName => "eventName",
            SelectorField::EventSource => "eventSource",
            SelectorField::EventType => "eventType",
            SelectorField::ReadOnly => "readOnly",
            SelectorField::ResourcesArn => "resources.ARN",
            SelectorField::ResourcesType => "resources.type",
            SelectorField::SessionCredentialFromConsole => "sessionCredentialFromConsole",
            SelectorField::UserIdentityArn => "userIdentity.arn",
            SelectorField::VpcEndpointId => "vpcEndpointId",
        }
    }

    /// The field of that name.
    pub fn from_name(name: &str) -> Option<SelectorField> {
        SelectorField::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl Operators {
    /// The operators by name, in AWS's order.
    pub fn named(&self) -> [(&'static str, &[String]); 6] {
        [
            ("Equals", &self.equals),
            ("StartsWith", &self.starts_with),
            ("EndsWith", &self.ends_with),
            ("NotEquals", &self.not_equals),
            ("NotStartsWith", &self.not_starts_with),
            ("NotEndsWith", &self.not_ends_with),
        ]
    }

    /// All values of all operators.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.named().into_iter().flat_map(|(_, values)| values).map(String::as_str)
    }
}

impl Default for EventSelector {
    /// What a trail without selectors selects: all management events.
    fn default() -> EventSelector {
        EventSelector {
            read_write_type: ReadWriteType::All,
            include_management_events: true,
            data_resources: Vec::new(),
            exclude_management_event_sources: Some(Vec::new()),
        }
    }
}

impl EventSelector {
    /// The services whose management events the trail leaves out.
    pub(crate) fn excluded(&self) -> &[String] {
        self.exclude_management_event_sources.as_deref().unwrap_or_default()
    }
}

impl DataResource {
    /// What a value stands for: `arn:aws:s3:::*/*` is a spelling of all objects of all buckets, `arn:aws:s3:::`. There are
    /// no other wildcards.
    pub(crate) fn meant(value: &str) -> &str {
        value.strip_suffix("*/*").filter(|start| start.ends_with(":s3:::")).unwrap_or(value)
    }
}

impl Default for Selectors {
    /// What a trail without selectors has.
    fn default() -> Selectors {
        Selectors::Basic(vec![EventSelector::default()])
    }
}

impl Selectors {
    /// Whether these are other than the default: `HasCustomEventSelectors`.
    pub fn are_custom(&self) -> bool {
        let is_default = |one: &EventSelector| {
            one.excluded().is_empty()
                && EventSelector { exclude_management_event_sources: Some(Vec::new()), ..one.clone() }
                    == EventSelector::default()
        };
        !matches!(self, Selectors::Basic(all) if matches!(all.as_slice(), [one] if is_default(one)))
    }

    /// Whether write management events are selected, all of them or some: Insights on call rates need them.
    pub fn select_management(&self, read_only: bool) -> bool {
        match self {
            Selectors::Basic(selectors) => selectors.iter().any(|selector| {
                let fits = match selector.read_write_type {
                    ReadWriteType::All => true,
                    ReadWriteType::ReadOnly => read_only,
                    ReadWriteType::WriteOnly => !read_only,
                };
                selector.include_management_events && fits
            }),
            Selectors::Advanced(selectors) => selectors.iter().any(|selector| {
                selector.category() == Some("Management") && {
                    let unwanted = if read_only { "false" } else { "true" };
                    !selector.field_selectors.iter().any(|condition| {
                        condition.field == SelectorField::ReadOnly && condition.operators.equals == [unwanted]
                    })
                }
            }),
        }
    }

    /// Whether any network activity events are selected.
    pub fn select_network_activity(&self) -> bool {
        match self {
            Selectors::Basic(_) => false,
            Selectors::Advanced(selectors) => {
                selectors.iter().any(|selector| selector.category() == Some("NetworkActivity"))
            }
        }
    }

    /// Whether any data events are selected.
    pub fn select_data(&self) -> bool {
        match self {
            Selectors::Basic(selectors) => {
                selectors.iter().any(|selector| selector.data_resources.iter().any(|data| !data.values.is_empty()))
            }
            Selectors::Advanced(selectors) => selectors.iter().any(|selector| selector.category() == Some("Data")),
        }
    }
}

impl AdvancedEventSelector {
    /// The one category that it is for; checked selectors have one.
    pub(crate) fn category(&self) -> Option<&str> {
        let of_category = |condition: &&FieldSelector| condition.field == SelectorField::EventCategory;
        self.field_selectors.iter().find(of_category)?.operators.equals.first().map(String::as_str)
    }
}
