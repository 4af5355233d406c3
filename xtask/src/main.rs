//! The chores of the house, in Rust, so that a fresh machine needs no other tool to run them.
//!
//! `cargo xtask test` is the one command that says whether a change is good. It makes what it needs (a pinned
//! `cargo-deny`, a Python environment with the AWS CLI, boto3 and moto) inside the target directory and leaves the
//! machine as it was. What is to be done is data ([`test::STEPS`], [`tidy::check`]); how to run a process is one small
//! file ([`process`]).

mod models;
mod process;
mod test;
mod tidy;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Test, tidy, measure and generate.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Format, lints, tidy tests, unit and property tests, licences, end-to-end tests: everything, in this order
    Test(test::Args),
    /// Check the rules of the house that no compiler knows (walls between rooms, lengths, links)
    Tidy,
    /// Make models/aws.bin, the table of every AWS operation, from the public service models
    Models(models::Args),
    /// Measure the proxy against nginx and HAProxy (bench/README.md tells how to read it)
    Bench {
        /// Passed to bench/proxy.py, for example `--seconds 5 --only small`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let root = workspace_root();
    let done = match Cli::parse().chore {
        Chore::Test(args) => test::run(&root, &args),
        Chore::Tidy => tidy::run(&root),
        Chore::Models(args) => models::run(&root, &args),
        Chore::Bench { args } => tools::bench(&root, &args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: the parent of this crate's own folder.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
