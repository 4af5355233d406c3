//! The keys that digests are signed with: one RSA key pair for each Region, made when it is needed, replaced every month
//! (`reference/integrity.md` §4; stored form: `docs/formats/digest.md`).
//!
//! Which key signs a digest follows from the end of the digest's window and from the keys that are there, never from
//! the clock: a digest that is made again is signed with the same key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use event::EventTime;
use md5::{Digest as _, Md5};
use registry::{Documents, Expected, LogKey, Registry, RegistryError, SigningKey, Versioned};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

mod file;
mod log;

pub(crate) use log::LogSigner;

/// How long a key is valid, seconds.
const VALIDITY: i64 = 30 * 24 * 3600;
/// How long before its end it is no longer signed with: windows overlap, so that whoever asks for the keys of a time gets
/// the one that counts.
const OVERLAP: i64 = 2 * 24 * 3600;
/// How long before the first digest that it signs a key is valid: the length of a window.
const BEFORE: i64 = 3600;
/// Bytes of the nonce before the sealed key.
const NONCE: usize = 12;

/// The keys of a data folder. Clones share them.
#[derive(Clone)]
pub struct SigningKeys {
    documents: Documents<SigningKey>,
    log_keys: Documents<LogKey>,
    sealing: Arc<Zeroizing<[u8; 32]>>,
    /// Opened pairs, by fingerprint; also what makes making one the work of one at a time.
    open: Arc<Mutex<HashMap<String, Arc<KeyPair>>>>,
}

/// One key that may sign.
pub(crate) struct Signer {
    pub(crate) fingerprint: String,
    pair: Arc<KeyPair>,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file with the sealing key.
    #[error("cannot use the key file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file is not 64 hexadecimal digits.
    #[error("the key file {} holds no key: put the right one back, or remove it to go on with new keys", .0.display())]
    NoKey(PathBuf),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The cryptographic library.
    #[error("the cryptographic library refused to {0}")]
    Crypto(&'static str),
}

impl SigningKeys {
    /// The keys of a registry, sealed with the key in the file at `path`, which is made when it is not there. A lost file
    /// costs the private keys only: new ones are made, and what was signed before stays verifiable.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(registry: &Registry, path: &Path) -> Result<SigningKeys, KeyError> {
        let sealing = Arc::new(file::sealing_key(path)?);
        let (documents, log_keys) = (registry.documents()?, registry.documents()?);
        Ok(SigningKeys { documents, log_keys, sealing, open: Arc::default() })
    }

    /// The key for a digest of that Region whose window ends at `end`; made when there is none. Blocks: a key takes about
    /// a tenth of a second to make, and a disk sync to keep.
    pub(crate) fn signer(&self, region: &str, end: EventTime) -> Result<Signer, KeyError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for key in candidates(self.documents.list(), region, end) {
            let pair = match open.get(&key.fingerprint) {
                Some(pair) => Arc::clone(pair),
                None => match self.unseal(&key) {
                    Ok(pair) => Arc::new(pair),
                    Err(Unspecified) => {
                        let fingerprint = &key.fingerprint;
                        tracing::error!(
                            region,
                            fingerprint,
                            "a signing key cannot be opened with the key file; passing it over"
                        );
                        continue;
                    }
                },
            };
            open.insert(key.fingerprint.clone(), Arc::clone(&pair));
            return Ok(Signer { fingerprint: key.fingerprint.clone(), pair });
        }
        let (key, pair) = self.make(region, end)?;
        let fingerprint = key.fingerprint.clone();
        self.documents.put(key, Expected::Absent)?;
        tracing::info!(region, fingerprint, "made a key to sign digests with");
        let pair = Arc::new(pair);
        open.insert(fingerprint.clone(), Arc::clone(&pair));
        Ok(Signer { fingerprint, pair })
    }

    fn make(&self, region: &str, end: EventTime) -> Result<(SigningKey, KeyPair), KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|Unspecified| KeyError::Crypto("make a key"))?;
        let public = pair.public_key().as_ref();
        let fingerprint = fingerprint(public);
        let sealed = self.seal(&pair, region, &fingerprint).map_err(|Unspecified| KeyError::Crypto("seal a key"))?;
        let milliseconds = |seconds: i64| u64::try_from(seconds).unwrap_or_default() * 1000;
        let key = SigningKey {
            region: region.to_owned(),
            public_key: BASE64.encode(public),
            sealed_private_key: BASE64.encode(sealed),
            valid_from_ms: milliseconds(end.0 - BEFORE),
            valid_to_ms: milliseconds(end.0 - BEFORE + VALIDITY),
            fingerprint,
        };
        Ok((key, pair))
    }

    fn seal(&self, pair: &KeyPair, region: &str, fingerprint: &str) -> Result<Vec<u8>, Unspecified> {
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        self.seal_bytes(der.as_ref(), aad(region, fingerprint))
    }

    fn unseal(&self, key: &SigningKey) -> Result<KeyPair, Unspecified> {
        let der = self.unseal_bytes(&key.sealed_private_key, aad(&key.region, &key.fingerprint))?;
        KeyPair::from_pkcs8(&der).map_err(|_| Unspecified)
    }

    fn seal_bytes(&self, plain: &[u8], aad: Aad<String>) -> Result<Vec<u8>, Unspecified> {
        // Sealing appends the tag: room for it, so that no copy of the plain key is left behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + 16));
        sealed.extend_from_slice(plain);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing[..])?;
        let nonce = key.seal_in_place_append_tag(aad, &mut *sealed)?;
        Ok([&nonce.as_ref()[..], &sealed].concat())
    }

    fn unseal_bytes(&self, sealed: &str, aad: Aad<String>) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let sealed = BASE64.decode(sealed).map_err(|_| Unspecified)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(Unspecified)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, &self.sealing[..])?;
        let length = sealing.open_in_place(nonce, aad, &mut bytes)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl Signer {
    /// The signature of a text, RSASSA-PKCS1-v1_5 with SHA-256, in lower-case hex. The same text has the same signature.
    pub(crate) fn sign(&self, text: &str) -> Result<String, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|Unspecified| KeyError::Crypto("sign"))?;
        Ok(hex::encode(signature))
    }
}

/// The fingerprint of a public key: MD5 over the DER exactly as ListPublicKeys hands it out, in lower-case hex.
pub fn fingerprint(public_key_der: &[u8]) -> String {
    hex::encode(Md5::digest(public_key_der))
}

/// The keys that may sign a digest which ends at `end`, the one that does first: the oldest, so that a key made for a
/// later digest does not change who signs an earlier one.
fn candidates(keys: Vec<Versioned<SigningKey>>, region: &str, end: EventTime) -> Vec<Versioned<SigningKey>> {
    let end_ms = u64::try_from(end.0).unwrap_or_default() * 1000;
    let may_sign = |key: &Versioned<SigningKey>| {
        let until = key.valid_to_ms.saturating_sub(OVERLAP as u64 * 1000);
        key.region == region && (key.valid_from_ms..until).contains(&end_ms)
    };
    let mut keys: Vec<_> = keys.into_iter().filter(may_sign).collect();
    keys.sort_by(|a, b| (a.valid_from_ms, &a.fingerprint).cmp(&(b.valid_from_ms, &b.fingerprint)));
    keys
}

/// What is sealed with a private key: whose it is, so that sealed keys cannot be exchanged for one another.
fn aad(region: &str, fingerprint: &str) -> Aad<String> {
    Aad::from(format!("{region}/{fingerprint}"))
}

#[cfg(test)]
mod tests;
