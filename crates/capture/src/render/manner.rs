//! How each service writes its records: one row for each service that differs from what most do.
//!
//! Rows come from real records (`reference/event-record.md` §6.1, §7, §8 and the corpus in `tests/fixtures/events`).

use crate::render::redact::Mask;
use crate::render::time::Dates;
use aws::{Location, Member, Protocol, Service};
use std::cell::RefCell;
use std::collections::HashMap;

/// How the member names of a structure stand in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Casing {
    /// The modeled name with its first letter in lower case: nearly all (§7.1).
    LowerFirst,
    /// The name on the wire.
    AsSent,
}

/// What the record of a refused call says of its parameters (§7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// `null`: most.
    Nothing,
    /// The parameters, as of any other call.
    Parameters,
}

/// Where the text of an error goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// Into `errorMessage`: nearly all.
    Message,
    /// Into `responseElements.message` of calls that change something, and nowhere for the others: services behind
    /// API Gateway ("some services put error details into responseElements", §8).
    Response,
}

/// How one service writes its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) casing: Casing,
    pub(crate) dates: Dates,
    pub(crate) denied: Denied,
    pub(crate) said: Said,
    /// What stands in place of members that the model marks as sensitive.
    pub(crate) sensitive: Mask,
    /// Whether the names of path labels begin in lower case although the model's do not.
    pub(crate) lower_labels: bool,
    /// Whether path labels stay percent-encoded.
    pub(crate) raw_labels: bool,
    /// Whether query parameters stay text, whatever the model says.
    pub(crate) text_queries: bool,
    /// Whether binary members of a JSON body stand there as they were sent: programs, where others hold what was said to somebody.
    pub(crate) blobs: bool,
    /// Whether a result of one structure stands without the name of that structure.
    pub(crate) unwraps: bool,
    /// `apiVersion`, for the few services that write it (§1), of calls that they did not refuse.
    pub(crate) api_version: Option<&'static str>,
}

const HIDDEN: Mask = Mask::Text("HIDDEN_DUE_TO_SECURITY_REASONS");

const MOST: Manner = Manner {
    casing: Casing::LowerFirst,
    dates: Dates::Java9,
    denied: Denied::Nothing,
    said: Said::Message,
    sensitive: HIDDEN,
    lower_labels: false,
    raw_labels: false,
    text_queries: false,
    blobs: false,
    unwraps: false,
    api_version: None,
};

/// Services behind API Gateway: names as sent, refused calls with their parameters, no `errorMessage`.
const GATEWAY: Manner = Manner {
    casing: Casing::AsSent,
    dates: Dates::AsSent,
    denied: Denied::Parameters,
    said: Said::Response,
    text_queries: true,
    ..MOST
};

/// Those of them that write three asterisks for what is secret.
const STARRED: Manner = Manner { sensitive: Mask::Text("***"), ..GATEWAY };

const JAVA8: Manner = Manner { dates: Dates::Java8, ..MOST };
/// The relational databases and their kin: results without the outer name.
const DATABASES: Manner = Manner { unwraps: true, ..JAVA8 };
/// Those of them that write passwords as asterisks. RDS did until 2022 at least; since 2023 at the latest it hides them as most do.
const ASTERISKS: Manner = Manner { sensitive: Mask::Text("****"), ..DATABASES };
/// What is secret leaves no trace.
const SILENT: Manner = Manner { sensitive: Mask::Drop, ..MOST };
const PLAIN_NAMES: Manner = Manner { casing: Casing::AsSent, ..AS_SENT };
/// Values as they were sent.
const AS_SENT: Manner = Manner { dates: Dates::AsSent, text_queries: true, ..MOST };

/// By botocore name, sorted.
static MANNERS: &[(&str, Manner)] = &[
    ("accessanalyzer", Manner { denied: Denied::Parameters, ..MOST }),
    ("account", PLAIN_NAMES),
    ("amplify", STARRED),
    ("apigatewayv2", Manner { dates: Dates::AsSent, ..MOST }),
    ("appmesh", Manner { api_version: Some("2019-01-25"), ..MOST }),
    ("apprunner", JAVA8),
    ("appstream", JAVA8),
    ("appsync", STARRED),
    ("athena", JAVA8),
    ("backup", JAVA8),
    ("bedrock", GATEWAY),
    ("bedrock-agent", GATEWAY),
    ("bedrock-agent-runtime", GATEWAY),
    ("bedrock-runtime", GATEWAY),
    ("ce", Manner { denied: Denied::Parameters, ..PLAIN_NAMES }),
    ("cleanrooms", STARRED),
    ("cloudfront", Manner { api_version: Some("2020_05_31"), ..MOST }),
    ("cloudtrail", Manner { dates: Dates::Iso, ..MOST }),
    ("codebuild", JAVA8),
    ("codecommit", Manner { api_version: Some("2015-04-13"), ..JAVA8 }),
    ("codeguru-reviewer", GATEWAY),
    ("cognito-identity", JAVA8),
    ("comprehend", JAVA8),
    ("config", JAVA8),
    ("connect", Manner { raw_labels: true, ..STARRED }),
    ("databrew", Manner { lower_labels: true, ..GATEWAY }),
    ("dataexchange", GATEWAY),
    ("datazone", AS_SENT),
    ("detective", GATEWAY),
    ("devops-guru", GATEWAY),
    ("dms", JAVA8),
    ("docdb", DATABASES),
    ("dynamodb", Manner { api_version: Some("2012-08-10"), ..MOST }),
    ("dynamodbstreams", Manner { api_version: Some("2012-08-10"), ..JAVA8 }),
    ("ebs", JAVA8),
    (
        "ec2",
        Manner {
            denied: Denied::Parameters,
            sensitive: Mask::Text("<sensitiveDataRemoved>"),
            dates: Dates::Millis,
            ..MOST
        },
    ),
    ("ecs", JAVA8),
    ("efs", Manner { api_version: Some("2015-02-01"), ..MOST }),
    ("eks", Manner { raw_labels: true, ..GATEWAY }),
    ("elasticache", ASTERISKS),
    ("elb", Manner { api_version: Some("2012-06-01"), ..JAVA8 }),
    ("elbv2", Manner { api_version: Some("2015-12-01"), ..JAVA8 }),
    ("es", JAVA8),
    ("events", Manner { api_version: Some("2015-10-07"), ..MOST }),
    ("fms", Manner { api_version: Some("2018-01-01"), ..MOST }),
    ("fsx", Manner { api_version: Some("2018-03-01"), ..JAVA8 }),
    ("glacier", MOST),
    ("grafana", STARRED),
    ("greengrass", STARRED),
    ("guardduty", Manner { lower_labels: true, ..GATEWAY }),
    ("iam", Manner { sensitive: Mask::Drop, ..JAVA8 }),
    ("inspector", Manner { api_version: Some("v20160216"), ..MOST }),
    ("internetmonitor", GATEWAY),
    ("iot-managed-integrations", GATEWAY),
    ("kafka", Manner { raw_labels: true, ..GATEWAY }),
    ("kinesisanalytics", Manner { api_version: Some("2015-08-14"), ..JAVA8 }),
    ("kinesisanalyticsv2", JAVA8),
    ("kinesisvideo", MOST),
    ("kms", SILENT),
    ("lambda", SILENT),
    ("lexv2-models", AS_SENT),
    ("logs", Manner { api_version: Some("20140328"), ..MOST }),
    ("macie2", GATEWAY),
    ("mediaconnect", Manner { raw_labels: true, lower_labels: true, ..GATEWAY }),
    ("mediaconvert", GATEWAY),
    ("mediapackage", STARRED),
    ("mediastore", JAVA8),
    ("mediatailor", GATEWAY),
    ("meteringmarketplace", JAVA8),
    ("mq", STARRED),
    ("mwaa", STARRED),
    ("neptune", DATABASES),
    ("networkflowmonitor", GATEWAY),
    ("notifications", AS_SENT),
    ("oam", GATEWAY),
    ("omics", Manner { blobs: true, ..GATEWAY }),
    ("opensearch", MOST),
    ("organizations", Manner { sensitive: Mask::Show, ..JAVA8 }),
    ("pi", JAVA8),
    ("pinpoint", GATEWAY),
    ("pinpoint-email", MOST),
    ("pinpoint-sms-voice", GATEWAY),
    ("polly", MOST),
    ("ram", PLAIN_NAMES),
    ("rbin", MOST),
    ("rds", DATABASES),
    ("redshift", ASTERISKS),
    ("redshift-data", JAVA8),
    ("redshift-serverless", JAVA8),
    ("resource-explorer-2", STARRED),
    ("resource-groups", GATEWAY),
    ("rolesanywhere", Manner { text_queries: false, ..GATEWAY }),
    ("route53", Manner { api_version: Some("2013-04-01"), ..JAVA8 }),
    ("route53profiles", GATEWAY),
    ("route53resolver", Manner { dates: Dates::AsSent, ..MOST }),
    ("rum", GATEWAY),
    ("s3", Manner { denied: Denied::Parameters, ..MOST }),
    ("s3control", Manner { denied: Denied::Parameters, ..MOST }),
    ("scheduler", MOST),
    ("secretsmanager", SILENT),
    ("securityhub", GATEWAY),
    ("servicecatalog-appregistry", GATEWAY),
    ("servicediscovery", JAVA8),
    ("sesv2", MOST),
    ("shield", Manner { api_version: Some("AWSShield_20160616"), ..MOST }),
    ("stepfunctions", JAVA8),
    ("storagegateway", Manner { api_version: Some("20130630"), ..MOST }),
    ("sts", SILENT),
    ("synthetics", Manner { blobs: true, ..GATEWAY }),
    ("verifiedpermissions", AS_SENT),
    ("waf", Manner { api_version: Some("2015-08-24"), ..MOST }),
    ("waf-regional", Manner { api_version: Some("2016-11-28"), ..MOST }),
    ("wafv2", Manner { api_version: Some("2019-04-23"), ..MOST }),
    ("wellarchitected", STARRED),
    ("xray", MOST),
];

/// How a service writes the record of an operation. Of a service with a row that is what it says; of others it is told by how
/// they speak: most REST services whose members begin with a capital on the wire show them as they were sent (19 of the 32
/// of which there are real records; the others have a row).
pub(crate) fn of(service: &'static Service, operation: &str) -> &'static Manner {
    let name = service.name();
    // Another part of Systems Manager than that which runs commands (records of the same month of 2024 differ).
    if name == "ssm" && matches!(operation, "CreateDocument" | "UpdateDocument") {
        return &JAVA8;
    }
    match MANNERS.binary_search_by(|(row, _)| (*row).cmp(name)) {
        Ok(at) => MANNERS.get(at).map_or(&MOST, |(_, manner)| manner),
        Err(_) if service.protocol() == Protocol::RestJson && has_capitals(service) => &PLAIN_NAMES,
        Err(_) => &MOST,
    }
}

/// Whether most members of a service begin with a capital on the wire, those in headers aside. Looked up once by each thread.
fn has_capitals(service: &'static Service) -> bool {
    thread_local! {
        static KNOWN: RefCell<HashMap<&'static str, bool>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| *known.entry(service.name()).or_insert_with(|| are_mostly_capitals(service)))
}

fn are_mostly_capitals(service: &Service) -> bool {
    let in_head = |member: &Member<'_>| matches!(member.location(), Location::Header | Location::Headers);
    let (mut capitals, mut all) = (0usize, 0usize);
    for operation in service.operations() {
        for shape in [operation.input(), operation.output()].into_iter().flatten() {
            for member in shape.members().filter(|member| !in_head(member)) {
                all += 1;
                capitals += usize::from(member.wire_name().starts_with(|first: char| first.is_ascii_uppercase()));
            }
        }
    }
    capitals * 2 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_sorted_and_name_real_services() {
        assert!(MANNERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (name, _) in MANNERS {
            assert!(aws::Catalog::embedded().by_name(name).is_some(), "{name}");
        }
    }
}
