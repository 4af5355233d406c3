//! Keys over a real registry and key file.

use super::*;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use std::os::unix::fs::PermissionsExt;

/// 2026-01-15T10:02:03Z.
const T: i64 = 1_768_471_323;
const DAY: i64 = 24 * 3600;

fn open(folder: &Path) -> SigningKeys {
    let registry = Registry::open(&folder.join("registry")).unwrap();
    SigningKeys::open(&registry, &folder.join("digest.key")).unwrap()
}

#[test]
fn a_signature_verifies_with_the_public_key_that_is_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(folder.path());
    let signer = keys.signer("eu-west-1", EventTime(T)).unwrap();
    let signature = hex::decode(signer.sign("text").unwrap()).unwrap();
    let key = &keys.documents.list()[0];
    assert_eq!((signature.len(), key.valid_to_ms - key.valid_from_ms), (256, 30 * 24 * 3600 * 1000));
    let public = BASE64.decode(&key.public_key).unwrap();
    assert_eq!(fingerprint(&public), signer.fingerprint);
    assert!(key.public_key.starts_with("MIIBCgKCAQEA"), "PKCS#1, as the AWS CLI wants it: {}", key.public_key);
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    assert!(public.verify(b"text", &signature).is_ok() && public.verify(b"texT", &signature).is_err());
}

#[test]
fn the_same_time_has_the_same_key_also_after_a_restart_and_after_later_keys_came() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(folder.path());
    let first = keys.signer("eu-west-1", EventTime(T)).unwrap();
    assert_ne!(keys.signer("us-east-1", EventTime(T)).unwrap().fingerprint, first.fingerprint, "one for each Region");
    let later = keys.signer("eu-west-1", EventTime(T + 28 * DAY)).unwrap();
    assert_ne!(later.fingerprint, first.fingerprint, "replaced before it ends");
    let signature = first.sign("text").unwrap();
    drop(keys);
    let keys = open(folder.path());
    for time in [T - 60, T, T + 27 * DAY] {
        let again = keys.signer("eu-west-1", EventTime(time)).unwrap();
        assert_eq!((&again.fingerprint, again.sign("text").unwrap()), (&first.fingerprint, signature.clone()));
    }
    assert_eq!(keys.documents.list().len(), 3);
}

#[test]
fn private_keys_lie_encrypted_and_need_the_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(folder.path());
    let first = keys.signer("eu-west-1", EventTime(T)).unwrap();
    let document = SigningKey::clone(&keys.documents.list()[0]);
    let sealed = BASE64.decode(&document.sealed_private_key).unwrap();
    assert!(KeyPair::from_pkcs8(&sealed).is_err() && KeyPair::from_pkcs8(&sealed[NONCE..]).is_err());
    assert!(keys.unseal(&document).is_ok());
    let moved = SigningKey { region: "us-east-1".to_owned(), ..document };
    assert!(keys.unseal(&moved).is_err(), "a sealed key is bound to its Region");
    let path = folder.path().join("digest.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(keys);
    std::fs::remove_file(&path).unwrap();
    let second = open(folder.path()).signer("eu-west-1", EventTime(T)).unwrap();
    assert_ne!(second.fingerprint, first.fingerprint, "without the file a new key is made");
    std::fs::write(&path, "nonsense").unwrap();
    let registry = Registry::open(&folder.path().join("registry")).unwrap();
    assert!(matches!(SigningKeys::open(&registry, &path), Err(KeyError::NoKey(_))));
}

#[test]
fn the_documented_fingerprint_is_that_of_the_documented_key() {
    let sample: serde_json::Value =
        serde_json::from_str(include_str!("../../testdata/awsdocs/list-public-keys-response.json")).unwrap();
    let key = &sample["PublicKeyList"][0];
    let der = BASE64.decode(key["Value"].as_str().unwrap()).unwrap();
    assert_eq!(fingerprint(&der), key["Fingerprint"].as_str().unwrap());
}
