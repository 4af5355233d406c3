//! Copies of objects, and parts that are copies.

use http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::convert::{
    algorithm, check_acl, check_encryption, check_version, checksum_fields, content_encoding, etag, header_tags,
    http_date, metadata, timestamp,
};
use super::objects::storage_class;
use super::operations::Operations;
use super::reading::{ReadConditions, Reading};
use super::uploads::part_number;
use crate::error::StoreError;
use crate::object::{Attributes, Condition, Tag};
use crate::store::{Copied, Object};

/// What must hold of what is in the copy's place: s3s reads these headers of other writes, and of copies not.
fn condition(headers: &HeaderMap) -> S3Result<Condition> {
    let tag = |name: HeaderName| match headers.get(name).map(|value| value.to_str().map(str::trim)) {
        None => Ok(None),
        Some(Ok("*")) => Ok(Some(Tag::Any)),
        Some(Ok(tag)) => Ok(Some(Tag::Is(tag.trim_matches('"').to_owned()))),
        Some(Err(_)) => Err(s3_error!(InvalidArgument, "A condition is no text.")),
    };
    Ok(Condition { if_match: tag(IF_MATCH)?, if_none_match: tag(IF_NONE_MATCH)? })
}

pub(super) async fn copy_object(
    on: &Operations,
    mut request: S3Request<CopyObjectInput>,
) -> S3Result<CopyObjectOutput> {
    let input = &mut request.input;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    check_acl(input.acl.as_ref().map(|acl| acl.as_str()), grants.map(Option::as_deref))?;
    check_encryption(
        input.server_side_encryption.as_ref().map(|sse| sse.as_str()),
        input.sse_customer_algorithm.as_deref().or(input.copy_source_sse_customer_algorithm.as_deref()),
    )?;
    let (from_bucket, from_key) = source_of(&input.copy_source)?;
    let replaces = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let replaces_tags = input.tagging_directive.as_ref().is_some_and(|d| d.as_str() == TaggingDirective::REPLACE);
    let class = storage_class(input.storage_class.take());
    let changes = replaces || replaces_tags || class.is_some() || input.website_redirect_location.is_some();
    if (from_bucket, from_key) == (&input.bucket, &input.key) && !changes {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let source = find(on, from_bucket, from_key, conditions).await?;
    // S3 gives neither the storage class nor the redirect of the source to the copy.
    let mut attributes = match replaces {
        false => source.info().attributes.clone(),
        true => Attributes {
            content_type: input.content_type.take(),
            content_encoding: content_encoding(input.content_encoding.take()),
            content_disposition: input.content_disposition.take(),
            content_language: input.content_language.take(),
            cache_control: input.cache_control.take(),
            expires: input.expires.as_ref().and_then(http_date),
            metadata: metadata(input.metadata.take())?,
            ..Attributes::default()
        },
    };
    attributes.storage_class = class;
    attributes.website_redirect_location = input.website_redirect_location.take();
    let copied = Copied {
        attributes: Some(attributes),
        tags: replaces_tags.then(|| header_tags(input.tagging.as_deref())).transpose()?,
        checksum: algorithm(input.checksum_algorithm.as_ref())?,
        condition: condition(&request.headers)?,
    };
    let info = on.store.copy(source, &input.bucket, &input.key, copied).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&info.etag)),
        last_modified: Some(timestamp(info.modified)),
        ..CopyObjectResult::default()
    };
    result.checksum_type = checksum_fields!(into result, info.checksum.as_ref());
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}

pub(super) async fn upload_part_copy(
    on: &Operations,
    mut request: S3Request<UploadPartCopyInput>,
) -> S3Result<UploadPartCopyOutput> {
    let input = &mut request.input;
    let customer = input.sse_customer_algorithm.as_deref().or(input.copy_source_sse_customer_algorithm.as_deref());
    check_encryption(None, customer)?;
    let number = part_number(input.part_number)?;
    let (from_bucket, from_key) = source_of(&input.copy_source)?;
    let conditions = ReadConditions {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let source = find(on, from_bucket, from_key, conditions).await?;
    let range = match input.copy_source_range.as_deref() {
        None => 0..source.info().size,
        Some(text) => source_range(text, source.info().size)?,
    };
    let part = on.store.copy_part(&input.bucket, &input.key, &input.upload_id, number, source, range).await?;
    let mut result = CopyPartResult {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        ..CopyPartResult::default()
    };
    checksum_fields!(into result, part.checksum.as_ref());
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

fn source_of(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(s3_error!(NotImplemented, "Access points and Outposts are not implemented"))
        }
    }
}

/// The source of a copy, if its conditions hold: here S3 answers a 304 of a GET with 412 too.
async fn find(on: &Operations, bucket: &str, key: &str, conditions: ReadConditions) -> S3Result<Object> {
    let source = on.store.get(bucket, key).await?;
    match conditions.check(source.info()) {
        Reading::GoOn => Ok(source),
        Reading::NotModified | Reading::Failed => Err(StoreError::PreconditionFailed("of the source").into()),
    }
}

/// `bytes=first-last`, both given and both within the source (API reference, "UploadPartCopy").
fn source_range(text: &str, size: u64) -> S3Result<std::ops::Range<u64>> {
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )
    };
    let (first, last) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(invalid)?;
    let (first, last): (u64, u64) = (first.parse().map_err(|_| invalid())?, last.parse().map_err(|_| invalid())?);
    if first > last {
        return Err(invalid());
    }
    if last >= size {
        return Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}"));
    }
    Ok(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_range_lies_within_the_source() {
        assert_eq!(source_range("bytes=0-9", 10).unwrap(), 0..10);
        assert_eq!(source_range("bytes=3-3", 10).unwrap(), 3..4);
        for bad in
            ["0-9", "bytes=0-10", "bytes=5-4", "bytes=-5", "bytes=5-", "bytes=a-b", "bytes=0-18446744073709551615"]
        {
            assert!(source_range(bad, 10).is_err(), "{bad}");
        }
    }
}
