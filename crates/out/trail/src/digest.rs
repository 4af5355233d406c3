//! One digest file: what it says, what is signed of it, and how it is stored (`reference/integrity.md` §1, §2).

use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Deserializer, Serialize};
use std::io::{self, Write};

/// The only algorithm that digests are signed with.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// The only algorithm that files are hashed with.
pub const HASH_ALGORITHM: &str = "SHA-256";

/// A digest file, its members in the order of real ones. Times are the texts of the file, for they are signed as such.
///
/// Reading one asks for the members that the AWS CLI asks for; the others may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestFile {
    /// The account whose log files it lists.
    #[serde(default)]
    pub aws_account_id: String,
    /// Start of the window of delivery times, `YYYY-MM-DDTHH:MM:SSZ`.
    pub digest_start_time: String,
    /// End of the window.
    pub digest_end_time: String,
    /// The bucket that it lies in.
    pub digest_s3_bucket: String,
    /// Its key.
    pub digest_s3_object: String,
    /// Which key it is signed with.
    pub digest_public_key_fingerprint: String,
    /// [`SIGNATURE_ALGORITHM`].
    #[serde(default)]
    pub digest_signature_algorithm: String,
    /// Time of the newest event in all files; `None` without files.
    #[serde(default)]
    pub newest_event_time: Option<String>,
    /// Time of the oldest event in all files.
    #[serde(default)]
    pub oldest_event_time: Option<String>,
    /// Where the digest before lies; all five are `None` in a starting digest.
    #[serde(default)]
    pub previous_digest_s3_bucket: Option<String>,
    /// Its key.
    #[serde(default)]
    pub previous_digest_s3_object: Option<String>,
    /// SHA-256 of its uncompressed bytes, lower-case hex.
    #[serde(default)]
    pub previous_digest_hash_value: Option<String>,
    /// [`HASH_ALGORITHM`].
    #[serde(default)]
    pub previous_digest_hash_algorithm: Option<String>,
    /// Its signature, lower-case hex. Must be there, if only as `null`.
    #[serde(deserialize_with = "present")]
    pub previous_digest_signature: Option<String>,
    /// The log files delivered in the window.
    pub log_files: Vec<ListedFile>,
}

/// A log file as a digest lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedFile {
    /// The bucket that it lies in.
    pub s3_bucket: String,
    /// Its key.
    pub s3_object: String,
    /// SHA-256 of its uncompressed bytes, lower-case hex.
    pub hash_value: String,
    /// [`HASH_ALGORITHM`].
    #[serde(default)]
    pub hash_algorithm: String,
    /// Time of its newest event.
    #[serde(default)]
    pub newest_event_time: Option<String>,
    /// Time of its oldest event.
    #[serde(default)]
    pub oldest_event_time: Option<String>,
}

/// `null` is a value here, and a missing member an error, which serde's own `Option` does not tell apart.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

impl DigestFile {
    /// The bytes that are hashed, signed and, compressed, stored.
    ///
    /// # Errors
    /// None in practice: there is nothing in it that is no JSON.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// What is signed, given the hash of the file's uncompressed bytes.
    pub fn string_to_sign(&self, hash: &str) -> String {
        let previous = self.previous_digest_signature.as_deref().unwrap_or("null");
        let DigestFile { digest_end_time, digest_s3_bucket, digest_s3_object, .. } = self;
        format!("{digest_end_time}\n{digest_s3_bucket}/{digest_s3_object}\n{hash}\n{previous}")
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A digest as it is stored. The same bytes give the same file: the gzip header carries no time.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn compress(json: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(6));
    encoder.write_all(json)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../testdata/awsdocs/example-digest.json");

    #[test]
    fn the_documented_digest_is_read_whole_and_written_with_the_same_members_in_the_same_order() {
        let digest: DigestFile = serde_json::from_str(SAMPLE).unwrap();
        let compact: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
        assert_eq!(String::from_utf8(digest.to_json().unwrap()).unwrap(), compact.to_string());
    }

    #[test]
    fn what_is_signed_has_four_lines_and_says_null_for_no_predecessor() {
        let mut digest: DigestFile = serde_json::from_str(SAMPLE).unwrap();
        let before = digest.previous_digest_signature.clone().unwrap();
        let lines = |text: String| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let location = format!("{}/{}", digest.digest_s3_bucket, digest.digest_s3_object);
        assert_eq!(lines(digest.string_to_sign("abc")), ["2015-08-17T15:01:31Z", &location, "abc", &before]);
        digest.previous_digest_signature = None;
        assert_eq!(lines(digest.string_to_sign("abc"))[3], "null");
    }

    #[test]
    fn a_digest_without_one_of_the_members_that_matter_is_none() {
        for member in [
            "digestPublicKeyFingerprint",
            "digestS3Bucket",
            "digestS3Object",
            "previousDigestSignature",
            "digestEndTime",
            "digestStartTime",
            "logFiles",
        ] {
            let mut value: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
            value.as_object_mut().unwrap().remove(member);
            assert!(serde_json::from_value::<DigestFile>(value).is_err(), "{member}");
        }
    }
}
