//! JSON written by hand into one buffer: a record is written once, without building it first.

/// The buffer. Commas are put where they belong by looking at what was written last.
#[derive(Debug, Default)]
pub(crate) struct Json {
    buffer: Vec<u8>,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Json {
        Json { buffer: Vec::with_capacity(bytes) }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// How much is written: a mark for [`Self::rewind`].
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets what was written after a mark.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.buffer.truncate(mark);
    }

    /// A comma, unless this is the first thing in its object or list, or the value of a key.
    fn comma(&mut self) {
        if !matches!(self.buffer.last(), None | Some(b'{' | b'[' | b':')) {
            self.buffer.push(b',');
        }
    }

    pub(crate) fn open_object(&mut self) {
        self.comma();
        self.buffer.push(b'{');
    }

    pub(crate) fn close_object(&mut self) {
        self.buffer.push(b'}');
    }

    pub(crate) fn open_list(&mut self) {
        self.comma();
        self.buffer.push(b'[');
    }

    pub(crate) fn close_list(&mut self) {
        self.buffer.push(b']');
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.comma();
        self.quoted(key);
        self.buffer.push(b':');
    }

    /// A modeled name with its first letter in lower case (`reference/event-record.md` §7.1).
    pub(crate) fn key_lower_first(&mut self, key: &str) {
        self.comma();
        let at = self.buffer.len() + 1;
        self.quoted(key);
        if let Some(first) = self.buffer.get_mut(at) {
            first.make_ascii_lowercase();
        }
        self.buffer.push(b':');
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub(crate) fn number(&mut self, value: u64) {
        use std::io::Write;
        self.comma();
        // Writing into a vector cannot fail.
        let _ = write!(self.buffer, "{value}");
    }

    pub(crate) fn null(&mut self) {
        self.raw("null");
    }

    /// What is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.comma();
        self.buffer.extend_from_slice(json.as_bytes());
    }

    /// What is JSON already, as bytes.
    pub(crate) fn raw_bytes(&mut self, json: &[u8]) {
        self.comma();
        self.buffer.extend_from_slice(json);
    }

    pub(crate) fn text_member(&mut self, key: &str, text: &str) {
        self.key(key);
        self.text(text);
    }

    fn quoted(&mut self, text: &str) {
        self.buffer.push(b'"');
        let bytes = text.as_bytes();
        let mut plain_from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..=0x1f => {
                    self.copy(bytes, plain_from, at);
                    self.control(*byte);
                    plain_from = at + 1;
                    continue;
                }
                _ => continue,
            };
            self.copy(bytes, plain_from, at);
            self.buffer.extend_from_slice(escape);
            plain_from = at + 1;
        }
        self.copy(bytes, plain_from, bytes.len());
        self.buffer.push(b'"');
    }

    fn copy(&mut self, bytes: &[u8], from: usize, to: usize) {
        self.buffer.extend_from_slice(bytes.get(from..to).unwrap_or_default());
    }

    fn control(&mut self, byte: u8) {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        self.buffer.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commas_stand_between_and_only_between() {
        let mut json = Json::default();
        json.open_object();
        json.key("a");
        json.open_list();
        json.number(1);
        json.bool(true);
        json.open_object();
        json.close_object();
        json.null();
        json.close_list();
        json.key_lower_first("DBName");
        json.text("x");
        json.close_object();
        assert_eq!(json.as_bytes(), br#"{"a":[1,true,{},null],"dBName":"x"}"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let mut json = Json::default();
            json.text(&text);
            prop_assert_eq!(serde_json::from_slice::<String>(json.as_bytes()).unwrap(), text);
        }
    }
}
