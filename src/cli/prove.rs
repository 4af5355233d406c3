//! `opentrail prove`: a proof that an event is in the transparency log, and whether a proof holds.

use crate::aws_keys;
use crate::cli::ProveArgs;
use crate::cli::places::{self, Place, credentials, told_logs};
use crate::cli::say::{complain, plain, say, told};
use crate::telemetry;
use anyhow::{Context, bail};
use event::EventTime;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use trail::transparency::archived::{ArchivedLog, Found};
use trail::transparency::merkle::{leaf_hash, verify_inclusion};
use trail::transparency::note::{Checkpoint, NoteError, VerifierKey};
use trail::transparency::proof::{PROOF_MAX, Proof, ProofError, Proven};
use trail::transparency::seen::{LogKeys, keys_of_log};
use trail::verify::{Archive, S3Archive};

/// Exit codes: it is not proven; nothing can be said.
const NOT_PROVEN: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// Proves or verifies, and says so.
pub(crate) fn run(args: Box<ProveArgs>) -> anyhow::Result<ExitCode> {
    telemetry::start_quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = match (&args.verify, &args.event_id) {
        (Some(file), _) => verify(&args, file),
        (None, Some(event_id)) => runtime.block_on(prove(&args, event_id)),
        (None, None) => Err(anyhow::anyhow!("name an event")),
    };
    match done {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(NOT_PROVEN)),
        Err(error) => {
            complain!("opentrail: {}", plain(told(&error)));
            Ok(ExitCode::from(CANNOT_TELL))
        }
    }
}

/// Finds an event and writes its proof; whether there is one.
async fn prove(args: &ProveArgs, event_id: &str) -> anyhow::Result<bool> {
    let (logs, keys) = logs(args).await?;
    if logs.is_empty() {
        bail!("there is no transparency log there: a trail has one with log file validation, once it has delivered");
    }
    for log in logs.iter().rev() {
        let (note, checkpoint) = log.checkpoint().await?;
        let key = keys.signer(&note, &checkpoint.origin);
        let key = key.with_context(|| format!("the checkpoint of {}", checkpoint.origin))?;
        let Some(found) = log.find(event_id, checkpoint.size, usize::from(args.parallel)).await? else { continue };
        let proof = log.prove(&found, note, &checkpoint).await?;
        let leaf = leaf_hash(&proof.leaf);
        if !verify_inclusion(&proof.hashes, &leaf, proof.index, checkpoint.size, &checkpoint.root) {
            bail!(
                "the tiles of {} do not lead to the root of its checkpoint: see opentrail validate-logs",
                checkpoint.origin
            );
        }
        let file = args.output.clone().unwrap_or_else(|| default_file(event_id));
        std::fs::write(&file, proof.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
        tell_proof(event_id, &proof, &checkpoint, key.as_ref(), &found, &file);
        return Ok(true);
    }
    complain!(
        "opentrail: event {event_id} is in none of {} transparency logs: it may not be delivered yet, or not selected by the trail",
        logs.len()
    );
    Ok(false)
}

/// The logs to search, the newest last, and the keys that are known.
async fn logs(args: &ProveArgs) -> anyhow::Result<(Vec<ArchivedLog>, LogKeys)> {
    let mut keys = LogKeys { given: places::keys(&args.public_key)?, told: Vec::new() };
    let s3 = places::endpoint(args.endpoint_url.as_ref(), "S3");
    let region = aws_keys::variable("AWS_REGION").or_else(|| aws_keys::variable("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let name = args.trail.as_deref().map(|trail| trail.rsplit('/').next().unwrap_or(trail));
    if let Some(from) = &args.from {
        let Place { archive, bucket, prefix } = places::place(from, s3, &region)?;
        return Ok((ArchivedLog::all(&archive, &bucket, prefix.as_deref(), name).await?, keys));
    }
    let endpoint = args.endpoint_url.clone().or_else(|| aws_keys::variable("AWS_ENDPOINT_URL"));
    let endpoint =
        endpoint.context("say where the log is: --from s3://BUCKET or a folder, or --endpoint-url of an OpenTrail")?;
    let archive: Arc<dyn Archive> = Arc::new(S3Archive::new(credentials()?, s3, region));
    let mut logs = Vec::new();
    for told in told_logs(&endpoint).await? {
        let is_meant = args
            .trail
            .as_ref()
            .is_none_or(|trail| *trail == told.trail_arn || told.trail_arn.ends_with(&format!(":trail/{trail}")));
        if is_meant {
            keys.told.push(told.key);
            logs.extend(ArchivedLog::new(Arc::clone(&archive), &told.bucket, &told.folder).with_others().await?);
        }
    }
    Ok((logs, keys))
}

fn default_file(event_id: &str) -> PathBuf {
    let usual = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let name: String = event_id.chars().map(usual).take(100).collect();
    PathBuf::from(format!("{name}.tlog-proof"))
}

fn tell_proof(
    event_id: &str,
    proof: &Proof,
    checkpoint: &Checkpoint,
    key: Option<&VerifierKey>,
    found: &Found,
    file: &Path,
) {
    let Checkpoint { origin, size, root } = checkpoint;
    let (bucket, object) = &found.file;
    if proof.record.is_none() {
        complain!(
            "opentrail: the log file s3://{bucket}/{object} does not hold the record any more: the proof is without it"
        );
    }
    if std::io::stdout().is_terminal() {
        let shown = key.map_or_else(|| "KEY".to_owned(), ToString::to_string);
        say!("event {event_id} is entry {} of the {size} entries of the log {origin}", proof.index);
        say!("the proof is in {}; whoever has it can verify it:\n", file.display());
        say!("    opentrail prove --verify {} --public-key {shown}", file.display());
        return;
    }
    let told = json!({
        "eventId": event_id,
        "origin": origin,
        "index": proof.index,
        "size": size,
        "root": hex(root),
        "publicKey": key.map(ToString::to_string),
        "signatureVerified": key.is_some(),
        "witnesses": proof.note.signers().filter(|signer| signer != origin).collect::<Vec<_>>(),
        "logFile": {"bucket": bucket, "key": object, "position": found.position},
        "proof": file.display().to_string(),
        "record": record_of(proof),
    });
    say!("{told:#}");
}

/// Whether a proof holds.
fn verify(args: &ProveArgs, file: &Path) -> anyhow::Result<bool> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(PROOF_MAX as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(bytes.len() <= PROOF_MAX, "{} is too large for a proof", file.display());
    let (keys, witnesses) = (places::keys(&args.public_key)?, places::keys(&args.witness_key)?);
    let proof = match Proof::parse(&bytes) {
        Ok(proof) => proof,
        Err(error) => return Ok(tell_invalid(&error.to_string())),
    };
    let origin = Checkpoint::of(&proof.note).map(|checkpoint| checkpoint.origin).unwrap_or_default();
    if let Some(other) = witnesses.iter().find(|key| !key.is_witness()) {
        bail!("{other} is the key of a log: --witness-key asks for that of a witness (NAME+ID+B…)");
    }
    let mut why = format!("it is about the log {origin}, and the public key is that of another");
    for key in keys_of_log(&keys, &origin) {
        match proof.verify(&key, &witnesses) {
            Ok(proven) => {
                tell_valid(&proof, &proven);
                return Ok(true);
            }
            Err(error) => {
                why = error.to_string();
                // The next key may be the one that has signed.
                if error != ProofError::Checkpoint(NoteError::Unsigned) {
                    break;
                }
            }
        }
    }
    Ok(tell_invalid(&why))
}

fn tell_invalid(why: &str) -> bool {
    if std::io::stdout().is_terminal() {
        complain!("INVALID: {}", plain(why));
    } else {
        say!("{:#}", json!({"valid": false, "message": why}));
    }
    false
}

fn tell_valid(proof: &Proof, proven: &Proven) {
    let Proven { event_id, index, checkpoint, witnesses, .. } = proven;
    let Checkpoint { origin, size, root } = checkpoint;
    let time = |seconds: &u64| EventTime(i64::try_from(*seconds).unwrap_or(i64::MAX)).to_string();
    if std::io::stdout().is_terminal() {
        say!("valid: event {event_id} is entry {index} of the {size} entries of the log {origin}");
        for (witness, seen) in witnesses {
            say!("the witness {witness} has seen the log so at {}", time(seen));
        }
        match &proof.record {
            Some(record) => say!("\n{}", plain(String::from_utf8_lossy(record))),
            None => say!("the record is not in the proof; its SHA-256 is {}", hex(&proven.hash)),
        }
        return;
    }
    let witness = |(name, seen): &(String, u64)| json!({"witness": name, "seen": time(seen)});
    let told = json!({
        "valid": true,
        "eventId": event_id,
        "origin": origin,
        "index": index,
        "size": size,
        "root": hex(root),
        "recordSha256": hex(&proven.hash),
        "witnesses": witnesses.iter().map(witness).collect::<Vec<_>>(),
        "record": record_of(proof),
    });
    say!("{told:#}");
}

/// The record as JSON, its members in their order.
fn record_of(proof: &Proof) -> Option<Value> {
    serde_json::from_slice(proof.record.as_ref()?).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
