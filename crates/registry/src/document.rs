//! What a document is: a kind, a key, a stored form with a number.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) mod access_key;
pub(crate) mod deleted;
pub(crate) mod delivery;
pub(crate) mod digest;
pub(crate) mod learned;
pub(crate) mod logs;
pub(crate) mod meta;
pub(crate) mod notification;
pub(crate) mod organization;
pub(crate) mod position;
pub(crate) mod signing_key;
pub(crate) mod trail;
pub(crate) mod transparency;

/// Something the registry keeps.
///
/// The stored form is the type's JSON inside an envelope that carries [`Document::FORM`]. A member may be added to a
/// form when it has a serde default; any other change is a new form: raise the number, keep the old type privately, and
/// let [`Document::from_older`] turn it into the new one. Samples of every form stay in `testdata/` for ever.
pub trait Document: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Names the kind in storage; never changed, never reused.
    const KIND: &'static str;
    /// Number of the form that is written today.
    const FORM: u32 = 1;
    /// The largest stored form, bytes. What is larger is somebody's mistake, and is in memory as well.
    const BODY_MAX: usize = 1 << 20;

    /// The key under which this document stands: a function of its members.
    fn key(&self) -> String;

    /// Reads a form older than [`Document::FORM`]. The first form has none.
    ///
    /// # Errors
    /// [`Older::Unknown`] for a form that never was, [`Older::Unreadable`] when the body is not of that form.
    fn from_older(form: u32, body: &str) -> Result<Self, Older> {
        let _ = (form, body);
        Err(Older::Unknown)
    }
}

/// Why an older form cannot become today's.
#[derive(Debug, thiserror::Error)]
pub enum Older {
    /// No such form ever was.
    #[error("no such form is known")]
    Unknown,
    /// The body is not of the form that it announces.
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
}

/// Number of a change. Grows with every change of the registry, so that no version ever returns, not even when a
/// document is deleted and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A document as it stood at a version. Cheap to clone; reads like the document itself.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The change that wrote this document.
    pub version: Version,
    /// The document.
    pub document: Arc<T>,
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Versioned { version: self.version, document: Arc::clone(&self.document) }
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.document
    }
}

/// The envelope of every stored body.
#[derive(serde::Serialize)]
struct Written<'a, T> {
    form: u32,
    document: &'a T,
}

/// [`Written`], with the document still unread because its form decides how.
#[derive(serde::Deserialize)]
struct Read<'a> {
    form: u32,
    #[serde(borrow)]
    document: &'a serde_json::value::RawValue,
}

/// The stored body of a document. Zeroised, for some documents hold secrets.
pub(crate) fn encode<T: Document>(document: &T) -> Result<Zeroizing<String>, serde_json::Error> {
    serde_json::to_string(&Written { form: T::FORM, document }).map(Zeroizing::new)
}

/// Reads a stored body of any form that is known; otherwise says why not.
pub(crate) fn decode<T: Document>(body: &str) -> Result<T, String> {
    let read: Read<'_> = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let document = read.document.get();
    if read.form == T::FORM {
        serde_json::from_str(document).map_err(|error| error.to_string())
    } else if read.form < T::FORM {
        T::from_older(read.form, document).map_err(|error| format!("form {}: {error}", read.form))
    } else {
        Err(format!("form {} is newer than this program, which knows form {}", read.form, T::FORM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct FirstLamp {
        watts: u32,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Lamp {
        milliwatts: u64,
    }

    impl Document for Lamp {
        const KIND: &'static str = "lamp";
        const FORM: u32 = 2;

        fn key(&self) -> String {
            "lamp".to_owned()
        }

        fn from_older(form: u32, body: &str) -> Result<Self, Older> {
            match form {
                1 => serde_json::from_str::<FirstLamp>(body)
                    .map(|lamp| Lamp { milliwatts: u64::from(lamp.watts) * 1000 })
                    .map_err(Older::from),
                _ => Err(Older::Unknown),
            }
        }
    }

    #[test]
    fn an_older_form_becomes_todays() {
        assert_eq!(decode::<Lamp>(r#"{"form":1,"document":{"watts":7}}"#), Ok(Lamp { milliwatts: 7000 }));
        let body = encode(&Lamp { milliwatts: 5 }).unwrap();
        assert_eq!(*body, r#"{"form":2,"document":{"milliwatts":5}}"#);
        assert_eq!(decode::<Lamp>(&body), Ok(Lamp { milliwatts: 5 }));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let reason = |body| decode::<Lamp>(body).unwrap_err();
        assert!(reason(r#"{"form":3,"document":{}}"#).contains("newer than this program"));
        assert!(reason(r#"{"form":0,"document":{}}"#).contains("no such form"));
        assert!(reason(r#"{"form":1,"document":{}}"#).contains("watts"));
        assert!(reason("").contains("EOF"));
    }
}
