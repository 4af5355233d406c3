//! `opentrail record -- COMMAND…`: a command, and the AWS calls that it makes.

use crate::cli::RecordArgs;
use crate::cli::say::{complain, plain, told};
use crate::config::{self, ConfigError};
use crate::identity_file;
use crate::telemetry;
use anyhow::Context;
use capture::{Answer, Audit, Bound, Edge, KnownIdentities, Local, LocalCall, Recorder, RecorderConfig};
use event::{Event, Field};
use journal::{Durability, Journal, Options, ReadLimit};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

/// The variable that names an endpoint for every service; with `_SERVICE` behind it, for one.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// Keys whose identity one run can learn.
const IDENTITIES: usize = 10_000;
/// How long calls in flight may take after the command has ended.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the command with its calls recorded; ends with the command's own exit code.
pub(crate) fn run(args: RecordArgs) -> anyhow::Result<ExitCode> {
    telemetry::start_quiet();
    config::check_account(&args.account)?;
    config::check_region(&args.region)?;
    let stated = match &args.identities {
        Some(path) => identity_file::read(path, &args.account).map_err(ConfigError::from)?,
        None => identity_file::StatedIdentities::new(),
    };
    let endpoints = endpoints(std::env::vars_os());
    let values = if args.upstream.is_empty() { upstream_values(&endpoints) } else { args.upstream.clone() };
    if values.is_empty() {
        return Err(ConfigError::NoUpstream.into());
    }
    let routes = config::routes(&values)?.with_nothing_local();
    let upstream_tls = crate::tls::upstream(&routes)?;
    // A file that cannot be written is told before anything is run.
    let output = args.output.as_deref().map(|path| create(path).map(|file| (path, file))).transpose()?;

    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let journal = Journal::open(folder.path(), Options { durability: Durability::Buffered, ..Options::default() })?;
    let recorder = Recorder::new(
        aws::Catalog::embedded(),
        RecorderConfig { account_id: args.account.clone(), region: args.region.clone(), record_unauthenticated: false },
        Arc::new(KnownIdentities::new(IDENTITIES).with_stated(stated)),
        || uuid::Uuid::new_v4().as_u128(),
    );
    let bound = Bound::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).context("cannot listen on 127.0.0.1")?;
    let address = bound.address()?;
    let nobody: Arc<dyn Local> = Arc::new(Nobody);
    let running = bound.start(Edge {
        recorder: Arc::new(recorder),
        appender: journal.appender(),
        audit: Audit::FailClosed,
        routes,
        local: Arc::clone(&nobody),
        own: nobody,
        metrics: capture::Metrics::default(),
        tls: None,
        upstream_tls,
        connections_max: crate::descriptors::connections_max(),
        trusted_proxies: capture::TrustedProxies::default(),
        client_limits: capture::ClientLimits::default(),
        threads: 1,
    })?;

    let status = run_command(&args.command, address, &endpoints);
    running.drain(GRACE);
    let kept = read_all(&journal).and_then(|events| keep(&events, output));
    let status = status?;
    match kept {
        Err(error) if !status.success() => complain!("opentrail: {}", plain(told(&error))),
        kept => kept?,
    }
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        // Ended by a signal: the shell's convention.
        None => ExitCode::from(128u8.saturating_add(signal_of(status) as u8)),
    })
}

/// In a private recorder nothing is served.
struct Nobody;

impl Local for Nobody {
    fn call(&self, _: LocalCall) -> Answer {
        let mut response = crate::services::whole(http::Response::default());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Box::pin(std::future::ready(response))
    }
}

/// The endpoint variables of an environment; what is no text is no endpoint.
fn endpoints(variables: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let texts = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, value)| name.starts_with(ENDPOINT) && !value.is_empty()).collect()
}

/// The same as `--upstream` values: `AWS_ENDPOINT_URL_S3=URL` is `s3=URL`.
fn upstream_values(endpoints: &BTreeMap<String, String>) -> Vec<String> {
    let value = |(name, url): (&String, &String)| match name.strip_prefix(ENDPOINT)?.strip_prefix('_') {
        None => Some(url.clone()),
        Some(service) => Some(format!("{}={url}", service.to_ascii_lowercase().replace('_', "-"))),
    };
    endpoints.iter().filter_map(value).collect()
}

/// Runs the command to its end. Signals end the command, not the recorder, which has yet to write what it recorded.
fn run_command(
    command: &[OsString],
    recorder: SocketAddr,
    endpoints: &BTreeMap<String, String>,
) -> anyhow::Result<ExitStatus> {
    use tokio::signal::unix::{SignalKind, signal};
    let (program, arguments) = command.split_first().context("no command was given")?;
    let mut command = tokio::process::Command::new(program);
    let url = format!("http://{recorder}");
    command.args(arguments).env(ENDPOINT, &url);
    for name in endpoints.keys() {
        command.env(name, &url);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let cannot_run = || format!("cannot run {}", program.to_string_lossy());
        let mut child = command.spawn().with_context(cannot_run)?;
        loop {
            tokio::select! {
                status = child.wait() => return status.with_context(cannot_run),
                // A terminal sends it to all that run in it, and so to the command.
                _ = interrupt.recv() => {}
                _ = terminate.recv() => terminate_child(&child),
            }
        }
    })
}

fn terminate_child(child: &tokio::process::Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    // One that has ended meanwhile needs no signal.
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
}

fn signal_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.signal().unwrap_or_default()
}

fn read_all(journal: &Journal) -> anyhow::Result<Vec<Event>> {
    let mut reader = journal.reader(journal.start());
    let mut events = Vec::new();
    loop {
        let batch = reader.read(ReadLimit::default())?;
        if batch.is_empty() {
            return Ok(events);
        }
        events.extend(batch.into_iter().map(|entry| entry.event));
    }
}

/// Opens the file for the records, readable by its owner alone. What is in it stays until there are others: the command may read it.
fn create(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
    file.with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Shows the records and writes them; those that cannot be written are shown all the same.
fn keep(events: &[Event], output: Option<(&Path, File)>) -> anyhow::Result<()> {
    let shown = writeln!(std::io::stdout(), "{}\n{} calls recorded", table(events), events.len());
    if let Some((path, file)) = output {
        write_records(file, events).with_context(|| cannot_write(path))?;
    }
    match shown {
        // Nobody reads any more, as behind `| head`: the command's exit code stands.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        shown => shown.context("cannot write to standard output"),
    }
}

/// `{"Records":[…]}`, the records byte for byte.
fn write_records(file: File, events: &[Event]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    let mut file = std::io::BufWriter::new(file);
    file.write_all(b"{\"Records\":[")?;
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            file.write_all(b",")?;
        }
        file.write_all(event.json())?;
    }
    file.write_all(b"]}\n")?;
    file.flush()
}

/// The calls as a table: time, principal, service, action, resource, result.
fn table(events: &[Event]) -> comfy_table::Table {
    use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
    let mut table = Table::new();
    let coloured = std::io::stdout().is_terminal();
    table.load_preset(if coloured { presets::UTF8_HORIZONTAL_ONLY } else { presets::NOTHING });
    table.set_content_arrangement(if coloured { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
    table.set_header(["TIME", "PRINCIPAL", "SERVICE", "ACTION", "RESOURCE", "RESULT"]);
    for event in events {
        let service = event.source().trim_end_matches(".amazonaws.com");
        let result = event.get(Field::ErrorCode);
        let mut outcome = Cell::new(plain(result.unwrap_or("ok")));
        if coloured {
            outcome = outcome.fg(if result.is_some() { Color::Red } else { Color::Green });
        }
        table.add_row([
            Cell::new(event.time().to_string()),
            Cell::new(plain(principal(event))),
            Cell::new(plain(service)),
            Cell::new(plain(event.name())),
            Cell::new(plain(resource(event))),
            outcome,
        ]);
    }
    table
}

/// The shortest name that says who called.
fn principal(event: &Event) -> String {
    let arn_name = |arn: &str| arn.splitn(6, ':').nth(5).map(str::to_owned);
    event
        .get(Field::IdentityArn)
        .and_then(arn_name)
        .or_else(|| event.lookup_user_name().map(str::to_owned))
        .or_else(|| event.get(Field::AccessKeyId).map(str::to_owned))
        .or_else(|| event.get(Field::IdentityType).map(str::to_owned))
        .unwrap_or_default()
}

/// What the call acted on: the first ARN, or the first short text among the parameters.
fn resource(event: &Event) -> String {
    if let Some(arn) = event.resources().find_map(|resource| resource.arn) {
        return arn.to_owned();
    }
    let record: serde_json::Value = serde_json::from_slice(event.json()).unwrap_or_default();
    let parameters = record.get("requestParameters").and_then(|value| value.as_object());
    let named = |endings: &[&str]| {
        let fits = |name: &str| endings.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
        parameters?.iter().filter(|(name, _)| fits(name)).find_map(|(_, value)| value.as_str())
    };
    named(&["arn"]).or_else(|| named(&["name", "id", "url", "key"])).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn upstreams_come_from_the_environment() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://a:1"),
            ("AWS_ENDPOINT_URL_S3", "http://b:2"),
            ("AWS_ENDPOINT_URL_COGNITO_IDP", "http://c:3"),
            ("AWS_REGION", "x"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let no_text: (OsString, OsString) = ("AWS_ENDPOINT_URL_SQS".into(), OsStr::from_bytes(b"\xff").into());
        let found = endpoints(variables.into_iter().chain([no_text]));
        assert_eq!(upstream_values(&found), ["http://a:1", "cognito-idp=http://c:3", "s3=http://b:2"]);
    }
}
