//! Taking in the body of a PUT, and holding it against everything that the client said about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream;
use http::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Request, S3Result, TrailingHeaders, s3_error};

use super::body::Trailers;
use super::convert::ChecksumFields;
use crate::checksum::Algorithm;
use crate::error::StoreError;
use crate::store::{Received, Store};

/// What the client said about the bytes that it sends.
pub(super) struct Claims {
    length: Option<u64>,
    md5: Option<Vec<u8>>,
    checksum: Option<(Algorithm, Claim)>,
}

enum Claim {
    /// A header said it.
    Value(String),
    /// A trailer will say it.
    Trailer(Option<TrailingHeaders>, Trailers),
    /// Nobody says it: the checksum is computed and kept.
    None,
}

impl Claims {
    /// Reads the claims of a request. `wanted` is an algorithm to compute if the client sends no checksum.
    pub(super) fn read<T>(
        request: &S3Request<T>,
        content_length: Option<i64>,
        content_md5: Option<&str>,
        sent: ChecksumFields,
        wanted: Option<Algorithm>,
    ) -> S3Result<Claims> {
        check_known(&request.headers)?;
        let checksum = match (sent.sent()?, announced(&request.headers)) {
            (Some((algorithm, value)), _) => Some((algorithm, Claim::Value(value))),
            (None, Some(algorithm)) => {
                let decoded = request.extensions.get::<Trailers>().cloned().unwrap_or_default();
                Some((algorithm, Claim::Trailer(request.trailing_headers.clone(), decoded)))
            }
            (None, None) => wanted.map(|algorithm| (algorithm, Claim::None)),
        };
        Ok(Claims {
            length: length(&request.headers, content_length)?,
            md5: content_md5.map(parse_md5).transpose()?,
            checksum,
        })
    }

    fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Holds what arrived against the claims.
    fn verify(self, received: &Received) -> S3Result<()> {
        if self.length.is_some_and(|length| length != received.size()) {
            return Err(StoreError::IncompleteBody(None).into());
        }
        if self.md5.is_some_and(|md5| md5 != received.md5()) {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
        let Some((algorithm, claim)) = self.checksum else { return Ok(()) };
        let claimed = match claim {
            Claim::None => return Ok(()),
            Claim::Value(value) => value,
            Claim::Trailer(verified, decoded) => {
                let from_s3s =
                    verified.and_then(|t| t.read(|t| Some(t.get(algorithm.header())?.to_str().ok()?.to_owned())));
                let trailer = from_s3s.flatten().or_else(|| decoded.get(algorithm.header()));
                trailer
                    .ok_or_else(|| s3_error!(InvalidRequest, "The trailer that x-amz-trailer announces is missing."))?
            }
        };
        if BASE64.decode(&claimed).is_err() {
            let header = algorithm.header();
            return Err(s3_error!(InvalidRequest, "Value for {header} header is invalid."));
        }
        if received.checksum().is_none_or(|computed| computed.value != claimed) {
            let name = algorithm.name();
            return Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."));
        }
        Ok(())
    }
}

/// Takes in the body of an object.
pub(super) async fn object(store: &Store, body: Option<StreamingBlob>, claims: Claims) -> S3Result<Received> {
    let algorithm = claims.algorithm();
    let received = match body {
        Some(body) => store.receive(body, algorithm).await,
        None => store.receive(stream::empty::<Result<_, std::io::Error>>(), algorithm).await,
    };
    verified(received, claims)
}

/// Takes in the body of a part.
pub(super) async fn part(store: &Store, body: Option<StreamingBlob>, claims: Claims) -> S3Result<Received> {
    let algorithm = claims.algorithm();
    let received = match body {
        Some(body) => store.receive_part(body, algorithm).await,
        None => store.receive_part(stream::empty::<Result<_, std::io::Error>>(), algorithm).await,
    };
    verified(received, claims)
}

fn verified(received: Result<Received, StoreError>, claims: Claims) -> S3Result<Received> {
    let received = received.map_err(S3Error::from)?;
    claims.verify(&received)?;
    Ok(received)
}

/// The checksum that `x-amz-trailer` announces.
fn announced(headers: &HeaderMap) -> Option<Algorithm> {
    let names = headers.get("x-amz-trailer")?.to_str().ok()?.to_ascii_lowercase();
    Algorithm::ALL.into_iter().find(|algorithm| names.split(',').any(|name| name.trim() == algorithm.header()))
}

/// Refuses checksums of algorithms that are not known here, rather than to pass over them.
fn check_known(headers: &HeaderMap) -> S3Result<()> {
    let sent = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-checksum-"));
    let trailers = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let trailers = trailers.split(',').map(str::trim).filter(|name| name.starts_with("x-amz-checksum-"));
    let is_known = |name: &str| {
        Algorithm::ALL.iter().any(|algorithm| name == algorithm.header())
            || matches!(name, "x-amz-checksum-algorithm" | "x-amz-checksum-type" | "x-amz-checksum-mode")
    };
    match sent.chain(trailers).find(|name| !is_known(name)) {
        None => Ok(()),
        Some(_) => {
            Err(s3_error!(InvalidRequest, "The algorithm type you specified in x-amz-checksum- header is invalid."))
        }
    }
}

/// The length of the object, which for a chunked body is not that of the transfer.
fn length(headers: &HeaderMap, content_length: Option<i64>) -> S3Result<Option<u64>> {
    let invalid = || s3_error!(InvalidArgument, "The length of the body is not a number.");
    match headers.get("x-amz-decoded-content-length") {
        Some(decoded) => decoded.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(invalid).map(Some),
        None => content_length.map(|length| u64::try_from(length).map_err(|_| invalid())).transpose(),
    }
}

fn parse_md5(header: &str) -> S3Result<Vec<u8>> {
    let md5 = BASE64.decode(header).ok().filter(|md5| md5.len() == 16);
    md5.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_may_announce_one_of_several_names() {
        let check = |value: &'static str, expect| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-amz-trailer"),
                http::HeaderValue::from_static(value),
            )]);
            assert_eq!(announced(&headers), expect);
        };
        check("x-amz-checksum-crc64nvme", Some(Algorithm::Crc64Nvme));
        check("x-other, X-Amz-Checksum-Sha1", Some(Algorithm::Sha1));
        check("x-other", None);
    }

    #[test]
    fn a_checksum_that_nobody_here_can_verify_is_refused() {
        let check = |name: &'static str, value: &'static str| {
            let pair = (http::HeaderName::from_static(name), http::HeaderValue::from_static(value));
            check_known(&HeaderMap::from_iter([pair])).is_ok()
        };
        assert!(check("x-amz-checksum-crc32", "AAAAAA=="));
        assert!(check("x-amz-checksum-type", "COMPOSITE"));
        assert!(check("x-amz-trailer", "x-amz-checksum-sha256"));
        assert!(!check("x-amz-checksum-sha512", ""));
        assert!(!check("x-amz-trailer", "x-amz-checksum-xxhash64"));
    }

    #[test]
    fn a_content_md5_is_16_bytes_of_base64() {
        assert!(parse_md5("1B2M2Y8AsgTpgAmY7PhCfg==").is_ok());
        assert!(parse_md5("abcd").is_err());
        assert!(parse_md5("!").is_err());
    }
}
