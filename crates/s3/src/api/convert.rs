//! Between S3's words on the wire and the store's.

use std::collections::BTreeMap;
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Sha256};
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, ETag, ETagCondition, Grant, Grantee, Owner, Permission, Tag as TagDto, Timestamp,
    TimestampFormat, Type,
};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::error::custom;
use crate::checksum::{Algorithm, Checksum, ChecksumKind};
use crate::object::{Tag, Time};

/// Most user metadata, in bytes of names and values (S3 user guide, "Working with object metadata").
const METADATA_MAX: usize = 2048;
/// Most tags of an object or bucket that are accepted: S3 allows 10 and 50.
pub(super) const OBJECT_TAGS_MAX: usize = 10;
pub(super) const BUCKET_TAGS_MAX: usize = 50;

/// The canonical user id of an account: stable, and of the shape that S3's have, but not S3's own secret mapping.
pub(super) fn owner(account: &str) -> Owner {
    let mut sha = Sha256::new();
    sha.update(b"canonical user of account ");
    sha.update(account.as_bytes());
    Owner { id: Some(hex::encode(sha.finalize())), ..Owner::default() }
}

/// The one grant that everything here has: the owner may do all.
pub(super) fn full_control(owner: Owner) -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: owner.id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![Grant { grantee: Some(grantee), permission: Some(Permission::from_static(Permission::FULL_CONTROL)) }]
}

/// Whether the ACL that a request carries says no more than that the owner may do all: buckets here are as S3 makes
/// them since 2023, with ACLs disabled.
pub(super) fn check_acl(canned: Option<&str>, grants: [Option<&str>; 4]) -> S3Result<()> {
    let allowed = matches!(canned, None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read"));
    if allowed && grants.iter().all(Option::is_none) {
        return Ok(());
    }
    Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"))
}

/// Encryption is refused rather than claimed.
pub(super) fn check_encryption(server_side: Option<&str>, customer: Option<&str>) -> S3Result<()> {
    match server_side.or(customer) {
        None => Ok(()),
        Some(_) => Err(s3_error!(
            NotImplemented,
            "Server-side encryption is not implemented: encrypt the disk that the object store lies on"
        )),
    }
}

/// There is one version of everything, which S3 calls so.
pub(super) const ONLY_VERSION: &str = "null";

/// Whether a version that is asked for is the one that there is.
pub(super) fn check_version(version_id: Option<&str>) -> S3Result<()> {
    match version_id {
        None | Some(ONLY_VERSION) => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

pub(super) fn metadata(metadata: Option<s3s::dto::Metadata>) -> S3Result<BTreeMap<String, String>> {
    let metadata: BTreeMap<_, _> = metadata.unwrap_or_default().into_iter().collect();
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > METADATA_MAX {
        return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
    }
    Ok(metadata)
}

/// The content encoding of the object: `aws-chunked` is one of the transfer.
pub(super) fn content_encoding(header: Option<String>) -> Option<String> {
    let codings = header.as_deref().unwrap_or_default().split(',').map(str::trim);
    let kept: Vec<_> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn tags(tags: Vec<TagDto>, max: usize) -> S3Result<BTreeMap<String, String>> {
    let pairs = tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    checked_tags(pairs, max)
}

/// The tags of an `x-amz-tagging` header: pairs as in a URL's query.
pub(super) fn header_tags(header: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let decode =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    checked_tags(pairs.map(|(key, value)| (decode(key), decode(value))), OBJECT_TAGS_MAX)
}

fn checked_tags(pairs: impl Iterator<Item = (String, String)>, max: usize) -> S3Result<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(s3_error!(InvalidTag, "The TagKey or TagValue you have provided is invalid"));
        }
        if tags.insert(key, value).is_some() {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    if tags.len() > max {
        return Err(custom("BadRequest", http::StatusCode::BAD_REQUEST, "Too many tags"));
    }
    Ok(tags)
}

pub(super) fn tag_set(tags: BTreeMap<String, String>) -> Vec<TagDto> {
    tags.into_iter().map(|(key, value)| TagDto { key: Some(key), value: Some(value) }).collect()
}

pub(super) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

pub(super) fn condition_tag(condition: Option<ETagCondition>) -> Option<Tag> {
    condition.map(|condition| match condition {
        ETagCondition::Any => Tag::Any,
        ETagCondition::ETag(tag) => Tag::Is(tag.into_value()),
    })
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    Timestamp::from(SystemTime::from(time))
}

/// Whole seconds since 1970.
pub(super) fn seconds(timestamp: &Timestamp) -> Option<i64> {
    let text = format(timestamp, TimestampFormat::EpochSeconds)?;
    text.split('.').next()?.parse().ok()
}

pub(super) fn http_date(timestamp: &Timestamp) -> Option<String> {
    format(timestamp, TimestampFormat::HttpDate)
}

pub(super) fn parse_http_date(text: &str) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}

fn format(timestamp: &Timestamp, format: TimestampFormat) -> Option<String> {
    let mut text = Vec::new();
    timestamp.format(format, &mut text).ok()?;
    String::from_utf8(text).ok()
}

pub(super) fn algorithm(name: Option<&ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    let unknown = || {
        s3_error!(
            InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
        )
    };
    name.map(|name| Algorithm::from_name(name.as_str()).ok_or_else(unknown)).transpose()
}

pub(super) fn checksum_kind(kind: Option<&ChecksumType>) -> S3Result<Option<ChecksumKind>> {
    kind.map(|kind| match kind.as_str() {
        ChecksumType::COMPOSITE => Ok(ChecksumKind::Composite),
        ChecksumType::FULL_OBJECT => Ok(ChecksumKind::FullObject),
        _ => {
            Err(S3Error::with_message(S3ErrorCode::InvalidRequest, "Value for x-amz-checksum-type header is invalid."))
        }
    })
    .transpose()
}

/// The five fields in which S3's shapes carry a checksum, of which one is filled.
#[derive(Default)]
pub(super) struct ChecksumFields {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) kind: Option<ChecksumType>,
}

impl ChecksumFields {
    pub(super) fn of(checksum: Option<&Checksum>) -> ChecksumFields {
        let mut fields = ChecksumFields::default();
        let Some(checksum) = checksum else { return fields };
        let field = match checksum.algorithm {
            Algorithm::Crc32 => &mut fields.crc32,
            Algorithm::Crc32c => &mut fields.crc32c,
            Algorithm::Crc64Nvme => &mut fields.crc64nvme,
            Algorithm::Sha1 => &mut fields.sha1,
            Algorithm::Sha256 => &mut fields.sha256,
        };
        *field = Some(checksum.value.clone());
        fields.kind = Some(ChecksumType::from_static(checksum.kind.name()));
        fields
    }

    /// The one checksum that a client sent.
    pub(super) fn sent(self) -> S3Result<Option<(Algorithm, String)>> {
        let values = [self.crc32, self.crc32c, self.crc64nvme, self.sha1, self.sha256];
        let mut sent =
            Algorithm::ALL.into_iter().zip(values).filter_map(|(algorithm, value)| Some((algorithm, value?)));
        match (sent.next(), sent.next()) {
            (_, Some(_)) => Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            )),
            (one, None) => Ok(one),
        }
    }
}

/// Fills the checksum fields of one of S3's shapes from a [`ChecksumFields`], or takes them out of one.
macro_rules! checksum_fields {
    (from $shape:expr) => {
        crate::api::convert::ChecksumFields {
            crc32: $shape.checksum_crc32.take(),
            crc32c: $shape.checksum_crc32c.take(),
            crc64nvme: $shape.checksum_crc64nvme.take(),
            sha1: $shape.checksum_sha1.take(),
            sha256: $shape.checksum_sha256.take(),
            kind: None,
        }
    };
    (into $shape:expr, $checksum:expr) => {{
        let fields = crate::api::convert::ChecksumFields::of($checksum);
        $shape.checksum_crc32 = fields.crc32;
        $shape.checksum_crc32c = fields.crc32c;
        $shape.checksum_crc64nvme = fields.crc64nvme;
        $shape.checksum_sha1 = fields.sha1;
        $shape.checksum_sha256 = fields.sha256;
        fields.kind
    }};
}
pub(super) use checksum_fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_a_canonical_user() {
        let id = owner("123456789012").id.unwrap();
        assert_eq!(id.len(), 64);
        assert_eq!(owner("123456789012").id, Some(id.clone()));
        assert_ne!(owner("000000000000").id, Some(id));
    }

    #[test]
    fn aws_chunked_is_no_content_encoding() {
        let check =
            |header: &str, expect: Option<&str>| assert_eq!(content_encoding(Some(header.into())).as_deref(), expect);
        check("aws-chunked", None);
        check("gzip, aws-chunked", Some("gzip"));
        check("aws-chunked,gzip,br", Some("gzip,br"));
        check("gzip", Some("gzip"));
        assert_eq!(content_encoding(None), None);
    }

    #[test]
    fn tags_of_a_header_are_decoded() {
        let tags = header_tags(Some("a=1&b%20c=d+e%26&f")).unwrap();
        let expect = [("a", "1"), ("b c", "d e&"), ("f", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(tags, BTreeMap::from(expect));
        assert!(header_tags(Some("a=1&a=2")).is_err());
        assert!(header_tags(Some("a&b&c&d&e&f&g&h&i&j&k")).is_err());
    }

    #[test]
    fn dates_keep_their_second() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let parsed = parse_http_date(date).unwrap();
        assert_eq!(seconds(&parsed), Some(1_445_412_480));
        assert_eq!(http_date(&parsed).as_deref(), Some(date));
        assert_eq!(seconds(&timestamp(Time(1_445_412_480_999))), Some(1_445_412_480));
    }
}
