//! Public keys, from the API or a file.

use super::archive::ArchiveError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use event::EventTime;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::collections::HashMap;

/// Public keys by fingerprint.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(HashMap<String, Vec<u8>>);

/// The form of a ListPublicKeys answer, and of what `aws cloudtrail list-public-keys` writes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    public_key_list: Vec<Key>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    value: String,
    fingerprint: String,
}

/// Where public keys come from.
pub trait KeySource: Send + Sync + 'static {
    /// The keys that are valid at some time of a range.
    ///
    /// # Errors
    /// [`ArchiveError::Failed`].
    fn keys(&self, start: EventTime, end: EventTime) -> BoxFuture<'_, Result<PublicKeys, ArchiveError>>;
}

impl PublicKeys {
    /// Keys by fingerprint: PKCS#1 or SubjectPublicKeyInfo, DER.
    pub fn of(keys: impl IntoIterator<Item = (String, Vec<u8>)>) -> PublicKeys {
        PublicKeys(keys.into_iter().collect())
    }

    /// Reads what `aws cloudtrail list-public-keys` answers; also the token of the next page.
    ///
    /// # Errors
    /// A text for people.
    pub fn parse(json: &[u8]) -> Result<(PublicKeys, Option<String>), String> {
        let answer: Answer = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let mut keys = HashMap::new();
        for key in answer.public_key_list {
            let der = BASE64.decode(&key.value).map_err(|error| format!("key {}: {error}", key.fingerprint))?;
            keys.insert(key.fingerprint, der);
        }
        Ok((PublicKeys(keys), answer.next_token))
    }

    /// The DER of a key.
    pub fn find(&self, fingerprint: &str) -> Option<&[u8]> {
        self.0.get(fingerprint).map(Vec::as_slice)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds others.
    pub fn extend(&mut self, others: PublicKeys) {
        self.0.extend(others.0);
    }
}

/// Keys that are known already: those of a file. The file's owner vouches for them, whatever their validity.
impl KeySource for PublicKeys {
    fn keys(&self, _: EventTime, _: EventTime) -> BoxFuture<'_, Result<PublicKeys, ArchiveError>> {
        let keys = self.clone();
        Box::pin(async { Ok(keys) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_is_read() {
        let sample = include_bytes!("../../testdata/awsdocs/list-public-keys-response.json");
        let (keys, next) = PublicKeys::parse(sample).unwrap();
        let der = keys.find("7f3f401420072e50a65a141430817ab3").unwrap();
        assert_eq!((crate::fingerprint(der), next), ("7f3f401420072e50a65a141430817ab3".to_owned(), None));
        assert!(PublicKeys::parse(b"{}").is_err() && keys.find("x").is_none());
    }
}
