//! `opentrail record -- COMMAND…`: a command, and the AWS calls that it makes.

use crate::cli::RecordArgs;
use crate::config::{self, ConfigError};
use crate::identity_file;
use crate::telemetry;
use anyhow::Context;
use capture::{Answer, Audit, Bound, Edge, KnownIdentities, Local, LocalCall, Recorder, RecorderConfig};
use event::{Event, Field};
use journal::{Durability, Journal, Options, ReadLimit};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
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
    let stated = match &args.identities {
        Some(path) => identity_file::read(path, &args.account).map_err(ConfigError::from)?,
        None => identity_file::StatedIdentities::new(),
    };
    let endpoints = endpoints(std::env::vars());
    let values = if args.upstream.is_empty() { upstream_values(&endpoints) } else { args.upstream.clone() };
    if values.is_empty() {
        return Err(ConfigError::NoUpstream.into());
    }
    let routes = config::routes(&values)?.with_nothing_local();
    let upstream_tls = crate::tls::upstream(&routes)?;

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
    let events = read_all(&journal)?;
    if let Some(path) = &args.output {
        write_records(path, &events).with_context(|| format!("cannot write {}", path.display()))?;
    }
    show(&events);
    let status = status?;
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

/// The endpoint variables of an environment.
fn endpoints(variables: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    variables.filter(|(name, value)| name.starts_with(ENDPOINT) && !value.is_empty()).collect()
}

/// The same as `--upstream` values: `AWS_ENDPOINT_URL_S3=URL` is `s3=URL`.
fn upstream_values(endpoints: &BTreeMap<String, String>) -> Vec<String> {
    let value = |(name, url): (&String, &String)| match name.strip_prefix(ENDPOINT)?.strip_prefix('_') {
        None => Some(url.clone()),
        Some(service) => Some(format!("{}={url}", service.to_ascii_lowercase().replace('_', "-"))),
    };
    endpoints.iter().filter_map(value).collect()
}

fn run_command(
    command: &[std::ffi::OsString],
    recorder: SocketAddr,
    endpoints: &BTreeMap<String, String>,
) -> anyhow::Result<std::process::ExitStatus> {
    let (program, arguments) = command.split_first().context("no command was given")?;
    let mut child = std::process::Command::new(program);
    let url = format!("http://{recorder}");
    child.args(arguments).env(ENDPOINT, &url);
    for name in endpoints.keys() {
        child.env(name, &url);
    }
    child.status().with_context(|| format!("cannot run {}", program.to_string_lossy()))
}

fn signal_of(status: std::process::ExitStatus) -> i32 {
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

/// `{"Records":[…]}`, the records byte for byte.
fn write_records(path: &Path, events: &[Event]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
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
fn show(events: &[Event]) {
    use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
    let mut table = Table::new();
    let coloured = std::io::stdout().is_terminal();
    table.load_preset(if coloured { presets::UTF8_HORIZONTAL_ONLY } else { presets::NOTHING });
    table.set_content_arrangement(if coloured { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
    table.set_header(["TIME", "PRINCIPAL", "SERVICE", "ACTION", "RESOURCE", "RESULT"]);
    for event in events {
        let service = event.source().trim_end_matches(".amazonaws.com");
        let result = event.get(Field::ErrorCode);
        let mut outcome = Cell::new(result.unwrap_or("ok"));
        if coloured {
            outcome = outcome.fg(if result.is_some() { Color::Red } else { Color::Green });
        }
        table.add_row([
            Cell::new(event.time().to_string()),
            Cell::new(principal(event)),
            Cell::new(service),
            Cell::new(event.name()),
            Cell::new(resource(event)),
            outcome,
        ]);
    }
    println!("{table}");
    println!("{} calls recorded", events.len());
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

    #[test]
    fn upstreams_come_from_the_environment() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://a:1"),
            ("AWS_ENDPOINT_URL_S3", "http://b:2"),
            ("AWS_ENDPOINT_URL_COGNITO_IDP", "http://c:3"),
            ("AWS_REGION", "x"),
        ];
        let found = endpoints(variables.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(upstream_values(&found), ["http://a:1", "cognito-idp=http://c:3", "s3=http://b:2"]);
    }
}
