//! What selectors cost: 100 trails with selectors of their own, for events that only one of them takes.
//!
//!     cargo bench -p opentrail-event --bench selectors
//!
//! Prints nanoseconds per event for the matcher of the one trail, for the union of all, and for all matchers one by one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may stop at anything unexpected"
)]

use opentrail_event::{
    AdvancedEventSelector, Event, FieldSelector, Matcher, Operators, SelectorField, Selectors, Union,
};
use std::hint::black_box;
use std::time::Instant;

const TRAILS: usize = 100;
const EVENTS: usize = 20_000;

fn condition(field: SelectorField, operators: Operators) -> FieldSelector {
    FieldSelector { field, operators }
}

fn equals(value: &str) -> Operators {
    Operators { equals: vec![value.to_owned()], ..Operators::default() }
}

/// Trails for a bucket prefix, a function, a queue and an operation each, in turn.
fn selectors(trail: usize) -> Selectors {
    let (resource_type, arn) = match trail % 4 {
        0 => ("AWS::S3::Object", format!("arn:aws:s3:::bucket-{trail}/logs/")),
        1 => ("AWS::Lambda::Function", format!("arn:aws:lambda:eu-west-1:111122223333:function:f{trail}")),
        2 => ("AWS::SQS::Queue", format!("arn:aws:sqs:eu-west-1:111122223333:queue-{trail}")),
        _ => ("AWS::DynamoDB::Table", format!("arn:aws:dynamodb:eu-west-1:111122223333:table/t{trail}")),
    };
    Selectors::Advanced(vec![AdvancedEventSelector {
        name: None,
        field_selectors: vec![
            condition(SelectorField::EventCategory, equals("Data")),
            condition(SelectorField::ResourcesType, equals(resource_type)),
            condition(SelectorField::ReadOnly, equals("false")),
            condition(
                SelectorField::ResourcesArn,
                Operators { starts_with: vec![arn], not_ends_with: vec![".tmp".to_owned()], ..Operators::default() },
            ),
        ],
    }])
}

/// Events that only trail 0 takes.
fn events() -> Vec<Event> {
    (0..EVENTS)
        .map(|number| {
            let json = format!(
                r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333"}},"eventTime":"2026-01-15T10:02:03Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","readOnly":false,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-0/logs/{number}"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-0"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#
            );
            Event::from_json(json.into()).expect("a record")
        })
        .collect()
}

/// Nanoseconds per event, the best of several rounds.
fn measure(events: &[Event], mut ask: impl FnMut(&Event) -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        let taken: usize = events.iter().map(&mut ask).sum();
        best = best.min(begin.elapsed().as_nanos() as f64 / events.len() as f64);
        assert_eq!(taken, events.len(), "each event is taken once");
    }
    best
}

fn main() {
    let events = events();
    let matchers: Vec<Matcher> = (0..TRAILS).map(|trail| Matcher::new(&selectors(trail))).collect();
    let all = Union::new((0..).zip(&matchers));
    let one = matchers.first().expect("a trail");
    let mut found = Vec::new();
    let alone = measure(&events, |event| usize::from(black_box(one).matches(event)));
    let union = measure(&events, |event| {
        black_box(&all).matching(event, &mut found);
        found.len()
    });
    let naive = measure(&events, |event| black_box(&matchers).iter().filter(|matcher| matcher.matches(event)).count());
    println!("one trail:                {alone:8.1} ns/event");
    println!("{TRAILS} trails, union:        {union:8.1} ns/event");
    println!("{TRAILS} trails, one by one:   {naive:8.1} ns/event");
}
