//! The keys that digests are signed with.

use super::Document;
use serde::{Deserialize, Serialize};

/// An RSA key pair of one Region (`reference/integrity.md` §4). Key: `REGION/FINGERPRINT`. Kept for ever: what was signed
/// with it is verified long after it was replaced. The private half is sealed (`docs/formats/digest.md`); whoever has
/// only the registry cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The Region whose digests it signs.
    pub region: String,
    /// MD5 of the public key's DER, lower-case hex.
    pub fingerprint: String,
    /// The public key: PKCS#1 `RSAPublicKey`, DER, base64.
    pub public_key: String,
    /// The private key (PKCS#8 DER), encrypted with AES-256-GCM: nonce, ciphertext and tag, base64.
    pub sealed_private_key: String,
    /// `ValidityStartTime`, milliseconds since the epoch.
    pub valid_from_ms: u64,
    /// `ValidityEndTime`, milliseconds since the epoch.
    pub valid_to_ms: u64,
}

impl Document for SigningKey {
    const KIND: &'static str = "signing-key";

    fn key(&self) -> String {
        format!("{}/{}", self.region, self.fingerprint)
    }
}
