//! What no bytes may break in what verifies: an archive, a proof and a log come from whoever keeps them, who may be the enemy.
//!
//! Each function takes bytes and panics when a promise is broken. `cargo fuzz` (which sets `cfg(fuzzing)`) calls them with
//! what it finds worth trying; the tests here call them with random input and with everything that was worth keeping
//! (`fuzz/seeds`), so that the promises are held in every test run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken promise must stop the run")]

#[cfg(test)]
mod tests;

use crate::digest::compress;
use crate::hash::{Hash, sha256};
use crate::transparency::layout::{entries, push_entry, tile_bytes, tile_of};
use crate::transparency::leaf::Leaf;
use crate::transparency::merkle::{TileId, Tree, verify_consistency, verify_inclusion};
use crate::transparency::note::{Checkpoint, Note, VerifierKey};
use crate::transparency::proof::Proof;
use crate::transparency::records::RecordSplitter;
use crate::transparency::witness::{Said, Witness, said};
use crate::verify::{LogCheck, PublicKeys, Verdict};
use crate::verify::{parse_digest, verdict_of, verify_digest};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The sample of a digest that AWS's guide shows, signed with no key that anybody has.
const DIGEST: &[u8] = include_bytes!("../testdata/awsdocs/example-digest.json");
/// What ListPublicKeys answers there.
const KEYS: &[u8] = include_bytes!("../testdata/awsdocs/list-public-keys-response.json");

/// A log file: the first byte says into what pieces it is cut. It is the same whole as in pieces, for the hash and for the
/// records in it; what is called valid has the hash that was asked for.
pub fn log_file(input: &[u8]) {
    let Some((step, file)) = input.split_first() else { return };
    let step = usize::from(*step).max(1);
    let mut check = LogCheck::new();
    for expected in ["00", &crate::sha256_hex(file)] {
        file.chunks(step).for_each(|piece| check.push(piece));
        let verdict = check.finish(expected);
        assert_eq!(at_once(&mut check, file, expected).unwrap_or(verdict.clone()), verdict, "whole as in pieces");
        // Of an empty file nothing is inflated, as the AWS CLI sees it, and that has its hash.
        assert!(verdict != Verdict::Valid || file.is_empty(), "no file has its own hash, compressed");
    }
    // As a file whose content the bytes are.
    let (stored, hash) = (compress(file).unwrap(), crate::sha256_hex(file));
    assert_eq!(at_once(&mut check, &stored, &hash).unwrap_or(Verdict::Valid), Verdict::Valid);
    check.push(&stored);
    assert_eq!(check.finish(&hash), Verdict::Valid);
    records(file, step);
}

/// What is to be said of a file that is inflated at once, where it can be.
fn at_once(check: &mut LogCheck, file: &[u8], expected: &str) -> Option<Verdict> {
    let size = check.inflate_at_once(file)?;
    Some(verdict_of(&sha256(check.inflated(size)), expected))
}

fn records(json: &[u8], step: usize) {
    let split = |step: usize| {
        let (mut splitter, mut records) = (RecordSplitter::default(), Vec::new());
        json.chunks(step).for_each(|piece| splitter.push(piece, |record| records.push(record.to_vec())));
        (splitter.is_whole(), records)
    };
    let (is_whole, found) = split(step);
    assert_eq!((is_whole, found.clone()), split(usize::MAX), "records whole as in pieces");

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct File<'a> {
        #[serde(borrow)]
        records: Vec<&'a RawValue>,
    }
    // What others read as records are these, byte for byte, where the file is written as log files are.
    if let Ok(file) = serde_json::from_slice::<File<'_>>(json)
        && file.records.iter().all(|record| record.get().starts_with('{'))
        && is_whole
    {
        let others: Vec<_> = file.records.iter().map(|record| record.get().as_bytes()).collect();
        assert_eq!(found, others, "as others read them");
    }
}

/// A digest, compressed or not, or (the first byte says so) damage to one: nobody without the key makes one that verifies.
pub fn digest(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else { return };
    let file = match how % 4 {
        0 => bytes.to_vec(),
        1 => compress(bytes).unwrap(),
        _ => {
            let mut json = DIGEST.to_vec();
            for change in bytes.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % json.len();
                json[at] = change[2];
            }
            compress(&json).unwrap()
        }
    };
    let keys = PublicKeys::parse(KEYS).unwrap().0;
    let signature = hex::encode([*how; 256]);
    let signed = [("signature", signature.as_str()), ("signature-algorithm", "SHA256withRSA")];
    let metadata: BTreeMap<String, String> = signed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for key in ["AWSLogs/1_CloudTrail-Digest.json.gz", "AWSLogs/1_CloudTrail-Digest_backfill.json.gz"] {
        let Ok(parsed) = parse_digest(key, &file, &metadata, how % 2 == 0) else { continue };
        let place = (parsed.digest.digest_s3_bucket.clone(), parsed.digest.digest_s3_object.clone());
        let verified = verify_digest(&parsed, (&place.0, &place.1), Some(&signature), &keys, "us-east-1");
        assert!(verified.is_err(), "a signature out of nothing");
        let again = compress(&parsed.digest.to_json().unwrap()).unwrap();
        let again = parse_digest(key, &again, &metadata, false).unwrap();
        assert_eq!(again.digest, parsed.digest, "written and read, it is the same");
    }
    let _ = PublicKeys::parse(bytes);
}

/// A proof, a note, a key of a log, the name of a witness and what it answers: written and read they are the same, and
/// nobody without the key makes one that is believed.
pub fn proof(input: &[u8]) {
    let log = VerifierKey::of_log("opentrail/111122223333/us-east-1/t", [7; 32]);
    if let Ok(proof) = Proof::parse(input) {
        assert_eq!(Proof::parse(proof.to_string().as_bytes()).as_ref(), Ok(&proof));
        assert!(proof.verify(&log, &[]).is_err(), "a proof out of nothing");
    }
    let text = String::from_utf8_lossy(input);
    if let Ok(note) = Note::parse(input) {
        assert_eq!(Note::parse(note.to_string().as_bytes()).as_ref(), Ok(&note));
        assert!(note.verified_by(&log).is_err(), "a signature out of nothing");
        let _ = Checkpoint::of(&note);
    }
    if let Some(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(Checkpoint::parse(&checkpoint.text()).as_ref(), Some(&checkpoint));
        let note = Note::new(checkpoint.text(), &log, &[7; 64]);
        for status in [200, 409, 422, 500] {
            assert!(!matches!(said(status, &text, &note, checkpoint.size, &log), Said::Cosigned(_)));
        }
    }
    if let Some(key) = VerifierKey::parse(&text) {
        assert_eq!(VerifierKey::parse(&key.to_string()).as_ref(), Some(&key));
    }
    if let Ok(witness @ (Witness::Bucket { .. } | Witness::Elsewhere { .. })) = Witness::parse(&text) {
        assert_eq!(Witness::parse(&witness.to_string()).as_ref(), Ok(&witness));
    }
}

/// The tiles and bundles of a log: written and read they are the same, and no hashes lead to a root that they do not make.
pub fn tiles(input: &[u8]) {
    let whole: Option<Vec<&[u8]>> = entries(input).collect();
    if let Some(whole) = whole {
        let mut again = Vec::new();
        whole.iter().for_each(|entry| push_entry(&mut again, entry));
        assert_eq!(again, input, "a bundle is its entries");
    }
    for entry in entries(input).flatten() {
        if let Some(leaf) = Leaf::parse(entry) {
            assert_eq!(leaf.to_bytes(), entry, "an entry is what it says");
        }
    }
    if let Some(row) = tile_of(input) {
        assert_eq!(tile_bytes(&row), input);
    }
    let Some((numbers, rest)) = input.split_first_chunk::<16>() else { return };
    let [old, size] = [&numbers[..8], &numbers[8..]].map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let hashes: Vec<Hash> = rest.as_chunks().0.to_vec();
    let root = [0xff; 32];
    assert!(
        !verify_inclusion(&hashes, &root, old, size, &root) || (size, hashes.len()) == (1, 0),
        "a root out of nothing"
    );
    let proven = verify_consistency(&hashes, old, &[0xfe; 32], size, &root);
    assert!(!proven, "two roots out of nothing");
    let edge: Vec<Vec<Hash>> = hashes.chunks(usize::from(numbers[0]).max(1)).map(<[Hash]>::to_vec).collect();
    if let Some(mut tree) = Tree::from_edge(size, edge) {
        let before = tree.root();
        assert!(before != [0; 32] || size == 0 || hashes.contains(&[0; 32]));
        if size < u64::MAX {
            tree.append([1; 32], |tile, row| assert!(row.len() as u64 <= TileId::width(tile, size + 1)));
            assert_eq!(tree.size(), size + 1);
            assert_ne!(tree.root(), before, "a tree that has grown has another root");
        }
    }
}
