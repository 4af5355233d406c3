//! Operations on buckets.

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::convert::{BUCKET_TAGS_MAX, check_acl, full_control, owner, tag_set, tags, timestamp};
use super::error::custom;
use super::operations::Operations;
use crate::error::StoreError;
use crate::object::POLICY_MAX;

/// The Region that S3 writes as no location at all.
const CLASSIC: &str = "us-east-1";

pub(super) async fn list_buckets(on: &Operations, request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
    let input = request.input;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let max = match input.max_buckets {
        Some(max) => usize::try_from(max).ok().filter(|max| (1..=10_000).contains(max)),
        None => Some(usize::MAX),
    };
    let max = max.ok_or_else(|| s3_error!(InvalidArgument, "max-buckets must be between 1 and 10000"))?;
    let mut found = on.store.buckets().await?;
    found.retain(|bucket| {
        let in_region = input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region);
        in_region && bucket.name.starts_with(&prefix) && bucket.name > after
    });
    let more = found.len() > max;
    found.truncate(max);
    let continuation_token = found.last().filter(|_| more).map(|bucket| bucket.name.clone());
    let buckets = found.into_iter().map(|bucket| Bucket {
        bucket_region: Some(bucket.region),
        creation_date: Some(timestamp(bucket.created)),
        name: Some(bucket.name),
    });
    Ok(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token,
        owner: Some(owner(&on.settings.account)),
        prefix: input.prefix,
    })
}

pub(super) async fn create_bucket(
    on: &Operations,
    request: S3Request<CreateBucketInput>,
) -> S3Result<CreateBucketOutput> {
    let input = request.input;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    check_acl(input.acl.as_ref().map(|acl| acl.as_str()), grants.map(Option::as_deref))?;
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(s3_error!(NotImplemented, "Object Lock is not implemented"));
    }
    let constraint = input.create_bucket_configuration.and_then(|c| c.location_constraint);
    let region = match constraint.as_ref().map(|constraint| constraint.as_str()) {
        None | Some("") => on.settings.region.as_str(),
        Some("EU") => "eu-west-1",
        Some(region) => region,
    };
    let made = on.store.create_bucket(&input.bucket, region).await?;
    // In us-east-1 S3 answers the owner's second creation like the first (API reference, "CreateBucket").
    if !made && on.settings.region != CLASSIC {
        return Err(s3_error!(
            BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it."
        ));
    }
    Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
}

pub(super) async fn head_bucket(on: &Operations, request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
    let bucket = on.store.bucket(&request.input.bucket).await?;
    Ok(HeadBucketOutput { bucket_region: Some(bucket.region), ..HeadBucketOutput::default() })
}

pub(super) async fn delete_bucket(
    on: &Operations,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<DeleteBucketOutput> {
    on.store.delete_bucket(&request.input.bucket).await?;
    Ok(DeleteBucketOutput::default())
}

pub(super) async fn get_bucket_location(
    on: &Operations,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<GetBucketLocationOutput> {
    let region = on.store.bucket(&request.input.bucket).await?.region;
    let constraint = (region != CLASSIC).then(|| BucketLocationConstraint::from(region));
    Ok(GetBucketLocationOutput { location_constraint: constraint })
}

pub(super) async fn get_bucket_acl(
    on: &Operations,
    request: S3Request<GetBucketAclInput>,
) -> S3Result<GetBucketAclOutput> {
    on.store.bucket(&request.input.bucket).await?;
    let owner = owner(&on.settings.account);
    Ok(GetBucketAclOutput { grants: Some(full_control(owner.clone())), owner: Some(owner) })
}

/// Versioning was never set on any bucket here.
pub(super) async fn get_bucket_versioning(
    on: &Operations,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    on.store.bucket(&request.input.bucket).await?;
    Ok(GetBucketVersioningOutput::default())
}

pub(super) async fn get_bucket_policy(
    on: &Operations,
    request: S3Request<GetBucketPolicyInput>,
) -> S3Result<GetBucketPolicyOutput> {
    let bucket = request.input.bucket;
    let policy = on.store.bucket_policy(&bucket).await?;
    Ok(GetBucketPolicyOutput { policy: Some(policy.ok_or(StoreError::NoSuchBucketPolicy(bucket))?) })
}

pub(super) async fn put_bucket_policy(
    on: &Operations,
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<PutBucketPolicyOutput> {
    let PutBucketPolicyInput { bucket, policy, .. } = request.input;
    check_policy(&policy)?;
    on.store.set_bucket_policy(&bucket, Some(&policy)).await?;
    Ok(PutBucketPolicyOutput::default())
}

/// A policy is kept as a document; this much makes it one.
fn check_policy(policy: &str) -> S3Result<()> {
    let malformed = |message| S3Error::with_message(S3ErrorCode::MalformedPolicy, message);
    if policy.len() > POLICY_MAX {
        return Err(malformed("Policies must not be larger than 20 KB"));
    }
    let document: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(policy);
    let document = document.map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    match document.contains_key("Statement") {
        true => Ok(()),
        false => Err(malformed("Missing required field Statement")),
    }
}

pub(super) async fn delete_bucket_policy(
    on: &Operations,
    request: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<DeleteBucketPolicyOutput> {
    on.store.set_bucket_policy(&request.input.bucket, None).await?;
    Ok(DeleteBucketPolicyOutput::default())
}

pub(super) async fn get_bucket_tagging(
    on: &Operations,
    request: S3Request<GetBucketTaggingInput>,
) -> S3Result<GetBucketTaggingOutput> {
    let bucket = request.input.bucket;
    let tags = on.store.bucket_tags(&bucket).await?.ok_or(StoreError::NoSuchTagSet(bucket))?;
    Ok(GetBucketTaggingOutput { tag_set: tag_set(tags) })
}

pub(super) async fn put_bucket_tagging(
    on: &Operations,
    request: S3Request<PutBucketTaggingInput>,
) -> S3Result<PutBucketTaggingOutput> {
    let tags = tags(request.input.tagging.tag_set, BUCKET_TAGS_MAX)?;
    if tags.is_empty() {
        return Err(custom("MalformedXML", StatusCode::BAD_REQUEST, "The tag set is empty"));
    }
    on.store.set_bucket_tags(&request.input.bucket, Some(tags)).await?;
    Ok(PutBucketTaggingOutput::default())
}

pub(super) async fn delete_bucket_tagging(
    on: &Operations,
    request: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<DeleteBucketTaggingOutput> {
    on.store.set_bucket_tags(&request.input.bucket, None).await?;
    Ok(DeleteBucketTaggingOutput::default())
}
