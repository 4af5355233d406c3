//! Every operation that is served, by S3's names. What is not here is answered `NotImplemented` by s3s.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::Settings;
use crate::store::Store;

/// What the operations work on.
pub(super) struct Operations {
    pub(super) store: Store,
    pub(super) settings: Arc<Settings>,
}

/// `fn name(Input) -> Output` for each operation, all alike: the work is done in the file of its group.
macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident in $group:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                super::$group::$name(self, request).await.map(S3Response::new)
            })*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput in buckets;
    create_bucket: CreateBucketInput => CreateBucketOutput in buckets;
    head_bucket: HeadBucketInput => HeadBucketOutput in buckets;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput in buckets;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput in buckets;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput in buckets;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput in buckets;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput in buckets;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput in buckets;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput in buckets;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput in buckets;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput in buckets;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput in buckets;

    put_object: PutObjectInput => PutObjectOutput in objects;
    get_object: GetObjectInput => GetObjectOutput in objects;
    head_object: HeadObjectInput => HeadObjectOutput in objects;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput in objects;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput in objects;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput in objects;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput in objects;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput in objects;
    delete_object: DeleteObjectInput => DeleteObjectOutput in objects;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput in objects;

    copy_object: CopyObjectInput => CopyObjectOutput in copies;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput in copies;

    list_objects: ListObjectsInput => ListObjectsOutput in listings;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output in listings;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput in listings;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput in listings;

    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput in uploads;
    upload_part: UploadPartInput => UploadPartOutput in uploads;
    list_parts: ListPartsInput => ListPartsOutput in uploads;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput in uploads;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput in uploads;
}
