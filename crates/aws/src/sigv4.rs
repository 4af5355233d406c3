//! The mathematics of AWS Signature Version 4: canonical request, string to sign, key, signature. Functions over values;
//! who may call, and whether the time is right, is decided elsewhere.
//!
//! Source: "AWS Signature Version 4 for API requests" in the IAM User Guide; where it is silent, what botocore does.

mod canonical;

pub use canonical::{Canonical, canonical_request};

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The algorithm's name, as it stands in `Authorization` and `X-Amz-Algorithm`.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What stands in the place of the payload's hash where the payload is not signed (presigned URLs of S3).
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The hex SHA-256 of no bytes.
pub const EMPTY_PAYLOAD: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The lower-case hex SHA-256 of some bytes: the form of a payload hash.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// What the key signs. `timestamp` is `X-Amz-Date` (`YYYYMMDDTHHMMSSZ`), `date` its first eight digits as in the scope.
pub fn string_to_sign(timestamp: &str, date: &str, region: &str, service: &str, canonical_request: &[u8]) -> String {
    let hash = sha256_hex(canonical_request);
    format!("{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/aws4_request\n{hash}")
}

/// A key that signs for one day, Region and service. Wiped when dropped.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SigningKey {
    /// Derives the key from a secret access key.
    pub fn new(secret: &str, date: &str, region: &str, service: &str) -> SigningKey {
        let mut first = format!("AWS4{secret}").into_bytes();
        let mut key = hmac_sha256(&first, date.as_bytes());
        first.zeroize();
        for part in [region, service, "aws4_request"] {
            let next = hmac_sha256(&key, part.as_bytes());
            key.zeroize();
            key = next;
        }
        SigningKey(key)
    }

    /// Signs a string to sign, or the base64 text of a POST policy.
    pub fn sign(&self, text: &str) -> Signature {
        Signature(hmac_sha256(&self.0, text.as_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// A signature as it should be. Compare with [`Signature::matches`], never as text.
#[derive(Clone)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Whether the hex text of a request is this signature, compared in constant time.
    pub fn matches(&self, sent: &str) -> bool {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(sent, &mut bytes).is_ok() && bool::from(self.0.ct_eq(&bytes))
    }

    /// Lower-case hex, for requests that we sign ourselves.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(…)")
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0u8; 32];
    for (byte, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *byte = *from;
    }
    bytes
}
