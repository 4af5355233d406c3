//! Measures event history: `cargo run --release -p opentrail-lake --example history -- [EVENTS]`.
//!
//! Prints what indexing an event costs, how many bytes remembering it takes, and how many lookups a second a single
//! thread answers, over synthetic events of seven usual kinds (default: one million) in a journal in a temporary folder.

use bytes::Bytes;
use event::{Event, EventTime};
use journal::{Durability, Journal, ReadLimit, Seq};
use opentrail_lake::{Attribute, History, HistoryFollower, Options, Query};
use std::error::Error;
use std::time::Instant;

const FIRST_SECOND: i64 = 1_800_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let options = journal::Options { durability: Durability::Buffered, ..journal::Options::default() };
    let journal = Journal::open(folder.path(), options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for start in (0..count).step_by(2000) {
        let events: Result<Vec<Event>, _> =
            (start..count.min(start + 2000)).map(|number| Event::from_json(Bytes::from(record(number)))).collect();
        runtime.block_on(journal.appender().append_all(events?))?;
    }

    let history = History::new(journal.clone(), Options::default());
    let mut follower: HistoryFollower = history.follower();
    let mut reader = journal.reader(Seq(0));
    let (mut indexing_ns, rebuilding) = (0, Instant::now());
    loop {
        let batch = reader.read(ReadLimit::default())?;
        if batch.is_empty() {
            break;
        }
        let started = cpu_ns()?;
        runtime.block_on(journal::Follower::follow(&mut follower, &batch)).map_err(|error| error.to_string())?;
        indexing_ns += cpu_ns()? - started;
    }
    let events = history.events() as f64;
    println!("events                {events}");
    println!("rebuild               {:.2} s, journal reads included", rebuilding.elapsed().as_secs_f64());
    println!("indexing              {:.2} µs of CPU per event", indexing_ns as f64 / 1e3 / events);
    println!("memory                {:.1} bytes/event", history.bytes() as f64 / events);

    let middle = count / 2;
    for (what, attribute) in [
        ("newest 50", None),
        ("one event id", Some((Attribute::EventId, format!("id-{middle}")))),
        ("a rare user", Some((Attribute::Username, format!("user-{}", middle % 50_000)))),
        ("a frequent name", Some((Attribute::EventName, "CreateBucket".to_owned()))),
        ("a resource name", Some((Attribute::ResourceName, format!("bucket-{}", middle / 7 * 7)))),
        ("nothing", Some((Attribute::EventId, "none".to_owned()))),
    ] {
        let query = Query {
            account_id: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            attribute,
            start: None,
            end: None,
            max_results: 50,
            next_token: None,
            now: EventTime(FIRST_SECOND + 86_400),
        };
        let (started, mut rounds, mut found) = (Instant::now(), 0u32, 0);
        while started.elapsed().as_millis() < 1000 {
            found = history.lookup_blocking(&query)?.events.len();
            rounds += 1;
        }
        println!("{what:<21} {:.0} lookups/s ({found} events)", f64::from(rounds) / started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Nanoseconds that this thread has run on a processor: what else the machine does then does not count.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(statistics.split(' ').next().unwrap_or_default().parse()?)
}

fn record(number: u64) -> String {
    let (source, name, parameters, read_only) = match number % 7 {
        0 => ("s3", "CreateBucket", format!(r#"{{"bucketName":"bucket-{number}","Host":"s3.amazonaws.com"}}"#), false),
        1 => ("ec2", "DescribeInstances", r#"{"instancesSet":{},"filterSet":{}}"#.to_owned(), true),
        2 => (
            "dynamodb",
            "CreateTable",
            format!(r#"{{"tableName":"table-{number}","billingMode":"PAY_PER_REQUEST"}}"#),
            false,
        ),
        3 => ("sqs", "CreateQueue", format!(r#"{{"queueName":"queue-{number}"}}"#), false),
        4 => ("sts", "GetCallerIdentity", "null".to_owned(), true),
        5 => (
            "iam",
            "AttachRolePolicy",
            format!(r#"{{"roleName":"role-{number}","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}"#),
            false,
        ),
        _ => ("lambda", "ListFunctions20150331", "null".to_owned(), true),
    };
    let user = number % 50_000;
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE{user}","arn":"arn:aws:iam::111122223333:user/user-{user}","accountId":"111122223333","accessKeyId":"AKIA{user:016}","userName":"user-{user}"}},"eventTime":"{}","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.7","userAgent":"Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.8 md/arch#x86_64 lang/python#3.11.7","requestParameters":{parameters},"responseElements":null,"requestID":"5b8e2e1f-5a2c-4f44-8f6e-{number:012}","eventID":"id-{number}","readOnly":{read_only},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"service.us-east-1.amazonaws.com"}}}}"#,
        EventTime(FIRST_SECOND + (number / 50) as i64)
    )
}
