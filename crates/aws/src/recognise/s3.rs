//! S3: buckets in the path or in the host name, and operations told apart by sub-resources, parameters and headers.

use super::host;
use super::route::{Fit, Leaf, pick};
use crate::{Request, Service};

/// What an S3 request addresses, raw (percent-encoded).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Address<'r> {
    /// From the host name or the path.
    pub(crate) bucket: Option<&'r str>,
    /// All of the path behind the bucket, slashes and all.
    pub(crate) key: Option<&'r str>,
}

/// Takes bucket and key out of host and path.
pub(crate) fn address<'r>(request: &Request<'r>) -> Address<'r> {
    let path = request.path.strip_prefix('/').unwrap_or(request.path);
    let filled = |text: &'r str| (!text.is_empty()).then_some(text);
    if let Some(bucket) = bucket_in_host(request) {
        return Address { bucket: Some(bucket), key: filled(path) };
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Address { bucket: filled(bucket), key: filled(key) }
}

/// The bucket (or access point) of a virtual-hosted request: what stands before S3's own name in the host, or before
/// `localhost`. Other hosts are taken for path style: nothing in the request tells a bucket from a part of their name.
pub fn bucket_in_host<'r>(request: &Request<'r>) -> Option<&'r str> {
    if request.path_style {
        return None;
    }
    let stem = host::stem(request);
    let name = host::name(request);
    if !stem.is_empty() && name.strip_suffix(".localhost") == Some(stem) {
        // `bucket.localhost`, `bucket.s3.localhost`, but `s3.localhost` is S3 itself.
        if stem == "s3" {
            return None;
        }
        return Some(stem.strip_suffix(".s3").unwrap_or(stem));
    }
    if let Some(alias) = stem.strip_suffix(".accesspoint.s3-global") {
        return Some(alias);
    }
    let (bucket, own) = stem.rsplit_once('.')?;
    let is_s3 = own == "s3" || own.starts_with("s3-") || own.starts_with("s3express-");
    (is_s3 && !bucket.is_empty()).then_some(bucket)
}

/// Whether a request signed for S3 is for S3 Control: its paths start with its version, and it names an account or an
/// Outpost (a bucket may have that name too).
pub(super) fn is_control(request: &Request<'_>, scope: &str) -> bool {
    let marked = |name: &&str| request.headers.has(name);
    request.path.starts_with("/v20180820/")
        && (scope == "s3-outposts"
            || ["x-amz-account-id", "x-amz-outpost-id"].iter().any(marked)
            || host::stem(request).ends_with("s3-control"))
}

/// S3's operations by what they address.
#[derive(Debug)]
pub(crate) struct Routes {
    service: Vec<Leaf>,
    bucket: Vec<Leaf>,
    object: Vec<Leaf>,
    /// Operations whose names S3 tells apart by what no route says.
    numbers: Numbers,
}

#[derive(Debug)]
struct Numbers {
    write_get_object_response: Option<u32>,
    list_buckets: Option<u32>,
    list_directory_buckets: Option<u32>,
    post_object: Option<u32>,
}

impl Routes {
    pub(super) fn new(service: &Service) -> Routes {
        let number = |name: &str| service.operation(name).map(|operation| operation.number());
        let numbers = Numbers {
            write_get_object_response: number("WriteGetObjectResponse"),
            list_buckets: number("ListBuckets"),
            list_directory_buckets: number("ListDirectoryBuckets"),
            post_object: number("PostObject"),
        };
        let mut routes = Routes { service: Vec::new(), bucket: Vec::new(), object: Vec::new(), numbers };
        for operation in service.operations() {
            let path = operation.request_uri().split('?').next().unwrap_or_default();
            let level = match path {
                "/" => &mut routes.service,
                "/{Bucket}" => &mut routes.bucket,
                "/{Bucket}/{Key+}" => &mut routes.object,
                _ => continue,
            };
            level.push(Leaf::new(operation));
        }
        routes
    }

    pub(super) fn find(&self, request: &Request<'_>) -> Option<(u32, Fit)> {
        let exact = |number: Option<u32>| number.map(|number| (number, Fit::named(true)));
        if request.path == "/WriteGetObjectResponse" && request.headers.has("x-amz-request-route") {
            return exact(self.numbers.write_get_object_response);
        }
        let level = match address(request) {
            Address { key: Some(_), bucket: Some(_) } => &self.object,
            Address { bucket: Some(_), .. } => &self.bucket,
            Address { bucket: None, .. } => &self.service,
        };
        let (number, fit) = pick(level, request)?;
        if Some(number) == self.numbers.list_buckets && is_directory(request) {
            return exact(self.numbers.list_directory_buckets);
        }
        if Some(number) == self.numbers.post_object && !is_multipart_form(request) {
            return None;
        }
        // A request without sub-resource that lacks what its only candidate needs is none of S3's
        // (`POST /bucket/key` is answered with MethodNotAllowed).
        fit.is_usable().then_some((number, fit))
    }
}

/// Directory buckets are listed at an endpoint of their own, signed for `s3express`.
fn is_directory(request: &Request<'_>) -> bool {
    host::stem(request).starts_with("s3express-control")
        || request.query_value("x-id") == Some("ListDirectoryBuckets")
        || crate::credential(request).is_some_and(|credential| credential.service == "s3express")
}

fn is_multipart_form(request: &Request<'_>) -> bool {
    request.headers.get("content-type").is_some_and(|value| value.trim_start().starts_with("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;

    fn check(host: &str, path: &str, bucket: Option<&str>, key: Option<&str>) {
        let headers = [("host", host.as_bytes())];
        let request = Request { method: "GET", path, query: "", headers: Headers(&headers), path_style: false };
        assert_eq!(address(&request), Address { bucket, key }, "{host} {path}");
    }

    #[test]
    fn the_bucket_stands_in_the_host_or_in_the_path() {
        check("s3.amazonaws.com", "/b/k", Some("b"), Some("k"));
        check("b.s3.amazonaws.com", "/k/l", Some("b"), Some("k/l"));
        check("a.b.s3.eu-west-1.amazonaws.com", "/", Some("a.b"), None);
        check("b.s3.dualstack.eu-west-1.amazonaws.com", "/k", Some("b"), Some("k"));
        check("b.s3-eu-west-1.amazonaws.com", "/k", Some("b"), Some("k"));
        check("b.s3-accelerate.amazonaws.com", "/k", Some("b"), Some("k"));
        check(
            "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
            "/k",
            Some("b--use1-az4--x-s3"),
            Some("k"),
        );
        check("ap-111122223333.s3-accesspoint.eu-west-1.amazonaws.com", "/k", Some("ap-111122223333"), Some("k"));
        check("m.mrap.accesspoint.s3-global.amazonaws.com", "/k", Some("m.mrap"), Some("k"));
        check("b.localhost:4780", "/k", Some("b"), Some("k"));
        check("b.s3.localhost:4780", "/k", Some("b"), Some("k"));
        check("s3.localhost:4780", "/b/k", Some("b"), Some("k"));
        check("localhost:4780", "/b/k/", Some("b"), Some("k/"));
        check("127.0.0.1:4780", "/b//k", Some("b"), Some("/k"));
        check("s3.example.com", "/", None, None);
        check("s3.eu-west-1.amazonaws.com", "/b/", Some("b"), None);
    }
}
