//! S3: buckets in the path or in the host name, and operations told apart by sub-resources, parameters and headers.

use crate::Request;

/// What an S3 request addresses, raw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Address<'r> {
    pub(crate) bucket: Option<&'r str>,
    pub(crate) key: Option<&'r str>,
}

/// Takes bucket and key out of host and path.
pub(crate) fn address<'r>(request: &Request<'r>) -> Address<'r> {
    let path = request.path.strip_prefix('/').unwrap_or(request.path);
    let filled = |text: &'r str| (!text.is_empty()).then_some(text);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Address { bucket: filled(bucket), key: filled(key) }
}
