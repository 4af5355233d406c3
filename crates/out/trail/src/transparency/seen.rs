//! Checkpoints that others have: in a witness's bucket, in a file, or told by a witness. I/O, over an [`Archive`].

use super::archived::read_object;
use super::audit::Seen;
use super::merkle::sha256;
use super::note::{Checkpoint, NOTE_MAX, Note, VerifierKey};
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

/// The key of a log among others: that of its name, or of another log of the same trail, which shares it.
pub fn key_of_log(keys: &[VerifierKey], origin: &str) -> Option<VerifierKey> {
    let trail = |origin: &str| origin.rsplit_once('/').map(|(trail, _)| trail.to_owned());
    let own = keys.iter().find(|key| key.name() == origin);
    let kin = || keys.iter().find(|key| trail(key.name()).is_some() && trail(key.name()) == trail(origin));
    own.or_else(kin).map(|key| key.named(origin))
}

/// A checkpoint that somebody has; where the log's key is known, it must have signed it.
///
/// # Errors
/// A text for people.
pub fn seen(place: &str, bytes: &[u8], keys: &[VerifierKey]) -> Result<Seen, String> {
    let note = Note::parse(bytes).map_err(|error| format!("{place}: {error}"))?;
    let checkpoint = Checkpoint::of(&note).map_err(|error| format!("{place}: {error}"))?;
    if let Some(key) = key_of_log(keys, &checkpoint.origin) {
        note.verified_by(&key).map_err(|error| format!("{place}: {error}"))?;
    }
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
    keys: &[VerifierKey],
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
pub async fn told_by_witness(url: &str, origin: &str, keys: &[VerifierKey]) -> Result<Option<Seen>, String> {
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
        assert_eq!(key_of_log(&keys, "opentrail/1/r/t/A"), Some(keys[0].clone()));
        assert_eq!(key_of_log(&keys, "opentrail/1/r/t/B"), Some(keys[0].named("opentrail/1/r/t/B")));
        assert_eq!(key_of_log(&keys, "opentrail/1/r/u/A"), None);
    }
}
