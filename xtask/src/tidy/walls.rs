//! The walls between the rooms: who may name whom. Cargo enforces the direction; this enforces the absences.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{File, Finding};

/// What each room may use of the house. A room that is not listed here may not be built: say first where it stands.
const MAY_USE: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("aws", &[]),
    ("s3", &[]),
    ("journal", &["event"]),
    ("capture", &["aws", "event", "journal"]),
    ("registry", &["event"]),
    ("iam", &["aws", "event", "registry"]),
    ("trail", &["aws", "event", "journal", "registry"]),
    ("lake", &["event", "journal", "registry"]),
    ("serve", &["aws", "event", "journal", "registry", "iam"]),
    ("xtask", &["aws"]),
];

/// The folders in which `capture` makes a record: each knows only those before it.
const STEPS: &[&str] = &["decode", "render", "call", "params", "who", "compose", "proxy"];

/// The heavy engines, which only the lake may know.
const HEAVY: &[&str] = &["datafusion", "deltalake", "ballista", "arrow", "parquet"];

/// Rooms that know no socket, file, clock or runtime, and the crates that would bring them one.
const PURE: &[&str] = &["event", "aws"];
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "http-body-util",
    "socket2",
    "rustix",
    "mio",
    "tempfile",
    "rusqlite",
    "object_store",
    "tracing-subscriber",
];
const IMPURE_WORDS: &[(&str, &str)] = &[
    ("std::net", "a socket (the address types are in core::net)"),
    ("std::fs", "a file"),
    ("std::env", "the environment"),
    ("std::process", "a process"),
    ("std::thread", "a thread"),
    ("SystemTime", "the clock"),
    ("Instant::now", "the clock"),
    ("Timestamp::now", "the clock"),
    ("Zoned::now", "the clock"),
];

/// A member of the workspace: its short name (`event`), its folder (`crates/event`) and its manifest.
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) dir: String,
    manifest: Table,
}

/// The members of the workspace, in the order of the root manifest; the root package itself has the folder ``.
pub(crate) fn rooms(files: &[File]) -> Result<Vec<Room>> {
    let root = manifest(files, "Cargo.toml")?;
    let members = root.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let mut rooms = Vec::new();
    for member in members.into_iter().flatten().filter_map(Value::as_str) {
        let dir = if member == "." { String::new() } else { member.to_owned() };
        let path = if dir.is_empty() { "Cargo.toml".to_owned() } else { format!("{dir}/Cargo.toml") };
        let manifest = manifest(files, &path)?;
        let package = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let package = package.with_context(|| format!("{path} names no package"))?;
        let name = package.strip_prefix("opentrail-").unwrap_or(package).to_owned();
        rooms.push(Room { name, dir, manifest });
    }
    Ok(rooms)
}

fn manifest(files: &[File], path: &str) -> Result<Table> {
    let file = files.iter().find(|file| file.path == path).with_context(|| format!("there is no {path}"))?;
    file.text.parse().with_context(|| format!("{path} is not TOML"))
}

/// Checks every manifest, and the sources of the pure rooms.
pub(crate) fn check(rooms: &[Room], files: &[File], findings: &mut Vec<Finding>) {
    let names: Vec<&str> = rooms.iter().map(|room| room.name.as_str()).collect();
    for room in rooms.iter().filter(|room| !room.dir.is_empty()) {
        check_uses(room, &names, findings);
    }
    for room in rooms {
        check_inheritance(room, findings);
    }
    for file in files {
        check_steps(file, findings);
    }
    for pure in rooms.iter().filter(|room| PURE.contains(&room.name.as_str())) {
        let sources = format!("{}/src/", pure.dir);
        for file in files.iter().filter(|file| file.path.starts_with(&sources) && file.path.ends_with(".rs")) {
            check_pure_source(file, findings);
        }
    }
}

/// A room uses only what the table above allows it.
fn check_uses(room: &Room, names: &[&str], findings: &mut Vec<Finding>) {
    let place = format!("{}/Cargo.toml", room.dir);
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room.name) else {
        findings.push(Finding::of(&place, "a new room: say in xtask/src/tidy/walls.rs what it may use"));
        return;
    };
    for (kind, name, _) in dependencies(&room.manifest) {
        let short = name.strip_prefix("opentrail-").unwrap_or(&name);
        if names.contains(&short) && !allowed.contains(&short) {
            findings
                .push(Finding::of(&place, format!("`{}` may not use `{short}` (xtask/src/tidy/walls.rs)", room.name)));
        }
        if room.name != "lake" && HEAVY.iter().any(|heavy| name.starts_with(heavy)) {
            findings.push(Finding::of(&place, format!("only the lake may name `{name}`")));
        }
        if kind == "dependencies" && PURE.contains(&room.name.as_str()) && IMPURE_CRATES.contains(&name.as_str()) {
            findings.push(Finding::of(&place, format!("`{}` is pure and may not use `{name}`", room.name)));
        }
    }
}

/// A member inherits its dependencies from the one table and adds nothing to them but `optional`, and features for its tests.
fn check_inheritance(room: &Room, findings: &mut Vec<Finding>) {
    let place = if room.dir.is_empty() { "Cargo.toml".to_owned() } else { format!("{}/Cargo.toml", room.dir) };
    for (kind, name, wanted) in dependencies(&room.manifest) {
        let may_add = if kind == "dev-dependencies" { "features" } else { "optional" };
        let inherits = wanted.get("workspace").and_then(Value::as_bool) == Some(true);
        let adds = wanted.as_table().is_some_and(|table| table.keys().any(|key| key != "workspace" && key != may_add));
        if !inherits || adds {
            let rule =
                format!("write `{name}.workspace = true`: versions and features stand in the root manifest only");
            findings.push(Finding::of(&place, rule));
        }
    }
    if room.manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) != Some(true) {
        findings.push(Finding::of(&place, "write `[lints] workspace = true`: there is one lint table"));
    }
}

/// Every dependency of a manifest, as (kind of table, name, what is wanted), including those for a platform only.
fn dependencies(manifest: &Table) -> Vec<(&'static str, String, &Value)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(platforms.filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for kind in KINDS {
            let entries = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(name, wanted)| (kind, name.clone(), wanted)));
        }
    }
    found
}

/// A step on the way to a record uses no later one.
fn check_steps(file: &File, findings: &mut Vec<Finding>) {
    let Some(path) = file.path.strip_prefix("crates/capture/src/") else { return };
    let step = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
    let Some(at) = STEPS.iter().position(|name| *name == step) else { return };
    for (index, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        let named = |later: &str| {
            code.split("crate::").skip(1).any(|rest| match rest.strip_prefix('{') {
                Some(several) => several.split(',').any(|one| word(one.trim_start()) == later),
                None => word(rest) == later,
            })
        };
        for later in STEPS.iter().skip(at + 1).filter(|later| named(later)) {
            let rule = format!("`{step}` comes before `{later}` and may not use it (xtask/src/tidy/walls.rs)");
            findings.push(Finding::at(&file.path, index + 1, rule));
        }
    }
}

/// The name with which a text begins.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(text)
}

/// The tests of a pure room may read fixtures; the rest may not see the world.
fn check_pure_source(file: &File, findings: &mut Vec<Finding>) {
    if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
        return;
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break;
        }
        let code = line.split("//").next().unwrap_or(line);
        for (word, what) in IMPURE_WORDS {
            if code.contains(word) {
                findings.push(Finding::at(&file.path, index + 1, format!("`{word}`: a pure room never sees {what}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("{dependencies}\n[lints]\nworkspace = true\n");
        let room = Room { name: name.to_owned(), dir: format!("crates/{name}"), manifest: text.parse().unwrap() };
        let names = ["event", "aws", "journal", "capture", "trail", "lake", "registry", "serve"];
        let mut findings = Vec::new();
        check_uses(&room, &names, &mut findings);
        check_inheritance(&room, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert_eq!(findings_of("capture", "[dependencies]\naws.workspace = true\njournal.workspace = true"), [""; 0]);
    }

    #[test]
    fn a_room_may_not_use_what_stands_below_it() {
        let findings =
            findings_of("capture", "[dependencies]\nregistry.workspace = true\ntrail = { workspace = true }");
        assert_eq!(findings.len(), 2, "{findings:?}");
    }

    #[test]
    fn rooms_that_follow_the_journal_do_not_know_each_other() {
        assert_eq!(findings_of("trail", "[dependencies]\nlake.workspace = true").len(), 1);
    }

    #[test]
    fn a_step_on_the_way_to_a_record_knows_no_later_one() {
        let found = |path: &str, text: &str| {
            let mut findings = Vec::new();
            check_steps(&File { path: path.to_owned(), text: text.to_owned() }, &mut findings);
            findings.len()
        };
        assert_eq!(found("crates/capture/src/render/time.rs", "use crate::decode::tree::Tree;\n"), 0);
        assert_eq!(found("crates/capture/src/render/time.rs", "use crate::who::Caller;\n"), 1);
        assert_eq!(found("crates/capture/src/call.rs", "use crate::compose;\n"), 1);
        assert_eq!(found("crates/capture/src/call.rs", "use crate::{exchange, who};\n"), 1);
        assert_eq!(found("crates/capture/src/recorder.rs", "use crate::who::Caller;\n"), 0);
    }

    #[test]
    fn only_the_lake_names_the_heavy_engine() {
        assert_eq!(findings_of("serve", "[dependencies]\ndatafusion.workspace = true").len(), 1);
        assert_eq!(findings_of("lake", "[dependencies]\ndatafusion.workspace = true"), [""; 0]);
    }

    #[test]
    fn a_member_adds_no_features_and_no_versions() {
        assert_eq!(findings_of("serve", "[dependencies]\nhttp = { workspace = true, features = [\"x\"] }").len(), 1);
        assert_eq!(findings_of("serve", "[target.'cfg(unix)'.dependencies]\nhttp = \"1\"").len(), 1);
        assert_eq!(findings_of("serve", "[dependencies]\nhttp = { workspace = true, optional = true }"), [""; 0]);
        let for_tests = "[dev-dependencies]\ntokio = { workspace = true, features = [\"test-util\"] }";
        assert_eq!(findings_of("serve", for_tests), [""; 0]);
    }

    #[test]
    fn a_room_without_a_place_in_the_table_is_found() {
        assert_eq!(findings_of("attic", "").len(), 1);
    }

    #[test]
    fn a_pure_room_sees_no_clock_outside_its_tests_and_comments() {
        let text = "//! no SystemTime here\nlet now = SystemTime::now();\n#[cfg(test)]\nuse std::fs;\n";
        let mut findings = Vec::new();
        check_pure_source(&File { path: "crates/event/src/time.rs".into(), text: text.into() }, &mut findings);
        assert_eq!(findings.iter().map(|found| found.line).collect::<Vec<_>>(), [Some(2)]);
    }
}
