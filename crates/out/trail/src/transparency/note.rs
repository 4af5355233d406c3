//! Signed notes, verifier keys, checkpoints and cosignatures: C2SP signed-note, tlog-checkpoint, tlog-cosignature. Pure.

use super::merkle::{Hash, sha256};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;

/// The largest note that is read, bytes, and the most signatures in it.
pub const NOTE_MAX: usize = 64 << 10;
const SIGNATURES_MAX: usize = 64;

/// Signature types (signed-note): Ed25519, and a witness's Ed25519 over a checkpoint and a time.
const ED25519_TYPE: u8 = 1;
const COSIGNATURE_TYPE: u8 = 4;

/// A public key with the name of whose it is: `NAME+ID+KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: u8,
    key: [u8; 32],
}

/// Why something signed cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The form is wrong.
    #[error("it is no signed checkpoint")]
    Malformed,
    /// Nobody who is known has signed it.
    #[error("it is not signed with the log's key")]
    Unsigned,
    /// The signature is not of this text.
    #[error("its signature does not verify")]
    BadSignature,
}

impl VerifierKey {
    /// The key of a log.
    pub fn of_log(name: &str, key: [u8; 32]) -> VerifierKey {
        VerifierKey { name: name.to_owned(), kind: ED25519_TYPE, key }
    }

    /// Reads `NAME+ID+KEY`; `None` where it is none, or of a kind that is not Ed25519.
    pub fn parse(text: &str) -> Option<VerifierKey> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let (kind, key) = BASE64.decode(key).ok()?.split_first().map(|(kind, key)| (*kind, key.to_vec()))?;
        let key = VerifierKey { name: name.to_owned(), kind, key: key.try_into().ok()? };
        let is_known = matches!(kind, ED25519_TYPE | COSIGNATURE_TYPE) && is_name(name);
        (is_known && hex::encode(key.id()) == id.to_ascii_lowercase()).then_some(key)
    }

    /// Whose key it is: of a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is the key of a witness, which signs a time, too.
    pub fn is_witness(&self) -> bool {
        self.kind == COSIGNATURE_TYPE
    }

    /// The same key pair under another name.
    #[must_use]
    pub fn named(&self, name: &str) -> VerifierKey {
        VerifierKey { name: name.to_owned(), ..self.clone() }
    }

    /// The first four bytes of SHA-256 over name, LF, type and key.
    fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[self.kind], &self.key].concat());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether this key signed the text; of a witness's signature also when, in seconds since the epoch.
    fn verify(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        if self.kind == ED25519_TYPE {
            return key.verify(text.as_bytes(), signature).ok().map(|()| 0);
        }
        let (time, signature) = signature.split_first_chunk()?;
        let time = u64::from_be_bytes(*time);
        key.verify(cosigned_text(text, time).as_bytes(), signature).ok().map(|()| time)
    }

    /// The line of a signature that was made with this key.
    pub fn line(&self, signature: &[u8]) -> String {
        format!("\u{2014} {} {}\n", self.name, BASE64.encode([&self.id()[..], signature].concat()))
    }
}

/// What a witness signs of a checkpoint (tlog-cosignature).
pub fn cosigned_text(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[self.kind], &self.key[..]].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

/// Whether a text may be the name of a key.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

/// A note: a text, and who signed it. What it says is to be believed only after [`Note::verified_by`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    /// ID of the key, and the signature.
    id: [u8; 4],
    bytes: Vec<u8>,
    line: String,
}

impl Note {
    /// A note that one key has signed; the text ends with LF.
    pub fn new(text: String, key: &VerifierKey, signature: &[u8]) -> Note {
        let line = key.line(signature);
        Note { text, signatures: signature_of(&line).into_iter().collect() }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        let read = || {
            let whole = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= NOTE_MAX)?;
            let at = whole.rfind("\n\n")?;
            let (text, lines) = (whole.get(..=at)?, whole.get(at + 2..)?);
            let is_plain = !whole.contains(|letter: char| letter < ' ' && letter != '\n');
            let lines: Vec<&str> = lines.split_inclusive('\n').collect();
            if !is_plain || lines.is_empty() || lines.len() > SIGNATURES_MAX {
                return None;
            }
            let signatures: Option<Vec<Signature>> = lines.into_iter().map(signature_of).collect();
            Some(Note { text: text.to_owned(), signatures: signatures? })
        };
        read().ok_or(NoteError::Malformed)
    }

    /// What was signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a key has signed it; of a witness also when, in seconds since the epoch.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] without a signature of that key, [`NoteError::BadSignature`] with a false one.
    pub fn verified_by(&self, key: &VerifierKey) -> Result<u64, NoteError> {
        let id = key.id();
        let mut of_key = self.signatures.iter().filter(|signature| signature.name == key.name && signature.id == id);
        let first = of_key.next().ok_or(NoteError::Unsigned)?;
        let time = key.verify(&self.text, &first.bytes).ok_or(NoteError::BadSignature)?;
        of_key.try_fold(time, |time, other| {
            key.verify(&self.text, &other.bytes).map(|other| time.max(other)).ok_or(NoteError::BadSignature)
        })
    }

    /// Takes those lines of an answer that are this witness's signature of this note. `None` without one.
    #[must_use]
    pub fn cosigned(&self, answer: &str, witness: &VerifierKey) -> Option<Note> {
        let (name, id) = (&witness.name, witness.id());
        let lines = answer.split_inclusive('\n').take(SIGNATURES_MAX).filter_map(signature_of);
        let good =
            |line: &Signature| line.name == *name && line.id == id && witness.verify(&self.text, &line.bytes).is_some();
        let line = lines.into_iter().find(good)?;
        let mut note = self.clone();
        note.signatures.retain(|one| one.name != line.name || one.id != line.id);
        note.signatures.push(line);
        Some(note)
    }

    /// Takes over the signatures of another note of the same text.
    pub fn join(&mut self, other: &Note) {
        if self.text == other.text {
            let new = other.signatures.iter().filter(|line| !self.signatures.contains(line));
            let new: Vec<Signature> = new.cloned().collect();
            self.signatures.extend(new);
        }
    }

    /// The names of all that have, or are said to have, signed it.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.name.as_str())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.text, self.signatures.iter().map(|one| one.line.as_str()).collect::<String>())
    }
}

/// `— NAME BASE64(ID SIGNATURE)` LF.
fn signature_of(line: &str) -> Option<Signature> {
    let rest = line.strip_prefix("\u{2014} ")?.strip_suffix('\n')?;
    let (name, bytes) = rest.split_once(' ')?;
    let bytes = BASE64.decode(bytes).ok()?;
    let (id, bytes) = bytes.split_first_chunk()?;
    let whole = is_name(name) && !bytes.is_empty();
    whole.then(|| Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec(), line: line.to_owned() })
}

/// What a log says of itself at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The hash over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note; lines that extend it are passed over.
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let is_number = size == "0" || size.bytes().all(|byte| byte.is_ascii_digit()) && !size.starts_with('0');
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        let whole = !origin.is_empty() && is_number && lines.all(|line| !line.is_empty());
        Some(Checkpoint { origin: origin.to_owned(), size: size.parse().ok()?, root }).filter(|_| whole)
    }

    /// Reads a note without asking who signed it.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn of(note: &Note) -> Result<Checkpoint, NoteError> {
        Checkpoint::parse(note.text()).ok_or(NoteError::Malformed)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use proptest::prelude::*;

    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_example_of_the_specification_verifies_and_nothing_near_it_does() {
        let key = VerifierKey::parse(VKEY).unwrap();
        assert_eq!(key.to_string(), VKEY);
        let note = Note::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.verified_by(&key), Ok(0));
        assert_eq!(note.to_string(), NOTE);
        let changed = Note::parse(NOTE.replace("example message", "example massage").as_bytes()).unwrap();
        assert_eq!(changed.verified_by(&key), Err(NoteError::BadSignature));
        assert_eq!(note.verified_by(&key.named("example.com/bar")), Err(NoteError::Unsigned));
        for bad in ["", "x", "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"] {
            assert_eq!(VerifierKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_witness_signs_a_time_too() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let witness = VerifierKey { name: "w.example/w1".to_owned(), kind: COSIGNATURE_TYPE, key: public };
        let log = VerifierKey::of_log("o", public);
        let text = Checkpoint { origin: "o".to_owned(), size: 7, root: [3; 32] }.text();
        let note = Note::new(text.clone(), &log, pair.sign(text.as_bytes()).as_ref());
        assert_eq!(note.verified_by(&log), Ok(0));
        let signature = pair.sign(cosigned_text(&text, 1_768_471_323).as_bytes());
        let line = witness.line(&[&1_768_471_323u64.to_be_bytes()[..], signature.as_ref()].concat());
        let answer = format!("\u{2014} stranger AAAAAAAA\n{line}");
        let both = note.cosigned(&answer, &witness).unwrap();
        assert_eq!((both.verified_by(&witness), both.verified_by(&log)), (Ok(1_768_471_323), Ok(0)));
        assert_eq!(both.signers().collect::<Vec<_>>(), ["o", "w.example/w1"]);
        let other = Note::new(text.replace('7', "8"), &log, &[1; 64]);
        assert_eq!(other.cosigned(&answer, &witness), None, "it signed another checkpoint");
        assert_eq!(VerifierKey::parse(&witness.to_string()), Some(witness));
    }

    #[test]
    fn a_checkpoint_is_three_lines() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!((checkpoint.size, checkpoint.text().as_str()), (20_852_163, text));
        for bad in ["", "o\n1\n", "o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "o\n1\nAAAA\n", "o\n-1\nx\n"]
        {
            assert_eq!(Checkpoint::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(text in "\\PC{0,60}\n{0,2}(\u{2014} a AAAAAAAA\n){0,3}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(note) = Note::parse(text.as_bytes()) {
                prop_assert_eq!(note.to_string(), text);
            }
            let _ = (Note::parse(&bytes), VerifierKey::parse(&String::from_utf8_lossy(&bytes)));
        }
    }
}
