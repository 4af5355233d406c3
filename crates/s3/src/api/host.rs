//! Which bucket a host name means.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// Virtual-host style for one domain; every other host is path style.
pub(super) struct Host {
    domain: Option<String>,
}

impl Host {
    pub(super) fn new(domain: Option<&str>) -> Host {
        Host { domain: domain.map(str::to_ascii_lowercase) }
    }

    /// The bucket in `bucket.domain`, with or without a port.
    fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let domain = self.domain.as_deref()?;
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let split = name.len().checked_sub(domain.len())?;
        let (bucket, rest) = (name.get(..split)?, name.get(split..)?);
        bucket.strip_suffix('.').filter(|bucket| !bucket.is_empty() && rest.eq_ignore_ascii_case(domain))
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
        let host = Host::new(Some("s3.localhost"));
        for (name, bucket) in [
            ("logs.s3.localhost", Some("logs")),
            ("a.b.S3.localhost:4780", Some("a.b")),
            ("s3.localhost:4780", None),
            (".s3.localhost", None),
            ("xs3.localhost", None),
            ("localhost:4780", None),
            ("127.0.0.1:4780", None),
            ("[::1]:4780", None),
            ("é", None),
        ] {
            assert_eq!(host.bucket(name), bucket, "{name}");
        }
        assert_eq!(Host::new(None).bucket("logs.s3.localhost"), None);
    }
}
