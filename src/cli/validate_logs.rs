//! `opentrail validate-logs`: is an archive as it was delivered?

use crate::aws_keys::variable;
use crate::cli::ValidateLogsArgs;
use crate::cli::audit::{self, Subject};
use crate::cli::places::{credentials, endpoint};
use crate::cli::say::{complain, plain, say, told};
use crate::telemetry;
use anyhow::{Context, bail};
use event::EventTime;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trail::transparency::audit::{AuditResults, Listed, ListedFile, file_name};
use trail::verify::{
    Archive, Chain, CloudTrailApi, Counts, Finding, Folder, KeySource, Memory, Progress, PublicKeys, Request, Results,
    S3Archive, TrailInfo, Verdict, bucket_of, validate,
};

/// Exit codes: something is invalid; nothing can be said.
const INVALID: u8 = 1;
const CANNOT_TELL: u8 = 2;
/// Files that are read at once over a network. An OpenTrail records each read before it answers, many with one sync.
const PARALLEL: usize = 128;
/// A log tells of a file a moment after it was delivered. One that is behind the digests by more than this, seconds, is not written any more.
const TIME_TO_LOG: i64 = 3600;

/// Verifies, and says what was found.
pub(crate) fn run(args: Box<ValidateLogsArgs>) -> anyhow::Result<ExitCode> {
    telemetry::start_quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a thread of the runtime, not on this one: what each file is handed to and back from it costs two wake-ups.
    let verifying = runtime.spawn(async move { verify(&args).await });
    match runtime.block_on(verifying)? {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(INVALID)),
        Err(error) => {
            complain!("opentrail: {}", plain(told(&error)));
            Ok(ExitCode::from(CANNOT_TELL))
        }
    }
}

/// Whether everything is valid.
async fn verify(args: &ValidateLogsArgs) -> anyhow::Result<bool> {
    let arn = Arn::parse(&args.trail_arn).with_context(|| format!("Invalid trail ARN provided: {}", args.trail_arn))?;
    let now = EventTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64));
    let (start, end) = range(args, now)?;
    let asked = audit::asked(args, &arn.account, &arn.region, &arn.name)?;
    let region = args.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| arn.region.clone());
    let endpoint = |service: &str| endpoint(args.endpoint_url.as_ref(), service);

    // Who is asked, where somebody must be.
    let knows_place = args.s3_bucket.is_some() || args.local.is_some();
    let api = if knows_place && args.public_keys.is_some() {
        None
    } else {
        Some(CloudTrailApi::new(credentials()?, endpoint("CLOUDTRAIL"), region.clone()).map_err(anyhow::Error::msg)?)
    };
    // Where the archive is named, the trail may be gone.
    let described = match &api {
        Some(api) if knows_place => api.trail(&args.trail_arn).await.unwrap_or_default(),
        Some(api) => Some(
            api.trail(&args.trail_arn)
                .await?
                .with_context(|| format!("there is no trail {}; name its bucket with --s3-bucket", args.trail_arn))?,
        ),
        None => None,
    };
    let place = described.clone().filter(|_| !knows_place);
    let organization = match (&args.organization_id, &place) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(place)) if place.is_organization_trail => {
            let organizations = endpoint("ORGANIZATIONS");
            let asked = CloudTrailApi::organization_id(credentials()?, organizations, region.clone()).await;
            Some(asked.context("it is the trail of an organization: name that with --organization-id")?)
        }
        _ => None,
    };
    if organization.is_some() && args.account_id.is_none() {
        bail!("it is the trail of an organization: name the account with --account-id");
    }
    let home_account = arn.account.clone();
    let chain = Chain {
        prefix: args.s3_prefix.clone().or_else(|| place.as_ref().and_then(|place| place.prefix.clone())),
        organization,
        account: args.account_id.clone().unwrap_or(arn.account),
        region: region.clone(),
        trail: arn.name,
        home_region: arn.region,
    };
    let archive: Arc<dyn Archive> = match &args.local {
        Some(folder) => Arc::new(Folder::new(folder.clone())),
        None => Arc::new(S3Archive::new(credentials()?, endpoint("S3"), region)),
    };
    let bucket = match args.s3_bucket.clone().or(place.map(|place| place.bucket)) {
        Some(bucket) => bucket,
        None => bucket_of(archive.as_ref(), &chain).await?,
    };
    // What the trail delivers elsewhere by now says nothing about this place.
    let prefix = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
    let is_here = |trail: &TrailInfo| trail.bucket == bucket && prefix(&trail.prefix) == prefix(&chain.prefix);
    let is_here = described.as_ref().is_none_or(is_here);
    let has_digests = described.as_ref().is_none_or(|trail| trail.log_file_validation_enabled != Some(false));
    let is_going_on = is_here && has_digests;
    // A trail that is gone says nothing: then the archive must speak for itself.
    let latest_delivery = match api.as_ref().filter(|_| is_here) {
        Some(api) => api.latest_digest_delivery(&args.trail_arn).await.unwrap_or_default(),
        None => None,
    };
    let keys: Arc<dyn KeySource> = match (&args.public_keys, api) {
        (None, Some(api)) => Arc::new(api),
        (path, _) => Arc::new(read_keys(path.as_ref())?),
    };
    let name = format!("{} {bucket} {chain:?}", args.trail_arn);
    let memory = match &args.state {
        Some(path) => Memory::load(path, &name).map_err(anyhow::Error::msg)?,
        None => Memory::default(),
    };
    // A file that cannot be written is told before anything is read.
    if let Some(path) = &args.state {
        memory.save(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let parallel = args.parallel.map(usize::from).unwrap_or_else(|| match args.local {
        // One more for each processor, so that none waits for the next file.
        Some(_) => 2 * std::thread::available_parallelism().map_or(1, usize::from),
        None => PARALLEL,
    });

    let mut telling = Telling::new(args, &memory);
    telling.begin(&args.trail_arn, start, end);
    let mut subject = Subject {
        archive: Arc::clone(&archive),
        bucket: bucket.clone(),
        prefix: chain.prefix.clone(),
        trail: (home_account, chain.home_region.clone(), chain.trail.clone()),
        start,
        end,
        digests: Listed { folders: chain.log_folders().into(), ..Listed::default() },
        memory: memory.logs.clone(),
        parallel,
    };
    let request = Request { chain, bucket, start, end, now, parallel, latest_delivery, is_going_on, memory };
    let results = validate(archive, keys, request, &mut telling).await?;
    subject.digests.files = std::mem::take(&mut telling.listed);
    subject.digests.covered.clone_from(&results.covered);
    subject.digests.before = results.listed_before.iter().map(|key| file_name(key).to_owned()).collect();
    let written = |(_, to): (EventTime, EventTime)| EventTime(to.0.saturating_sub(TIME_TO_LOG));
    subject.digests.logged_until = results.found.map(written).filter(|_| audit::is_wanted(args));
    let audited = audit::look(args, asked, subject).await;
    let is_right = audited.as_ref().is_ok_and(|audited| audited.as_ref().is_none_or(|log| log.findings.is_empty()));
    if !is_right {
        // Files that no log could be asked about, or about which it says something else, are to be looked at again.
        telling.forget();
    }
    let audited = audited?;
    telling.end(&results, audited.as_ref(), start, end);
    let is_valid = is_right && !results.is_bad();
    match telling.unwritten.take().filter(|_| is_valid) {
        Some(error) => Err(error),
        None => Ok(is_valid),
    }
}

/// The parts of a trail's ARN.
struct Arn {
    region: String,
    account: String,
    name: String,
}

impl Arn {
    fn parse(text: &str) -> Option<Arn> {
        let mut parts = text.splitn(6, ':');
        let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?.strip_prefix("trail/")?);
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_arn = arn == "arn" && service == "cloudtrail" && is_account && !region.is_empty() && !name.is_empty();
        is_arn.then(|| Arn { region: region.to_owned(), account: account.to_owned(), name: name.to_owned() })
    }
}

fn range(args: &ValidateLogsArgs, now: EventTime) -> anyhow::Result<(EventTime, EventTime)> {
    let time = |text: &String| {
        parse_time(text).with_context(|| {
            format!(
                "Unable to parse date value: {text} (write 2026-01-15, 2026-01-15T10:02 or 2026-01-15T10:02:03Z, UTC)"
            )
        })
    };
    let start = time(&args.start_time)?;
    let end = args.end_time.as_ref().map(time).transpose()?.unwrap_or(now);
    anyhow::ensure!(start <= end, "Invalid time range specified: start-time must occur before end-time");
    Ok((start, end))
}

/// Times as people write them, in UTC: `2026-01-15`, `2026-01-15T10:02`, with seconds, with a `Z`.
fn parse_time(text: &str) -> Option<EventTime> {
    let text = text.trim().trim_end_matches("+00:00").trim_end_matches(['Z', 'z']).replace([' ', 't'], "T");
    let padded = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => format!("{text}Z"),
    };
    // A day or a second that no calendar has would be moved to the next one.
    EventTime::parse(&padded)
        .filter(|time| padded.get(..19) == time.to_string().get(..19) && !padded.starts_with("0000"))
}

fn read_keys(path: Option<&PathBuf>) -> anyhow::Result<PublicKeys> {
    let path = path.context("no public keys: name their file with --public-keys")?;
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (keys, _) = PublicKeys::parse(&text)
        .map_err(|error| anyhow::anyhow!("{} holds no public keys: {error}", path.display()))?;
    Ok(keys)
}

/// Says what is found, in lines or, at the end, as JSON.
struct Telling {
    verbose: bool,
    json: bool,
    state: Option<PathBuf>,
    bar: ProgressBar,
    /// As the AWS CLI has it: whether an empty line stands before the next one.
    spaced: bool,
    findings: Vec<Value>,
    /// Whether there is to be said that transparency logs are right.
    tells_logs: bool,
    /// The log files that digests list.
    listed: HashMap<String, ListedFile>,
    memory: Memory,
    /// What was remembered when the run began.
    memory_before: Memory,
    /// Why what is to be remembered was not written.
    unwritten: Option<anyhow::Error>,
}

impl Telling {
    fn new(args: &ValidateLogsArgs, memory: &Memory) -> Telling {
        // Draws nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} log files, {per_sec}, {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Telling {
            verbose: args.verbose,
            json: args.output == "json",
            state: args.state.clone(),
            bar,
            spaced: true,
            findings: Vec::new(),
            tells_logs: audit::is_wanted(args),
            listed: HashMap::new(),
            memory: memory.clone(),
            memory_before: memory.clone(),
            unwritten: None,
        }
    }

    /// Remembers nothing of this run's digests.
    fn forget(&mut self) {
        self.memory.stretches.clone_from(&self.memory_before.stretches);
        self.save_memory();
    }

    fn begin(&self, arn: &str, start: EventTime, end: EventTime) {
        if !self.json {
            self.bar.suspend(|| say!("Validating log files for trail {arn} between {start} and {end}\n"));
        }
    }

    fn end(&mut self, results: &Results, audited: Option<&AuditResults>, start: EventTime, end: EventTime) {
        self.bar.finish_and_clear();
        if let Some(audited) = audited {
            self.memory.logs.clone_from(&audited.memory);
            self.save_memory();
        }
        if self.json {
            let mut summary = self.summary(results, start, end);
            if let Some(audited) = audited {
                summary["valid"] = (!results.is_bad() && audited.findings.is_empty()).into();
                summary["transparency"] = audit::summary(audited);
            }
            say!("{summary:#}");
            return;
        }
        for finding in audited.into_iter().flat_map(|audited| &audited.findings) {
            let before = if self.spaced { "" } else { "\n" };
            self.spaced = true;
            complain!("{before}{finding}\n");
        }
        if !self.spaced {
            say!();
        }
        say!("Results requested for {start} to {end}");
        let told = [(&results.digests, "digest"), (&results.backfill, "backfill digest"), (&results.logs, "log")];
        let told: Vec<String> = told.iter().filter_map(|(counts, kind)| counts.told(kind)).collect();
        match results.found {
            Some((from, to)) => say!("Results found for {from} to {to}:"),
            None if results.digests == Counts::default() && results.backfill == Counts::default() => {
                say!("No digests found");
            }
            None => say!("No valid digests found in range"),
        }
        if !told.is_empty() {
            say!("\n{}", told.join("\n"));
        }
        if results.logs.unsigned > 0 {
            say!(
                "\nLog files are not verified where their digest has no signature: sync again when the next digest is there, which tells it,\nor put it beside the digest, into KEY.metadata.json (aws s3api head-object)"
            );
        }
        if results.remembered_digests > 0 {
            let Results { remembered_digests, remembered_logs, .. } = results;
            say!("{remembered_digests} digest files and {remembered_logs} log files were verified before");
        }
        // The AWS CLI knows no such logs: where they are right, only who asks for them is told.
        if let Some(audited) = audited.filter(|audited| self.tells_logs || !audited.findings.is_empty()) {
            say!("\n{}", audit::told(audited).join("\n"));
        }
    }

    fn save_memory(&mut self) {
        let Some(path) = &self.state else { return };
        let saved = self.memory.save(path).with_context(|| format!("cannot write {}", path.display()));
        self.unwritten = saved.err();
    }

    fn summary(&mut self, results: &Results, start: EventTime, end: EventTime) -> Value {
        let counts =
            |counts: &Counts| json!({"valid": counts.valid, "invalid": counts.invalid, "unsigned": counts.unsigned});
        json!({
            "valid": !results.is_bad(),
            "requested": {"start": start.to_string(), "end": end.to_string()},
            "found": results.found.map(|(from, to)| json!({"start": from.to_string(), "end": to.to_string()})),
            "digestFiles": counts(&results.digests),
            "backfillDigestFiles": counts(&results.backfill),
            "logFiles": counts(&results.logs),
            "missingStretches": results.missing,
            "verifiedBefore": {"digestFiles": results.remembered_digests, "logFiles": results.remembered_logs},
            "findings": std::mem::take(&mut self.findings),
        })
    }
}

impl Progress for Telling {
    fn found(&mut self, finding: &Finding) {
        if let Finding::Log { bucket, key, verdict } = finding {
            self.bar.inc(1);
            let is_valid = !matches!(verdict, Verdict::Invalid(_));
            let listed = ListedFile { bucket: bucket.clone(), key: key.clone(), is_valid };
            self.listed.insert(file_name(key).to_owned(), listed);
        }
        if finding.is_quiet() && !self.verbose {
            return;
        }
        if self.json {
            self.findings.push(as_json(finding));
        } else if finding.is_quiet() {
            self.spaced = false;
            self.bar.suspend(|| say!("{finding}"));
        } else {
            let before = if self.spaced { "" } else { "\n" };
            self.spaced = true;
            self.bar.suspend(|| complain!("{before}{finding}\n"));
        }
    }

    fn expect(&mut self, log_files: u64) {
        self.bar.inc_length(log_files);
    }

    fn remember(&mut self, memory: &Memory) {
        self.memory.clone_from(memory);
        self.save_memory();
    }
}

/// `{"kind":"log","bucket":…,"key":…,"verdict":"invalid","message":…}`.
fn as_json(finding: &Finding) -> Value {
    let file = |kind: &str, bucket: &str, key: &str, verdict: &Verdict| {
        let (word, message) = match verdict {
            Verdict::Valid => ("valid", None),
            Verdict::Invalid(why) => ("invalid", Some(why)),
            Verdict::Unsigned => ("unsigned", None),
        };
        json!({"kind": kind, "bucket": bucket, "key": key, "verdict": word, "message": message})
    };
    match finding {
        Finding::Digest { backfill: false, bucket, key, verdict } => file("digest", bucket, key, verdict),
        Finding::Digest { bucket, key, verdict, .. } => file("backfill digest", bucket, key, verdict),
        Finding::Log { bucket, key, verdict } => file("log", bucket, key, verdict),
        Finding::Gap { from, to, .. } => json!({"kind": "gap", "from": from, "to": to}),
        Finding::Missing { from, to, why, .. } => {
            json!({"kind": "missing digests", "from": from, "to": to, "verdict": "invalid", "message": why})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let ten = Some(EventTime(1_768_471_200));
        for text in [
            "2026-01-15T10:00:00Z",
            "2026-01-15T10:00:00",
            "2026-01-15 10:00",
            "2026-01-15T10:00:00.5Z",
            "2026-01-15T10:00:00+00:00",
        ] {
            assert_eq!(parse_time(text), ten, "{text}");
        }
        assert_eq!(parse_time("2026-01-15"), Some(EventTime(1_768_435_200)));
        for text in ["", "yesterday", "2026-13-01", "2026-01-15T10"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_refused_and_not_moved() {
        for text in ["2026-02-30", "2026-02-29", "2026-04-31T10:00", "2026-01-15T06:00:60Z", "0000-01-01", "2026-00-10"]
        {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert!(parse_time("2024-02-29").is_some() && parse_time("0001-01-01").is_some());
    }

    #[test]
    fn an_arn_has_all_its_parts() {
        let arn = Arn::parse("arn:aws:cloudtrail:eu-west-1:111122223333:trail/main").unwrap();
        assert_eq!(
            (arn.region.as_str(), arn.account.as_str(), arn.name.as_str()),
            ("eu-west-1", "111122223333", "main")
        );
        for text in
            ["", "main", "arn:aws:s3:::b", "arn:aws:cloudtrail:r:1:trail/x", "arn:aws:cloudtrail:r:111122223333:trail/"]
        {
            assert!(Arn::parse(text).is_none(), "{text}");
        }
    }
}
