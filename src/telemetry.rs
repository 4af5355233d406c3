//! Log lines: to standard error, filtered by `OPENTRAIL_LOG` (as `RUST_LOG`), for people or for machines.

use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What is to be logged.
const VARIABLE: &str = "OPENTRAIL_LOG";

/// What is logged where the variable says nothing. `s3s` would call each mistake of a client an error, and print requests
/// with their session tokens: it is heard at no level.
const DEFAULT_FILTER: &str = "info,s3s=off,hyper=warn,rustls=warn,h2=warn";

/// What is logged by a command whose output is its own.
const QUIET_FILTER: &str = "warn,s3s=off";

/// Starts logging for the server; called once.
pub(crate) fn start(format: LogFormat) {
    start_with(format, DEFAULT_FILTER);
}

/// Starts logging for a command that people run: warnings only.
pub(crate) fn start_quiet() {
    start_with(LogFormat::Text, QUIET_FILTER);
}

fn start_with(format: LogFormat, default: &str) {
    let asked = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty());
    let asked = asked.map_or_else(|| default.to_owned(), |asked| asked.to_string_lossy().into_owned());
    // Whatever is asked for: secrets are never logged.
    let (filter, refused) = match EnvFilter::try_new(format!("{asked},s3s=off")) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // It would say that a line cannot be written with `eprintln!`, which panics where standard error is gone: records and
    // deliveries go on when the log's disk is full or its collector has ended.
    let lines = lines.log_internal_errors(false);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
    if let Some(error) = refused {
        tracing::warn!(variable = VARIABLE, value = asked, %error, default, "what is to be logged cannot be read; the default is");
    }
}
