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

    #[cfg(any(test, fuzzing))]
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

    /// Takes the last of the flat objects that were written behind `start` away, until they have at most `limit` bytes.
    pub(crate) fn cut_list(&mut self, start: usize, limit: usize) {
        const BETWEEN: &[u8] = b"},{\"";
        if self.len() - start <= limit {
            return;
        }
        // Inside a text the quote would be escaped: these bytes stand only between two objects.
        let room = self.buffer.get(start..start + limit).unwrap_or_default();
        let end = room.windows(BETWEEN.len()).rposition(|bytes| bytes == BETWEEN).map_or(0, |at| at + 1);
        self.rewind(start + end);
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

    /// A name that needs no escaping: one of ours or of a service model.
    pub(crate) fn key(&mut self, key: &str) {
        debug_assert!(key.bytes().all(|byte| !needs_escape(byte)), "{key}");
        self.comma();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(key.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    /// A modeled name with its first letter in lower case (`reference/event-record.md` §7.1).
    pub(crate) fn key_lower_first(&mut self, key: &str) {
        self.key(key);
        // Behind the name stand its closing quote and the colon.
        let at = self.buffer.len().saturating_sub(key.len() + 2);
        if let Some(first) = self.buffer.get_mut(at) {
            first.make_ascii_lowercase();
        }
    }

    /// A name that came over the wire.
    pub(crate) fn foreign_key(&mut self, key: &str) {
        self.comma();
        self.quoted(key);
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
        self.buffer.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = first_to_escape(rest) {
            let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.buffer.extend_from_slice(plain);
            let Some((&byte, tail)) = tail.split_first() else { break };
            match byte {
                b'"' => self.buffer.extend_from_slice(b"\\\""),
                b'\\' => self.buffer.extend_from_slice(b"\\\\"),
                b'\n' => self.buffer.extend_from_slice(b"\\n"),
                b'\r' => self.buffer.extend_from_slice(b"\\r"),
                b'\t' => self.buffer.extend_from_slice(b"\\t"),
                byte => self.control(byte),
            }
            rest = tail;
        }
        self.buffer.extend_from_slice(rest);
        self.buffer.push(b'"');
    }

    fn control(&mut self, byte: u8) {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        self.buffer.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Where the first byte stands that JSON escapes: eight bytes at a time, for most text has none.
fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES * 0x80;
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = chunk.try_into().map_or(0, u64::from_ne_bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quote = zero_in(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
        if control | quote | backslash != 0 {
            break;
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| needs_escape(*byte)).map(|found| at + found)
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
