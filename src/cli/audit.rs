//! The part of `opentrail validate-logs` that looks at the trail's transparency log.

use crate::aws_keys;
use crate::cli::ValidateLogsArgs;
use crate::cli::places::{self, Place, told_logs};
use anyhow::{Context, bail};
use event::EventTime;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use trail::transparency::archived::ArchivedLog;
use trail::transparency::audit::{AuditFinding, AuditRequest, AuditResults, AuditedLog, Listed, Seen, audit};
use trail::transparency::note::{Checkpoint, Note, VerifierKey};
use trail::transparency::seen::{LogKeys, keys_of_log, seen, seen_in, told_by_witness};
use trail::transparency::witness::Witness;
use trail::verify::Archive;

/// Where the trail's logs lie, and what the digests say.
pub(crate) struct Subject {
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) bucket: String,
    pub(crate) prefix: Option<String>,
    /// Account, home Region and name.
    pub(crate) trail: (String, String, String),
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    pub(crate) digests: Listed,
    pub(crate) memory: Vec<AuditedLog>,
    pub(crate) parallel: usize,
}

/// What the logs are to be compared with, as it was asked for.
pub(crate) struct Asked {
    /// What the names of the trail's logs begin with.
    trail: String,
    /// Keys that were given.
    keys: Vec<VerifierKey>,
    /// Checkpoints, and the files that they are from.
    checkpoints: Vec<(String, Vec<u8>)>,
}

/// Reads what was asked for, so that a check that cannot be made is told before anything is read.
pub(crate) fn asked(args: &ValidateLogsArgs, account: &str, region: &str, name: &str) -> anyhow::Result<Asked> {
    let trail = format!("opentrail/{account}/{region}/{name}/");
    let keys = places::keys(&args.log_key)?;
    if let Some(first) = keys.first()
        && keys_of_log(&keys, &trail).is_empty()
    {
        bail!("no key of --log-key is that of a log of this trail ({trail}…): the first is of {}", first.name());
    }
    let mut checkpoints = Vec::new();
    for path in &args.checkpoint {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let place = path.display().to_string();
        let Checkpoint { origin, .. } =
            Note::parse(&bytes).and_then(|note| Checkpoint::of(&note)).with_context(|| place.clone())?;
        anyhow::ensure!(origin.starts_with(&trail), "{place} is of {origin}, which is no log of this trail ({trail}…)");
        checkpoints.push((place, bytes));
    }
    for place in args.witness.iter().filter(|place| is_url(place) && place.contains('#')) {
        Witness::parse(place).map_err(|why| anyhow::anyhow!("--witness {place}: {why}"))?;
    }
    Ok(Asked { trail, keys, checkpoints })
}

fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// Looks at the logs; `None` where the trail has none and nobody says that it should.
pub(crate) async fn look(
    args: &ValidateLogsArgs,
    asked: Asked,
    subject: Subject,
) -> anyhow::Result<Option<AuditResults>> {
    let (account, region, name) = subject.trail.clone();
    let trail = (account.as_str(), region.as_str(), name.as_str());
    let is_wanted = is_wanted(args);
    let is_asked = is_wanted || !subject.memory.is_empty();
    let logs = ArchivedLog::of_trail(&subject.archive, &subject.bucket, subject.prefix.as_deref(), trail).await;
    let logs = match logs {
        Ok(logs) if logs.is_empty() && !is_asked => return Ok(None),
        // Who may read digests and log files of an archive may not be allowed to look for more.
        Err(_) if !is_asked => return Ok(None),
        logs => logs?,
    };
    let keys = keys(args, asked.keys, &subject).await?;
    let mut all = Vec::new();
    for (place, bytes) in &asked.checkpoints {
        all.push(seen(place, bytes, &keys).map_err(anyhow::Error::msg)?);
    }
    let mut nothing_there = Vec::new();
    // Those that list what they have come first: then the others can be asked for logs that are gone, too.
    let (urls, buckets): (Vec<&String>, Vec<&String>) = args.witness.iter().partition(|place| is_url(place));
    for place in buckets {
        let endpoint = places::endpoint(args.endpoint_url.as_ref(), "S3");
        let Place { archive, bucket, prefix } = places::place(place, endpoint, trail.1)?;
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let found = seen_in(archive.as_ref(), place, &bucket, &prefix, trail, &keys).await?;
        if found.is_empty() {
            nothing_there.push(nothing_at(
                place,
                format!("it has no checkpoint of a log of this trail ({}…): is it the right place?", asked.trail),
            ));
        }
        all.extend(found);
    }
    let origins = origins(&asked.trail, &logs, &keys, &all, &subject.memory);
    for place in urls {
        let url = place.split('#').next().unwrap_or(place);
        let before = all.len();
        for origin in &origins {
            all.extend(told_by_witness(url, origin, &keys).await.map_err(anyhow::Error::msg)?);
        }
        if origins.is_empty() {
            let why = "no log is known that it could be asked for: name the log's key with --log-key";
            nothing_there.push(nothing_at(url, why.to_owned()));
        } else if all.len() == before {
            nothing_there.push(nothing_at(
                url,
                format!("it has seen no log of this trail ({}…): is it the right one?", asked.trail),
            ));
        }
    }
    let request = AuditRequest {
        archive: subject.archive,
        bucket: subject.bucket,
        prefix: subject.prefix,
        trail: subject.trail,
        keys,
        seen: all,
        start: subject.start,
        end: subject.end,
        memory: subject.memory,
        digests: subject.digests,
        parallel: subject.parallel,
    };
    let mut results = audit(request).await?;
    let is_told = results.findings.iter().any(|finding| matches!(finding, AuditFinding::Log { .. }));
    if is_wanted && results.logs.is_empty() && !is_told {
        let why = "not found: the trail has no transparency log in this bucket, or it was taken away".to_owned();
        results.findings.push(AuditFinding::Log { origin: format!("{}…", asked.trail), why });
    }
    results.findings.extend(nothing_there);
    Ok(Some(results))
}

/// Whether somebody asks for the log.
pub(crate) fn is_wanted(args: &ValidateLogsArgs) -> bool {
    !(args.log_key.is_empty() && args.checkpoint.is_empty() && args.witness.is_empty())
}

fn nothing_at(witness: &str, why: String) -> AuditFinding {
    AuditFinding::Witness { place: witness.to_owned(), why }
}

/// The names of all logs of the trail that anybody knows of: those that are there, and those that are gone.
fn origins(
    trail: &str,
    logs: &[ArchivedLog],
    keys: &LogKeys,
    seen: &[Seen],
    memory: &[AuditedLog],
) -> BTreeSet<String> {
    let there = logs.iter().filter_map(|log| log.folder.trim_end_matches('/').rsplit('/').next());
    let known = keys.given.iter().chain(&keys.told).map(VerifierKey::name);
    let known = known.chain(seen.iter().map(|seen| seen.checkpoint.origin.as_str()));
    let known = known.chain(memory.iter().map(|log| log.origin.as_str())).filter(|origin| origin.starts_with(trail));
    there.map(|began| format!("{trail}{began}")).chain(known.map(str::to_owned)).collect()
}

/// The keys that are given, or else those that an earlier run has seen, and that the OpenTrail at the endpoint tells.
async fn keys(args: &ValidateLogsArgs, given: Vec<VerifierKey>, subject: &Subject) -> anyhow::Result<LogKeys> {
    let mut told: Vec<VerifierKey> = subject.memory.iter().filter_map(|log| VerifierKey::parse(&log.key)).collect();
    if given.is_empty()
        && let Some(endpoint) = args.endpoint_url.clone().or_else(|| aws_keys::variable("AWS_ENDPOINT_URL"))
    {
        // AWS and others have no such page. What was seen before is not exchanged for what is told today.
        let today = told_logs(&endpoint).await.unwrap_or_default().into_iter().map(|log| log.key);
        let new: Vec<VerifierKey> = today.filter(|key| told.iter().all(|old| old.name() != key.name())).collect();
        told.extend(new);
    }
    Ok(LogKeys { given, told })
}

/// What there is to say at the end, in lines.
pub(crate) fn told(results: &AuditResults) -> Vec<String> {
    let mut lines = Vec::new();
    for log in &results.logs {
        let word = match (log.is_valid, log.is_signed) {
            (false, _) => "INVALID",
            (true, true) => "valid",
            (true, false) => "consistent, its signature not verified: name its key with --log-key",
        };
        lines.push(format!("transparency log {} with {} entries: {word}", log.origin, log.size));
    }
    if results.agreed > 0 {
        lines.push(format!("{} checkpoints seen before or elsewhere agree", results.agreed));
    }
    lines
}

/// The same as JSON.
pub(crate) fn summary(results: &AuditResults) -> Value {
    let log = |log: &trail::transparency::audit::LogVerdict| json!({"origin": log.origin, "entries": log.size, "valid": log.is_valid, "signatureVerified": log.is_signed});
    json!({
        "valid": results.findings.is_empty(),
        "logs": results.logs.iter().map(log).collect::<Vec<_>>(),
        "logFilesCompared": results.files,
        "checkpointsAgreed": results.agreed,
        "findings": results.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &AuditFinding) -> Value {
    match finding {
        AuditFinding::Log { origin, why } => json!({"kind": "transparency log", "origin": origin, "message": why}),
        AuditFinding::Witness { place, why } => json!({"kind": "witness", "place": place, "message": why}),
        AuditFinding::File { bucket, key, why } => {
            json!({"kind": "log", "bucket": bucket, "key": key, "message": why})
        }
    }
}
