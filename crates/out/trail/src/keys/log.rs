//! The key that transparency logs are signed with: one Ed25519 key pair for the house, made when it is needed, kept for ever. Who
//! knows a log knows it by this key, so it is not replaced as those of digests are.

use super::{KeyError, SigningKeys};
use aws_lc_rs::aead::Aad;
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use registry::{Expected, LogKey};
use std::sync::{Arc, PoisonError};
use zeroize::Zeroizing;

/// A key that may sign checkpoints. The same text has the same signature.
#[derive(Clone)]
pub(crate) struct LogSigner {
    /// The public key, 32 bytes.
    pub(crate) public: [u8; 32],
    pair: Arc<Ed25519KeyPair>,
}

impl LogSigner {
    fn of(pair: Ed25519KeyPair) -> Result<LogSigner, Unspecified> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| Unspecified)?;
        Ok(LogSigner { public, pair: Arc::new(pair) })
    }

    /// The signature of a text.
    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

impl SigningKeys {
    /// The key with that public half (lower-case hex); `None` where there is none that the key file opens. Blocks.
    pub(crate) fn log_signer_of(&self, public: &str) -> Option<LogSigner> {
        let key = self.log_keys.get(public)?;
        let opened = self.open_log_key(&key);
        if opened.is_err() {
            tracing::error!(public, "the key of a transparency log cannot be opened with the key file");
        }
        opened.ok()
    }

    /// The newest key that can be opened, made where there is none. Blocks for a disk sync when it is made.
    pub(crate) fn log_signer(&self, now_ms: u64) -> Result<LogSigner, KeyError> {
        // Making one is the work of one at a time.
        let _open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.log_keys.list();
        keys.sort_by_key(|key| std::cmp::Reverse(key.made_ms));
        if let Some(signer) = keys.iter().find_map(|key| self.open_log_key(key).ok()) {
            return Ok(signer);
        }
        let (key, signer) = self.make_log_key(now_ms).map_err(|Unspecified| KeyError::Crypto("make a key"))?;
        tracing::info!(public = key.public_key, "made a key to sign transparency logs with");
        self.log_keys.put(key, Expected::Absent)?;
        Ok(signer)
    }

    fn make_log_key(&self, now_ms: u64) -> Result<(LogKey, LogSigner), Unspecified> {
        let pair = Ed25519KeyPair::generate()?;
        let seed: Curve25519SeedBin<'_> = pair.seed()?.as_be_bytes()?;
        let seed = Zeroizing::new(seed.as_ref().to_vec());
        let signer = LogSigner::of(pair)?;
        let public_key = hex::encode(signer.public);
        let sealed = self.seal_bytes(&seed, aad(&public_key))?;
        Ok((LogKey { public_key, sealed_private_key: BASE64.encode(sealed), made_ms: now_ms }, signer))
    }

    fn open_log_key(&self, key: &LogKey) -> Result<LogSigner, Unspecified> {
        let seed = self.unseal_bytes(&key.sealed_private_key, aad(&key.public_key))?;
        let public = hex::decode(&key.public_key).map_err(|_| Unspecified)?;
        LogSigner::of(Ed25519KeyPair::from_seed_and_public_key(&seed, &public).map_err(|_| Unspecified)?)
    }
}

/// What is sealed with a private key: whose it is.
fn aad(public: &str) -> Aad<String> {
    Aad::from(format!("transparency-log/{public}"))
}
