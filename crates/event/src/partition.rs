//! Partitions of AWS, which ARNs name and Regions belong to (AWS General Reference, "Amazon Resource Names"; the prefixes of
//! Regions are those of the SDKs' `partitions.json`).

/// The partition of a Region, by how its name begins; `aws` for a name of a store's own.
pub fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// Whether a text names a partition: `aws`, or `aws-` and more.
pub fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| {
        let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        rest.is_empty() || rest.strip_prefix('-').is_some_and(letters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_aws_or_one_beside_it() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
            assert!(is_partition(partition), "{partition}");
        }
        for other in ["", "aw", "awsfoo", "aws-", "aws-CN"] {
            assert!(!is_partition(other), "{other}");
        }
        assert_eq!(["eu-west-1", "cn-north-1", "us-gov-west-1"].map(partition_of), ["aws", "aws-cn", "aws-us-gov"]);
    }
}
