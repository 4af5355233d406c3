//! The front door: parse, run, exit code.

mod app;
mod aws_keys;
mod bucket_policy;
mod cli;
mod config;
mod descriptors;
mod first_start;
mod identities;
mod identity_file;
#[cfg(feature = "lake")]
mod lake;
mod network_activity;
mod notify;
mod objects;
mod pages;
mod services;
mod telemetry;
mod tls;

use cli::say::{complain, plain, told};
use std::process::ExitCode;

/// Records are many small allocations that live for one call: measured at a tenth of the CPU time of a call.
/// Without transparent huge pages: a short command touches many of them once, and clearing them took a tenth of its time; a
/// server keeps a third less memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes of the contract: 0 done, 1 failed, 2 bad usage (clap's own, too).
const FAILED: u8 = 1;
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    // A dependency brings a second cryptography library; ours is chosen here, once. It is the first call: it cannot fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match cli::Cli::read().command {
        cli::Command::Serve(args) => cli::serve::run(args),
        cli::Command::Record(args) => cli::record::run(args),
        cli::Command::ValidateLogs(args) => cli::validate_logs::run(args),
        cli::Command::Prove(args) => cli::prove::run(args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain!("opentrail: {}", plain(told(&error)));
            ExitCode::from(if error.is::<config::ConfigError>() { BAD_USAGE } else { FAILED })
        }
    }
}
