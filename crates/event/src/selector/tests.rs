//! The compiled matcher and the union against the plain reading of the rules.

use super::{
    AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Matcher, Operators, ReadWriteType,
    SelectorField, Selectors, Union, plain,
};
use crate::Event;
use proptest::prelude::*;
use proptest::sample::select;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

/// Few values, near to one another, so that random selectors and random events meet.
const WORDS: [&str; 18] = [
    "true",
    "false",
    "Management",
    "Data",
    "NetworkActivity",
    "Evidence",
    "kms.amazonaws.com",
    "s3.amazonaws.com",
    "GetObject",
    "GetObjectAcl",
    "AWS::S3::Object",
    "AWS::Lambda::Function",
    "arn:aws:s3:::audit/a",
    "arn:aws:s3:::audit/a/b",
    "arn:aws:s3:::audit",
    "arn:aws:lambda:eu-west-1:111122223333:function:f",
    "AwsApiCall",
    "a\"b\\c é",
];

/// A word, a beginning or an end of one.
fn text() -> impl Strategy<Value = String> {
    (select(&WORDS[..]), 0usize..30, 0u8..4).prop_map(|(word, cut, how)| {
        let at = word.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(word.len());
        let part = match how {
            0 => &word[at..],
            1 => &word[..at],
            _ => word,
        };
        if part.is_empty() { word.to_owned() } else { part.to_owned() }
    })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(text(), 1..4)]
}

fn operators() -> impl Strategy<Value = Operators> {
    (texts(), texts(), texts(), texts(), texts(), texts()).prop_map(
        |(equals, starts_with, ends_with, not_equals, not_starts_with, not_ends_with)| Operators {
            equals,
            starts_with,
            ends_with,
            not_equals,
            not_starts_with,
            not_ends_with,
        },
    )
}

fn field_selector() -> impl Strategy<Value = FieldSelector> {
    (select(&SelectorField::ALL[..]), operators()).prop_map(|(field, operators)| FieldSelector { field, operators })
}

fn basic() -> impl Strategy<Value = EventSelector> {
    let read_write = select(&[ReadWriteType::All, ReadWriteType::ReadOnly, ReadWriteType::WriteOnly][..]);
    let value = prop_oneof![
        text(),
        select(&["arn:aws:s3", "arn:aws:lambda", "arn:aws:s3:::", "arn:aws:s3:::audit/", "arn:aws:s3:::*/*"][..])
            .prop_map(str::to_owned)
    ];
    let resource_type = select(&["AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"][..]);
    let data = (resource_type, prop::collection::vec(value, 0..4))
        .prop_map(|(resource_type, values)| DataResource { resource_type: resource_type.to_owned(), values });
    let excluded = prop_oneof![3 => Just(Vec::new()), 1 => Just(vec!["kms.amazonaws.com".to_owned()])];
    let excluded = prop::option::of(excluded);
    (read_write, any::<bool>(), prop::collection::vec(data, 0..3), excluded).prop_map(
        |(read_write_type, include_management_events, data_resources, exclude_management_event_sources)| {
            EventSelector {
                read_write_type,
                include_management_events,
                data_resources,
                exclude_management_event_sources,
            }
        },
    )
}

fn selectors() -> impl Strategy<Value = Selectors> {
    let advanced = prop::collection::vec(field_selector(), 1..4)
        .prop_map(|field_selectors| AdvancedEventSelector { name: None, field_selectors });
    prop_oneof![
        prop::collection::vec(basic(), 1..4).prop_map(Selectors::Basic),
        prop::collection::vec(advanced, 1..4).prop_map(Selectors::Advanced),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let maybe = |name: &'static str| {
        prop::option::of(select(&WORDS[..])).prop_map(move |word| word.map(|word| (name, serde_json::json!(word))))
    };
    let category = select(&["Management", "Data", "NetworkActivity", "Insight", "Evidence", "é"][..]);
    let resource = (prop::option::of(select(&WORDS[..])), prop::option::of(select(&WORDS[..])))
        .prop_map(|(resource_type, arn)| serde_json::json!({"type": resource_type, "ARN": arn}));
    let members = (maybe("errorCode"), maybe("eventType"), maybe("vpcEndpointId"), prop::option::of(any::<bool>()));
    (
        (select(&WORDS[..]), select(&WORDS[..]), category),
        members,
        (prop::option::of(select(&WORDS[..])), any::<bool>()),
        prop::collection::vec(resource, 0..3),
    )
        .prop_map(
            |((source, name, category), (error, kind, endpoint, read_only), (caller, console), resources)| {
                let mut record = serde_json::json!({
                    "eventTime": "2026-01-15T10:02:03Z", "eventSource": source, "eventName": name,
                    "eventCategory": category, "userIdentity": {"arn": caller}, "awsRegion": "eu-west-1",
                    "readOnly": read_only, "resources": resources,
                });
                for (name, value) in [error, kind, endpoint].into_iter().flatten() {
                    record[name] = value;
                }
                if console {
                    record["sessionCredentialFromConsole"] = "true".into();
                }
                Event::from_json(record.to_string().into()).unwrap()
            },
        )
}

/// The real records in `tests/fixtures/events`.
static RECORDS: LazyLock<Vec<Event>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events");
    let mut records = Vec::new();
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_none_or(|kind| kind != "gz") {
                continue;
            }
            let mut text = String::new();
            flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_string(&mut text).unwrap();
            let log: serde_json::Value = serde_json::from_str(&text).unwrap();
            let list = log["Records"].as_array().unwrap();
            records.extend(list.iter().filter_map(|record| Event::from_json(record.to_string().into()).ok()));
        }
    }
    assert!(records.len() > 1000);
    records
});

/// A condition made from the values of a real record, so that it is met.
fn real_operators(value: String) -> impl Strategy<Value = Operators> {
    let value = if value.is_empty() { "x".to_owned() } else { value };
    let length = value.chars().count();
    (0u8..6, 1..=length).prop_map(move |(how, count)| {
        let mut operators = Operators::default();
        let begin: String = value.chars().take(count).collect();
        let end: String = value.chars().skip(length - count).collect();
        match how {
            0 => operators.equals.push(value.clone()),
            1 => operators.starts_with.push(begin),
            2 => operators.ends_with.push(end),
            3 => operators.not_equals.push(value.clone()),
            4 => operators.not_starts_with.push(begin),
            _ => operators.not_ends_with.push(end),
        }
        operators
    })
}

fn real_selectors() -> impl Strategy<Value = Selectors> {
    use crate::Field;
    let condition = (select(&SelectorField::ALL[..]), 0..RECORDS.len()).prop_flat_map(|(field, index)| {
        let event = &RECORDS[index];
        let value = match field {
            SelectorField::EventCategory => super::matcher::category_name(event).map(|name| name.into_owned()),
            SelectorField::ErrorCode => event.get(Field::ErrorCode).map(str::to_owned),
            SelectorField::EventName => Some(event.name().to_owned()),
            SelectorField::EventSource => Some(event.source().to_owned()),
            SelectorField::EventType => event.get(Field::EventType).map(str::to_owned),
            SelectorField::ReadOnly => event.read_only().map(|flag| flag.to_string()),
            SelectorField::ResourcesArn => event.resources().find_map(|found| found.arn).map(str::to_owned),
            SelectorField::ResourcesType => event.resources().find_map(|found| found.resource_type).map(str::to_owned),
            SelectorField::SessionCredentialFromConsole => Some("true".to_owned()),
            SelectorField::UserIdentityArn => event.get(Field::IdentityArn).map(str::to_owned),
            SelectorField::VpcEndpointId => event.get(Field::VpcEndpointId).map(str::to_owned),
        };
        real_operators(value.unwrap_or_default()).prop_map(move |operators| FieldSelector { field, operators })
    });
    let advanced = prop::collection::vec(condition, 1..4)
        .prop_map(|field_selectors| AdvancedEventSelector { name: None, field_selectors });
    prop::collection::vec(advanced, 1..4).prop_map(Selectors::Advanced)
}

fn union_of(all: &[Selectors]) -> (Vec<Matcher>, Union) {
    let matchers: Vec<Matcher> = all.iter().map(Matcher::new).collect();
    let union = Union::new(matchers.iter().enumerate().map(|(number, matcher)| (number as u32, matcher)));
    (matchers, union)
}

fn check(all: &[Selectors], matchers: &[Matcher], union: &Union, event: &Event) -> Result<usize, TestCaseError> {
    let mut found = Vec::new();
    union.matching(event, &mut found);
    let plainly: Vec<u32> = (0u32..).zip(all).filter(|(_, one)| plain::matches(one, event)).map(|(at, _)| at).collect();
    let compiled: Vec<u32> =
        (0u32..).zip(matchers).filter(|(_, matcher)| matcher.matches(event)).map(|(at, _)| at).collect();
    prop_assert_eq!(&plainly, &compiled, "compiled, {:?}", event.json());
    prop_assert_eq!(&plainly, &found, "union, {:?}", event.json());
    Ok(found.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_compiled_selects_what_the_rules_say(
        all in prop::collection::vec(selectors(), 1..6),
        events in prop::collection::vec(event(), 1..8),
    ) {
        let (matchers, union) = union_of(&all);
        for event in &events {
            check(&all, &matchers, &union, event)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_compiled_selects_what_the_rules_say_of_real_records(all in prop::collection::vec(real_selectors(), 1..6)) {
        let (matchers, union) = union_of(&all);
        for event in RECORDS.iter() {
            check(&all, &matchers, &union, event)?;
        }
    }
}

#[test]
fn a_trail_without_selectors_takes_the_management_events_and_nothing_else() {
    let matcher = Matcher::new(&Selectors::default());
    for event in RECORDS.iter() {
        assert_eq!(matcher.matches(event), event.category() == crate::Category::Management, "{}", event.name());
    }
}

#[test]
fn selectors_are_written_as_the_api_shows_them() {
    let json = r#"[{"Name":"s3 writes","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::audit/"]}]}]"#;
    let selectors: Vec<AdvancedEventSelector> = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&selectors).unwrap(), json);
    let default = r#"{"ReadWriteType":"All","IncludeManagementEvents":true,"DataResources":[],"ExcludeManagementEventSources":[]}"#;
    assert_eq!(serde_json::to_string(&EventSelector::default()).unwrap(), default);
    let unsaid = r#"{"ReadWriteType":"All","IncludeManagementEvents":true,"DataResources":[]}"#;
    let selector: EventSelector = serde_json::from_str(unsaid).unwrap();
    assert_eq!(serde_json::to_string(&selector).unwrap(), unsaid);
    assert!(!Selectors::Basic(vec![selector]).are_custom() && !Selectors::default().are_custom());
    let excluding = EventSelector {
        exclude_management_event_sources: Some(vec!["kms.amazonaws.com".to_owned()]),
        ..EventSelector::default()
    };
    assert!(Selectors::Basic(vec![excluding]).are_custom() && Selectors::Basic(Vec::new()).are_custom());
}

#[test]
fn the_other_accounts_of_a_service_are_selected_with_it_and_a_region_confines() {
    let data = DataResource { resource_type: "AWS::Lambda::Function".into(), values: vec!["arn:aws:lambda".into()] };
    let selector = EventSelector { data_resources: vec![data], ..EventSelector::default() };
    let matcher = Matcher::new(&Selectors::Basic(vec![selector]));
    let event = |account: &str| {
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"lambda.amazonaws.com","eventName":"Invoke","awsRegion":"eu-west-1","eventCategory":"Data","resources":[{{"type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:eu-west-1:{account}:function:f"}}]}}"#
        );
        Event::from_json(json.into()).unwrap()
    };
    assert!(matcher.matches(&event("111122223333")) && matcher.matches(&event("444455556666")));
    assert!(matcher.clone().only_in("eu-west-1").matches(&event("1")));
    let elsewhere = matcher.only_in("us-east-1");
    assert!(!elsewhere.matches(&event("1")));
    let mut found = Vec::new();
    Union::new([(7, &elsewhere), (9, &Matcher::new(&Selectors::default()))]).matching(&event("1"), &mut found);
    assert!(found.is_empty());
}
