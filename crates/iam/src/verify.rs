//! Whether a request was signed, now, for this service, by a key that may be used.

use crate::AuthError;
use aws::sigv4::{self, Canonical, SigningKey, UNSIGNED_PAYLOAD};
use aws::{Credential, CredentialKind, Request};
use event::{EventTime, Identity};
use registry::{AccessKey, KeyStatus};
use std::sync::Arc;

/// How far a caller's clock may be off, either way.
const CLOCK_SKEW_SECONDS: i64 = 15 * 60;
/// The longest that a presigned URL may be good for: seven days.
const EXPIRES_MAX_SECONDS: i64 = 7 * 24 * 3600;

/// A request that is authentic.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The key that signed it.
    pub key: Arc<AccessKey>,
    /// The Region of the scope.
    pub region: String,
}

impl Verified {
    /// The `userIdentity` of the caller.
    pub fn identity(&self) -> Identity {
        let key = &self.key;
        Identity::iam_user(&key.account_id, &key.user_name, &key.principal_id, &key.access_key_id)
    }
}

/// Verifies the head of a request for `service` (a signing name, such as `cloudtrail`).
///
/// `request` must have every header line as it was sent, `host` among them (for HTTP/2 made from `:authority`), because
/// the signature covers them. `payload_hash` is the lower-case hex SHA-256 of its body. `find_key` gives a key by its id,
/// whatever its status. `now` is the present.
///
/// # Errors
/// The first [`AuthError`]; the signature itself is looked at last, when everything else fits.
pub fn verify(
    request: &Request<'_>,
    payload_hash: &str,
    service: &str,
    find_key: impl FnOnce(&str) -> Option<Arc<AccessKey>>,
    now: EventTime,
) -> Result<Verified, AuthError> {
    let Signed { credential, presigned, timestamp } = signed(request, service, now)?;
    let is_s3 = service == "s3";
    let payload_hash = canonical_payload(request, payload_hash, is_s3, presigned)?;

    let key = find_key(&credential.access_key_id)
        .filter(|key| key.status == KeyStatus::Active)
        .ok_or(AuthError::UnknownKey)?;
    let canonical = sigv4::canonical_request(
        request,
        Canonical { signed_headers: &credential.signed_headers, payload_hash, s3_path: is_s3, presigned },
    );
    let (date, region) = (&*credential.date, &*credential.region);
    let text = sigv4::string_to_sign(timestamp, date, region, &credential.service, &canonical);
    let signature = SigningKey::new(key.secret.expose(), date, region, &credential.service).sign(&text);
    if !signature.matches(&credential.signature) {
        return Err(AuthError::Signature);
    }
    Ok(Verified { key, region: region.to_owned() })
}

/// Checks everything of a request's signature that its head tells, but for the signature itself: for S3, whose store compares
/// that while the body streams, and asks less of the rest.
///
/// # Errors
/// The [`AuthError`] that [`verify`] has for the same request, but for those of the key and the signature.
pub fn check_head(request: &Request<'_>, service: &str, now: EventTime) -> Result<(), AuthError> {
    signed(request, service, now).map(drop)
}

/// A head in which everything fits that a signature covers.
struct Signed<'a> {
    credential: Credential<'a>,
    presigned: bool,
    timestamp: &'a str,
}

fn signed<'a>(request: &Request<'a>, service: &str, now: EventTime) -> Result<Signed<'a>, AuthError> {
    let credential = signed_by(request)?;
    let presigned = credential.kind == CredentialKind::QueryV4;
    let timestamp = timestamp(request, presigned)?;
    check_scope(&credential, timestamp, service)?;
    check_time(request, presigned, timestamp, now)?;
    check_signed_headers(request, &credential)?;
    if credential.session_token.is_some() {
        return Err(AuthError::UnknownKey);
    }
    Ok(Signed { credential, presigned, timestamp })
}

/// The credential of a request that is signed in a way that is verified here.
fn signed_by<'a>(request: &Request<'a>) -> Result<Credential<'a>, AuthError> {
    let Some(credential) = aws::credential(request) else {
        let tries = request.headers.has("authorization")
            || ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].iter().any(|name| request.has_query(name));
        return Err(if tries {
            AuthError::Incomplete("The signature is incomplete: it needs Credential, SignedHeaders and Signature.")
        } else {
            AuthError::Missing
        });
    };
    match credential.kind {
        CredentialKind::HeaderV4 | CredentialKind::QueryV4 => {}
        _ => return Err(AuthError::Mechanism),
    }
    // With two signatures it would be open which of them is meant.
    if request.headers.all("authorization").count() + usize::from(request.has_query("X-Amz-Signature")) > 1 {
        return Err(AuthError::Incomplete("Only one authentication mechanism is allowed."));
    }
    Ok(credential)
}

/// `X-Amz-Date`, from where the signature stands.
fn timestamp<'a>(request: &Request<'a>, presigned: bool) -> Result<&'a str, AuthError> {
    let sent = if presigned { request.query_value("X-Amz-Date") } else { request.headers.get("x-amz-date") };
    sent.ok_or(AuthError::Incomplete("The signature is incomplete: it needs X-Amz-Date."))
}

fn check_scope(credential: &Credential<'_>, timestamp: &str, service: &str) -> Result<(), AuthError> {
    if timestamp.get(..8) != Some(&*credential.date) {
        return Err(AuthError::Incomplete("Date in Credential scope does not match YYYYMMDD from X-Amz-Date."));
    }
    let region = &*credential.region;
    let region_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || region.len() > 64 || !region.bytes().all(region_byte) {
        return Err(AuthError::Incomplete("Credential should be scoped to a valid region."));
    }
    if credential.service != service {
        return Err(AuthError::Scope { expected: service.to_owned() });
    }
    Ok(())
}

fn check_time(request: &Request<'_>, presigned: bool, timestamp: &str, now: EventTime) -> Result<(), AuthError> {
    let signed_at =
        parse_timestamp(timestamp).ok_or(AuthError::Incomplete("X-Amz-Date must be in the form YYYYMMDDTHHMMSSZ."))?;
    let age = now.0 - signed_at.0;
    let skewed = || AuthError::Skewed { signed_at: timestamp.to_owned(), now: basic(now) };
    if age < -CLOCK_SKEW_SECONDS {
        return Err(skewed());
    }
    if !presigned {
        return if age > CLOCK_SKEW_SECONDS { Err(skewed()) } else { Ok(()) };
    }
    let expires = request
        .query_value("X-Amz-Expires")
        .filter(|text| (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|seconds| (1..=EXPIRES_MAX_SECONDS).contains(seconds))
        .ok_or(AuthError::Incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800."))?;
    if age > expires { Err(AuthError::Expired) } else { Ok(()) }
}

/// `host` and every `x-amz-…` header decide what a call means, so the signature must cover them.
fn check_signed_headers(request: &Request<'_>, credential: &Credential<'_>) -> Result<(), AuthError> {
    let is_signed = |name: &str| credential.signed_headers.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    if !is_signed("host") {
        return Err(AuthError::Incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization."));
    }
    // Each name once: a value signed ten thousand times over would have to be written as often.
    let many = credential.signed_headers.split(';').nth(request.headers.iter().count()).is_some();
    if many || credential.signed_headers.split(';').any(|name| !request.headers.has(name)) {
        return Err(AuthError::Signature);
    }
    let amz = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    match request.headers.iter().find(|(name, _)| amz(name) && !is_signed(name)) {
        // That one needs no place among the headers: its value is signed as the hash of the payload.
        Some((name, _)) if !name.eq_ignore_ascii_case("x-amz-content-sha256") => {
            Err(AuthError::UnsignedHeader(name.to_ascii_lowercase()))
        }
        _ => Ok(()),
    }
}

/// What stands for the payload in the canonical request.
fn canonical_payload<'a>(
    request: &Request<'a>,
    payload_hash: &'a str,
    is_s3: bool,
    presigned: bool,
) -> Result<&'a str, AuthError> {
    match request.headers.get("x-amz-content-sha256") {
        Some(UNSIGNED_PAYLOAD) if is_s3 => Ok(UNSIGNED_PAYLOAD),
        Some(declared) if declared != payload_hash => Err(AuthError::PayloadMismatch),
        None if is_s3 && presigned => Ok(UNSIGNED_PAYLOAD),
        _ => Ok(payload_hash),
    }
}

/// Reads `YYYYMMDDTHHMMSSZ`.
fn parse_timestamp(text: &str) -> Option<EventTime> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (date, time) = text.split_at(8);
    let extended = format!(
        "{}-{}-{}{}:{}:{}",
        date.get(..4)?,
        date.get(4..6)?,
        date.get(6..8)?,
        time.get(..3)?,
        time.get(3..5)?,
        time.get(5..)?
    );
    EventTime::parse(&extended)
}

/// Writes `YYYYMMDDTHHMMSSZ`.
fn basic(time: EventTime) -> String {
    time.to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests;
