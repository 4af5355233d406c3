//! What stands in the log: small entries that commit to what was delivered and hold none of it (`docs/formats/transparency-log.md`).
//! Pure.

use super::layout::push_entry;
use super::merkle::{Hash, sha256};
use bytes::Bytes;

/// The form of entries.
const VERSION: u8 = 1;
const EVENT: u8 = 1;
const FILE: u8 = 2;
const LINK: u8 = 3;

/// The longest event ID that stands in an entry as it is, bytes. A longer one, which no AWS service has, is told by its hash.
const ID_MAX: usize = 128;

/// The longest entry of an event in a bundle: its length, version, kind, place, hash and ID.
const ENTRY_MAX: usize = 2 + 2 + 4 + 32 + ID_MAX;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A delivered event. Those of one file follow the entry of that file, in the order of the file.
    Event {
        /// Its place among the records of its file, from 0: the entry of the file is that many and one before this one.
        position: u32,
        /// SHA-256 of the record's bytes, exactly as they stand in the file.
        hash: Hash,
        /// `eventID`, as [`id_text`] has it.
        id: String,
    },
    /// A delivered log file.
    File {
        /// How many records it has.
        records: u32,
        /// SHA-256 of its uncompressed bytes, as digests list it.
        hash: Hash,
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// The end of the log before this one: what came first is there.
    Link {
        /// Its size.
        size: u64,
        /// Its root.
        root: Hash,
        /// Its origin.
        origin: String,
    },
}

impl Leaf {
    /// Reads an entry; `None` where the bytes are none that this program knows.
    pub fn parse(bytes: &[u8]) -> Option<Leaf> {
        let (version, rest) = bytes.split_first()?;
        let (kind, rest) = rest.split_first()?;
        if *version != VERSION {
            return None;
        }
        match *kind {
            EVENT => {
                let (position, rest) = rest.split_first_chunk()?;
                let (hash, id) = rest.split_first_chunk()?;
                let id = text(id)?;
                Some(Leaf::Event { position: u32::from_be_bytes(*position), hash: *hash, id })
            }
            FILE => {
                let (records, rest) = rest.split_first_chunk()?;
                let (hash, place) = rest.split_first_chunk()?;
                let place = text(place)?;
                let (bucket, key) = place.split_once('/')?;
                let (bucket, key) = (bucket.to_owned(), key.to_owned());
                Some(Leaf::File { records: u32::from_be_bytes(*records), hash: *hash, bucket, key })
            }
            LINK => {
                let (size, rest) = rest.split_first_chunk()?;
                let (root, origin) = rest.split_first_chunk()?;
                Some(Leaf::Link { size: u64::from_be_bytes(*size), root: *root, origin: text(origin)? })
            }
            _ => None,
        }
    }

    /// The bytes of the entry.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Leaf::Event { position, hash, id } => bytes(EVENT, &position.to_be_bytes(), hash, id.as_bytes()),
            Leaf::File { records, hash, bucket, key } => {
                bytes(FILE, &records.to_be_bytes(), hash, format!("{bucket}/{key}").as_bytes())
            }
            Leaf::Link { size, root, origin } => bytes(LINK, &size.to_be_bytes(), root, origin.as_bytes()),
        }
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn bytes(kind: u8, number: &[u8], hash: &Hash, text: &[u8]) -> Vec<u8> {
    [&[VERSION, kind], number, hash, text].concat()
}

/// An event ID as it stands in entries.
pub fn id_text(id: &str) -> String {
    if id.len() <= ID_MAX { id.to_owned() } else { format!("sha256:{}", hex::encode(sha256(id.as_bytes()))) }
}

/// Pieces of a bundle are about this long, bytes: new memory for one long one, and copying it as it grows, costs as much as
/// hashing the records.
const PIECE: usize = 32 * 1024;

/// The entries of the events of a file that is being written, as a bundle in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventLeaves {
    full: Vec<Bytes>,
    last: Vec<u8>,
    count: u32,
}

impl EventLeaves {
    /// Takes the next record: SHA-256 of its bytes, and its ID.
    pub fn push(&mut self, hash: &Hash, id: &str) {
        let number = self.count.to_be_bytes();
        if self.last.len() + ENTRY_MAX > self.last.capacity() {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE));
            self.full.extend((!full.is_empty()).then(|| Bytes::from(full)));
        }
        let piece = &mut self.last;
        if id.len() <= ID_MAX {
            // As `Leaf::to_bytes`, without the copies: this runs for every event.
            let length = (2 + number.len() + hash.len() + id.len()) as u16;
            piece.extend_from_slice(&length.to_be_bytes());
            piece.extend_from_slice(&[VERSION, EVENT]);
            piece.extend_from_slice(&number);
            piece.extend_from_slice(hash);
            piece.extend_from_slice(id.as_bytes());
        } else {
            push_entry(piece, &bytes(EVENT, &number, hash, id_text(id).as_bytes()));
        }
        self.count += 1;
    }

    /// How many records were taken.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The bundle: pieces of whole entries.
    pub fn into_bundle(self) -> Vec<Bytes> {
        let EventLeaves { mut full, last, .. } = self;
        full.extend((!last.is_empty()).then(|| Bytes::from(last)));
        full
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::entries;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_never_changes() {
        // Stored for ever: proofs of events that were logged years ago are verified by these bytes.
        let id = "3038ebd2-c98a-4c65-9b6e-e22506292313";
        let event = Leaf::Event { position: 7, hash: [0xab; 32], id: id.to_owned() };
        assert_eq!(hex::encode(event.to_bytes()), format!("010100000007{}{}", "ab".repeat(32), hex::encode(id)));
        let file = Leaf::File { records: 2, hash: [1; 32], bucket: "audit".to_owned(), key: "a/b".to_owned() };
        assert_eq!(
            hex::encode(file.to_bytes()),
            format!("010200000002{}{}", "01".repeat(32), hex::encode("audit/a/b"))
        );
        let link = Leaf::Link { size: 3, root: [2; 32], origin: "o".to_owned() };
        assert_eq!(hex::encode(link.to_bytes()), format!("01030000000000000003{}6f", "02".repeat(32)));
    }

    proptest! {
        #[test]
        fn entries_are_read_as_they_were_written(records in proptest::collection::vec((".{0,40}", ".{0,200}"), 0..500)) {
            let mut leaves = EventLeaves::default();
            records.iter().for_each(|(record, id)| leaves.push(&sha256(record.as_bytes()), id));
            prop_assert_eq!(leaves.count() as usize, records.len());
            let bundle = leaves.into_bundle();
            prop_assert!(bundle.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
            let read = bundle.iter().flat_map(|piece| entries(piece));
            let read: Vec<Leaf> = read.map(|entry| Leaf::parse(entry.unwrap()).unwrap()).collect();
            prop_assert_eq!(read.len(), records.len());
            for (position, (leaf, (record, id))) in read.iter().zip(&records).enumerate() {
                let expected =
                    Leaf::Event { position: position as u32, hash: sha256(record.as_bytes()), id: id_text(id) };
                prop_assert_eq!(leaf, &expected);
                prop_assert_eq!(Leaf::parse(&leaf.to_bytes()), Some(leaf.clone()));
            }
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), known in any::<bool>()) {
            let bytes = if known { [&[1, 2][..], &bytes].concat() } else { bytes };
            if let Some(leaf) = Leaf::parse(&bytes) {
                prop_assert_eq!(leaf.to_bytes(), bytes);
            }
        }
    }
}
