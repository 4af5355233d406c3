//! The tools that the steps need and a fresh machine lacks. Everything is made inside the target directory, pinned, and
//! kept until its recipe changes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{self, Run};

/// The version that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Where cargo builds: `CARGO_TARGET_DIR` if set (relative to the workspace, as for cargo), else `target`.
fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root.join(dir),
        _ => root.join("target"),
    }
}

/// Checks the dependencies by `deny.toml`. Advisories need a git fetch, which many machines may not do: only if asked.
pub(crate) fn deny(root: &Path, advisories: bool) -> Result<()> {
    let home = target_dir(root).join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = home.join("bin/cargo-deny");
    if !program.exists() {
        println!("building cargo-deny {CARGO_DENY} once (a few minutes)");
        let scratch = target_dir(root).join("tools/build");
        Run::cargo(root)
            .args([
                "install",
                "--quiet",
                "--debug",
                "--locked",
                "--version",
                CARGO_DENY,
                "--no-default-features",
                "--root",
            ])
            .args([&home])
            .args(["cargo-deny"])
            .env("CARGO_TARGET_DIR", &scratch)
            .show()
            .context("cannot build cargo-deny from the crates registry")?;
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    }
    let program = program.to_string_lossy();
    let mut checks = vec!["bans", "licenses", "sources"];
    if advisories {
        checks.push("advisories");
    }
    Run::new(&program, root).args(["--workspace", "check", "--hide-inclusion-graph"]).args(checks).show()
}

/// Builds the binary and runs `tests/e2e` against it. `OPENTRAIL_BIN` names another binary to test.
pub(crate) fn end_to_end(root: &Path, release: bool, pytest: &[String]) -> Result<()> {
    let python = environment(root)?;
    let binary = match std::env::var_os("OPENTRAIL_BIN") {
        Some(binary) => PathBuf::from(binary),
        None => build(root, release)?,
    };
    let temp = tempfile::Builder::new().prefix("opentrail-e2e-").tempdir().context("cannot make a temporary folder")?;
    Run::new(&python.to_string_lossy(), &root.join("tests"))
        .args(["-m", "pytest", "e2e"])
        .args(pytest)
        .env("OPENTRAIL_BIN", binary)
        .env("TMPDIR", temp.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .show()
}

/// Runs `bench/proxy.py` with the environment of the end-to-end tests, on a release build.
pub(crate) fn bench(root: &Path, args: &[String]) -> Result<()> {
    let python = environment(root)?;
    let binary = build(root, true)?;
    Run::new(&python.to_string_lossy(), root).args(["bench/proxy.py"]).args(args).env("OPENTRAIL_BIN", binary).show()
}

/// `--workspace` so that cargo chooses the same features as for the tests before, and builds nothing twice.
fn build(root: &Path, release: bool) -> Result<PathBuf> {
    let (arguments, folder) = if release { (&["--release"][..], "release") } else { (&[][..], "debug") };
    Run::cargo(root).args(["build", "--locked", "--workspace", "--bin", "opentrail"]).args(arguments).show()?;
    Ok(target_dir(root).join(folder).join("opentrail"))
}

/// The Python of the tests' own environment, made when missing or when `tests/requirements.txt` changed.
fn environment(root: &Path) -> Result<PathBuf> {
    let requirements = root.join("tests/requirements.txt");
    let wanted =
        fs::read_to_string(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let base = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let version = python_version(root, &base)?;

    let home = target_dir(root).join("tools/python");
    let python = home.join("bin/python");
    let recipe = format!("{version}\n{wanted}");
    let stamp = home.join("recipe");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        return Ok(python);
    }

    println!("making a Python environment with the AWS CLI, boto3 and moto (a minute)");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove the old {}", home.display()))?;
    }
    make_environment(root, &base, &home)?;
    Run::new(&python.to_string_lossy(), root)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"])
        .args([&requirements])
        .show()
        .context("cannot install tests/requirements.txt from PyPI")?;
    fs::write(&stamp, recipe).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

fn python_version(root: &Path, base: &str) -> Result<String> {
    let said = Run::new(base, root).args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).output()?;
    let version = said.trim().to_owned();
    if !new_enough(&version) {
        bail!("the tests need Python 3.11 or newer and `{base}` is {version}; set PYTHON to a newer one");
    }
    Ok(version)
}

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 11)
}

/// Debian keeps `venv` in a package of its own: if it is what is missing, and we may, we install it.
fn make_environment(root: &Path, base: &str, home: &Path) -> Result<()> {
    let make = || Run::new(base, root).args(["-m", "venv"]).args([home]).output();
    let Err(missing) = make() else { return Ok(()) };
    if process::exists("apt-get") && Run::new("id", root).args(["-u"]).output().is_ok_and(|id| id.trim() == "0") {
        println!("installing the Debian package python3-venv");
        Run::new("apt-get", root).args(["update", "-qq"]).show()?;
        Run::new("apt-get", root).args(["install", "-y", "-qq", "python3-venv"]).show()?;
        return make().map(drop);
    }
    Err(missing.context("cannot make a Python environment; on Debian: sudo apt-get install python3-venv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_are_compared_as_numbers() {
        assert!(new_enough("3.11.2"));
        assert!(new_enough("3.12.0"));
        assert!(new_enough("4.0.0"));
        assert!(!new_enough("3.9.18"));
        assert!(!new_enough("nonsense"));
    }
}
