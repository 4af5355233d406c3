//! The records of a log file, each with its exact bytes, from the uncompressed bytes as they come. Pure.

/// The largest record, bytes. CloudTrail's are at most a few hundred KiB; one that does not end must not fill the memory.
const RECORD_MAX: usize = 64 << 20;

const HEAD: &[u8] = b"{\"Records\":[";

/// Splits `{"Records":[…]}` into records.
#[derive(Debug, Default)]
pub struct RecordSplitter {
    state: State,
    /// The part of a record that came with earlier bytes.
    record: Vec<u8>,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// So many bytes of the head are read.
    #[default]
    Begin,
    Head(usize),
    Between,
    Record,
    /// Behind the last record.
    Tail,
    End,
    Broken,
}

impl RecordSplitter {
    /// Takes the next bytes; each record that is whole is handed over.
    pub fn push(&mut self, bytes: &[u8], mut record: impl FnMut(&[u8])) {
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if self.state == State::Record {
                if self.ends_with(*byte) {
                    let part = bytes.get(from..=at).unwrap_or_default();
                    if self.record.is_empty() {
                        record(part);
                    } else {
                        self.record.extend_from_slice(part);
                        record(&self.record);
                        self.record.clear();
                    }
                    self.state = State::Between;
                }
                continue;
            }
            if byte.is_ascii_whitespace() {
                continue;
            }
            self.state = match (self.state, byte) {
                (State::Begin, b'{') => State::Head(1),
                (State::Head(read), byte) if HEAD.get(read) == Some(byte) => {
                    if read + 1 == HEAD.len() {
                        State::Between
                    } else {
                        State::Head(read + 1)
                    }
                }
                (State::Between, b'{') => {
                    (from, self.depth) = (at, 1);
                    State::Record
                }
                (State::Between, b',') => State::Between,
                (State::Between, b']') => State::Tail,
                (State::Tail, b'}') => State::End,
                _ => State::Broken,
            };
        }
        if self.state == State::Record {
            self.record.extend_from_slice(bytes.get(from..).unwrap_or_default());
            if self.record.len() > RECORD_MAX {
                self.state = State::Broken;
            }
        }
    }

    /// Whether the file was whole.
    pub fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// Whether the record ends with this byte.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(bytes: &[u8], chunk: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut splitter, mut records) = (RecordSplitter::default(), Vec::new());
        bytes.chunks(chunk.max(1)).for_each(|chunk| splitter.push(chunk, |record| records.push(record.to_vec())));
        (records, splitter.is_whole())
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in_however_the_bytes_come(
            texts in proptest::collection::vec("[a-z{}\\[\\],\"\\\\ é]{0,20}", 0..8),
            chunk in 1usize..60,
        ) {
            let records: Vec<String> =
                texts.iter().map(|text| serde_json::json!({"a": {"b": [text, {}]}, text: 1}).to_string()).collect();
            let file = format!("{{\"Records\":[{}]}}", records.join(","));
            let (found, whole) = split(file.as_bytes(), chunk);
            prop_assert!(whole);
            prop_assert_eq!(found, records.into_iter().map(String::into_bytes).collect::<Vec<_>>());
            prop_assert!(!split(&file.as_bytes()[..file.len() - 1], chunk).1, "cut off");
            let longer = file + "x";
            prop_assert!(!split(longer.as_bytes(), chunk).1);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), chunk in 1usize..60) {
            let _ = split(&bytes, chunk);
            let _ = split(&[HEAD, &bytes].concat(), chunk);
        }
    }
}
