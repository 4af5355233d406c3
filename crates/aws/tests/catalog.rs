//! The table that is committed: complete, small, and read without trust.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use opentrail_aws::{Catalog, CatalogError, Kind, Location, Protocol, TimestampFormat, format};
use proptest::prelude::*;

static TABLE: &[u8] = include_bytes!("../../../models/aws.bin");

fn leak(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

#[test]
fn every_service_decodes_and_none_is_missing() {
    let catalog = Catalog::embedded();
    let services = catalog.services().iter().map(|info| catalog.service(info.id()).expect("decodes"));
    let operations: usize = services.map(|service| service.operations().len()).sum();
    assert!(catalog.services().len() >= 430, "{} services", catalog.services().len());
    assert!(operations >= 18_000, "{operations} operations");
    assert!(TABLE.len() < 2_500_000, "{} bytes", TABLE.len());
}

#[test]
fn the_table_opens_in_under_30_ms() {
    let time = || {
        let start = std::time::Instant::now();
        let catalog = Catalog::open(TABLE).expect("opens");
        assert!(catalog.by_name("ec2").is_some());
        start.elapsed()
    };
    // The best of a few, because the machine may be busy with other tests.
    let best = (0..5).map(|_| time()).min();
    assert!(best < Some(std::time::Duration::from_millis(30)), "{best:?}");
}

#[test]
fn each_protocol_has_its_services() {
    let protocol = |name| Catalog::embedded().by_name(name).expect("a service of that name").protocols().to_vec();
    assert_eq!(protocol("dynamodb"), [Protocol::Json]);
    assert_eq!(protocol("lambda"), [Protocol::RestJson]);
    assert_eq!(protocol("s3"), [Protocol::RestXml]);
    assert_eq!(protocol("iam"), [Protocol::Query]);
    assert_eq!(protocol("ec2"), [Protocol::Ec2]);
    assert_eq!(protocol("cloudwatch"), [Protocol::RpcV2Cbor, Protocol::Json, Protocol::Query]);
    assert_eq!(protocol("sqs"), [Protocol::Json, Protocol::Query]);
}

#[test]
fn members_hold_what_a_derivation_needs() {
    let catalog = Catalog::embedded();
    let service = |name| catalog.service(catalog.by_name(name).expect("known").id()).expect("decodes");
    let input = |name, operation| service(name).operation(operation).expect("known").input().expect("has an input");

    let put = input("s3", "PutObject");
    let acl = put.member("ACL").expect("a member");
    assert_eq!((acl.wire_name(), acl.location()), ("x-amz-acl", Location::Header));
    assert!(put.payload().expect("a body").is_streaming());
    assert!(put.member("SSECustomerKey").expect("a member").is_sensitive());
    let metadata = put.member("Metadata").expect("a member");
    assert_eq!((metadata.shape().kind(), metadata.location()), (Kind::Map, Location::Headers));

    let run = input("ec2", "RunInstances");
    assert_eq!(run.member("BlockDeviceMappings").expect("a member").query_name(), "BlockDeviceMapping");
    let filters = input("ec2", "DescribeInstances").member("Filters").expect("a member");
    assert_eq!((filters.query_name(), filters.shape().element().expect("a list").wire_name()), ("Filter", "Filter"));

    let send = input("sqs", "SendMessage").member("MessageAttributes").expect("a member");
    assert_eq!((send.wire_name(), send.query_name()), ("MessageAttributes", "MessageAttribute"));
    assert_eq!(send.shape().key().expect("a map").query_name(), "Name");

    let value = service("dynamodb").structure("AttributeValue").expect("a structure");
    assert_eq!(
        value.member_by_wire("M").expect("a member").shape().value().expect("a map").shape().name(),
        "AttributeValue"
    );

    assert!(service("bedrock-runtime").structure("ContentBlock").expect("a structure").is_union());

    let user = service("iam").operation("CreateUser").expect("known");
    let error = user.errors().find(|error| error.name() == "EntityAlreadyExistsException").expect("an error");
    assert_eq!((error.code(), error.http_status()), ("EntityAlreadyExists", Some(409)));

    let expires = input("s3", "GetObject").member("IfModifiedSince").expect("a member");
    assert_eq!(expires.timestamp_format(), None);
    let timestamps = catalog.services().iter().filter_map(|info| catalog.service(info.id()).ok()).any(|service| {
        let mut inputs = service.operations().filter_map(|operation| operation.input());
        inputs.any(|input| input.members().any(|member| member.timestamp_format() == Some(TimestampFormat::Iso8601)))
    });
    assert!(timestamps);
}

#[test]
fn a_member_is_found_by_every_wire_name_it_has() {
    let catalog = Catalog::embedded();
    for info in catalog.services() {
        for operation in catalog.service(info.id()).expect("decodes").operations() {
            for shape in operation.input().into_iter().chain(operation.output()) {
                for member in shape.members() {
                    let found = shape.member_by_wire(member.wire_name()).expect("found");
                    assert_eq!(found.wire_name(), member.wire_name());
                }
                assert!(shape.member_by_wire("no such member").is_none());
            }
        }
    }
}

#[test]
fn event_sources_are_lower_case_words() {
    for info in Catalog::embedded().services() {
        let word = info.event_source().strip_suffix(".amazonaws.com").expect("ends as all do");
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{word}");
    }
}

#[test]
fn global_services_say_their_region() {
    let region = |name| Catalog::embedded().by_name(name).expect("known").global_region();
    for name in ["iam", "cloudfront", "organizations", "route53", "support"] {
        assert_eq!(region(name), Some("us-east-1"), "{name}");
    }
    assert_eq!(region("networkmanager"), Some("us-west-2"));
    for name in ["s3", "sts", "dynamodb", "ec2", "lambda"] {
        assert_eq!(region(name), None, "{name}");
    }
}

#[test]
fn another_version_of_the_format_is_refused() {
    let mut bytes = TABLE.to_vec();
    bytes[format::MAGIC.len() - 1] += 1;
    assert_eq!(Catalog::open(leak(bytes)).unwrap_err(), CatalogError::NotACatalog);
    assert_eq!(Catalog::open(b"").unwrap_err(), CatalogError::NotACatalog);
    assert_eq!(Catalog::open(&TABLE[..TABLE.len() - 1]).unwrap_err(), CatalogError::Index);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_damaged_table_is_an_error_and_never_a_panic(at in 0..TABLE.len(), change in 1u8..) {
        let mut bytes = TABLE.to_vec();
        bytes[at] ^= change;
        let Ok(catalog) = Catalog::open(leak(bytes)) else { return Ok(()) };
        for info in catalog.services() {
            if let Ok(service) = catalog.service(info.id()) {
                for operation in service.operations().take(3) {
                    for member in operation.input().into_iter().flat_map(|input| input.members()) {
                        let _ = (member.name(), member.shape().kind());
                    }
                }
            }
        }
    }
}
