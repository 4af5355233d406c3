//! Checkpoints that others have: in a witness's bucket, in a file, or told by a witness. I/O, over an [`Archive`].

use super::archived::read_object;
use super::audit::Seen;
use super::merkle::sha256;
use super::note::{Checkpoint, NOTE_MAX, Note, NoteError, VerifierKey};
use crate::bucket::s3::whole_cause;
use crate::verify::{Archive, ArchiveError};
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use object_store::ClientOptions;
use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most of an answer that is read, bytes.
const ANSWER_MAX: usize = 4 << 20;

/// The keys that a log may be signed with, under its name: its own first, then those of other logs of the same trail, which share
/// one unless it was lost. A witness's key is none.
pub fn keys_of_log(keys: &[VerifierKey], origin: &str) -> Vec<VerifierKey> {
    let trail = |origin: &str| origin.rsplit_once('/').map(|(trail, _)| trail.to_owned());
    let kin = |key: &&VerifierKey| trail(key.name()).is_some() && trail(key.name()) == trail(origin);
    let (own, others): (Vec<&VerifierKey>, Vec<&VerifierKey>) = keys
        .iter()
        .filter(|key| !key.is_witness())
        .filter(|key| key.name() == origin || kin(key))
        .partition(|key| key.name() == origin);
    own.into_iter().chain(others).map(|key| key.named(origin)).collect()
}

/// Public keys of logs, and where they are from.
#[derive(Debug, Clone, Default)]
pub struct LogKeys {
    /// Those that somebody has given: one of them must have signed.
    pub given: Vec<VerifierKey>,
    /// Those that an earlier run has seen, or that the house itself tells: it may have lost those of older logs.
    pub told: Vec<VerifierKey>,
}

impl LogKeys {
    /// The key that has signed what a log says of itself. `None` where no key is known that must have.
    ///
    /// # Errors
    /// [`NoteError`] when such a key is known, and it has not.
    pub fn signer(&self, note: &Note, origin: &str) -> Result<Option<VerifierKey>, NoteError> {
        let given = keys_of_log(&self.given, origin);
        let must_sign = !given.is_empty() || self.told.iter().any(|key| key.name() == origin);
        for key in given.into_iter().chain(keys_of_log(&self.told, origin)) {
            match note.verified_by(&key) {
                Err(NoteError::Unsigned) => {}
                signed => return signed.map(|_| Some(key)),
            }
        }
        if must_sign { Err(NoteError::Unsigned) } else { Ok(None) }
    }
}

/// A checkpoint that somebody has; where the log's key is known, it must have signed it.
///
/// # Errors
/// A text for people.
pub fn seen(place: &str, bytes: &[u8], keys: &LogKeys) -> Result<Seen, String> {
    let failed = |error: NoteError| format!("{place}: {error}");
    let note = Note::parse(bytes).map_err(failed)?;
    let checkpoint = Checkpoint::of(&note).map_err(failed)?;
    keys.signer(&note, &checkpoint.origin).map_err(failed)?;
    Ok(Seen { place: place.to_owned(), checkpoint })
}

/// All checkpoints of a trail's logs in a witness's bucket or folder. Their names tell what they say; the newest of each log is read,
/// and its signature verified where the key is known.
///
/// # Errors
/// [`ArchiveError`] when they cannot be read, or the newest is not what its name says.
pub async fn seen_in(
    archive: &dyn Archive,
    place: &str,
    bucket: &str,
    prefix: &str,
    trail: (&str, &str, &str),
    keys: &LogKeys,
) -> Result<Vec<Seen>, ArchiveError> {
    let (account, region, name) = trail;
    let folder = format!("{prefix}opentrail/{account}/{region}/{name}/");
    let mut all = Vec::new();
    let mut newest: BTreeMap<String, (String, Checkpoint)> = BTreeMap::new();
    for key in archive.list(bucket, &folder, &folder, &|_| false).await? {
        let Some(checkpoint) = key.strip_prefix(prefix).and_then(by_name) else { continue };
        newest.insert(checkpoint.origin.clone(), (key, checkpoint.clone()));
        all.push(Seen { place: place.to_owned(), checkpoint });
    }
    for (key, named) in newest.into_values() {
        let failed = |why: String| ArchiveError::Failed(key.clone(), why);
        let bytes = read_object(archive, bucket, &key, NOTE_MAX as u64).await?;
        let read = seen(place, &bytes, keys).map_err(failed)?;
        if read.checkpoint != named {
            return Err(failed("it is not what its name says".to_owned()));
        }
    }
    Ok(all)
}

/// `ORIGIN/SIZE-ROOT`.
fn by_name(name: &str) -> Option<Checkpoint> {
    let (origin, rest) = name.rsplit_once('/')?;
    let (size, root) = rest.split_once('-')?;
    let root = hex::decode(root).ok()?.try_into().ok()?;
    Some(Checkpoint { origin: origin.to_owned(), size: size.parse().ok()?, root })
}

/// What a witness tells of a log: `GET PREFIX/HASH/checkpoint` (tlog-witness). `None` where it has seen nothing of it.
///
/// # Errors
/// A text for people.
pub async fn told_by_witness(url: &str, origin: &str, keys: &LogKeys) -> Result<Option<Seen>, String> {
    let hash = hex::encode(sha256(origin.as_bytes()));
    let url = format!("{}/{hash}/checkpoint", url.trim_end_matches('/'));
    match get(&url).await? {
        (200, bytes) => seen(&url, &bytes, keys).map(Some),
        (404, _) => Ok(None),
        (status, _) => Err(format!("{url}: HTTP status {status}")),
    }
}

/// A page: its status and its bytes.
///
/// # Errors
/// A text for people.
pub async fn get(url: &str) -> Result<(u16, Bytes), String> {
    let failed = |why: String| format!("{url}: {why}");
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(Duration::from_secs(30))
        .with_connect_timeout(Duration::from_secs(5));
    let client = ReqwestConnector::default().connect(&options).map_err(|error| failed(error.to_string()))?;
    let request = Request::builder().uri(url).body(HttpRequestBody::from(Bytes::new()));
    let request = request.map_err(|error| failed(error.to_string()))?;
    let response = client.execute(request).await.map_err(|error| failed(whole_cause(&error)))?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    let mut chunks = response.into_body().bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| failed(error.to_string()))?);
        if bytes.len() > ANSWER_MAX {
            return Err(failed("the answer is too long".to_owned()));
        }
    }
    Ok((status, Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::super::witness::witness_key;
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    #[test]
    fn what_is_copied_is_told_by_its_name() {
        let origin = "opentrail/111122223333/eu-west-1/main/20260115T100203Z".to_owned();
        let checkpoint = Checkpoint { origin, size: 7, root: [9; 32] };
        assert_eq!(by_name(&witness_key("", &checkpoint)), Some(checkpoint));
        assert_eq!(by_name("opentrail/x/7"), None);
    }

    #[test]
    fn the_logs_of_a_trail_share_a_key() {
        let keys = [VerifierKey::of_log("opentrail/1/r/t/A", [1; 32])];
        assert_eq!(keys_of_log(&keys, "opentrail/1/r/t/A"), [keys[0].clone()]);
        assert_eq!(keys_of_log(&keys, "opentrail/1/r/t/B"), [keys[0].named("opentrail/1/r/t/B")]);
        assert_eq!(keys_of_log(&keys, "opentrail/1/r/u/A"), []);
    }

    #[test]
    fn a_log_is_called_unsigned_only_when_every_key_of_its_trail_was_tried() {
        let pairs = [Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap()];
        let (old, new) = ("opentrail/1/r/t/A", "opentrail/1/r/t/B");
        let key =
            |name: &str, at: usize| VerifierKey::of_log(name, pairs[at].public_key().as_ref().try_into().unwrap());
        let text = Checkpoint { origin: old.to_owned(), size: 1, root: [1; 32] }.text();
        let note = Note::new(text.clone(), &key(old, 0), pairs[0].sign(text.as_bytes()).as_ref());
        let signer = |given: Vec<VerifierKey>, told: Vec<VerifierKey>| LogKeys { given, told }.signer(&note, old);
        assert_eq!(signer(vec![key(new, 1), key(new, 0)], vec![]), Ok(Some(key(old, 0))), "the second of them");
        assert_eq!(signer(vec![key(new, 1)], vec![]), Err(NoteError::Unsigned), "somebody says that it is this key");
        assert_eq!(signer(vec![], vec![key(new, 1)]), Ok(None), "the house has another by now");
        assert_eq!(signer(vec![], vec![key(old, 1)]), Err(NoteError::Unsigned), "this log's own key is known");
        assert_eq!(signer(vec![], vec![]), Ok(None));
        let forged = Note::new(text, &key(old, 0), &[1; 64]);
        let keys = LogKeys { given: vec![], told: vec![key(new, 0)] };
        assert_eq!(keys.signer(&forged, old), Err(NoteError::BadSignature));
    }
}
