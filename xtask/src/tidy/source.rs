//! What a source file may not hold.

use super::{File, Finding};

/// Longer files hide a second reason to change.
const LONGEST: usize = 800;

/// Files that may be longer, each with its reason.
const MAY_BE_LONGER: &[(&str, &str)] = &[];

/// Left-overs of unfinished work. Written apart so that this file passes its own rule.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!("),
    concat!("unim", "plemented!("),
    concat!("db", "g!("),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
];

/// Names of one machine or one workplace, which mean nothing to anybody else.
const FOREIGN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/home", "/"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("files.python", "hosted.org"),
    concat!("pypi.org/", "simple"),
    concat!("registry.", "npmjs.org"),
];

/// Checks one file; what applies depends on its kind.
pub(crate) fn check(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        for word in FOREIGN.iter().filter(|word| line.contains(**word)) {
            findings.push(Finding::at(&file.path, index + 1, format!("`{word}` belongs to one machine")));
        }
        if is_code(&file.path) {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                findings.push(Finding::at(&file.path, index + 1, format!("`{word}`: finish it or leave it out")));
            }
        }
    }
    if file.path.ends_with(".rs") {
        check_length(file, findings);
        check_crate_doc(file, findings);
    }
}

fn is_code(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".py") || path.ends_with(".sh")
}

fn check_length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > LONGEST && !MAY_BE_LONGER.iter().any(|(path, _)| *path == file.path) {
        findings.push(Finding::of(
            &file.path,
            format!("{lines} lines, more than {LONGEST}: split it where it changes for another reason"),
        ));
    }
}

/// A crate begins with its argument.
fn check_crate_doc(file: &File, findings: &mut Vec<Finding>) {
    let is_root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    let first = file.text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#!["));
    if is_root && !first.is_some_and(|line| line.starts_with("//!")) {
        findings.push(Finding::of(
            &file.path,
            "begins with no crate doc (`//!`): say what the crate takes, gives and never does",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&File { path: path.to_owned(), text: text.to_owned() }, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_may_be_spoken_of_in_prose() {
        for word in UNFINISHED {
            assert_eq!(findings_of("src/a.rs", &format!("fn f() {{ {word} }}")).len(), 1, "{word}");
            assert_eq!(findings_of("docs/a.md", word).len(), 0, "{word}");
        }
    }

    #[test]
    fn names_of_one_machine_are_found_everywhere() {
        for word in FOREIGN {
            assert_eq!(findings_of("docs/a.md", &format!("see {word}x")).len(), 1, "{word}");
        }
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(findings_of("src/a.rs", &"x\n".repeat(LONGEST)).len(), 0);
        assert_eq!(findings_of("src/a.rs", &"x\n".repeat(LONGEST + 1)).len(), 1);
    }

    #[test]
    fn a_crate_begins_with_its_argument() {
        assert_eq!(findings_of("crates/x/src/lib.rs", "//! What x is.\n").len(), 0);
        assert_eq!(findings_of("crates/x/src/lib.rs", "#![forbid(unsafe_code)]\n//! What x is.\n").len(), 0);
        assert_eq!(findings_of("crates/x/src/lib.rs", "mod a;\n").len(), 1);
        assert_eq!(findings_of("crates/x/src/a.rs", "mod b;\n").len(), 0);
    }
}
