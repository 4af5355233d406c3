//! The store's errors as S3 says them.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use crate::error::StoreError;

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> S3Error {
        use StoreError as E;
        let (code, message): (S3ErrorCode, &'static str) = match &error {
            E::NoSuchBucket(_) => (S3ErrorCode::NoSuchBucket, "The specified bucket does not exist"),
            E::InvalidBucketName(_) => (S3ErrorCode::InvalidBucketName, "The specified bucket is not valid."),
            E::BucketNotEmpty(_) => (S3ErrorCode::BucketNotEmpty, "The bucket you tried to delete is not empty"),
            E::NoSuchBucketPolicy(_) => (S3ErrorCode::NoSuchBucketPolicy, "The bucket policy does not exist"),
            E::NoSuchTagSet(_) => (S3ErrorCode::NoSuchTagSet, "The TagSet does not exist"),
            E::NoSuchKey(_) => (S3ErrorCode::NoSuchKey, "The specified key does not exist."),
            E::InvalidKey => (S3ErrorCode::KeyTooLongError, "Your key is too long"),
            E::NoSuchUpload(_) => (
                S3ErrorCode::NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            ),
            E::InvalidPart(_) => (
                S3ErrorCode::InvalidPart,
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
            ),
            E::InvalidPartOrder => (
                S3ErrorCode::InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ),
            E::EntityTooSmall { .. } => {
                (S3ErrorCode::EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
            }
            E::BadDigest(what) => {
                let message = format!("The {what} you specified did not match the calculated checksum.");
                return S3Error::with_message(S3ErrorCode::BadDigest, message);
            }
            E::PreconditionFailed(_) => {
                (S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
            }
            E::IncompleteBody(cause) => return broken_body(cause.as_deref()),
            E::DiskFull | E::Poisoned | E::Closed => {
                (S3ErrorCode::ServiceUnavailable, "The object store cannot write at the moment.")
            }
            E::InUse(_) | E::UnknownFormat { .. } | E::Io { .. } | E::Index(_) | E::Damaged(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the object store failed");
                (S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
            }
        };
        S3Error::with_message(code, message)
    }
}

/// A body that s3s found to be other than its signature says fails like one that ended early, and the types of those
/// errors are private: only their words tell.
fn broken_body(cause: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> S3Error {
    let words = cause.map(ToString::to_string).unwrap_or_default();
    if words.contains("SignatureMismatch") {
        return S3ErrorCode::SignatureDoesNotMatch.into();
    }
    if words.contains("Sha256Mismatch") {
        return custom(
            "XAmzContentSHA256Mismatch",
            StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
    }
    tracing::debug!(cause = %words, "a body broke off");
    S3ErrorCode::IncompleteBody.into()
}

/// An error whose code s3s does not know.
pub(super) fn custom(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_another_hash_is_told_apart_from_one_that_broke_off() {
        let code = |words: &'static str| broken_body(Some(&std::io::Error::other(words))).code().as_str().to_owned();
        assert_eq!(code("UploadStreamError: Sha256Mismatch"), "XAmzContentSHA256Mismatch");
        assert_eq!(code("AwsChunkedStreamError: SignatureMismatch"), "SignatureDoesNotMatch");
        assert_eq!(code("connection reset"), "IncompleteBody");
    }
}
