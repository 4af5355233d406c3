//! The members of a JSON 1.1 request, read one by one with the errors that AWS gives for wrong types.
//!
//! Reading members by name instead of deserialising into a struct keeps "absent" and "empty" apart, which UpdateTrail
//! gives different meanings, and lets the order of checks be the operation's own.

use super::error::ApiError;
use event::EventTime;
use serde_json::{Map, Value};

/// The largest body that is read. The largest valid input of these operations is a LookupEvents or CreateTrail of a few
/// kilobytes; PutEventSelectors with 500 values of 2,048 characters, each as long as JSON can make it, stays under 7 MB.
pub(crate) const MAX_BODY_BYTES: usize = 8 << 20;

/// A request's members.
#[derive(Debug)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    /// Reads a body; no body at all is an input without members.
    pub(crate) fn parse(body: &[u8]) -> Result<Input, ApiError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(ApiError::serialization("The request is larger than this operation reads."));
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Input(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Input(members)),
            Ok(_) => Err(ApiError::serialization("Start of structure or map expected.")),
            Err(_) => Err(ApiError::serialization("The request body is not valid JSON.")),
        }
    }

    /// The member, unless it is absent or `null`, which mean the same.
    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether the member is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.member(name).map(|value| as_text(value, name)).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.member(name).map(|value| value.as_bool().ok_or_else(|| mismatch(value, name, "Boolean"))).transpose()
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.member(name).map(|value| value.as_i64().ok_or_else(|| mismatch(value, name, "Integer"))).transpose()
    }

    /// A timestamp in epoch seconds, with any fraction kept.
    pub(crate) fn timestamp(&self, name: &str) -> Result<Option<f64>, ApiError> {
        let read = |value: &Value| match value {
            Value::Number(number) => number.as_f64().ok_or_else(|| mismatch(value, name, "Timestamp")),
            // Not what an SDK sends, but what people write by hand: the service reads it as well.
            Value::String(text) => {
                EventTime::parse(text).map(|time| time.0 as f64).ok_or_else(|| mismatch(value, name, "Timestamp"))
            }
            _ => Err(mismatch(value, name, "Timestamp")),
        };
        self.member(name).map(read).transpose()
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<&[Value]>, ApiError> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Array(elements)) => Ok(Some(elements)),
            Some(other) => Err(mismatch(other, name, "List")),
        }
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, ApiError> {
        let Some(elements) = self.list(name)? else { return Ok(None) };
        elements.iter().map(|element| as_text(element, name)).collect::<Result<_, _>>().map(Some)
    }
}

/// A member of a structure inside a list, unless it is absent or `null`.
fn member_in<'v>(structure: &'v Value, name: &str) -> Result<Option<&'v Value>, ApiError> {
    let Value::Object(members) = structure else { return Err(mismatch(structure, name, "Structure")) };
    Ok(members.get(name).filter(|value| !value.is_null()))
}

/// A text member of a structure inside a list.
pub(crate) fn text_in<'v>(structure: &'v Value, name: &str) -> Result<Option<&'v str>, ApiError> {
    member_in(structure, name)?.map(|value| as_text(value, name)).transpose()
}

/// A Boolean member of a structure inside a list.
pub(crate) fn boolean_in(structure: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    let read = |value: &Value| value.as_bool().ok_or_else(|| mismatch(value, name, "Boolean"));
    member_in(structure, name)?.map(read).transpose()
}

/// A list member of a structure inside a list.
pub(crate) fn list_in<'v>(structure: &'v Value, name: &str) -> Result<Option<&'v [Value]>, ApiError> {
    match member_in(structure, name)? {
        None => Ok(None),
        Some(Value::Array(elements)) => Ok(Some(elements)),
        Some(other) => Err(mismatch(other, name, "List")),
    }
}

/// A list of texts in a structure inside a list.
pub(crate) fn texts_in(structure: &Value, name: &str) -> Result<Option<Vec<String>>, ApiError> {
    let Some(elements) = list_in(structure, name)? else { return Ok(None) };
    elements.iter().map(|element| as_text(element, name).map(str::to_owned)).collect::<Result<_, _>>().map(Some)
}

fn as_text<'v>(value: &'v Value, name: &str) -> Result<&'v str, ApiError> {
    value.as_str().ok_or_else(|| mismatch(value, name, "String"))
}

fn mismatch(value: &Value, name: &str, expected: &str) -> ApiError {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "LIST_VALUE",
        Value::Object(_) => "STRUCTURE_VALUE",
    };
    ApiError::serialization(format!("{found} cannot be converted to {expected} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn absent_null_and_empty_are_told_apart() {
        let input = Input::parse(br#"{"a":null,"b":""}"#).unwrap();
        assert_eq!(input.text("a").unwrap(), None);
        assert_eq!(input.text("b").unwrap(), Some(""));
        assert_eq!(input.text("c").unwrap(), None);
        assert_eq!(Input::parse(b"").unwrap().text("a").unwrap(), None);
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error_that_names_the_member() {
        let input = Input::parse(br#"{"Name":1,"Flag":"true","Names":"x","When":[],"Many":1.5}"#).unwrap();
        for error in [
            input.text("Name").unwrap_err(),
            input.boolean("Flag").unwrap_err(),
            input.texts("Names").unwrap_err(),
            input.timestamp("When").unwrap_err(),
            input.integer("Many").unwrap_err(),
        ] {
            assert_eq!((error.code, error.status), ("SerializationException", 400));
        }
        assert!(input.text("Name").unwrap_err().message.contains("Name"));
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for body in ["[", "[]", "1", "{\"a\":", "\u{0}"] {
            assert_eq!(Input::parse(body.as_bytes()).unwrap_err().code, "SerializationException", "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Input::parse(&body);
        }
    }
}
