//! Operations on single objects.

use s3s::dto::*;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3Request, S3Result, StdError, s3_error};

use super::convert::{
    OBJECT_TAGS_MAX, check_acl, check_encryption, check_version, checksum_fields, condition_tag, content_encoding,
    etag, full_control, header_tags, http_date, metadata, owner, parse_http_date, tag_set, tags, timestamp,
};
use super::operations::Operations;
use super::reading::{ReadConditions, view};
use super::receive::{self, Claims};
use crate::object::{Attributes, Condition, ObjectInfo, Tag};
use crate::store::{Deletion, NewObject, ObjectStream};

pub(super) async fn put_object(on: &Operations, mut request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let input = &mut request.input;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    check_acl(input.acl.as_ref().map(|acl| acl.as_str()), grants.map(Option::as_deref))?;
    check_encryption(
        input.server_side_encryption.as_ref().map(|sse| sse.as_str()),
        input.sse_customer_algorithm.as_deref(),
    )?;
    if input.write_offset_bytes.is_some()
        || input.object_lock_mode.is_some()
        || input.object_lock_legal_hold_status.is_some()
    {
        return Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented"));
    }
    let (body, sent) = (input.body.take(), checksum_fields!(from input));
    let new = NewObject {
        bucket: std::mem::take(&mut input.bucket),
        key: std::mem::take(&mut input.key),
        attributes: Attributes {
            content_type: input.content_type.take(),
            content_encoding: content_encoding(input.content_encoding.take()),
            content_disposition: input.content_disposition.take(),
            content_language: input.content_language.take(),
            cache_control: input.cache_control.take(),
            expires: input.expires.as_ref().and_then(http_date),
            website_redirect_location: input.website_redirect_location.take(),
            storage_class: storage_class(input.storage_class.take()),
            metadata: metadata(input.metadata.take())?,
            tags: header_tags(input.tagging.as_deref())?,
        },
        condition: Condition {
            if_match: condition_tag(input.if_match.take()),
            if_none_match: condition_tag(input.if_none_match.take()),
        },
    };
    on.store.bucket(&new.bucket).await?; // before the body: a client is told at once
    let (length, md5) = (request.input.content_length, request.input.content_md5.as_deref());
    let claims = Claims::read(&request, length, md5, sent, None)?;
    let received = receive::object(&on.store, body, claims).await?;
    let info = on.store.put_received(new, received).await?;
    let mut output = PutObjectOutput { e_tag: Some(etag(&info.etag)), ..PutObjectOutput::default() };
    output.checksum_type = checksum_fields!(into output, info.checksum.as_ref());
    Ok(output)
}

/// The storage class as it is kept: `STANDARD` is no label.
pub(super) fn storage_class(class: Option<StorageClass>) -> Option<String> {
    class.map(|class| class.as_str().to_owned()).filter(|class| class != StorageClass::STANDARD)
}

/// Takes the conditions out of an input.
macro_rules! read_conditions {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.if_match.take(),
            if_none_match: $input.if_none_match.take(),
            if_modified_since: $input.if_modified_since.take(),
            if_unmodified_since: $input.if_unmodified_since.take(),
        }
    };
}

/// Fills what GET and HEAD say alike. Checksums cover the whole object, so they are told with the whole object only.
macro_rules! describe {
    ($output:expr, $info:expr, $view:expr, $checksums:expr) => {{
        let attributes = $info.attributes;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.cache_control = attributes.cache_control;
        $output.content_disposition = attributes.content_disposition;
        $output.content_encoding = attributes.content_encoding;
        $output.content_language = attributes.content_language;
        $output.content_length = i64::try_from($view.range.end - $view.range.start).ok();
        $output.content_range = $view.content_range;
        $output.content_type = Some(attributes.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned()));
        $output.e_tag = Some(etag(&$info.etag));
        $output.expires = attributes.expires.as_deref().and_then(parse_http_date);
        $output.last_modified = Some(timestamp($info.modified));
        $output.metadata = Some(attributes.metadata.into_iter().collect()).filter(|m: &Metadata| !m.is_empty());
        $output.parts_count = $view.parts_count;
        $output.storage_class = attributes.storage_class.map(StorageClass::from);
        $output.website_redirect_location = attributes.website_redirect_location;
        if $checksums.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED) && $output.content_range.is_none() {
            $output.checksum_type = checksum_fields!(into $output, $info.checksum.as_ref());
        }
    }};
}

pub(super) async fn get_object(on: &Operations, mut request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
    let input = &mut request.input;
    check_encryption(None, input.sse_customer_algorithm.as_deref())?;
    check_version(input.version_id.as_deref())?;
    let object = on.store.get(&input.bucket, &input.key).await?;
    read_conditions!(input).answer(object.info())?;
    let view = view(object.info(), input.range, input.part_number)?;
    let info = object.info().clone();
    let tag_count = i32::try_from(info.attributes.tags.len()).ok().filter(|count| *count > 0);
    let body = StreamingBlob::new(Bytes(object.stream_range(view.range.clone())));
    let mut output = GetObjectOutput { body: Some(body), tag_count, ..GetObjectOutput::default() };
    describe!(output, info, view, input.checksum_mode.take());
    Ok(output)
}

pub(super) async fn head_object(
    on: &Operations,
    mut request: S3Request<HeadObjectInput>,
) -> S3Result<HeadObjectOutput> {
    let input = &mut request.input;
    check_encryption(None, input.sse_customer_algorithm.as_deref())?;
    check_version(input.version_id.as_deref())?;
    let object = on.store.get(&input.bucket, &input.key).await?;
    read_conditions!(input).answer(object.info())?;
    let view = view(object.info(), input.range, input.part_number)?;
    let info = object.info().clone();
    let mut output = HeadObjectOutput::default();
    describe!(output, info, view, input.checksum_mode.take());
    Ok(output)
}

/// An [`ObjectStream`] that tells s3s its length.
struct Bytes(ObjectStream);

impl futures_util::Stream for Bytes {
    type Item = Result<bytes::Bytes, StdError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx).map_err(Into::into)
    }
}

impl ByteStream for Bytes {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.0.left()).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

pub(super) async fn get_object_attributes(
    on: &Operations,
    request: S3Request<GetObjectAttributesInput>,
) -> S3Result<GetObjectAttributesOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    let info = on.store.get(&input.bucket, &input.key).await?.info().clone();
    // s3s takes a header line for one attribute; clients send them all on one, between commas.
    let wanted = input.object_attributes.iter().flat_map(|line| line.as_str().split(',')).map(str::trim);
    let wants = |name: &str| wanted.clone().any(|wanted| wanted == name);
    let mut output = GetObjectAttributesOutput { last_modified: Some(timestamp(info.modified)), ..Default::default() };
    output.e_tag = wants(ObjectAttributes::ETAG).then(|| etag(&info.etag));
    output.object_size = wants(ObjectAttributes::OBJECT_SIZE).then(|| i64::try_from(info.size).unwrap_or(i64::MAX));
    if wants(ObjectAttributes::STORAGE_CLASS) {
        let class = info.attributes.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned());
        output.storage_class = Some(class.into());
    }
    if wants(ObjectAttributes::CHECKSUM) && info.checksum.is_some() {
        let mut checksum = Checksum::default();
        checksum.checksum_type = checksum_fields!(into checksum, info.checksum.as_ref());
        output.checksum = Some(checksum);
    }
    if wants(ObjectAttributes::OBJECT_PARTS) && !info.parts.is_empty() {
        output.object_parts = Some(parts_page(&info, input.part_number_marker.unwrap_or(0), input.max_parts));
    }
    Ok(output)
}

fn parts_page(info: &ObjectInfo, marker: i32, max: Option<i32>) -> GetObjectAttributesParts {
    let max = max.unwrap_or(1000).clamp(0, 1000);
    let after = |part: &&crate::object::PartInfo| i64::from(part.number) > i64::from(marker);
    let rest: Vec<_> = info.parts.iter().filter(after).collect();
    let page = rest.iter().take(usize::try_from(max).unwrap_or(0));
    let parts: Vec<ObjectPart> = page
        .map(|info| {
            let mut part = ObjectPart { part_number: i32::try_from(info.number).ok(), ..ObjectPart::default() };
            part.size = i64::try_from(info.size).ok();
            checksum_fields!(into part, info.checksum.as_ref());
            part
        })
        .collect();
    let truncated = parts.len() < rest.len();
    GetObjectAttributesParts {
        is_truncated: Some(truncated),
        max_parts: Some(max),
        next_part_number_marker: parts.last().filter(|_| truncated).and_then(|part| part.part_number),
        part_number_marker: Some(marker),
        total_parts_count: i32::try_from(info.parts.len()).ok(),
        // S3 names the parts of objects with checksums only, and just counts those of others.
        parts: info.checksum.is_some().then_some(parts),
    }
}

pub(super) async fn get_object_acl(
    on: &Operations,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<GetObjectAclOutput> {
    on.store.get(&request.input.bucket, &request.input.key).await?;
    let owner = owner(&on.settings.account);
    let grants = Some(full_control(owner.clone()));
    Ok(GetObjectAclOutput { grants, owner: Some(owner), ..GetObjectAclOutput::default() })
}

pub(super) async fn get_object_tagging(
    on: &Operations,
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<GetObjectTaggingOutput> {
    let object = on.store.get(&request.input.bucket, &request.input.key).await?;
    let tag_set = tag_set(object.info().attributes.tags.clone());
    Ok(GetObjectTaggingOutput { tag_set, version_id: None })
}

pub(super) async fn put_object_tagging(
    on: &Operations,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<PutObjectTaggingOutput> {
    let input = request.input;
    let tags = tags(input.tagging.tag_set, OBJECT_TAGS_MAX)?;
    on.store.set_object_tags(&input.bucket, &input.key, tags).await?;
    Ok(PutObjectTaggingOutput::default())
}

pub(super) async fn delete_object_tagging(
    on: &Operations,
    request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<DeleteObjectTaggingOutput> {
    on.store.set_object_tags(&request.input.bucket, &request.input.key, Default::default()).await?;
    Ok(DeleteObjectTaggingOutput::default())
}

pub(super) async fn delete_object(
    on: &Operations,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    let condition = Condition { if_match: condition_tag(input.if_match), if_none_match: None };
    let deletion = Deletion { key: input.key, condition };
    let outcomes = on.store.delete_all(&input.bucket, vec![deletion]).await?;
    outcomes.into_iter().collect::<Result<(), _>>()?;
    Ok(DeleteObjectOutput::default())
}

pub(super) async fn delete_objects(
    on: &Operations,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > 1000 {
        return Err(s3_error!(MalformedXML, "A batch names 1 to 1000 objects"));
    }
    let (mut deletions, mut versions, mut errors) = (Vec::with_capacity(delete.objects.len()), Vec::new(), Vec::new());
    for object in delete.objects {
        match check_version(object.version_id.as_deref()) {
            Ok(()) => {
                let if_match = object.e_tag.map(|tag| Tag::Is(tag.into_value()));
                deletions.push(Deletion { key: object.key, condition: Condition { if_match, if_none_match: None } });
                versions.push(object.version_id);
            }
            Err(error) => errors.push(batch_error(object.key, &error)),
        }
    }
    let keys: Vec<_> = deletions.iter().map(|deletion| deletion.key.clone()).collect();
    let outcomes = on.store.delete_all(&bucket, deletions).await?;
    let mut deleted = Vec::new();
    for ((key, version_id), outcome) in keys.into_iter().zip(versions).zip(outcomes) {
        match outcome {
            Ok(()) => deleted.push(DeletedObject { key: Some(key), version_id, ..DeletedObject::default() }),
            Err(error) => errors.push(batch_error(key, &S3Error::from(error))),
        }
    }
    let deleted = Some(deleted).filter(|_| delete.quiet != Some(true));
    Ok(DeleteObjectsOutput {
        deleted,
        errors: Some(errors).filter(|e| !e.is_empty()),
        ..DeleteObjectsOutput::default()
    })
}

fn batch_error(key: String, error: &S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}
