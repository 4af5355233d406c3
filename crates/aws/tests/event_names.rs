//! The calls of real CloudTrail records are operations of the table, under the `eventSource` that we give their service.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use opentrail_aws::Catalog;
use std::collections::BTreeSet;

const RECORDED: &str = include_str!("data/event-names.txt");

/// Records whose names are not the operation's: S3 renames some (the recorder does so too).
const RENAMED: &[(&str, &str)] = &[
    ("GetAccelerateConfiguration", "GetBucketAccelerateConfiguration"),
    ("GetAccountPublicAccessBlock", "GetPublicAccessBlock"),
    ("GetBucketObjectLockConfiguration", "GetObjectLockConfiguration"),
    ("GetBucketPublicAccessBlock", "GetPublicAccessBlock"),
];

/// Calls that AWS records but that no public model has: of consoles, of agents, and of objects on Outposts.
const UNMODELLED: &[&str] = &[
    "bedrock.amazonaws.com PutFoundationModelEntitlement",
    "cloudshell.amazonaws.com CreateSession",
    "discovery-marketplace.amazonaws.com GetListingView",
    "rds.amazonaws.com DescribeRecommendationGroups",
    "rds.amazonaws.com DescribeRecommendations",
    "s3-outposts.amazonaws.com PutObject",
    "s3.amazonaws.com GetStorageLensDashboardDataInternal",
    "ssm.amazonaws.com ListInstanceAssociations",
    "ssm.amazonaws.com UpdateInstanceAssociationStatus",
    "ssm.amazonaws.com UpdateInstanceInformation",
    "sso-directory.amazonaws.com AddMemberToGroup",
    "sso-directory.amazonaws.com CreateGroup",
    "sso.amazonaws.com UpdateSsoConfiguration",
];

#[test]
fn recorded_calls_are_operations_of_the_service_with_their_event_source() {
    let lines = RECORDED.lines().filter(|line| !line.starts_with('#'));
    let unknown: BTreeSet<&str> = lines.filter(|line| !is_known(line)).collect();
    assert_eq!(unknown, UNMODELLED.iter().copied().collect());
}

fn is_known(line: &str) -> bool {
    let catalog = Catalog::embedded();
    let (source, name) = line.split_once(' ').expect("a source and a name");
    let name = RENAMED.iter().find(|(recorded, _)| *recorded == name).map_or(name, |(_, operation)| operation);
    catalog.services().iter().filter(|info| info.event_source() == source).any(|info| {
        let service = catalog.service(info.id()).expect("decodes");
        service.operation(name).is_some() || service.operation(without_version(name)).is_some()
    })
}

/// `CreateFunction20150331v2` and `CreateDistribution2020_05_31` without the version.
fn without_version(name: &str) -> &str {
    let name = name.strip_suffix("v2").unwrap_or(name);
    let digits = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    if name.len() - digits.len() >= 8 { digits } else { name }
}
