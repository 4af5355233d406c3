//! A proof that an event is in the log, in one file that needs nobody to be asked: C2SP tlog-proof. Pure.

use super::leaf::{Leaf, id_text};
use super::merkle::{Hash, leaf_hash, sha256, verify_inclusion};
use super::note::{Checkpoint, Note, NoteError, VerifierKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use std::fmt;

/// The first line of a proof.
const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The largest proof that is read, bytes: a record of CloudTrail has at most a few hundred KiB.
pub const PROOF_MAX: usize = 96 << 20;

/// The most hashes in a proof.
const HASHES_MAX: usize = 63;

/// A proof. What it says is to be believed only after [`Proof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The entry of the log.
    pub leaf: Vec<u8>,
    /// The record, byte for byte as it was delivered; `None` where the log file is gone.
    pub record: Option<Vec<u8>>,
    /// The place of the entry in the log.
    pub index: u64,
    /// The hashes beside its path, from the leaf up.
    pub hashes: Vec<Hash>,
    /// The checkpoint that they lead to.
    pub note: Note,
}

/// What is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// ID of the event.
    pub event_id: String,
    /// SHA-256 of the record.
    pub hash: Hash,
    /// The place of the entry in the log.
    pub index: u64,
    /// What the log said of itself.
    pub checkpoint: Checkpoint,
    /// Witnesses, of those asked for, that saw it, and when: seconds since the epoch.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The file is no proof.
    #[error("it is no proof of an event in a transparency log")]
    Malformed,
    /// The checkpoint.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(NoteError),
    /// A witness that was asked for.
    #[error("the witness {0} cannot be believed: {1}")]
    Witness(String, NoteError),
    /// The hashes lead elsewhere.
    #[error("the entry is not in the log that the checkpoint tells of")]
    NotIncluded,
    /// The record is not what was delivered.
    #[error("the record is not the one that was delivered: {0}")]
    OtherRecord(&'static str),
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Proof, ProofError> {
        let read = || {
            let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= PROOF_MAX)?;
            let (head, note) = text.split_once("\n\n")?;
            let mut lines = head.split('\n');
            let extra = (lines.next()? == HEAD).then(|| lines.next()).flatten()?.strip_prefix("extra ")?;
            let (leaf, record) = split_extra(&BASE64.decode(extra).ok()?)?;
            let index: u64 = lines.next()?.strip_prefix("index ")?.parse().ok()?;
            let hash = |line: &str| BASE64.decode(line).ok()?.try_into().ok();
            let hashes: Option<Vec<Hash>> = lines.map(hash).collect();
            let hashes = hashes.filter(|hashes| hashes.len() <= HASHES_MAX)?;
            Some(Proof { leaf, record, index, hashes, note: Note::parse(note.as_bytes()).ok()? })
        };
        read().ok_or(ProofError::Malformed)
    }

    /// Whether it proves that a log with this key has the event, and that these witnesses saw the log so.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Proven, ProofError> {
        let checkpoint = Checkpoint::of(&self.note).map_err(ProofError::Checkpoint)?;
        if checkpoint.origin != log.name() {
            return Err(ProofError::Checkpoint(NoteError::Unsigned));
        }
        self.note.verified_by(log).map_err(ProofError::Checkpoint)?;
        let seen = |witness: &VerifierKey| match self.note.verified_by(witness) {
            // The log's own signature says nothing of what others have seen.
            Ok(_) if !witness.is_witness() => Err(ProofError::Witness(witness.name().to_owned(), NoteError::Unsigned)),
            Ok(time) => Ok((witness.name().to_owned(), time)),
            Err(why) => Err(ProofError::Witness(witness.name().to_owned(), why)),
        };
        let witnesses = witnesses.iter().map(seen).collect::<Result<_, _>>()?;
        let leaf = leaf_hash(&self.leaf);
        if !verify_inclusion(&self.hashes, &leaf, self.index, checkpoint.size, &checkpoint.root) {
            return Err(ProofError::NotIncluded);
        }
        let Some(Leaf::Event { hash, id, .. }) = Leaf::parse(&self.leaf) else { return Err(ProofError::Malformed) };
        if let Some(record) = &self.record {
            if sha256(record) != hash {
                return Err(ProofError::OtherRecord("its bytes have another hash"));
            }
            if id_of(record).is_none_or(|found| id_text(&found) != id) {
                return Err(ProofError::OtherRecord("it has another eventID"));
            }
        }
        Ok(Proven { event_id: id, hash, index: self.index, checkpoint, witnesses })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = u16::try_from(self.leaf.len()).unwrap_or(u16::MAX).to_be_bytes();
        let extra = [&length[..], &self.leaf, self.record.as_deref().unwrap_or_default()].concat();
        writeln!(f, "{HEAD}\nextra {}\nindex {}", BASE64.encode(extra), self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// The extra data: the length of the entry in two bytes, the entry, the record.
fn split_extra(extra: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let (length, rest) = extra.split_first_chunk::<2>()?;
    let (leaf, record) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((leaf.to_vec(), (!record.is_empty()).then(|| record.to_vec())))
}

/// `eventID` of a record.
pub fn id_of(record: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(rename = "eventID")]
        event_id: String,
    }
    serde_json::from_slice::<Id>(record).ok().map(|id| id.event_id)
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{Tree, row_hash};
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use proptest::prelude::*;

    const RECORD: &[u8] = br#"{"eventName":"CreateQueue","eventID":"3038ebd2-c98a-4c65-9b6e-e22506292313"}"#;

    /// A log of three entries, of which the one in the middle is the event, and the key of the log.
    fn proof() -> (Proof, VerifierKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = VerifierKey::of_log(
            "opentrail/111122223333/eu-west-1/main/20260115T100203Z",
            pair.public_key().as_ref().try_into().unwrap(),
        );
        let leaf = Leaf::Event { position: 0, hash: sha256(RECORD), id: id_of(RECORD).unwrap() }.to_bytes();
        let leaves = [leaf_hash(b"first"), leaf_hash(&leaf), leaf_hash(b"last")];
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.append(*leaf, |_, _| {}));
        let checkpoint = Checkpoint { origin: key.name().to_owned(), size: 3, root: tree.root() };
        let text = checkpoint.text();
        let note = Note::new(text.clone(), &key, pair.sign(text.as_bytes()).as_ref());
        let hashes = vec![leaves[0], leaves[2]];
        assert_eq!(tree.root(), row_hash(&leaves));
        (Proof { leaf, record: Some(RECORD.to_vec()), index: 1, hashes, note }, key)
    }

    #[test]
    fn the_kept_sample_verifies_for_ever() {
        let sample = include_bytes!("../../testdata/v1/event.tlog-proof");
        let (made, key) = proof();
        assert_eq!(made.to_string().as_bytes(), sample);
        let read = Proof::parse(sample).unwrap();
        assert_eq!(read, made);
        let proven = read.verify(&key, &[]).unwrap();
        assert_eq!(
            (proven.event_id.as_str(), proven.index, proven.checkpoint.size),
            ("3038ebd2-c98a-4c65-9b6e-e22506292313", 1, 3)
        );
        assert_eq!(key.to_string(), include_str!("../../testdata/v1/log.vkey").trim());
    }

    #[test]
    fn what_was_touched_proves_nothing() {
        let (good, key) = proof();
        let check = |change: &dyn Fn(&mut Proof)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.verify(&key, &[]).unwrap_err()
        };
        assert_eq!(
            check(&|bad| bad.record.as_mut().unwrap()[3] ^= 1),
            ProofError::OtherRecord("its bytes have another hash")
        );
        assert_eq!(check(&|bad| bad.leaf[10] ^= 1), ProofError::NotIncluded);
        assert_eq!(check(&|bad| bad.index = 2), ProofError::NotIncluded);
        assert_eq!(check(&|bad| bad.hashes[1][0] ^= 1), ProofError::NotIncluded);
        assert_eq!(check(&|bad| bad.hashes.truncate(1)), ProofError::NotIncluded);
        let other = VerifierKey::of_log(key.name(), [9; 32]);
        assert_eq!(good.verify(&other, &[]), Err(ProofError::Checkpoint(NoteError::Unsigned)));
        assert_eq!(good.verify(&key.named("other"), &[]), Err(ProofError::Checkpoint(NoteError::Unsigned)));
        let witness = Err(ProofError::Witness("other".to_owned(), NoteError::Unsigned));
        assert_eq!(good.verify(&key, &[key.named("other")]), witness, "a witness that was asked for");
        let own = Err(ProofError::Witness(key.name().to_owned(), NoteError::Unsigned));
        assert_eq!(good.verify(&key, std::slice::from_ref(&key)), own, "the log is no witness of itself");
        let without = Proof { record: None, ..good.clone() };
        assert!(Proof::parse(without.to_string().as_bytes()).unwrap().verify(&key, &[]).is_ok());
    }

    proptest! {
        #[test]
        fn a_byte_changed_anywhere_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (good, key) = proof();
            let mut bytes = good.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let said = Proof::parse(&bytes).and_then(|proof| proof.verify(&key, &[]));
            prop_assert!(said.is_err(), "{said:?}");
        }
    }
}
