//! How each service writes its records: one row for each service that differs from what most do.
//!
//! Rows come from real records (`reference/event-record.md` §6.1, §7, §8 and the corpus in `tests/fixtures/events`).

use crate::render::redact::{Mask, THREE_STARS};
use crate::render::time::Dates;
use aws::{Protocol, Service};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    sensitive: THREE_STARS,
    ..MOST
};

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
    ("apigateway", MOST),
    ("apigatewayv2", Manner { dates: Dates::AsSent, ..MOST }),
    ("appconfigdata", MOST),
    ("appmesh", Manner { api_version: Some("2019-01-25"), ..MOST }),
    ("apprunner", JAVA8),
    ("appstream", JAVA8),
    ("arc-zonal-shift", MOST),
    ("athena", JAVA8),
    ("backup", JAVA8),
    ("batch", MOST),
    ("ce", Manner { denied: Denied::Parameters, ..PLAIN_NAMES }),
    ("chime-sdk-media-pipelines", MOST),
    ("clouddirectory", MOST),
    ("cloudfront", Manner { api_version: Some("2020_05_31"), ..MOST }),
    ("cloudsearchdomain", MOST),
    ("cloudtrail", Manner { dates: Dates::Iso, ..MOST }),
    ("codeartifact", MOST),
    ("codebuild", JAVA8),
    ("codecommit", Manner { api_version: Some("2015-04-13"), ..JAVA8 }),
    ("cognito-identity", JAVA8),
    ("cognito-sync", MOST),
    ("comprehend", JAVA8),
    ("config", JAVA8),
    ("connect", Manner { raw_labels: true, ..GATEWAY }),
    ("databrew", Manner { lower_labels: true, ..GATEWAY }),
    ("datazone", AS_SENT),
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
    ("eks-auth", Manner { denied: Denied::Parameters, ..MOST }),
    ("elasticache", ASTERISKS),
    ("elb", Manner { api_version: Some("2012-06-01"), ..JAVA8 }),
    ("elbv2", Manner { api_version: Some("2015-12-01"), ..JAVA8 }),
    ("es", JAVA8),
    ("events", Manner { api_version: Some("2015-10-07"), ..MOST }),
    ("fms", Manner { api_version: Some("2018-01-01"), ..MOST }),
    ("fsx", Manner { api_version: Some("2018-03-01"), ..JAVA8 }),
    ("glacier", MOST),
    ("guardduty", Manner { lower_labels: true, ..GATEWAY }),
    ("iam", Manner { sensitive: Mask::Drop, ..JAVA8 }),
    ("inspector", Manner { api_version: Some("v20160216"), ..MOST }),
    ("invoicing", PLAIN_NAMES),
    ("iot", MOST),
    ("iot-data", MOST),
    ("kafka", Manner { raw_labels: true, ..GATEWAY }),
    ("kinesisanalytics", Manner { api_version: Some("2015-08-14"), ..JAVA8 }),
    ("kinesisanalyticsv2", JAVA8),
    ("kinesisvideo", MOST),
    ("kms", SILENT),
    ("lakeformation", MOST),
    ("lambda", SILENT),
    ("lex-models", MOST),
    ("lex-runtime", MOST),
    ("lexv2-models", AS_SENT),
    ("logs", Manner { api_version: Some("20140328"), ..MOST }),
    ("managedblockchain", MOST),
    ("marketplace-catalog", MOST),
    ("mediaconnect", Manner { raw_labels: true, lower_labels: true, ..GATEWAY }),
    ("mediastore", JAVA8),
    ("meteringmarketplace", JAVA8),
    ("neptune", DATABASES),
    ("notifications", AS_SENT),
    ("omics", Manner { blobs: true, ..GATEWAY }),
    ("opensearch", MOST),
    ("organizations", Manner { sensitive: Mask::Show, ..JAVA8 }),
    ("osis", JAVA8),
    ("partnercentral-selling", PLAIN_NAMES),
    ("payment-cryptography-data", MOST),
    ("pi", JAVA8),
    ("pinpoint-email", MOST),
    ("polly", MOST),
    ("ram", PLAIN_NAMES),
    ("rbin", MOST),
    ("rds", DATABASES),
    ("redshift", ASTERISKS),
    ("redshift-data", JAVA8),
    ("redshift-serverless", JAVA8),
    ("rolesanywhere", Manner { sensitive: HIDDEN, text_queries: false, ..GATEWAY }),
    ("route53", Manner { api_version: Some("2013-04-01"), ..JAVA8 }),
    ("route53resolver", Manner { dates: Dates::AsSent, ..MOST }),
    ("s3", Manner { denied: Denied::Parameters, ..MOST }),
    ("s3control", Manner { denied: Denied::Parameters, ..MOST }),
    ("scheduler", MOST),
    ("secretsmanager", SILENT),
    ("servicediscovery", JAVA8),
    ("sesv2", MOST),
    ("shield", Manner { api_version: Some("AWSShield_20160616"), ..MOST }),
    ("simpledbv2", MOST),
    ("sso", MOST),
    ("sso-oidc", MOST),
    ("stepfunctions", JAVA8),
    ("storagegateway", Manner { api_version: Some("20130630"), ..MOST }),
    ("sts", SILENT),
    ("swf", JAVA8),
    ("synthetics", Manner { blobs: true, ..GATEWAY }),
    ("verifiedpermissions", AS_SENT),
    ("waf", Manner { api_version: Some("2015-08-24"), ..MOST }),
    ("waf-regional", Manner { api_version: Some("2016-11-28"), ..MOST }),
    ("wafv2", Manner { api_version: Some("2019-04-23"), ..MOST }),
    ("workdocs", MOST),
    ("xray", MOST),
];

/// How a service writes the record of an operation. Of a service with a row that is what it says; of others it is told by how
/// they speak: most services of the REST protocol in JSON are behind API Gateway (about 40 of those of which there are real
/// records that tell; the others, and those that are older than API Gateway, have a row).
pub(crate) fn of(service: &'static Service, operation: &str) -> &'static Manner {
    let name = service.name();
    // Another part of Systems Manager than that which runs commands (records of the same month of 2024 differ).
    if name == "ssm" && matches!(operation, "CreateDocument" | "UpdateDocument") {
        return &JAVA8;
    }
    let row = MANNERS.binary_search_by(|(row, _)| (*row).cmp(name)).ok().and_then(|at| MANNERS.get(at));
    row.map_or_else(|| without_row(service), |(_, manner)| manner)
}

fn without_row(service: &Service) -> &'static Manner {
    if service.protocol() == Protocol::RestJson { &GATEWAY } else { &MOST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_sorted_and_each_differs_from_what_is_said_of_its_service_anyway() {
        assert!(MANNERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let catalog = aws::Catalog::embedded();
        for (name, manner) in MANNERS {
            let service = catalog.service(catalog.by_name(name).unwrap().id()).unwrap();
            assert_ne!(manner, without_row(service), "{name}");
        }
    }
}
