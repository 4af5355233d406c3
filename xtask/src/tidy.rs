//! The rules of the house that no compiler knows, as tests that run with the tests.
//!
//! Each rule is a pure function from text to findings, with the rule's reason in its message; this file reads the tree
//! once, shows every rule what it needs, and prints all findings together, so that one run is enough to put things right.

mod docs;
mod source;
mod walls;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Folders that hold no text of ours: what is built, what is recorded, what is given to us as data.
const NOT_OURS: &[&str] = &[
    ".git",
    "target",
    "opentrail-data",
    "fixtures",
    "testdata",
    "models",
    "node_modules",
    "corpus",
    "__pycache__",
    ".pytest_cache",
];

/// One breach of a rule: where it is and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    line: Option<usize>,
    rule: String,
}

impl Finding {
    fn at(place: &str, line: usize, rule: impl Into<String>) -> Self {
        Finding { place: place.to_owned(), line: Some(line), rule: rule.into() }
    }

    fn of(place: &str, rule: impl Into<String>) -> Self {
        Finding { place: place.to_owned(), line: None, rule: rule.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.place, self.rule),
            None => write!(out, "{}: {}", self.place, self.rule),
        }
    }
}

/// A text file of ours: its path from the root, with forward slashes, and its text.
pub(crate) struct File {
    path: String,
    text: String,
}

/// Prints every finding; an error if there is one.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = check(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings of the tidy rules", findings.len());
    }
    Ok(())
}

/// Every breach of every rule in the tree at `root`.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));

    let rooms = walls::rooms(&files)?;
    let mut findings = Vec::new();
    for file in &files {
        source::check(file, &mut findings);
        docs::check_links(root, file, &mut findings);
    }
    walls::check(&rooms, &files, &mut findings);
    docs::check_map(&rooms, &files, &mut findings);
    Ok(findings)
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() && !NOT_OURS.contains(&name.as_ref()) {
            collect(root, &entry.path(), files)?;
        } else if kind.is_file() && is_text(&entry.path()) {
            let path = entry.path();
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {} as text", path.display()))?;
            let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    let known = ["rs", "toml", "md", "py", "sh", "yml", "yaml", "ini", "txt"];
    match path.extension() {
        Some(extension) => known.iter().any(|known| extension == *known),
        None => path.ends_with(".ci/run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_house_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let findings = check(root).unwrap();
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", shown.join("\n"));
    }

    #[test]
    fn a_house_with_a_breach_of_each_kind_is_told_so() {
        let house = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = house.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("Cargo.toml", "[workspace]\nmembers = [\"crates/event\"]\n");
        put("crates/event/Cargo.toml", "[package]\nname = \"opentrail-event\"\n[dependencies]\ntokio = \"1\"\n");
        put("crates/event/src/lib.rs", "use std::fs;\n");
        put("ARCHITECTURE.md", "[gone](docs/gone.md)\n");
        let shown: Vec<String> = check(house.path()).unwrap().iter().map(ToString::to_string).collect();
        for expected in ["workspace = true", "tokio", "std::fs", "crate doc", "docs/gone.md", "no room of"] {
            assert!(shown.iter().any(|line| line.contains(expected)), "no finding about {expected} in {shown:#?}");
        }
    }

    #[test]
    fn folders_that_are_not_ours_are_not_read() {
        let house = tempfile::tempdir().unwrap();
        fs::create_dir_all(house.path().join("target/x")).unwrap();
        fs::write(house.path().join("target/x/lib.rs"), "").unwrap();
        fs::write(house.path().join("a.rs"), "").unwrap();
        let mut files = Vec::new();
        collect(house.path(), house.path(), &mut files).unwrap();
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a.rs"]);
    }
}
