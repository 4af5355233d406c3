//! The part of `opentrail validate-logs` that looks at the trail's transparency log.

use crate::cli::ValidateLogsArgs;
use crate::cli::places::{self, Place, told_logs};
use anyhow::Context;
use event::EventTime;
use serde_json::{Value, json};
use std::sync::Arc;
use trail::transparency::archived::ArchivedLog;
use trail::transparency::audit::{AuditFinding, AuditRequest, AuditResults, AuditedLog, Listed, Seen, audit};
use trail::transparency::note::VerifierKey;
use trail::transparency::seen::{seen, seen_in, told_by_witness};
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

/// Looks at the logs; `None` where the trail has none and nobody says that it should.
pub(crate) async fn look(args: &ValidateLogsArgs, subject: Subject) -> anyhow::Result<Option<AuditResults>> {
    let (account, region, name) = subject.trail.clone();
    let trail = (account.as_str(), region.as_str(), name.as_str());
    let is_asked = !(args.log_key.is_empty()
        && args.checkpoint.is_empty()
        && args.witness.is_empty()
        && subject.memory.is_empty());
    let logs = ArchivedLog::of_trail(&subject.archive, &subject.bucket, subject.prefix.as_deref(), trail).await;
    let logs = match logs {
        Ok(logs) if logs.is_empty() && !is_asked => return Ok(None),
        // Who may read digests and log files of an archive may not be allowed to look for more.
        Err(_) if !is_asked => return Ok(None),
        logs => logs?,
    };
    let keys = keys(args, &subject).await?;
    let mut all = Vec::new();
    for path in &args.checkpoint {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        all.push(seen(&path.display().to_string(), &bytes, &keys).map_err(anyhow::Error::msg)?);
    }
    for place in &args.witness {
        all.extend(witnessed(args, place, trail, &logs, &keys).await?);
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
    Ok(Some(audit(request).await?))
}

/// The keys that are given, that an earlier run has seen, or that the OpenTrail at the endpoint tells.
async fn keys(args: &ValidateLogsArgs, subject: &Subject) -> anyhow::Result<Vec<VerifierKey>> {
    let mut keys = places::keys(&args.log_key)?;
    keys.extend(subject.memory.iter().filter_map(|log| VerifierKey::parse(&log.key)));
    if keys.is_empty()
        && let Some(endpoint) = args.endpoint_url.clone().or_else(|| places::variable("AWS_ENDPOINT_URL"))
    {
        // AWS and others have no such page.
        keys.extend(told_logs(&endpoint).await.unwrap_or_default().into_iter().map(|log| log.key));
    }
    Ok(keys)
}

/// What a witness has seen of the trail's logs.
async fn witnessed(
    args: &ValidateLogsArgs,
    place: &str,
    trail: (&str, &str, &str),
    logs: &[ArchivedLog],
    keys: &[VerifierKey],
) -> anyhow::Result<Vec<Seen>> {
    if place.starts_with("http://") || place.starts_with("https://") {
        let url = place.split('#').next().unwrap_or(place);
        let mut all = Vec::new();
        for log in logs {
            let began = log.folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let origin = format!("opentrail/{}/{}/{}/{began}", trail.0, trail.1, trail.2);
            all.extend(told_by_witness(url, &origin, keys).await.map_err(anyhow::Error::msg)?);
        }
        return Ok(all);
    }
    let endpoint = places::endpoint(args.endpoint_url.as_ref(), "S3");
    let Place { archive, bucket, prefix } = places::place(place, endpoint, trail.1)?;
    let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    Ok(seen_in(archive.as_ref(), place, &bucket, &prefix, trail, keys).await?)
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
        AuditFinding::File { bucket, key, why } => {
            json!({"kind": "log", "bucket": bucket, "key": key, "message": why})
        }
    }
}
