//! `cargo xtask test`: the steps, in the order in which they are cheapest to fail, and the loop that runs them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::process::Run;
use crate::{tidy, tools};

/// Which steps to run and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these kinds of steps; may be given several times
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// Also check dependencies against the public advisory database (needs to reach GitHub)
    #[arg(long)]
    advisories: bool,
    /// Run the end-to-end tests against a release build
    #[arg(long)]
    release: bool,
    /// Passed to pytest, for example `-- -k lookup -x`
    #[arg(last = true)]
    pytest: Vec<String>,
}

/// The kinds of steps that a person may ask for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum Kind {
    /// rustfmt, as a check
    Format,
    /// The rules of the house that no compiler knows
    Tidy,
    /// Clippy with warnings as errors, with and without the default features
    Lint,
    /// Licences, sources and doubled versions of the dependencies; the lock file of the fuzz targets
    Deny,
    /// Unit, property and golden tests of the whole workspace
    Unit,
    /// The real binary with the AWS CLI, boto3 and moto
    E2e,
}

/// One thing that must hold.
pub(crate) struct Step {
    kind: Kind,
    promise: &'static str,
    action: Action,
}

enum Action {
    Cargo(&'static [&'static str]),
    Tidy,
    Deny,
    EndToEnd,
}

/// Everything that must hold before a change is good: the quick checks first.
pub(crate) const STEPS: &[Step] = &[
    Step { kind: Kind::Format, promise: "the code is formatted", action: Action::Cargo(&["fmt", "--all", "--check"]) },
    Step { kind: Kind::Tidy, promise: "the house is tidy", action: Action::Tidy },
    Step {
        kind: Kind::Deny,
        promise: "the lock file of the fuzz targets is up to date",
        action: Action::Cargo(&["tree", "--manifest-path", "fuzz/Cargo.toml", "--locked", "--depth", "0"]),
    },
    Step {
        kind: Kind::Lint,
        promise: "clippy has nothing to say",
        action: Action::Cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    },
    Step {
        kind: Kind::Lint,
        promise: "clippy has nothing to say without the lake",
        action: Action::Cargo(&["clippy", "--workspace", "--no-default-features", "--locked", "--", "-D", "warnings"]),
    },
    Step {
        kind: Kind::Unit,
        promise: "unit, property and golden tests pass",
        action: Action::Cargo(&["test", "--workspace", "--locked"]),
    },
    Step { kind: Kind::Deny, promise: "dependencies are ours to use", action: Action::Deny },
    Step { kind: Kind::E2e, promise: "real clients get what they expect", action: Action::EndToEnd },
];

/// Runs the chosen steps; the first that fails ends the run.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let chosen: Vec<&Step> = STEPS.iter().filter(|step| wanted(step.kind, &args.only)).collect();
    let begun = Instant::now();
    let mut times = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", index + 1, chosen.len(), name(step.kind), step.promise);
        let started = Instant::now();
        act(root, &step.action, args).with_context(|| {
            format!(
                "step {} failed: {} (again alone: cargo xtask test --only {})",
                index + 1,
                step.promise,
                name(step.kind)
            )
        })?;
        times.push((step, started.elapsed()));
        println!("==> done in {}", seconds(started.elapsed()));
    }
    println!("\nall {} steps passed in {}", chosen.len(), seconds(begun.elapsed()));
    for (step, time) in times {
        println!("  {:>8}  {:<6}  {}", seconds(time), name(step.kind), step.promise);
    }
    Ok(())
}

fn act(root: &Path, action: &Action, args: &Args) -> Result<()> {
    match action {
        Action::Cargo(arguments) => Run::cargo(root).args(*arguments).show(),
        Action::Tidy => tidy::run(root),
        Action::Deny => tools::deny(root, args.advisories),
        Action::EndToEnd => tools::end_to_end(root, args.release, &args.pytest),
    }
}

/// No choice means everything.
fn wanted(kind: Kind, only: &[Kind]) -> bool {
    only.is_empty() || only.contains(&kind)
}

fn name(kind: Kind) -> String {
    kind.to_possible_value().map_or_else(|| format!("{kind:?}"), |value| value.get_name().to_owned())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_can_be_asked_for_has_a_step() {
        for kind in Kind::value_variants() {
            assert!(STEPS.iter().any(|step| step.kind == *kind), "{kind:?} would run nothing");
        }
    }

    #[test]
    fn no_choice_means_everything_and_a_choice_means_only_that() {
        assert!(wanted(Kind::Deny, &[]));
        assert!(wanted(Kind::Deny, &[Kind::E2e, Kind::Deny]));
        assert!(!wanted(Kind::Deny, &[Kind::E2e]));
    }
}
