//! Multipart uploads.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::convert::{
    algorithm, check_acl, check_encryption, checksum_fields, checksum_kind, condition_tag, content_encoding, etag,
    header_tags, http_date, metadata, owner, timestamp,
};
use super::objects::storage_class;
use super::operations::Operations;
use super::receive::{self, Claims};
use crate::checksum::{Checksum as Sum, ChecksumKind};
use crate::object::{Attributes, Condition, PART_NUMBER_MAX, PartInfo};
use crate::store::{CompletedPart as Named, Completion};

pub(super) async fn create_multipart_upload(
    on: &Operations,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let input = &mut request.input;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    check_acl(input.acl.as_ref().map(|acl| acl.as_str()), grants.map(Option::as_deref))?;
    check_encryption(
        input.server_side_encryption.as_ref().map(|sse| sse.as_str()),
        input.sse_customer_algorithm.as_deref(),
    )?;
    if input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some() {
        return Err(s3_error!(NotImplemented, "Object Lock is not implemented"));
    }
    let kind = checksum_kind(input.checksum_type.as_ref())?;
    let checksum = match algorithm(input.checksum_algorithm.as_ref())? {
        None => None,
        Some(algorithm) => {
            let kind = kind.unwrap_or(algorithm.default_multipart_kind());
            if !algorithm.allows_multipart_kind(kind) {
                let (kind, name) = (kind.name(), algorithm.name());
                return Err(s3_error!(
                    InvalidRequest,
                    "The {kind} checksum type cannot be used with the {name} checksum algorithm."
                ));
            }
            Some((algorithm, kind))
        }
    };
    let attributes = Attributes {
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
    };
    let upload = on.store.create_upload(&input.bucket, &input.key, attributes, checksum).await?;
    let (algorithm, kind) = checksum.unzip();
    Ok(CreateMultipartUploadOutput {
        bucket: Some(std::mem::take(&mut input.bucket)),
        key: Some(upload.key),
        upload_id: Some(upload.upload_id),
        checksum_algorithm: algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: kind.map(|kind| ChecksumType::from_static(kind.name())),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload_part(
    on: &Operations,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<UploadPartOutput> {
    check_encryption(None, request.input.sse_customer_algorithm.as_deref())?;
    let (body, sent) = (request.input.body.take(), checksum_fields!(from request.input));
    let input = &request.input;
    let number = part_number(input.part_number)?;
    let upload = on.store.upload(&input.bucket, &input.key, &input.upload_id).await?;
    let wanted = upload.checksum.map(|(algorithm, _)| algorithm);
    let claims = Claims::read(&request, input.content_length, input.content_md5.as_deref(), sent, wanted)?;
    let received = receive::part(&on.store, body, claims).await?;
    if let (Some(wanted), Some(got)) = (wanted, received.checksum().map(|checksum| checksum.algorithm))
        && wanted != got
    {
        let (wanted, got) = (wanted.name(), got.name());
        return Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {got}"
        ));
    }
    let part = on.store.put_part(&input.bucket, &input.key, &input.upload_id, number, received).await?;
    let mut output = UploadPartOutput { e_tag: Some(etag(&part.etag)), ..UploadPartOutput::default() };
    checksum_fields!(into output, part.checksum.as_ref());
    Ok(output)
}

pub(super) fn part_number(number: i32) -> S3Result<u32> {
    let number = u32::try_from(number).ok().filter(|number| (1..=PART_NUMBER_MAX).contains(number));
    number.ok_or_else(|| s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

pub(super) async fn list_parts(on: &Operations, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let input = request.input;
    let (upload, parts) = on.store.parts(&input.bucket, &input.key, &input.upload_id).await?;
    let marker = input.part_number_marker.unwrap_or(0);
    let max = input.max_parts.unwrap_or(1000).clamp(0, 1000);
    let rest: Vec<_> = parts.into_iter().filter(|part| i64::from(part.number) > i64::from(marker)).collect();
    let page: Vec<Part> = rest.iter().take(usize::try_from(max).unwrap_or(0)).map(part).collect();
    let truncated = page.len() < rest.len();
    let owner = owner(&on.settings.account);
    let (algorithm, kind) = upload.checksum.unzip();
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: kind.map(|kind| ChecksumType::from_static(kind.name())),
        initiator: Some(Initiator { id: owner.id.clone(), ..Initiator::default() }),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: Some(max),
        next_part_number_marker: page.last().and_then(|part| part.part_number),
        owner: Some(owner),
        part_number_marker: Some(marker),
        parts: Some(page),
        storage_class: Some(
            upload.attributes.storage_class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()).into(),
        ),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

fn part(info: &PartInfo) -> Part {
    let mut part = Part {
        e_tag: Some(etag(&info.etag)),
        last_modified: Some(timestamp(info.modified)),
        part_number: i32::try_from(info.number).ok(),
        size: i64::try_from(info.size).ok(),
        ..Part::default()
    };
    checksum_fields!(into part, info.checksum.as_ref());
    part
}

pub(super) async fn complete_multipart_upload(
    on: &Operations,
    mut request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let input = &mut request.input;
    let mut parts = Vec::new();
    for mut part in input.multipart_upload.take().and_then(|upload| upload.parts).unwrap_or_default() {
        let checksum = checksum_fields!(from part).sent()?;
        let number = part_number(part.part_number.unwrap_or(0))?;
        parts.push(Named { number, etag: part.e_tag.map(ETag::into_value).unwrap_or_default(), checksum });
    }
    if parts.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let kind = checksum_kind(input.checksum_type.as_ref())?;
    let checksum = checksum_fields!(from input).sent()?.map(|(algorithm, value)| {
        let composite = if value.contains('-') { ChecksumKind::Composite } else { ChecksumKind::FullObject };
        Sum { algorithm, value, kind: kind.unwrap_or(composite) }
    });
    let completion = Completion {
        parts,
        checksum,
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        condition: Condition {
            if_match: condition_tag(input.if_match.take()),
            if_none_match: condition_tag(input.if_none_match.take()),
        },
    };
    let info = on.store.complete_upload(&input.bucket, &input.key, &input.upload_id, completion).await?;
    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(etag(&info.etag)),
        location: Some(format!("/{}/{}", input.bucket, info.key)),
        bucket: Some(std::mem::take(&mut input.bucket)),
        key: Some(info.key),
        ..CompleteMultipartUploadOutput::default()
    };
    output.checksum_type = checksum_fields!(into output, info.checksum.as_ref());
    Ok(output)
}

pub(super) async fn abort_multipart_upload(
    on: &Operations,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = request.input;
    on.store.abort_upload(&input.bucket, &input.key, &input.upload_id).await?;
    Ok(AbortMultipartUploadOutput::default())
}
