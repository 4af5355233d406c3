//! S3 requests that name their bucket in the host, below a name of the operator's own (`bucket.s3.example.com`).
//!
//! Below AWS's names and `localhost` the [`aws`] room finds the bucket by itself. Nothing in a request tells a bucket from a
//! part of any other name, so these are stated: `--s3-domain`, and the host of S3's upstream.

use aws::Request;
use std::borrow::Cow;

/// The names below which the hosts of buckets stand.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    /// Lower case, the longest first.
    names: Vec<String>,
    /// Whether the store knows no others, not even AWS's.
    are_all: bool,
}

impl Domains {
    pub(crate) fn new(names: Vec<String>, are_all: bool) -> Domains {
        let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        // S3 itself, and no bucket of `localhost`.
        if names.iter().any(|name| name == "localhost") {
            names.push("s3.localhost".to_owned());
        }
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Domains { names, are_all }
    }

    /// Whether the host names a bucket in a way that the store does not know: the store would act on the one in the path, and
    /// the record name the one in the host. Some stores compare names byte by byte.
    pub(crate) fn is_elsewhere(&self, request: &Request<'_>) -> bool {
        let is_told = |host: &str| match self.bucket(host) {
            Some(_) => !host.bytes().any(|byte| byte.is_ascii_uppercase()),
            None => aws::recognise::bucket_in_host(request).is_none(),
        };
        self.are_all && request.host().is_some_and(|host| !is_told(host))
    }

    /// Whether the host names a bucket, so that the whole path is a key's. A name right below `localhost` may be the house's own, unless
    /// the operator said that buckets stand there.
    pub(crate) fn names_bucket(&self, request: &Request<'_>) -> bool {
        let Some(host) = request.host() else { return false };
        let below_localhost = host.split(':').next().and_then(|name| name.strip_suffix(".localhost"));
        match self.bucket(host) {
            Some(bucket) => !bucket.is_empty(),
            None if below_localhost.is_some_and(|name| !name.ends_with(".s3")) => false,
            None => aws::recognise::bucket_in_host(request).is_some(),
        }
    }

    /// The path that the request has in path style, where a name says more of its host than AWS's rules do.
    pub(crate) fn path<'r>(&self, request: &Request<'r>) -> Option<Cow<'r, str>> {
        if self.names.is_empty() || !request.path.starts_with('/') {
            return None;
        }
        let bucket = self.bucket(request.host()?).filter(|_| is_for_s3(request))?;
        if bucket.is_empty() {
            return aws::recognise::bucket_in_host(request).map(|_| Cow::Borrowed(request.path));
        }
        Some(Cow::Owned(format!("/{bucket}{}", if request.path == "/" { "" } else { request.path })))
    }

    /// What stands before one of the names, with or without a port behind it; nothing where it is S3's own.
    fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let before = |domain: &String| {
            let start = host.len().checked_sub(domain.len())?;
            host.get(start..).filter(|end| end.eq_ignore_ascii_case(domain))?;
            let before = host.get(..start)?;
            if before.is_empty() { Some("") } else { before.strip_suffix('.').filter(|bucket| !bucket.is_empty()) }
        };
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        self.names.iter().find_map(before).filter(|bucket| bucket.bytes().all(usual))
    }
}

/// Whether a request is signed for S3, or not signed for anything and looks like nothing else: other services may stand
/// below the same name (`sqs.example.com`).
fn is_for_s3(request: &Request<'_>) -> bool {
    match aws::credential(request) {
        Some(credential) if !credential.service.is_empty() => credential.service.starts_with("s3"),
        _ => {
            !aws::recognise::is_form(request)
                && !request.headers.has("x-amz-target")
                && !request.headers.has("smithy-protocol")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::Headers;

    fn path(host: &str, path: &str, service: &str) -> Option<String> {
        let domains = Domains::new(
            ["example.com", "S3.Example.com", "minio", "lan.localhost", "s3.eu-west-1.amazonaws.com"]
                .map(Into::into)
                .into(),
            false,
        );
        let signed =
            format!("AWS4-HMAC-SHA256 Credential=A/20260115/r/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let headers = [("host", host.as_bytes()), ("authorization", signed.as_bytes())];
        let headers = if service.is_empty() { &headers[..1] } else { &headers };
        let request = Request { method: "GET", path, query: "", headers: Headers(headers), path_style: false };
        domains.path(&request).map(Cow::into_owned)
    }

    #[test]
    fn a_bucket_stands_before_a_stated_name() {
        for (host, asked, found) in [
            ("b.s3.example.com", "/k/l", Some("/b/k/l")),
            ("a.b.S3.example.com:9000", "/", Some("/a.b")),
            ("b.example.com", "//k", Some("/b//k")),
            ("b.minio:9000", "/k", Some("/b/k")),
            ("s3.example.com", "/b/k", None),
            ("example.com", "/b/k", None),
            ("xs3.example.org", "/b", None),
            ("xs3.example.com", "/k", Some("/xs3/k")),
            ("notexample.com", "/b", None),
            (".minio", "/b", None),
            ("a/b.minio", "/k", None),
            ("b.minio", "*", None),
            ("é", "/k", None),
            ("127.0.0.1:4780", "/b/k", None),
            // Names of which AWS's rules would say something else.
            ("b.lan.localhost", "/k", Some("/b/k")),
            ("lan.localhost:9000", "/b/k", Some("/b/k")),
            ("b.s3.eu-west-1.amazonaws.com", "/k", Some("/b/k")),
            ("s3.eu-west-1.amazonaws.com", "/b/k", None),
        ] {
            assert_eq!(path(host, asked, "s3").as_deref(), found, "{host}");
        }
    }

    #[test]
    fn a_store_that_knows_no_name_of_aws_is_told_so() {
        let elsewhere = |host: &str, are_all: bool| {
            let headers = [("host", host.as_bytes())];
            let request =
                Request { method: "GET", path: "/b/k", query: "", headers: Headers(&headers), path_style: false };
            Domains::new(vec!["s3.lan".into(), "minio.localhost".into()], are_all).is_elsewhere(&request)
        };
        for host in [
            "b.s3.amazonaws.com",
            "b.s3.eu-west-1.amazonaws.com:9000",
            "x-111122223333.s3-accesspoint.eu-west-1.amazonaws.com",
            "b.localhost",
            "b.S3.lan",
        ] {
            assert!(elsewhere(host, true) && !elsewhere(host, false), "{host}");
        }
        for host in [
            "b.s3.lan",
            "b.minio.localhost:9000",
            "minio.localhost",
            "s3.lan",
            "127.0.0.1",
            "s3.eu-west-1.amazonaws.com",
        ] {
            assert!(!elsewhere(host, true), "{host}");
        }
    }

    #[test]
    fn localhost_is_a_name_like_others() {
        let domains = Domains::new(vec!["localhost".into()], false);
        let path = |host: &str| {
            let headers = [("host", host.as_bytes())];
            let request =
                Request { method: "GET", path: "/k", query: "", headers: Headers(&headers), path_style: false };
            domains.path(&request).map(Cow::into_owned)
        };
        assert_eq!((path("b.localhost:9000"), path("b.s3.localhost")), (Some("/b/k".into()), Some("/b/k".into())));
        assert_eq!((path("localhost"), path("s3.localhost")), (None, None));
    }

    #[test]
    fn other_services_below_the_same_name_are_left_alone() {
        assert_eq!(path("sqs.example.com", "/", "sqs"), None);
        assert_eq!(path("b.example.com", "/k", "s3express").as_deref(), Some("/b/k"));
        assert_eq!(path("b.example.com", "/k", "").as_deref(), Some("/b/k"), "anybody may read a public bucket");
        assert_eq!(
            Domains::default().path(&Request {
                method: "GET",
                path: "/",
                query: "",
                headers: Headers(&[]),
                path_style: false
            }),
            None
        );
    }
}
