//! Running another program: the only place of the crate that starts one.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program, its arguments and its variables, started in `dir`.
pub(crate) struct Run<'a> {
    command: Command,
    name: &'a str,
}

impl<'a> Run<'a> {
    pub(crate) fn new(program: &'a str, dir: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(dir);
        Run { command, name: program }
    }

    /// The cargo that runs us, so that a pinned toolchain stays pinned.
    pub(crate) fn cargo(dir: &Path) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(dir);
        Run { command, name: "cargo" }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs to the end with our output and no input; an error names the command and how it ended.
    pub(crate) fn show(mut self) -> Result<()> {
        let status = self.command.stdin(Stdio::null()).status().with_context(|| cannot_start(self.name))?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.line());
        }
        Ok(())
    }

    /// Runs to the end and gives what it wrote to standard output; its complaints become part of the error.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stdin(Stdio::null()).output().with_context(|| cannot_start(self.name))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{}` failed ({}): {}", self.line(), output.status, said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn line(&self) -> String {
        let mut line = self.name.to_owned();
        for arg in self.command.get_args() {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        line
    }
}

fn cannot_start(program: &str) -> String {
    format!("cannot start `{program}`; is it installed and on PATH?")
}

/// Whether `program` can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(started, Err(error) if error.kind() == io::ErrorKind::NotFound)
}
