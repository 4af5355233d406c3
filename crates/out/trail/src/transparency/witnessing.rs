//! Showing checkpoints to witnesses: I/O. One that is away is asked again later and holds up nobody.

use super::Inner;
use super::merkle::consistency_proof;
use super::note::{Checkpoint, Note, VerifierKey};
use super::source::{LogSource, TileCache};
use super::witness::{Said, Witness, add_checkpoint, said, witness_key};
use crate::bucket::s3::whole_cause;
use crate::off_thread::off_thread;
use crate::{Encryption, LogBucket, ObjectHeaders, S3Endpoint};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpRequestBody, ReqwestConnector};
use registry::{Expected, Witnessed};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Waits between tries.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// How long a witness may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often a witness may say that it has another checkpoint than the one it was believed to have.
const CONFLICTS_MAX: usize = 4;
/// The most of an answer that is read, bytes.
const ANSWER_MAX: usize = 64 << 10;

/// A checkpoint that is written, and where.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) note: Note,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) bucket: String,
    pub(crate) folder: String,
}

/// A witness that can be reached.
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) reach: Reach,
}

/// How a witness is reached.
pub(crate) enum Reach {
    Bucket { bucket: Arc<dyn LogBucket>, name: String, prefix: String },
    Http { client: HttpClient, url: String, key: Box<VerifierKey> },
}

impl Attached {
    /// A witness of the configuration; `own` are the buckets that log files go to, `elsewhere` makes a client of another S3.
    pub(crate) fn new(
        witness: &Witness,
        own: &Arc<dyn LogBucket>,
        elsewhere: &dyn Fn(&str) -> Result<S3Endpoint, crate::BucketError>,
    ) -> Result<Attached, String> {
        let reach = match witness.clone() {
            Witness::Bucket { bucket, prefix } => Reach::Bucket { bucket: Arc::clone(own), name: bucket, prefix },
            Witness::Elsewhere { endpoint, bucket, prefix } => {
                let client = elsewhere(&endpoint).map_err(|error| error.to_string())?;
                Reach::Bucket { bucket: Arc::new(client), name: bucket, prefix }
            }
            Witness::Http { url, key } => {
                let options = ClientOptions::new()
                    .with_allow_http(true)
                    .with_timeout(TIMEOUT)
                    .with_connect_timeout(Duration::from_secs(5));
                let client = ReqwestConnector::default().connect(&options).map_err(|error| error.to_string())?;
                Reach::Http { client, url, key: Box::new(key) }
            }
        };
        Ok(Attached { name: witness.to_string(), reach })
    }
}

/// One witness of one log.
pub(crate) struct Attending {
    pub(crate) house: Arc<Inner>,
    pub(crate) arn: String,
    pub(crate) witness: Arc<Attached>,
    /// Takes checkpoints with the witness's signature.
    pub(crate) cosigned: mpsc::Sender<Note>,
}

/// Shows a log's checkpoints to one witness, the newest whenever there is one that it has not seen, until the last one.
pub(crate) async fn attend(
    one: Attending,
    mut seen: watch::Receiver<Option<Published>>,
    mut last: watch::Receiver<bool>,
) {
    let Attending { house, arn, witness, cosigned } = one;
    let mut wait = RETRY.0;
    loop {
        let is_last = *last.borrow_and_update();
        let published = seen.borrow_and_update().clone();
        let done = match &published {
            Some(published) => show(&house, &witness, published).await,
            None => Ok(None),
        };
        match (done, published) {
            (Ok(note), Some(published)) => {
                wait = RETRY.0;
                house.tell_witness(&arn, &witness.name, Ok(published.checkpoint.size));
                if let Some(note) = note {
                    let _ = cosigned.send(*note).await;
                }
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                let wait_ms = wait.as_millis() as u64;
                tracing::warn!(trail = arn, witness = witness.name, error, wait_ms, "the checkpoint is not witnessed");
                house.tell_witness(&arn, &witness.name, Err(error));
                if is_last {
                    return;
                }
                // A new checkpoint is no reason to try earlier.
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = last.changed() => {}
                }
                wait = (wait * 2).min(RETRY.1);
                continue;
            }
        }
        if is_last {
            return;
        }
        tokio::select! {
            changed = seen.changed() => if changed.is_err() { return },
            changed = last.changed() => if changed.is_err() { return },
        }
    }
}

/// Shows one checkpoint, unless it was seen before; gives it back with the witness's signature, where it signs.
async fn show(house: &Inner, witness: &Attached, published: &Published) -> Result<Option<Box<Note>>, String> {
    let Published { note, checkpoint, .. } = published;
    let key = Witnessed::key_of(&checkpoint.origin, &witness.name);
    let known = house.witnessed.get(&key);
    let size = known.as_ref().map_or(0, |known| known.size);
    if size >= checkpoint.size {
        return Ok(None);
    }
    let done = match &witness.reach {
        Reach::Bucket { bucket, name, prefix } => {
            let headers = ObjectHeaders {
                content_type: "text/plain; charset=utf-8",
                content_encoding: "",
                metadata: Vec::new(),
                encryption: Encryption::Store,
            };
            let key = witness_key(prefix, checkpoint);
            let put = bucket.put(name, &key, Bytes::from(note.to_string()), headers);
            put.await.map_err(|error| error.to_string())?;
            None
        }
        Reach::Http { client, url, key } => Some(ask(house, client, url, key, published, size).await?),
    };
    let seen = Witnessed {
        origin: checkpoint.origin.clone(),
        witness: witness.name.clone(),
        size: checkpoint.size,
        latest_ms: (house.now_ms)(),
    };
    let (documents, expected) = (house.witnessed.clone(), known.map_or(Expected::Absent, |known| known.version.into()));
    off_thread(move || documents.put(seen, expected)).await.map_err(|error| error.to_string())?;
    Ok(done)
}

/// `add-checkpoint`, with the proof from what the witness has.
async fn ask(
    house: &Inner,
    client: &HttpClient,
    url: &str,
    key: &VerifierKey,
    published: &Published,
    mut old: u64,
) -> Result<Box<Note>, String> {
    let Published { note, checkpoint, bucket, folder } = published;
    let source = BucketSource { bucket: Arc::clone(&house.bucket), name: bucket.clone(), folder: folder.clone() };
    let mut tiles = TileCache::default();
    for _ in 0..CONFLICTS_MAX {
        let prove = |tiles: &TileCache| consistency_proof(tiles, old, checkpoint.size);
        let proof = tiles.with(&source, checkpoint.size, prove).await;
        let proof = proof.map_err(|error| format!("cannot prove to it that the log has grown: {error}"))?;
        let (status, body) = post(client, &format!("{url}/add-checkpoint"), add_checkpoint(old, &proof, note)).await?;
        match said(status, &body, note, checkpoint.size, key) {
            Said::Cosigned(note) => return Ok(note),
            Said::Has(has) => old = has,
            Said::Contradiction(why) => {
                tracing::error!(origin = checkpoint.origin, witness = url, why, "a witness contradicts the log");
                return Err(format!("it contradicts the log: {why}"));
            }
            Said::Refused(why) => return Err(why),
        }
    }
    Err("it says each time that it has another checkpoint".to_owned())
}

async fn post(client: &HttpClient, url: &str, body: String) -> Result<(u16, String), String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("content-type", "text/plain; charset=utf-8")
        .body(HttpRequestBody::from(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let response = client.execute(request).await.map_err(|error| whole_cause(&error))?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    let mut chunks = response.into_body().bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
        if bytes.len() > ANSWER_MAX {
            return Err("its answer is too long".to_owned());
        }
    }
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// A log in the bucket that it is written to.
pub(crate) struct BucketSource {
    pub(crate) bucket: Arc<dyn LogBucket>,
    pub(crate) name: String,
    pub(crate) folder: String,
}

impl LogSource for BucketSource {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>> {
        Box::pin(async move {
            let key = format!("{}{path}", self.folder);
            self.bucket.get(&self.name, &key).await.map_err(|error| error.to_string())
        })
    }
}
