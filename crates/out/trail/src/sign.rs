//! Requests to S3 signed with Signature Version 4.
//!
//! An archive is read with thousands of them, so the key of a day is derived once, and nothing is parsed that is at hand.

use aws::sigv4::{ALGORITHM, Canonical, EMPTY_PAYLOAD, SigningKey, canonical_request, sha256_hex, string_to_sign};
use aws::{Headers, Request};
use bytes::Bytes;
use event::EventTime;
use http::header::{AUTHORIZATION, HOST, HeaderValue, InvalidHeaderValue};
use object_store::client::HttpRequest;
use registry::Secret;
use std::sync::{Mutex, PoisonError};

/// Signs for one Region.
pub(crate) struct Signer {
    access_key_id: String,
    secret: Secret,
    /// Of temporary credentials.
    session_token: Option<Secret>,
    region: String,
    /// A day, `YYYYMMDD`, and its key.
    of_day: Mutex<Option<(String, SigningKey)>>,
}

impl Signer {
    /// A signer of S3 requests.
    pub(crate) fn new(access_key_id: String, secret: Secret, session_token: Option<Secret>, region: String) -> Signer {
        Signer { access_key_id, secret, session_token, region, of_day: Mutex::default() }
    }

    /// The Region that it signs for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Signs a request, whose URI names its host, with all headers that it has.
    ///
    /// # Errors
    /// When the host, the key's name or the token are nothing that a header can hold.
    pub(crate) fn sign(
        &self,
        request: &mut HttpRequest,
        body: &Bytes,
        now: EventTime,
    ) -> Result<(), InvalidHeaderValue> {
        let timestamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let date = timestamp.get(..8).unwrap_or_default();
        let payload_hash = if body.is_empty() { EMPTY_PAYLOAD.to_owned() } else { sha256_hex(body) };
        let host = HeaderValue::from_str(request.uri().authority().map_or("", |host| host.as_str()))?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert("x-amz-date", HeaderValue::from_str(&timestamp)?);
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(&payload_hash)?);
        if let Some(token) = &self.session_token {
            headers.insert("x-amz-security-token", HeaderValue::from_str(token.expose())?);
        }
        let lines: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let signed_headers = names.join(";");
        let canonical = canonical_request(
            &Request {
                method: request.method().as_str(),
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                headers: Headers(&lines),
                path_style: false,
            },
            Canonical { signed_headers: &signed_headers, payload_hash: &payload_hash, s3_path: true, presigned: false },
        );
        let signature = self.key(date).sign(&string_to_sign(&timestamp, date, &self.region, "s3", &canonical)).to_hex();
        let (key, region) = (&self.access_key_id, &self.region);
        let authorization = HeaderValue::from_str(&format!(
            "{ALGORITHM} Credential={key}/{date}/{region}/s3/aws4_request, SignedHeaders={signed_headers}, Signature={signature}"
        ))?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(())
    }

    fn key(&self, date: &str) -> SigningKey {
        let mut of_day = self.of_day.lock().unwrap_or_else(PoisonError::into_inner);
        match of_day.as_ref().filter(|(day, _)| day == date) {
            Some((_, key)) => key.clone(),
            None => {
                let key = SigningKey::new(self.secret.expose(), date, &self.region, "s3");
                of_day.insert((date.to_owned(), key)).1.clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::aws::{AwsAuthorizer, AwsCredential};
    use object_store::client::HttpRequestBody;

    fn request(method: &str, uri: &str, body: &Bytes) -> HttpRequest {
        let request = http::Request::builder().method(method).uri(uri).header("x-amz-acl", "private");
        request.header("content-type", "text/plain").body(HttpRequestBody::from(body.clone())).unwrap()
    }

    #[test]
    fn a_request_is_signed_as_another_library_signs_it() {
        for (method, uri, body) in [
            ("GET", "http://127.0.0.1:4566/bucket/AWSLogs/a_b-c.json.gz", ""),
            ("GET", "http://s3.example.com/b/k%20k/%C3%BC%2B?list-type=2&prefix=a%2Fb&start-after=", ""),
            ("HEAD", "http://localhost/bucket", ""),
            ("GET", "http://localhost/bucket?acl", ""),
            ("PUT", "https://s3.eu-west-1.amazonaws.com/b/k/", "some content"),
        ] {
            for token in [None, Some("a token")] {
                let body = Bytes::from_static(body.as_bytes());
                let credential = AwsCredential {
                    key_id: "AKIAEXAMPLE".to_owned(),
                    secret_key: "secret".to_owned(),
                    token: token.map(str::to_owned),
                };
                let mut expected = request(method, uri, &body);
                AwsAuthorizer::new(&credential, "s3", "eu-west-1").authorize(&mut expected, None);
                let date = expected.headers()["x-amz-date"].to_str().unwrap();
                let (day, time) = (&date[..8], &date[9..15]);
                let now = format!(
                    "{}-{}-{}T{}:{}:{}Z",
                    &day[..4],
                    &day[4..6],
                    &day[6..],
                    &time[..2],
                    &time[2..4],
                    &time[4..]
                );
                let signer = Signer::new(
                    "AKIAEXAMPLE".to_owned(),
                    Secret::new("secret".to_owned()),
                    token.map(|token| Secret::new(token.to_owned())),
                    "eu-west-1".to_owned(),
                );
                for _ in 0..2 {
                    let mut signed = request(method, uri, &body);
                    signer.sign(&mut signed, &body, EventTime::parse(&now).unwrap()).unwrap();
                    assert_eq!(signed.headers(), expected.headers(), "{method} {uri}");
                }
            }
        }
    }

    #[test]
    fn each_day_has_its_own_key() {
        let secret = Secret::new("secret".to_owned());
        let signer = Signer::new("AKIAEXAMPLE".to_owned(), secret, None, "us-east-1".to_owned());
        let signed = |time: &str| {
            let mut request = request("GET", "http://localhost/b/k", &Bytes::new());
            signer.sign(&mut request, &Bytes::new(), EventTime::parse(time).unwrap()).unwrap();
            request.headers()[AUTHORIZATION].clone()
        };
        let (first, second) = (signed("2026-01-01T00:00:00Z"), signed("2026-01-02T00:00:00Z"));
        assert_ne!(first, second);
        assert_eq!(signed("2026-01-01T00:00:00Z"), first);
    }
}
