//! `cargo xtask models`: makes `models/aws.bin`, the compact table of every operation of every AWS service, from the
//! public service models in the `botocore` package of PyPI.
//!
//! The package is pinned by version and hash, the order of everything is fixed, and the compressor is pinned by
//! `Cargo.lock`: the same commit always makes the same bytes, which `--check` proves.

mod compile;
mod interner;
mod readme;
mod sqs;
mod wheel;
mod write;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The package: raise all three together, run `cargo xtask models`, and commit what changed in `models/`.
const BOTOCORE_VERSION: &str = "1.44.5";
const RETRIEVED: &str = "2026-11-22";
const BOTOCORE_SHA256: &str = "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921";

/// Make the table of AWS operations from the public service models
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the committed files differ from what would be made
    #[arg(long)]
    check: bool,
    /// Use this wheel instead of downloading it (its hash is checked all the same)
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
}

/// Downloads the package, compiles the table, and writes or compares the files of `models/`.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let path = match &args.wheel {
        Some(path) => path.clone(),
        None => wheel::download(BOTOCORE_VERSION, folder.path())?,
    };
    let wheel = wheel::Wheel::open(&path, BOTOCORE_SHA256)?;
    let services = wheel.services()?.iter().map(compile::service).collect::<Result<Vec<_>>>()?;
    let table = write::table(&services)?;
    let counts = readme::Counts::of(&services, table.len());
    let readme = readme::text(BOTOCORE_VERSION, RETRIEVED, BOTOCORE_SHA256, &counts);
    let files = [
        ("aws.bin", table),
        ("README.md", readme.into_bytes()),
        ("LICENSE-botocore.txt", wheel.text("LICENSE.txt")?.into_bytes()),
        ("NOTICE-botocore.txt", wheel.text("NOTICE")?.into_bytes()),
    ];
    println!("{counts}");
    for (name, made) in files {
        let path = root.join("models").join(name);
        if !args.check {
            std::fs::write(&path, made).with_context(|| format!("cannot write {}", path.display()))?;
        } else if std::fs::read(&path).ok().as_deref() != Some(&made) {
            bail!("models/{name} is not what this commit makes: run `cargo xtask models` and commit the result");
        }
    }
    Ok(())
}
