//! Operations that records name differently from the model (`reference/event-record.md` §7.6, §7.7).

use crate::call::Call;
use std::borrow::Cow;

/// `eventName` of a call. `denied` says whether the caller was not allowed to make it.
pub(crate) fn event_name(call: &Call, denied: bool) -> Cow<'static, str> {
    let name = call.operation.name();
    match call.service.name() {
        "lambda" => lambda(name),
        // What CloudFront records itself has the version beside the name; who may call is looked at before it.
        "cloudfront" if denied => Cow::Owned(format!("{name}{}", call.service.api_version().replace('-', "_"))),
        "s3" if call.is_directory && name == "ListObjectsV2" => Cow::Borrowed(name),
        "s3" => Cow::Borrowed(renamed(S3, name)),
        "s3control" => Cow::Borrowed(renamed(S3_CONTROL, name)),
        _ => Cow::Borrowed(name),
    }
}

fn renamed(rows: &'static [(&str, &str)], name: &'static str) -> &'static str {
    rows.binary_search_by(|(own, _)| (*own).cmp(name)).ok().and_then(|at| rows.get(at)).map_or(name, |(_, other)| other)
}

/// Lambda's names carry the version of the API that brought them: by the first of the words that fits.
fn lambda(name: &'static str) -> Cow<'static, str> {
    if LAMBDA_PLAIN.iter().any(|word| name.contains(word)) {
        return Cow::Borrowed(name);
    }
    let suffix = LAMBDA.iter().find(|(operations, _)| operations.contains(&name)).map_or("", |(_, suffix)| suffix);
    if suffix.is_empty() && name.contains("Layer") {
        return Cow::Owned(format!("{name}20181031"));
    }
    if suffix.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{name}{suffix}")) }
}

/// Never versioned.
const LAMBDA_PLAIN: [&str; 4] = ["EventInvokeConfig", "FunctionUrlConfig", "CodeSigningConfig", "Provisioned"];

static LAMBDA: &[(&[&str], &str)] = &[
    (
        &[
            "AddPermission",
            "GetFunction",
            "GetFunctionConfiguration",
            "GetPolicy",
            "RemovePermission",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
        ],
        "20150331v2",
    ),
    (
        &[
            "CreateAlias",
            "CreateEventSourceMapping",
            "CreateFunction",
            "DeleteAlias",
            "DeleteEventSourceMapping",
            "DeleteFunction",
            "GetAlias",
            "GetEventSourceMapping",
            "ListAliases",
            "ListEventSourceMappings",
            "ListFunctions",
            "ListVersionsByFunction",
            "PublishVersion",
            "UpdateAlias",
            "UpdateEventSourceMapping",
        ],
        "20150331",
    ),
    (&["TagResource", "UntagResource"], "20170331v2"),
    (&["ListTags"], "20170331"),
    (&["GetAccountSettings"], "20160819"),
    (&["DeleteFunctionConcurrency", "PutFunctionConcurrency"], "20171031"),
    (&["GetFunctionConcurrency"], "20190930"),
];

/// Sorted.
static S3: &[(&str, &str)] = &[
    ("DeleteBucketLifecycle", "DeleteBucketLifecycle"),
    ("DeletePublicAccessBlock", "DeleteBucketPublicAccessBlock"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetBucketLifecycle"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("ListObjectsV2", "ListObjects"),
    ("PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutBucketLifecycle"),
    ("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];

/// Sorted.
static S3_CONTROL: &[(&str, &str)] = &[
    ("DeletePublicAccessBlock", "DeleteAccountPublicAccessBlock"),
    ("GetPublicAccessBlock", "GetAccountPublicAccessBlock"),
    ("PutPublicAccessBlock", "PutAccountPublicAccessBlock"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_names_carry_their_versions() {
        for (name, recorded) in [
            ("CreateFunction", "CreateFunction20150331"),
            ("GetFunction", "GetFunction20150331v2"),
            ("UpdateFunctionConfiguration", "UpdateFunctionConfiguration20150331v2"),
            ("PublishLayerVersion", "PublishLayerVersion20181031"),
            ("PutFunctionConcurrency", "PutFunctionConcurrency20171031"),
            ("GetFunctionCodeSigningConfig", "GetFunctionCodeSigningConfig"),
            ("CreateFunctionUrlConfig", "CreateFunctionUrlConfig"),
            ("PutFunctionEventInvokeConfig", "PutFunctionEventInvokeConfig"),
            ("Invoke", "Invoke"),
        ] {
            assert_eq!(lambda(name), recorded);
        }
    }

    #[test]
    fn s3_names_that_differ() {
        assert!(S3.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(renamed(S3, "ListObjectsV2"), "ListObjects");
        assert_eq!(renamed(S3, "GetObject"), "GetObject");
        assert_eq!(renamed(S3_CONTROL, "GetPublicAccessBlock"), "GetAccountPublicAccessBlock");
    }
}
