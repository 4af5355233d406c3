//! Text that must not be seen.

use serde::{Deserialize, Deserializer, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// A secret text: wiped from memory when dropped, and never shown by `Debug`. Whoever is given one may read it; it
/// is written only by the documents of this crate.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret into custody.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for deriving a signing key or for handing it out once. Compare signatures, not secrets.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// For `#[serde(serialize_with)]` on the members of documents, which own what is stored.
    pub(crate) fn store<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
