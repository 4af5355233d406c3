//! What is said, and where: pure (`reference/trails-and-delivery.md` §3, §8.1, §8.2).

use registry::Trail;
use serde::Serialize;

/// What a topic is told when a trail is given it: not a file, only that messages arrive.
pub const VALIDATION_MESSAGE: &str = "CloudTrail validation message.";

/// The message for one delivered log file.
pub(crate) fn file_message(bucket: &str, key: &str) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        s3_bucket: &'a str,
        s3_object_key: [&'a str; 1],
    }
    serde_json::to_string(&Message { s3_bucket: bucket, s3_object_key: [key] })
}

/// The stream of an account's events in the log group of a trail: `[o-ORGANIZATION_]ACCOUNT_CloudTrail_HOMEREGION`. Events that
/// tell no account are the trail's own.
pub fn log_stream_name(trail: &Trail, account: &str) -> String {
    let organization = trail.organization.as_ref().map(|of| format!("{}_", of.id)).unwrap_or_default();
    let account = if account.is_empty() { &trail.account_id } else { account };
    format!("{organization}{account}_CloudTrail_{}", trail.home_region)
}

/// A log group, as calls name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// The Region that it is in.
    pub region: String,
    /// Its name.
    pub name: String,
}

impl LogGroup {
    /// From `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`; `None` for anything else.
    pub fn of(arn: &str) -> Option<LogGroup> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "logs", region, _, "log-group", name, "*"] => {
                Some(LogGroup { region: (*region).to_owned(), name: (*name).to_owned() })
            }
            _ => None,
        }
    }
}

/// The Region of a topic, by its ARN.
pub(crate) fn topic_region(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_told_in_the_words_of_cloudtrail() {
        let message = file_message("audit", "AWSLogs/1/CloudTrail/x.json.gz").unwrap();
        assert_eq!(message, r#"{"s3Bucket":"audit","s3ObjectKey":["AWSLogs/1/CloudTrail/x.json.gz"]}"#);
        assert_eq!(VALIDATION_MESSAGE, "CloudTrail validation message.");
    }

    #[test]
    fn streams_are_named_by_account_and_home_region() {
        let mut trail = crate::cut::tests::trail();
        for account in ["", "111122223333"] {
            assert_eq!(log_stream_name(&trail, account), "111122223333_CloudTrail_eu-west-1");
        }
        trail.organization = Some(registry::Organization { id: "o-exampleorgid".to_owned(), accounts: Vec::new() });
        assert_eq!(log_stream_name(&trail, "444455556666"), "o-exampleorgid_444455556666_CloudTrail_eu-west-1");
    }

    #[test]
    fn a_group_and_a_topic_are_found_by_their_arns() {
        let group = LogGroup::of("arn:aws:logs:eu-west-1:111122223333:log-group:audit/trail:*").unwrap();
        assert_eq!((group.region.as_str(), group.name.as_str()), ("eu-west-1", "audit/trail"));
        for other in ["", "audit", "arn:aws:logs:eu-west-1:111122223333:log-group:audit"] {
            assert_eq!(LogGroup::of(other), None, "{other}");
        }
        assert_eq!(topic_region("arn:aws:sns:eu-west-1:111122223333:told"), Some("eu-west-1"));
        assert_eq!(topic_region("told"), None);
    }

    proptest! {
        #[test]
        fn any_key_survives_the_message(bucket: String, key: String) {
            let message: serde_json::Value = serde_json::from_str(&file_message(&bucket, &key).unwrap()).unwrap();
            prop_assert_eq!(message, serde_json::json!({"s3Bucket": bucket, "s3ObjectKey": [key]}));
        }
    }
}
