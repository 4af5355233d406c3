//! Trail names and trail ARNs (`reference/trails-and-delivery.md §1, §3`).

use super::error::ApiError;

/// What a caller wrote to name a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrailRef<'a> {
    /// A bare name: a trail of the caller's account whose home Region is the caller's.
    Name(&'a str),
    /// An ARN: `arn:PARTITION:cloudtrail:REGION:ACCOUNT:trail/NAME`.
    Arn(&'a str),
}

impl<'a> TrailRef<'a> {
    /// Reads a name or an ARN.
    ///
    /// # Errors
    /// `InvalidTrailNameException` for a name, `CloudTrailARNInvalidException` for an ARN that cannot be one.
    pub(crate) fn parse(text: &'a str) -> Result<TrailRef<'a>, ApiError> {
        if text.starts_with("arn:") {
            return TrailRef::parse_arn(text);
        }
        check_name(text)?;
        Ok(TrailRef::Name(text))
    }

    /// Reads an ARN.
    ///
    /// # Errors
    /// `CloudTrailARNInvalidException` when it is not a trail's.
    pub(crate) fn parse_arn(text: &'a str) -> Result<TrailRef<'a>, ApiError> {
        let invalid = || {
            let message =
                format!("The ARN {text} is not valid: expected arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME.");
            ApiError::new("CloudTrailARNInvalidException", message)
        };
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().ok_or_else(invalid);
        let (arn, partition, service) = (part()?, part()?, part()?);
        let (region, account_id) = (part()?, part()?);
        let name = part()?.strip_prefix("trail/").ok_or_else(invalid)?;
        let region_fits = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let fits = arn == "arn"
            && event::is_partition(partition)
            && service == "cloudtrail"
            && is_account(account_id)
            && region_fits;
        if !fits || check_name(name).is_err() {
            return Err(invalid());
        }
        Ok(TrailRef::Arn(text))
    }
}

/// Whether a text is the id of an account: 12 digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks a trail name, in the order in which the known texts are given.
///
/// # Errors
/// `InvalidTrailNameException` with the first rule that is broken.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new("InvalidTrailNameException", message));
    let length = name.chars().count();
    if length == 0 {
        return invalid("Trail name cannot be blank!".to_owned());
    }
    if length < 3 {
        return invalid(format!(
            "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {length} characters."
        ));
    }
    if length > 128 {
        return invalid(format!(
            "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {length} characters."
        ));
    }
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return invalid("Trail name must starts with a letter or number.".to_owned());
    }
    if !name.ends_with(|last: char| last.is_ascii_alphanumeric()) {
        return invalid("Trail name must ends with a letter or number.".to_owned());
    }
    let mark = |byte: u8| matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte)) {
        return invalid(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), \
             hyphens (-), and underscores (_)."
                .to_owned(),
        );
    }
    if name.as_bytes().windows(2).any(|pair| pair.iter().all(|&byte| mark(byte))) {
        return invalid("Trail name cannot have adjacent periods (.), hyphens (-), or underscores (_).".to_owned());
    }
    if is_ipv4_like(name) {
        return invalid("Trail name cannot be in IP address format.".to_owned());
    }
    Ok(())
}

/// Four groups of digits with dots between: what both trail and bucket names may not look like.
pub(crate) fn is_ipv4_like(text: &str) -> bool {
    let groups = || text.split('.');
    groups().count() == 4 && groups().all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_naming_rule_has_its_own_text() {
        for (name, text) in [
            ("", "cannot be blank"),
            ("ab", "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters."),
            (
                &"a".repeat(129),
                "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters.",
            ),
            ("-abc", "Trail name must starts with a letter or number."),
            ("abc_", "Trail name must ends with a letter or number."),
            ("a b c", "can only contain uppercase letters"),
            ("aéc", "can only contain uppercase letters"),
            ("a/c", "can only contain uppercase letters"),
            ("a..c", "adjacent"),
            ("my-_namespace", "adjacent"),
            ("192.168.5.4", "IP address"),
        ] {
            let error = check_name(name).unwrap_err();
            assert_eq!(error.code, "InvalidTrailNameException", "{name}");
            assert!(error.message.contains(text), "{name}: {}", error.message);
        }
    }

    #[test]
    fn names_within_the_rules_are_taken() {
        for name in ["abc", "a.b-c_d", "1.2.3", "1.2.3.4.5", "management-events", &"a".repeat(128)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_arn_of_a_trail_is_told_from_a_name() {
        let text = registry::Trail::arn_of("eu-west-1", "111122223333", "main");
        assert_eq!(TrailRef::parse(&text), Ok(TrailRef::Arn(&text)));
        assert_eq!(TrailRef::parse("main"), Ok(TrailRef::Name("main")));
    }

    #[test]
    fn a_bad_arn_is_an_invalid_arn_and_not_an_unknown_trail() {
        for text in [
            "arn:",
            "arn:aws:cloudtrail",
            "arn:aws:s3:::bucket",
            "arn:aws:cloudtrail:eu-west-1:111122223333:trail/",
            "arn:aws:cloudtrail:eu-west-1:111122223333:channel/abc",
            "arn:aws:cloudtrail:eu-west-1:1111:trail/main",
            "arn:aws:cloudtrail::111122223333:trail/main",
            "arn:aws:cloudtrail:eu-west-1:111122223333:trail/a",
            "arn:xyz:cloudtrail:eu-west-1:111122223333:trail/main",
        ] {
            assert_eq!(TrailRef::parse(text).unwrap_err().code, "CloudTrailARNInvalidException", "{text}");
        }
    }
}
