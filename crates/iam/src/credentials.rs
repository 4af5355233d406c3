//! Making a key, and writing it down for a client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use registry::{AccessKey, KeyStatus, Secret};
use zeroize::{Zeroize, Zeroizing};

/// What ids are spelled with (RFC 4648 base32).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A source of random bytes: fills the whole slice, or says that it cannot.
pub(crate) type Random<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), NoRandomness>;

/// The system gave no random bytes; no key can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes, so no key can be made")]
pub struct NoRandomness;

/// A new key for the user `administrator` of an account of 12 digits; the ids have the form of AWS's own, so that tools
/// that check it, or read the account out of the key's id, work.
///
/// # Errors
/// [`NoRandomness`], from `random`.
pub(crate) fn administrator(
    account_id: &str,
    now_ms: u64,
    random: &mut dyn FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<AccessKey, NoRandomness> {
    Ok(AccessKey {
        access_key_id: access_key_id(account_id, random)?,
        secret: secret(random)?,
        user_name: "administrator".to_owned(),
        principal_id: user_id(random)?,
        account_id: account_id.to_owned(),
        status: KeyStatus::Active,
        created_ms: now_ms,
    })
}

/// A shared-credentials file with that key under `[default]`; wiped when dropped.
pub(crate) fn shared_credentials(key: &AccessKey, region: &str) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# The {} of account {}, made by OpenTrail at its first start.\n\
         # Use it with: export AWS_SHARED_CREDENTIALS_FILE=<the path of this file>\n\
         [default]\n\
         aws_access_key_id = {}\n\
         aws_secret_access_key = {}\n\
         region = {region}\n",
        key.user_name,
        key.account_id,
        key.access_key_id,
        key.secret.expose(),
    ))
}

/// `AKIA` and 16 characters, the first ten of which spell the account as in AWS's own keys: of the first 48 bits, bit 0
/// is set, the next 40 are the account's number, and the last 7 and all others are random.
fn access_key_id(account_id: &str, random: Random<'_>) -> Result<String, NoRandomness> {
    let mut bytes = [0u8; 10];
    random(&mut bytes)?;
    let account = account_id.parse::<u64>().unwrap_or_default() & ((1 << 40) - 1);
    let low_bits = u64::from(bytes[5] & 0x7f);
    let head = (1u64 << 47) | (account << 7) | low_bits;
    bytes[..6].copy_from_slice(&head.to_be_bytes()[2..]);
    Ok(format!("AKIA{}", base32(&bytes)))
}

/// `AIDA` and 17 characters.
fn user_id(random: Random<'_>) -> Result<String, NoRandomness> {
    let mut bytes = [0u8; 15];
    random(&mut bytes)?;
    let mut text = base32(&bytes);
    text.truncate(17);
    Ok(format!("AIDA{text}"))
}

/// 40 characters of base64: 240 random bits.
fn secret(random: Random<'_>) -> Result<Secret, NoRandomness> {
    let mut bytes = Zeroizing::new([0u8; 30]);
    random(bytes.as_mut())?;
    let secret = Secret::new(STANDARD_NO_PAD.encode(bytes.as_ref()));
    bytes.zeroize();
    Ok(secret)
}

/// Base32 of bytes whose number is a multiple of five.
fn base32(bytes: &[u8]) -> String {
    let digits = |five: &[u8]| {
        let group = five.iter().fold(0u64, |group, &byte| group << 8 | u64::from(byte));
        (0..8).rev().map(move |place| char::from(BASE32[(group >> (place * 5)) as usize & 31]))
    };
    bytes.chunks(5).flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(account_id: &str) -> AccessKey {
        let mut next = 0u8;
        let mut random = |bytes: &mut [u8]| {
            for byte in bytes {
                next = next.wrapping_mul(31).wrapping_add(97);
                *byte = next;
            }
            Ok(())
        };
        administrator(account_id, 7, &mut random).unwrap()
    }

    #[test]
    fn a_key_has_the_form_of_aws_own() {
        let key = made("123456789012");
        let base32 = |text: &str| text.bytes().all(|byte| BASE32.contains(&byte));
        assert!(key.access_key_id.len() == 20 && key.access_key_id.starts_with("AKIA") && base32(&key.access_key_id));
        assert!(key.principal_id.len() == 21 && key.principal_id.starts_with("AIDA") && base32(&key.principal_id));
        assert_eq!(key.secret.expose().len(), 40);
        assert_eq!((key.user_name.as_str(), key.status, key.created_ms), ("administrator", KeyStatus::Active, 7));
    }

    #[test]
    fn the_account_can_be_read_out_of_the_key_id() {
        for account in ["123456789012", "000000000000", "999999999999"] {
            let id = made(account).access_key_id;
            let bits = id[4..]
                .bytes()
                .take(10)
                .fold(0u64, |bits, digit| bits << 5 | BASE32.iter().position(|&known| known == digit).unwrap() as u64);
            assert_eq!(format!("{:012}", (bits >> 2 & 0x7fff_ffff_ff80) >> 7), account);
        }
    }

    #[test]
    fn the_file_is_what_clients_read_and_debug_hides_the_secret() {
        let key = made("123456789012");
        let text = shared_credentials(&key, "eu-west-1");
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        assert!(text.lines().any(|line| line == "[default]"));
        assert_eq!(line("aws_access_key_id"), key.access_key_id);
        assert_eq!(line("aws_secret_access_key"), key.secret.expose());
        assert_eq!(line("region"), "eu-west-1");
        assert!(!format!("{key:?}").contains(key.secret.expose()));
    }

    #[test]
    fn without_randomness_no_key_is_made() {
        assert_eq!(administrator("123456789012", 0, &mut |_| Err(NoRandomness)), Err(NoRandomness));
    }
}
