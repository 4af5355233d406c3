//! Which bucket a host name means.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// Virtual-host style below some names; every other host is path style.
pub(super) struct Host {
    /// Lower case, the longest first: `s3.localhost` is S3 itself and no bucket of `localhost`.
    domains: Vec<String>,
}

impl Host {
    pub(super) fn new(domains: &[String]) -> Host {
        let mut domains: Vec<String> = domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        domains.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
        Host { domains }
    }

    /// Whether the bucket that somebody else read from the host of a request is read from it here, too.
    pub(super) fn agrees(&self, headers: &http::HeaderMap, bucket: &str) -> bool {
        let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        host.and_then(|host| self.bucket(host)).is_some_and(|own| own.eq_ignore_ascii_case(bucket))
    }

    /// The bucket that a request names, in its host or as the first word of its path.
    pub(super) fn bucket_of<'r>(&self, head: &'r http::request::Parts) -> Option<&'r str> {
        let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).or(head.uri.host());
        let in_path = || head.uri.path().trim_start_matches('/').split('/').next().filter(|name| !name.is_empty());
        host.and_then(|host| self.bucket(host)).or_else(in_path)
    }

    /// The bucket in `bucket.domain`, with or without a port.
    fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let before = |domain: &String| {
            let split = name.len().checked_sub(domain.len())?;
            name.get(split..).filter(|end| end.eq_ignore_ascii_case(domain))?;
            name.get(..split).and_then(|before| if before.is_empty() { Some("") } else { before.strip_suffix('.') })
        };
        self.domains.iter().find_map(before).filter(|bucket| !bucket.is_empty())
    }
}

impl S3Host for Host {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let plain = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => plain.with_bucket(bucket),
            None => plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_below_the_domain_is_a_bucket() {
        let host = Host::new(&["localhost".to_owned(), "S3.localhost".to_owned()]);
        for (name, bucket) in [
            ("logs.s3.localhost", Some("logs")),
            ("a.b.S3.localhost:4780", Some("a.b")),
            ("s3.localhost:4780", None),
            (".s3.localhost", None),
            ("xs3.localhost", Some("xs3")),
            ("logs.localhost:4780", Some("logs")),
            ("notlocalhost", None),
            ("localhost:4780", None),
            ("127.0.0.1:4780", None),
            ("[::1]:4780", None),
            ("é", None),
        ] {
            assert_eq!(host.bucket(name), bucket, "{name}");
        }
        assert_eq!(Host::new(&[]).bucket("logs.s3.localhost"), None);
    }
}
