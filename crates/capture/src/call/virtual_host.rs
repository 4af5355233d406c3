//! S3 requests that name their bucket in the host, below a name of the operator's own (`bucket.s3.example.com`).
//!
//! Below AWS's names and `localhost` the [`aws`] room finds the bucket by itself. Nothing in a request tells a bucket from a
//! part of any other name, so these are stated: `--s3-domain`, and the host of S3's upstream.

use aws::Request;

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
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Domains { names, are_all }
    }

    /// Whether the host names a bucket in a way that the store does not know: the store would act on the one in the path, and
    /// the record name the one in the host.
    pub(crate) fn is_elsewhere(&self, request: &Request<'_>) -> bool {
        let below_own = || request.host().is_some_and(|host| self.bucket(host).is_some());
        self.are_all && aws::recognise::bucket_in_host(request).is_some() && !below_own()
    }

    /// The path that the request would have in path style; `None` where that is the path it has.
    pub(crate) fn path(&self, request: &Request<'_>) -> Option<String> {
        if self.names.is_empty() || !request.path.starts_with('/') {
            return None;
        }
        let bucket = self.bucket(request.host()?)?;
        is_for_s3(request).then(|| format!("/{bucket}{}", if request.path == "/" { "" } else { request.path }))
    }

    /// What stands before one of the names, with or without a port behind it. A name itself is S3's own.
    fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let before = |domain: &String| {
            let start = host.len().checked_sub(domain.len())?;
            host.get(start..).filter(|end| end.eq_ignore_ascii_case(domain))?;
            host.get(..start).and_then(|before| if before.is_empty() { Some("") } else { before.strip_suffix('.') })
        };
        let bucket = self.names.iter().find_map(before)?;
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        (!bucket.is_empty() && bucket.bytes().all(usual)).then_some(bucket)
    }
}

/// Whether a request is signed for S3, or not signed for anything and looks like nothing else: other services may stand
/// below the same name (`sqs.example.com`).
fn is_for_s3(request: &Request<'_>) -> bool {
    match aws::credential(request) {
        Some(credential) if !credential.service.is_empty() => credential.service.starts_with("s3"),
        _ => {
            let form = request.headers.get("content-type").is_some_and(|kind| kind.contains("urlencoded"));
            !form && !request.headers.has("x-amz-target") && !request.headers.has("smithy-protocol")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::Headers;

    fn path(host: &str, path: &str, service: &str) -> Option<String> {
        let domains = Domains::new(vec!["example.com".into(), "S3.Example.com".into(), "minio".into()], false);
        let signed =
            format!("AWS4-HMAC-SHA256 Credential=A/20260115/r/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let headers = [("host", host.as_bytes()), ("authorization", signed.as_bytes())];
        let headers = if service.is_empty() { &headers[..1] } else { &headers };
        domains.path(&Request { method: "GET", path, query: "", headers: Headers(headers) })
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
        ] {
            assert_eq!(path(host, asked, "s3").as_deref(), found, "{host}");
        }
    }

    #[test]
    fn a_store_that_knows_no_name_of_aws_is_told_so() {
        let elsewhere = |host: &str, are_all: bool| {
            let headers = [("host", host.as_bytes())];
            let request = Request { method: "GET", path: "/b/k", query: "", headers: Headers(&headers) };
            Domains::new(vec!["s3.lan".into(), "localhost".into()], are_all).is_elsewhere(&request)
        };
        for host in [
            "b.s3.amazonaws.com",
            "b.s3.eu-west-1.amazonaws.com:9000",
            "x-111122223333.s3-accesspoint.eu-west-1.amazonaws.com",
        ] {
            assert!(elsewhere(host, true) && !elsewhere(host, false), "{host}");
        }
        for host in ["b.s3.lan", "b.localhost:9000", "s3.lan", "127.0.0.1", "s3.eu-west-1.amazonaws.com"] {
            assert!(!elsewhere(host, true), "{host}");
        }
    }

    #[test]
    fn other_services_below_the_same_name_are_left_alone() {
        assert_eq!(path("sqs.example.com", "/", "sqs"), None);
        assert_eq!(path("b.example.com", "/k", "s3express").as_deref(), Some("/b/k"));
        assert_eq!(path("b.example.com", "/k", "").as_deref(), Some("/b/k"), "anybody may read a public bucket");
        assert_eq!(
            Domains::default().path(&Request { method: "GET", path: "/", query: "", headers: Headers(&[]) }),
            None
        );
    }
}
