//! Where a trail may deliver to: the syntax of buckets, prefixes, topics, keys and log groups
//! (`reference/trails-and-delivery.md §3`). Whether the destination is there is asked afterwards, elsewhere.

use super::arn::{is_account, is_ipv4_like};
use super::error::ApiError;

/// Checks a bucket's name.
///
/// # Errors
/// `InvalidS3BucketNameException`.
pub(crate) fn check_bucket(name: &str) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new("InvalidS3BucketNameException", message));
    if name.is_empty() {
        return invalid("Bucket name cannot be blank!".to_owned());
    }
    if !(3..=63).contains(&name.len()) {
        return invalid(format!("Bucket name {name} should be between 3 and 63 characters long."));
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')) {
        return invalid(format!(
            "Bucket name {name} can only contain lowercase letters, numbers, periods (.), and hyphens (-)."
        ));
    }
    // Splitting at the dots also refuses "..": it leaves an empty label.
    let label_fits = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        edge(label.as_bytes().first()) && edge(label.as_bytes().last())
    };
    if !name.split('.').all(label_fits) {
        return invalid(format!("Each label of bucket name {name} must start and end with a letter or number."));
    }
    if is_ipv4_like(name) {
        return invalid(format!("Bucket name {name} cannot be in IP address format."));
    }
    Ok(())
}

/// What the longest keys of a trail, those of backfill digests, have beside prefix and name, bytes; and the longest key of S3.
const KEY_FRAME: usize = 256;
const KEY_MAX: usize = 1024;

/// Checks a key prefix: at most 200 characters, and short enough for the keys of the trail with this name.
///
/// # Errors
/// `InvalidS3PrefixException`.
pub(crate) fn check_prefix(prefix: &str, trail: &str) -> Result<(), ApiError> {
    if prefix.chars().count() > 200 {
        let message = "S3 key prefix is too long. Maximum allowed length: 200 characters.";
        return Err(ApiError::new("InvalidS3PrefixException", message));
    }
    if prefix.len() + trail.len() + KEY_FRAME > KEY_MAX {
        let message = "S3 key prefix is too long. The keys of digest files would have more than 1024 bytes.";
        return Err(ApiError::new("InvalidS3PrefixException", message));
    }
    // No rule of AWS's is known; a control character would be lost in the XML of every listing.
    if prefix.chars().any(char::is_control) {
        return Err(ApiError::new("InvalidS3PrefixException", "S3 key prefix cannot contain control characters."));
    }
    Ok(())
}

/// Whether these parts of an ARN are a partition, a Region and an account.
fn is_place(partition: &str, region: &str, account: &str) -> bool {
    event::is_partition(partition) && !region.is_empty() && is_account(account)
}

/// Checks a topic: a name of 1–256 characters, or the ARN of one; never a FIFO topic.
///
/// # Errors
/// `InvalidSnsTopicNameException`.
pub(crate) fn check_topic(topic: &str) -> Result<(), ApiError> {
    let invalid = || ApiError::new("InvalidSnsTopicNameException", format!("SNS topic name {topic} is not valid."));
    let name = if topic.starts_with("arn:") {
        let parts: Vec<&str> = topic.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "sns", region, account, name] if is_place(partition, region, account) => *name,
            _ => return Err(invalid()),
        }
    } else {
        topic
    };
    let fits = (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits { Ok(()) } else { Err(invalid()) }
}

/// Checks a KMS key: an id, a key ARN, `alias/NAME`, or an alias ARN.
///
/// # Errors
/// `InvalidKmsKeyIdException`.
pub(crate) fn check_key(key: &str) -> Result<(), ApiError> {
    let invalid = || ApiError::new("InvalidKmsKeyIdException", format!("KMS key ID {key} is not valid."));
    let resource = if key.starts_with("arn:") {
        let mut parts = key.splitn(6, ':');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("arn"), Some(partition), Some("kms"), Some(region), Some(account), Some(resource))
                if is_place(partition, region, account) =>
            {
                let id = resource.strip_prefix("key/").or_else(|| Some(resource).filter(|r| r.starts_with("alias/")));
                id.ok_or_else(invalid)?
            }
            _ => return Err(invalid()),
        }
    } else {
        key
    };
    let fits = match resource.strip_prefix("alias/") {
        Some(alias) => {
            (1..=256).contains(&alias.len())
                && !alias.starts_with("aws")
                && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-'))
        }
        None => {
            // A UUID, or a multi-Region key (`mrk-` and 32 hex digits).
            let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
            match resource.strip_prefix("mrk-") {
                Some(digits) => digits.len() == 32 && is_hex(digits),
                None => resource.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && resource.split('-').all(is_hex),
            }
        }
    };
    if fits { Ok(()) } else { Err(invalid()) }
}

/// The Region that an ARN names.
pub(crate) fn region_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).filter(|region| !region.is_empty())
}

/// Checks that a key that is named by its ARN is of the Region in which the bucket lies. Where the store names none, that is
/// us-east-1 in AWS, and in a store without Regions the trail's own.
///
/// # Errors
/// `KmsKeyNotFoundException`.
pub(crate) fn check_key_region(key: &str, of_bucket: Option<&str>, home_region: &str) -> Result<(), ApiError> {
    // `REGION` of AWS ends in a number; `default` and the like are stores' own words.
    let is_aws = |region: &&str| region.contains('-') && region.ends_with(|last: char| last.is_ascii_digit());
    let fits = |region: &str| match of_bucket.filter(is_aws) {
        Some(of_bucket) => region == of_bucket,
        None => region == home_region || region == "us-east-1",
    };
    if region_of_arn(key).is_none_or(fits) { Ok(()) } else { Err(key_not_found(key)) }
}

/// The whole ARN of a key, or of an alias, as it is named: an id stands for a key of the account in the home Region.
pub(crate) fn key_arn(key: &str, home_region: &str, account_id: &str) -> String {
    if key.starts_with("arn:") {
        return key.to_owned();
    }
    let kind = if key.starts_with("alias/") { "" } else { "key/" };
    let partition = event::partition_of(home_region);
    format!("arn:{partition}:kms:{home_region}:{account_id}:{kind}{key}")
}

/// A key that is not there.
pub(crate) fn key_not_found(key: &str) -> ApiError {
    ApiError::new("KmsKeyNotFoundException", format!("KMS key {key} was not found."))
}

/// What is said of a log group that is none, or is not there.
pub(crate) const UNKNOWN_LOG_GROUP: &str = "CloudTrail cannot validate the specified log group ARN.";

/// Checks a CloudWatch Logs group and role, given as they will stand on the trail: both or neither, both ARNs, the
/// group in `home_region`, of the account `owner` where one is given, and ending in `:*`.
///
/// # Errors
/// `InvalidCloudWatchLogsLogGroupArnException`, `InvalidCloudWatchLogsRoleArnException`.
pub(crate) fn check_logs(
    group: Option<&str>,
    role: Option<&str>,
    home_region: &str,
    owner: Option<&str>,
) -> Result<(), ApiError> {
    const BOTH: &str = "You must specify a log group and a role ARN.";
    let bad_group = |message| Err(ApiError::new("InvalidCloudWatchLogsLogGroupArnException", message));
    let bad_role = |message| Err(ApiError::new("InvalidCloudWatchLogsRoleArnException", message));
    let (group, role) = match (group, role) {
        (None, None) => return Ok(()),
        (Some(_), None) => return bad_role(BOTH),
        (None, Some(_)) => return bad_group(BOTH),
        (Some(group), Some(role)) => (group, role),
    };
    let group_parts: Vec<&str> = group.split(':').collect();
    let group_fits = matches!(group_parts.as_slice(),
        ["arn", partition, "logs", region, account, "log-group", name, "*"]
            if is_place(partition, region, account) && *region == home_region && owner.is_none_or(|owner| owner == *account)
                && (1..=512).contains(&name.len()));
    if !group_fits {
        return bad_group(UNKNOWN_LOG_GROUP);
    }
    let role_parts: Vec<&str> = role.split(':').collect();
    let role_fits = matches!(role_parts.as_slice(),
        ["arn", partition, "iam", "", account, resource]
            if event::is_partition(partition) && is_account(account) && resource.len() > 5 && resource.starts_with("role/"));
    if !role_fits {
        return bad_role("CloudTrail cannot validate the specified role ARN.");
    }
    Ok(())
}

/// The ARN that a topic's name stands for in the trail's home Region; an ARN stands for itself.
pub(crate) fn topic_arn(topic: &str, home_region: &str, account_id: &str) -> String {
    if topic.starts_with("arn:") {
        return topic.to_owned();
    }
    format!("arn:{}:sns:{home_region}:{account_id}:{topic}", event::partition_of(home_region))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<'a>(
        check: impl Fn(&str) -> Result<(), ApiError>,
        code: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) {
        for value in values {
            assert_eq!(check(value).unwrap_err().code, code, "{value}");
        }
    }

    #[test]
    fn bucket_names_keep_the_rules_of_s3() {
        refused(
            check_bucket,
            "InvalidS3BucketNameException",
            ["", "ab", &"a".repeat(64), "Audit", "a_b", "a..b", "a-.b", "a.-b", "-ab", "ab-", ".ab", "10.0.0.1", "a b"],
        );
        for name in ["abc", "audit-logs", "a.b.c", "opentrail-logs-123456789012", "1.2.3", &"a".repeat(63)] {
            assert_eq!(check_bucket(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_prefix_has_at_most_200_characters() {
        let of_trail = |prefix: &str| check_prefix(prefix, "main");
        assert_eq!(of_trail(&"é".repeat(200)), Ok(()));
        refused(of_trail, "InvalidS3PrefixException", [&*"a".repeat(201), "a\nb", &*"\u{1f600}".repeat(200)]);
        assert_eq!(check_prefix(&"a".repeat(200), &"n".repeat(128)), Ok(()));
    }

    #[test]
    fn topics_are_names_or_arns_and_never_fifo() {
        assert_eq!(check_topic("my_topic-1"), Ok(()));
        assert_eq!(check_topic("arn:aws:sns:eu-west-1:111122223333:t"), Ok(()));
        refused(
            check_topic,
            "InvalidSnsTopicNameException",
            [
                "",
                "orders.fifo",
                "a b",
                "arn:aws:sqs:eu-west-1:111122223333:t",
                "arn:aws:sns:eu-west-1:1:t",
                "arn:aws:sns:eu-west-1:abcdefghijkl:t",
                "arn:awsfoo:sns:eu-west-1:111122223333:t",
                &"t".repeat(257),
            ],
        );
        assert_eq!(topic_arn("t", "cn-north-1", "111122223333"), "arn:aws-cn:sns:cn-north-1:111122223333:t");
    }

    #[test]
    fn keys_are_ids_arns_or_aliases() {
        for key in [
            "12345678-1234-1234-1234-123456789012",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
            "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012",
            "alias/MyAliasName",
            "arn:aws:kms:eu-west-1:111122223333:alias/a/b",
        ] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        refused(
            check_key,
            "InvalidKmsKeyIdException",
            [
                "key",
                "alias/",
                "alias/aws/s3",
                "alias/a b",
                "arn:aws:s3:::b",
                "arn:aws:kms:eu-west-1:1:key/x",
                "1-2345678123412341234123456789012",
                "12345678123412341234123456789012",
                "arn:aws:kms:eu-west-1:111122223333:12345678-1234-1234-1234-123456789012",
                "arn:awsfoo:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012",
                "arn:aws:kms:eu-west-1:abcdefghijkl:key/12345678-1234-1234-1234-123456789012",
            ],
        );
    }

    #[test]
    fn a_key_is_shown_as_an_arn_of_the_home_region() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012";
        for key in [arn, "12345678-1234-1234-1234-123456789012"] {
            assert_eq!(key_arn(key, "eu-west-1", "111122223333"), arn);
        }
        assert_eq!(key_arn("alias/a", "eu-west-1", "111122223333"), "arn:aws:kms:eu-west-1:111122223333:alias/a");
        let code = |result: Result<(), ApiError>| result.unwrap_err().code;
        // The bucket decides, not the trail.
        assert_eq!(check_key_region(arn, Some("eu-west-1"), "us-east-1"), Ok(()));
        assert_eq!(code(check_key_region(arn, Some("us-east-1"), "eu-west-1")), "KmsKeyNotFoundException");
        assert_eq!(check_key_region(arn, None, "eu-west-1"), Ok(()));
        assert_eq!(check_key_region(arn, Some("default"), "eu-west-1"), Ok(()));
        assert_eq!(code(check_key_region(arn, None, "us-east-1")), "KmsKeyNotFoundException");
        assert_eq!(check_key_region("alias/a", Some("us-east-1"), "eu-west-1"), Ok(()));
    }

    #[test]
    fn a_log_group_and_a_role_come_together() {
        let group = "arn:aws:logs:eu-west-1:111122223333:log-group:trail:*";
        let role = "arn:aws:iam::111122223333:role/Delivery";
        let code = |group, role| {
            check_logs(group, role, "eu-west-1", Some("111122223333")).err().map(|error| (error.code, error.message))
        };
        assert_eq!(code(Some(group), Some(role)), None);
        assert_eq!(code(None, None), None);
        let both = "You must specify a log group and a role ARN.";
        assert_eq!(code(Some(group), None), Some(("InvalidCloudWatchLogsRoleArnException", both.into())));
        assert_eq!(code(None, Some(role)), Some(("InvalidCloudWatchLogsLogGroupArnException", both.into())));
        for bad in [
            "trail",
            "arn:aws:logs:eu-west-1:111122223333:log-group:trail",
            "arn:aws:logs:us-east-1:111122223333:log-group:trail:*",
            "arn:aws:logs:eu-west-1:999999999999:log-group:trail:*",
        ] {
            let message = "CloudTrail cannot validate the specified log group ARN.";
            assert_eq!(
                code(Some(bad), Some(role)),
                Some(("InvalidCloudWatchLogsLogGroupArnException", message.into()))
            );
        }
        let message = "CloudTrail cannot validate the specified role ARN.";
        assert_eq!(code(Some(group), Some("arn:aws:iam::notanaccount:role/X")).unwrap().1, message);
        assert_eq!(code(Some(group), Some("role")), Some(("InvalidCloudWatchLogsRoleArnException", message.into())));
    }
}
