//! Where archives lie and whom to ask, as people write it; the public keys of logs.

use crate::aws_keys::{self, variable};
use anyhow::{Context, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trail::transparency::note::VerifierKey;
use trail::transparency::seen;
use trail::verify::{Archive, Credentials, Folder, S3Archive};

/// An archive, and the part of it that is meant.
pub(crate) struct Place {
    pub(crate) archive: Arc<dyn Archive>,
    /// Empty: a folder, where nobody said.
    pub(crate) bucket: String,
    /// Without slashes at its ends.
    pub(crate) prefix: Option<String>,
}

/// `s3://BUCKET[/PREFIX]`, `s3+https://HOST/BUCKET[/PREFIX]`, or a folder.
pub(crate) fn place(text: &str, endpoint: Option<String>, region: &str) -> anyhow::Result<Place> {
    let (endpoint, rest) = if let Some(rest) = text.strip_prefix("s3://") {
        (endpoint, rest)
    } else if let Some(rest) = text.strip_prefix("s3+") {
        let (scheme, rest) = rest.split_once("://").context("write s3+https://HOST/BUCKET/PREFIX")?;
        let (host, rest) = rest.split_once('/').context("write s3+https://HOST/BUCKET/PREFIX")?;
        (Some(format!("{scheme}://{host}")), rest)
    } else {
        let folder = PathBuf::from(text);
        if !folder.is_dir() {
            bail!("{text} is no folder; write s3://BUCKET/PREFIX for a bucket");
        }
        let prefix = archive_in(&folder, 3).filter(|prefix| !prefix.is_empty());
        return Ok(Place { archive: Arc::new(Folder::new(folder)), bucket: String::new(), prefix });
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Some(prefix.trim_matches('/').to_owned()).filter(|prefix| !prefix.is_empty());
    let archive = Arc::new(S3Archive::new(credentials()?, endpoint, region.to_owned()));
    Ok(Place { archive, bucket: bucket.to_owned(), prefix })
}

/// What stands before `AWSLogs` in a folder: the name of a bucket, a prefix, both, or nothing. Not looked for below so many folders.
fn archive_in(folder: &Path, depth: usize) -> Option<String> {
    if folder.join("AWSLogs").is_dir() {
        return Some(String::new());
    }
    let folders = std::fs::read_dir(folder).ok().filter(|_| depth > 0)?;
    let mut names: Vec<String> = folders.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names.into_iter().find_map(|name| {
        let rest = archive_in(&folder.join(&name), depth - 1)?;
        Some(if rest.is_empty() { name } else { format!("{name}/{rest}") })
    })
}

/// Whose calls these are.
pub(crate) fn credentials() -> anyhow::Result<Credentials> {
    let keys = aws_keys::find().context(
        "no keys to call AWS or OpenTrail with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE",
    )?;
    Ok(Credentials {
        access_key_id: keys.access_key_id,
        secret: keys.secret_access_key,
        session_token: keys.session_token,
    })
}

/// Where a service answers, as said, or by the environment.
pub(crate) fn endpoint(said: Option<&String>, service: &str) -> Option<String> {
    let own = || variable(&format!("AWS_ENDPOINT_URL_{service}"));
    said.cloned().or_else(own).or_else(|| variable("AWS_ENDPOINT_URL"))
}

/// Public keys as they are given: each a key, or a file with one on each line.
pub(crate) fn keys(texts: &[String]) -> anyhow::Result<Vec<VerifierKey>> {
    let mut keys = Vec::new();
    for text in texts {
        if let Some(key) = VerifierKey::parse(text) {
            keys.push(key);
            continue;
        }
        if !Path::new(text).is_file() {
            bail!("`{text}` is no public key (NAME+ID+KEY), and no file with one");
        }
        let lines = std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?;
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            keys.push(VerifierKey::parse(line).with_context(|| format!("{text}: `{line}` is no public key"))?);
        }
    }
    Ok(keys)
}

/// A log, as an OpenTrail tells of it.
pub(crate) struct ToldLog {
    pub(crate) trail_arn: String,
    pub(crate) bucket: String,
    pub(crate) folder: String,
    pub(crate) key: VerifierKey,
}

/// The logs that the OpenTrail at an endpoint tells of.
pub(crate) async fn told_logs(endpoint: &str) -> anyhow::Result<Vec<ToldLog>> {
    let url = format!("{}/_opentrail/transparency", endpoint.trim_end_matches('/'));
    let (status, body) = seen::get(&url).await.map_err(anyhow::Error::msg)?;
    if status != 200 {
        bail!("{url} answers with status {status}: no OpenTrail that keeps transparency logs");
    }
    let page: Value = serde_json::from_slice(&body).with_context(|| format!("{url} is no answer of an OpenTrail"))?;
    let text = |log: &Value, name: &str| log[name].as_str().unwrap_or_default().to_owned();
    let log = |log: &Value| {
        let key = VerifierKey::parse(log["publicKey"].as_str()?)?;
        Some(ToldLog {
            trail_arn: text(log, "trailArn"),
            bucket: text(log, "bucket"),
            folder: text(log, "folder"),
            key,
        })
    };
    Ok(page["logs"].as_array().into_iter().flatten().filter_map(log).collect())
}
