//! The identity file (`--identities`): who an access key is, said by the operator (`docs/operate/identities.md`).

use event::{Identity, IdentityType};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger than any file that a person writes: a million keys.
const MAX_BYTES: u64 = 256 << 20;

/// Who stands behind which access key.
pub(crate) type StatedIdentities = BTreeMap<String, Identity>;

/// A file that cannot be used; says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityFileError {
    /// The file cannot be read.
    #[error("cannot read the identity file {}: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no JSON object.
    #[error(
        "the identity file {} is not usable: {why}; write a JSON object such as {{\"AKIA…\": {{\"userName\": \"alice\"}}}}",
        path.display()
    )]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        why: String,
    },
    /// One entry cannot be used.
    #[error("the identity file {}: key `{key}`: {why}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The access key id.
        key: String,
        /// What is wrong with it, and the remedy.
        why: String,
    },
}

/// Reads an identity file; what an entry leaves out is completed with the house's account.
///
/// # Errors
/// [`IdentityFileError`], worded for the person who wrote the file.
pub(crate) fn read(path: &Path, account: &str) -> Result<StatedIdentities, IdentityFileError> {
    let unreadable = |source| IdentityFileError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(IdentityFileError::NotAnObject {
            path: path.to_owned(),
            why: "it is larger than 256 MiB".to_owned(),
        });
    }
    parse(path, &std::fs::read_to_string(path).map_err(unreadable)?, account)
}

/// The pure part of [`read`].
fn parse(path: &Path, text: &str, account: &str) -> Result<StatedIdentities, IdentityFileError> {
    let entries: BTreeMap<String, Value> = serde_json::from_str(text)
        .map_err(|error| IdentityFileError::NotAnObject { path: path.to_owned(), why: error.to_string() })?;
    let stated = entries.into_iter().map(|(key, element)| match identity(&key, element, account) {
        Ok(identity) => Ok((key, identity)),
        Err(why) => Err(IdentityFileError::Entry { path: path.to_owned(), key, why }),
    });
    stated.collect()
}

/// The identity of an entry, or what is wrong with it.
fn identity(key: &str, element: Value, account: &str) -> Result<Identity, String> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("an access key id has no spaces and is not empty".to_owned());
    }
    let stated: Identity = serde_json::from_value(element.clone())
        .map_err(|error| format!("{error}; write a userIdentity element, or {{\"userName\": \"NAME\"}}"))?;
    let understood = serde_json::to_value(&stated).map_err(|error| error.to_string())?;
    if let Some(member) = not_understood(&element, &understood) {
        return Err(format!("`{member}` is no member of a userIdentity element; remove it or correct its spelling"));
    }
    if stated.access_key_id.as_deref().is_some_and(|other| other != key) {
        return Err("its accessKeyId is another key; remove that member".to_owned());
    }
    completed(key, stated, account)
}

fn completed(key: &str, mut identity: Identity, account: &str) -> Result<Identity, String> {
    let kind = match (identity.identity_type, &identity.user_name) {
        (Some(kind), _) => kind,
        (None, Some(_)) => IdentityType::IAMUser,
        (None, None) => return Err("it says neither `userName` nor `type`; add one of them".to_owned()),
    };
    identity.identity_type = Some(kind);
    // Whose key these use, nobody is told (`reference/event-record.md` §3).
    if kind == IdentityType::AWSService {
        return Ok(identity);
    }
    if kind != IdentityType::AWSAccount {
        identity.access_key_id = Some(key.to_owned());
    }
    let account = identity.account_id.get_or_insert_with(|| account.to_owned()).clone();
    match (kind, &identity.user_name) {
        (IdentityType::IAMUser, Some(user)) => {
            identity.arn.get_or_insert_with(|| format!("arn:aws:iam::{account}:user/{user}"));
        }
        (IdentityType::IAMUser, None) => return Err("an IAMUser has a `userName`; add it".to_owned()),
        (IdentityType::Root, _) => {
            identity.arn.get_or_insert_with(|| format!("arn:aws:iam::{account}:root"));
            identity.principal_id.get_or_insert(account);
        }
        _ => {}
    }
    Ok(identity)
}

/// The first member that was given and not understood.
fn not_understood(given: &Value, understood: &Value) -> Option<String> {
    given.as_object()?.iter().find_map(|(name, value)| match understood.get(name) {
        Some(inner) => not_understood(value, inner).map(|member| format!("{name}.{member}")),
        None if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) => None,
        None => Some(name.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<StatedIdentities, String> {
        parse(Path::new("who.json"), text, "111122223333").map_err(|error| error.to_string())
    }

    #[test]
    fn the_short_form_is_completed_with_the_account() {
        let stated = read_text(r#"{"AKIA1":{"userName":"alice"},"AKIA2":{"type":"Root","accountId":"444455556666"}}"#);
        let json = serde_json::to_string(&stated.unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"AKIA1":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIA1","userName":"alice"},"AKIA2":{"type":"Root","principalId":"444455556666","arn":"arn:aws:iam::444455556666:root","accountId":"444455556666","accessKeyId":"AKIA2"}}"#
        );
    }

    #[test]
    fn services_and_other_accounts_have_no_key() {
        let stated = read_text(
            r#"{"AKIA1":{"type":"AWSService","invokedBy":"s3.amazonaws.com"},"AKIA2":{"type":"AWSAccount","principalId":"AIDA","accountId":"444455556666"}}"#,
        );
        let json = serde_json::to_string(&stated.unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"AKIA1":{"type":"AWSService","invokedBy":"s3.amazonaws.com"},"AKIA2":{"type":"AWSAccount","principalId":"AIDA","accountId":"444455556666"}}"#
        );
    }

    #[test]
    fn a_full_element_is_taken_as_it_is() {
        let full = r#"{"ASIA1":{"type":"AssumedRole","principalId":"AROA:i-1","arn":"arn:aws:sts::444455556666:assumed-role/web/i-1","accountId":"444455556666","accessKeyId":"ASIA1","sessionContext":{"sessionIssuer":{"type":"Role","userName":"web"},"ec2RoleDelivery":"2.0"}}}"#;
        assert_eq!(serde_json::to_string(&read_text(full).unwrap()).unwrap(), full);
    }

    #[test]
    fn every_bad_file_names_itself_the_key_and_the_remedy() {
        for (text, part) in [
            ("", "write a JSON object such as"),
            ("[]", "write a JSON object such as"),
            (r#"{"AKIA1":{"userName":"a"},}"#, "write a JSON object"),
            (r#"{"AKIA1":"alice"}"#, "key `AKIA1`: invalid type"),
            (r#"{"AKIA1":{}}"#, "key `AKIA1`: it says neither `userName` nor `type`"),
            (r#"{"AKIA1":{"type":"IAMUser"}}"#, "an IAMUser has a `userName`"),
            (r#"{"AKIA1":{"type":"Wizard"}}"#, "key `AKIA1`: unknown variant `Wizard`"),
            (r#"{"AKIA1":{"username":"alice","userName":"alice"}}"#, "`username` is no member"),
            (
                r#"{"AKIA1":{"userName":"a","sessionContext":{"attributes":{"mfa":"true"}}}}"#,
                "`sessionContext` is no member",
            ),
            (r#"{"AKIA1":{"userName":"a","accessKeyId":"AKIA2"}}"#, "is another key"),
            (r#"{"AK IA":{"userName":"a"}}"#, "no spaces"),
        ] {
            let error = read_text(text).unwrap_err();
            assert!(error.contains("who.json") && error.contains(part), "{error}");
        }
        let missing = read(Path::new("/nowhere/who.json"), "111122223333").unwrap_err().to_string();
        assert!(missing.contains("/nowhere/who.json") && missing.contains("check the path"), "{missing}");
    }
}
