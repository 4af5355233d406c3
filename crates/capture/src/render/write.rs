//! JSON written by hand into one buffer: a record is written once, without building it first.

/// The buffer. Commas are put where they belong by looking at what was written last.
#[derive(Debug, Default)]
pub(crate) struct Json {
    buffer: String,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Json {
        Json { buffer: String::with_capacity(bytes) }
    }

    pub(crate) fn into_text(self) -> String {
        self.buffer
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buffer.as_bytes()
    }

    /// How much is written: a mark for [`Self::rewind`].
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets what was written after a mark.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.buffer.truncate(mark);
    }

    /// Takes the last of the flat objects that were written behind `start` away, until they have at most `limit` bytes.
    pub(crate) fn cut_list(&mut self, start: usize, limit: usize) {
        const BETWEEN: &[u8] = b"},{\"";
        if self.len() - start <= limit {
            return;
        }
        // Inside a text the quote would be escaped: these bytes stand only between two objects.
        let room = self.buffer.as_bytes().get(start..start + limit).unwrap_or_default();
        let end = room.windows(BETWEEN.len()).rposition(|bytes| bytes == BETWEEN).map_or(0, |at| at + 1);
        self.rewind(start + end);
    }

    /// A comma, unless this is the first thing in its object or list, or the value of a key.
    fn comma(&mut self) {
        if !matches!(self.buffer.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.buffer.push(',');
        }
    }

    pub(crate) fn open_object(&mut self) {
        self.comma();
        self.buffer.push('{');
    }

    pub(crate) fn close_object(&mut self) {
        self.buffer.push('}');
    }

    pub(crate) fn open_list(&mut self) {
        self.comma();
        self.buffer.push('[');
    }

    pub(crate) fn close_list(&mut self) {
        self.buffer.push(']');
    }

    /// A name that needs no escaping: one of ours or of a service model.
    pub(crate) fn key(&mut self, key: &str) {
        debug_assert_eq!(event::first_to_escape(key.as_bytes(), 0), key.len(), "{key}");
        self.comma();
        self.buffer.push('"');
        self.buffer.push_str(key);
        self.buffer.push_str("\":");
    }

    /// A modeled name with its first letter in lower case (`reference/event-record.md` §7.1).
    pub(crate) fn key_lower_first(&mut self, key: &str) {
        debug_assert_eq!(event::first_to_escape(key.as_bytes(), 0), key.len(), "{key}");
        self.comma();
        self.buffer.push('"');
        let mut rest = key.chars();
        self.buffer.extend(rest.next().map(|first| first.to_ascii_lowercase()));
        self.buffer.push_str(rest.as_str());
        self.buffer.push_str("\":");
    }

    /// A name that came over the wire.
    pub(crate) fn foreign_key(&mut self, key: &str) {
        self.comma();
        self.quoted(key);
        self.buffer.push(':');
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub(crate) fn number(&mut self, value: u64) {
        use std::fmt::Write;
        self.comma();
        // Writing into text cannot fail.
        let _ = write!(self.buffer, "{value}");
    }

    pub(crate) fn null(&mut self) {
        self.raw("null");
    }

    /// What is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.comma();
        self.buffer.push_str(json);
    }

    pub(crate) fn text_member(&mut self, key: &str, text: &str) {
        self.key(key);
        self.text(text);
    }

    /// [`Self::text_member`] with a name that came over the wire.
    pub(crate) fn foreign_member(&mut self, key: &str, text: &str) {
        self.foreign_key(key);
        self.text(text);
    }

    fn quoted(&mut self, text: &str) {
        self.buffer.push('"');
        let mut rest = text;
        while let Some((plain, tail)) = rest.split_at_checked(event::first_to_escape(rest.as_bytes(), 0)) {
            self.buffer.push_str(plain);
            let mut tail = tail.chars();
            match tail.next() {
                Some('"') => self.buffer.push_str("\\\""),
                Some('\\') => self.buffer.push_str("\\\\"),
                Some('\n') => self.buffer.push_str("\\n"),
                Some('\r') => self.buffer.push_str("\\r"),
                Some('\t') => self.buffer.push_str("\\t"),
                Some(other) => self.control(other as u8),
                None => break,
            }
            rest = tail.as_str();
        }
        self.buffer.push('"');
    }

    fn control(&mut self, byte: u8) {
        let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
        self.buffer.push_str("\\u00");
        self.buffer.push(digit(byte >> 4));
        self.buffer.push(digit(byte & 15));
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
