//! One file: pure functions over its bytes.

use super::keys::PublicKeys;
use super::report::Verdict;
use crate::digest::{DigestFile, sha256_hex};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use event::EventTime;
use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;
use memchr::memmem;
use std::collections::BTreeMap;
use std::io::Read;

/// The largest digest that is read, bytes: one that lists more than 100,000 log files. Some are read ahead, and an archive
/// may be its enemy's.
const DIGEST_MAX: u64 = 64 << 20;

/// Bytes that are inflated at a time: they are hashed while they are in the processor's cache.
const STEP: usize = 64 * 1024;

/// Files up to this size, inflated, are inflated in one step where they are at hand whole.
const WHOLE_MAX: usize = 512 * 1024;

/// The fixed part of the head of a gzip file, bytes; the fourth says what follows it (RFC 1952 §2.3).
const GZIP_HEAD: usize = 10;

/// A log file that is being inflated and hashed as it comes. One serves for many files, one after another.
pub struct LogCheck {
    inflate: Decompress,
    whole: Decompressor,
    hash: Context,
    step: Vec<u8>,
    ended: bool,
    trailing: bool,
    broken: bool,
}

impl Default for LogCheck {
    fn default() -> LogCheck {
        LogCheck::new()
    }
}

impl LogCheck {
    /// Nothing read yet.
    pub fn new() -> LogCheck {
        LogCheck {
            inflate: Decompress::new_gzip(15),
            whole: Decompressor::new(),
            hash: Context::new(&SHA256),
            step: vec![0; STEP],
            ended: false,
            trailing: false,
            broken: false,
        }
    }

    /// Inflates a small file that is at hand whole and in which nothing is wrong; how large its content is. Inflated into a buffer that
    /// holds it all, it is not copied into a window, and the library that is fastest at that can be used. What that one would pass
    /// over is left to the other, and `None`: a head that is more than the fixed part, whose checksum it does not look at, and anything
    /// behind the stream.
    pub(crate) fn inflate_at_once(&mut self, bytes: &[u8]) -> Option<usize> {
        // RFC 1952 §2.3.1: a file ends with its size, as it says.
        let says = bytes.last_chunk::<4>()?;
        let size = u32::from_le_bytes(*says) as usize;
        let (head, rest) = bytes.split_at_checked(GZIP_HEAD)?;
        // Right behind the stream stands its size. If that stands nowhere but at the end, there the stream ends, too.
        let ends_with_stream = memmem::find(rest, says).is_some_and(|at| at + says.len() == rest.len());
        if size > WHOLE_MAX || head.get(3) != Some(&0) || !ends_with_stream {
            return None;
        }
        self.step.resize(self.step.len().max(size), 0);
        let whole = self.step.get_mut(..size)?;
        self.whole.gzip_decompress(bytes, whole).ok().filter(|made| *made == size)
    }

    /// The content of that size that was inflated at once last.
    pub(crate) fn inflated(&self, size: usize) -> &[u8] {
        self.step.get(..size).unwrap_or_default()
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.broken {
            if self.ended {
                self.trailing = true;
                return;
            }
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(bytes, &mut self.step, FlushDecompress::None);
            let taken = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            self.hash.update(self.step.get(..made).unwrap_or_default());
            bytes = bytes.get(taken..).unwrap_or_default();
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if taken == 0 && made == 0 => self.broken = true,
                Ok(_) => {}
                Err(_) => self.broken = true,
            }
        }
    }

    /// What is to be said of the file. A file that was cut off has another hash, as the AWS CLI sees it.
    /// Then it is ready for the next file.
    pub fn finish(&mut self, expected_hash: &str) -> Verdict {
        // What the inflater still holds back.
        while !self.ended && !self.broken {
            let before = self.inflate.total_out();
            let status = self.inflate.decompress(&[], &mut self.step, FlushDecompress::None);
            let made = (self.inflate.total_out() - before) as usize;
            self.hash.update(self.step.get(..made).unwrap_or_default());
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                _ if made == 0 => break,
                _ => {}
            }
        }
        let hash = std::mem::replace(&mut self.hash, Context::new(&SHA256)).finish();
        let verdict = match (self.broken, self.trailing) {
            (true, _) => Verdict::invalid("invalid format"),
            (_, true) => Verdict::invalid("unexpected data after end of compressed stream"),
            _ => verdict_of(hash.as_ref(), expected_hash),
        };
        self.reset();
        verdict
    }

    /// Forgets what was read of a file.
    pub fn reset(&mut self) {
        self.inflate.reset(true);
        self.hash = Context::new(&SHA256);
        (self.ended, self.trailing, self.broken) = (false, false, false);
    }
}

/// What is to be said of a file with this hash.
pub(crate) fn verdict_of(hash: &[u8], expected: &str) -> Verdict {
    let mut text = [0; 64];
    let is_written = hex::encode_to_slice(hash, &mut text).is_ok();
    if is_written && text == expected.as_bytes() {
        Verdict::Valid
    } else {
        Verdict::invalid("hash value doesn't match")
    }
}

/// A digest whose form is right; whether it is genuine is not known yet.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) digest: DigestFile,
    /// SHA-256 of its uncompressed bytes, hex.
    pub(crate) hash: String,
    /// Its signature, where the archive has it.
    pub(crate) signature: Option<String>,
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    /// When a backfill digest was made.
    pub(crate) backfill_at: Option<EventTime>,
}

/// Reads a digest; `with_signature` where it must have one.
pub(crate) fn parse(
    key: &str,
    bytes: &[u8],
    metadata: &BTreeMap<String, String>,
    with_signature: bool,
) -> Result<Parsed, String> {
    let invalid = || "invalid format".to_owned();
    let mut json = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(DIGEST_MAX);
    reader.read_to_end(&mut json).map_err(|_| invalid())?;
    let digest: Result<DigestFile, _> = serde_json::from_slice(&json);
    let signature = match metadata.get("signature") {
        // The AWS CLI asks for it before it looks at the members.
        Some(signature) if metadata.contains_key("signature-algorithm") => Some(signature.clone()),
        _ if with_signature && is_json(&json) => return Err("signature verification failed".to_owned()),
        signature => signature.cloned(),
    };
    let digest = digest.map_err(|_| invalid())?;
    let backfill_at = match metadata.get("backfill-generation-timestamp") {
        Some(text) => Some(EventTime::parse(text).ok_or_else(invalid)?),
        None if with_signature && is_backfill(key) => return Err(invalid()),
        None => None,
    };
    let time = |text: &str| EventTime::parse(text).ok_or_else(invalid);
    let (start, end) = (time(&digest.digest_start_time)?, time(&digest.digest_end_time)?);
    Ok(Parsed { hash: sha256_hex(&json), signature, start, end, backfill_at, digest })
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Whether the key is that of a backfill digest.
pub(crate) fn is_backfill(key: &str) -> bool {
    key.ends_with("_backfill.json.gz")
}

/// Whether a digest is where it was put, and as it was signed; otherwise why not. Without a signature the rest must be right.
pub(crate) fn verify(
    parsed: &Parsed,
    place: (&str, &str),
    signature: Option<&str>,
    keys: &PublicKeys,
    home_region: &str,
) -> Result<(), String> {
    let digest = &parsed.digest;
    if (digest.digest_s3_bucket.as_str(), digest.digest_s3_object.as_str()) != place {
        return Err("has been moved from its original location".to_owned());
    }
    let fingerprint = &digest.digest_public_key_fingerprint;
    let Some(der) = keys.find(fingerprint) else {
        return Err(format!("public key not found in region {home_region} for fingerprint {fingerprint}"));
    };
    let Ok(key) = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der) else {
        return Err(format!("Unable to load PKCS #1 key with fingerprint {fingerprint}"));
    };
    let Some(signature) = signature else { return Ok(()) };
    let failed = |_| "signature verification failed".to_owned();
    let signature = hex::decode(signature).map_err(|_| "signature verification failed".to_owned())?;
    key.verify_sig(digest.string_to_sign(&parsed.hash).as_bytes(), &signature).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::compress;
    use crate::hash::sha256;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    fn verdict(file: &[u8], chunk: usize, hash: &str) -> Verdict {
        let mut check = LogCheck::new();
        file.chunks(chunk.max(1)).for_each(|chunk| check.push(chunk));
        let verdict = check.finish(hash);
        if let Some(found) = hash_at_once(&mut check, file) {
            assert_eq!(verdict_of(&found, hash), verdict, "whole as in pieces");
        }
        verdict
    }

    fn hash_at_once(check: &mut LogCheck, file: &[u8]) -> Option<[u8; 32]> {
        let size = check.inflate_at_once(file)?;
        Some(sha256(check.inflated(size)))
    }

    proptest! {
        #[test]
        fn a_log_file_is_valid_however_it_comes_and_no_other_is(
            content in proptest::collection::vec(any::<u8>(), 0..200_000),
            chunk in 1usize..100_000,
            cut in any::<prop::sample::Index>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
            prop_assert_eq!(verdict(&file, chunk, &hash), Verdict::Valid);
            prop_assert_eq!(verdict(&file, chunk, "00"), Verdict::invalid("hash value doesn't match"));
            let more = [&file[..], b"x"].concat();
            prop_assert_eq!(verdict(&more, chunk, &hash), Verdict::invalid("unexpected data after end of compressed stream"));
            let cut = cut.index(file.len());
            let short = verdict(&file[..cut], chunk, &hash);
            // All content may be there though the checksum at the end is not: the AWS CLI looks at the content.
            prop_assert!(short != Verdict::Valid || cut >= file.len() - 8 - 2 || content.is_empty(), "{:?} at {} of {}", short, cut, file.len());
            let mut flipped = file.clone();
            // Behind the header, of which times and flags are nobody's business.
            let at = 10 + flip.index(file.len() - 10);
            flipped[at] ^= 0x40;
            // Bits that pad the head of a stored block mean nothing: a file may be another and hold the same.
            let mut held = Vec::new();
            let holds_the_same = GzDecoder::new(&flipped[..]).read_to_end(&mut held).is_ok() && held == content;
            prop_assert!(verdict(&flipped, chunk, &hash) != Verdict::Valid || holds_the_same, "a flip at {}", at);
        }

        #[test]
        fn no_bytes_make_a_check_panic(file in proptest::collection::vec(any::<u8>(), 0..2000), head in any::<bool>()) {
            let file = if head { [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &file].concat() } else { file };
            let _ = verdict(&file, 7, "");
            let _ = parse("x", &file, &BTreeMap::new(), true);
        }
    }

    #[test]
    fn a_large_file_at_hand_whole_is_checked_in_steps() {
        let content = b"0123456789abcdef".repeat(WHOLE_MAX / 10);
        let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
        let mut check = LogCheck::new();
        assert_eq!(check.inflate_at_once(&file), None);
        assert_eq!(verdict(&file, file.len(), &hash), Verdict::Valid);
        assert!(check.step.len() <= WHOLE_MAX);
    }

    #[test]
    fn a_small_file_is_checked_at_once_unless_something_is_odd_about_it() {
        let content = b"some content, some more content".repeat(100);
        let (file, hash) = (compress(&content).unwrap(), sha256_hex(&content));
        let mut check = LogCheck::new();
        assert_eq!(hash_at_once(&mut check, &file), Some(sha256(&content)));
        let trailing = Verdict::invalid("unexpected data after end of compressed stream");
        let (stream, trailer) = file.split_at(file.len() - 8);
        for more in [trailer, &trailer[4..], b"\0", &file[..]] {
            assert_eq!(verdict(&[&file[..], more].concat(), 100, &hash), trailing, "behind it: {more:?}");
        }
        // A part of the head that has a checksum of its own, which is right, and wrong.
        let mut head = [&stream[..3], &[2], &stream[4..10]].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&head);
        let sum = (sum.sum() as u16).to_le_bytes();
        for (sum, expected) in [(sum, Verdict::Valid), ([sum[0], !sum[1]], Verdict::invalid("invalid format"))] {
            head.truncate(10);
            head.extend_from_slice(&sum);
            let odd = [&head[..], &stream[10..], trailer].concat();
            assert_eq!(check.inflate_at_once(&odd), None);
            assert_eq!(verdict(&odd, 100, &hash), expected);
        }
        // A wrong checksum or size at the end.
        for at in file.len() - 8..file.len() {
            let mut odd = file.clone();
            odd[at] ^= 1;
            assert_eq!(check.inflate_at_once(&odd), None);
            assert_ne!(verdict(&odd, 100, &hash), Verdict::Valid);
        }
    }

    #[test]
    fn what_is_no_gzip_has_an_invalid_format() {
        assert_eq!(verdict(b"{\"Records\":[]}", 4, ""), Verdict::invalid("invalid format"));
        assert_eq!(verdict(b"", 1, ""), Verdict::invalid("hash value doesn't match"));
    }

    #[test]
    fn a_digest_is_refused_in_the_order_of_the_aws_cli() {
        let sample = include_bytes!("../../testdata/awsdocs/example-digest.json");
        let signed: BTreeMap<String, String> = [("signature", "ab"), ("signature-algorithm", "SHA256withRSA")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let parsed = |key: &str, json: &[u8], metadata| parse(key, &compress(json).unwrap(), metadata, true);
        assert_eq!(parsed("k", b"{", &signed).unwrap_err(), "invalid format");
        let none = BTreeMap::new();
        assert_eq!(parsed("k", b"{}", &none).unwrap_err(), "signature verification failed");
        assert_eq!(parsed("k", b"{}", &signed).unwrap_err(), "invalid format");
        assert_eq!(parsed("k_backfill.json.gz", sample, &signed).unwrap_err(), "invalid format");
        let whole = parsed("k", sample, &signed).unwrap();
        let keys = PublicKeys::default();
        let place = ("S3-bucket-name", whole.digest.digest_s3_object.as_str());
        assert_eq!(
            verify(&whole, ("x", "y"), Some("ab"), &keys, "r").unwrap_err(),
            "has been moved from its original location"
        );
        let unknown = verify(&whole, place, Some("ab"), &keys, "us-east-2").unwrap_err();
        assert_eq!(
            unknown,
            "public key not found in region us-east-2 for fingerprint 31e8b5433410dfb61a9dc45cc65b22ff"
        );
        let keys = PublicKeys::of([("31e8b5433410dfb61a9dc45cc65b22ff".to_owned(), vec![1, 2, 3])]);
        assert!(verify(&whole, place, Some("ab"), &keys, "r").unwrap_err().starts_with("Unable to load PKCS #1 key"));
    }

    #[test]
    fn a_digest_without_a_signature_must_still_lie_where_it_says_and_name_a_known_key() {
        let sample = include_bytes!("../../testdata/awsdocs/example-digest.json");
        let parsed = parse("k", &compress(sample).unwrap(), &BTreeMap::new(), false).unwrap();
        let place = ("S3-bucket-name", parsed.digest.digest_s3_object.as_str());
        let check = |place, keys| verify(&parsed, place, None, keys, "r");
        let none = PublicKeys::default();
        assert_eq!(check(("x", place.1), &none).unwrap_err(), "has been moved from its original location");
        assert!(check(place, &none).unwrap_err().starts_with("public key not found"));
        let documented = include_bytes!("../../testdata/awsdocs/list-public-keys-response.json");
        let (keys, _) = PublicKeys::parse(documented).unwrap();
        let der = keys.find("7f3f401420072e50a65a141430817ab3").unwrap().to_vec();
        let known = PublicKeys::of([("31e8b5433410dfb61a9dc45cc65b22ff".to_owned(), der)]);
        assert_eq!(check(place, &known), Ok(()));
    }
}
