//! Pages that point somewhere, and the map that names every room.

use std::path::Path;

use super::walls::Room;
use super::{File, Finding};

/// Every relative link of a Markdown page leads to a file or folder that exists.
pub(crate) fn check_links(root: &Path, file: &File, findings: &mut Vec<Finding>) {
    if !file.path.ends_with(".md") {
        return;
    }
    let folder = root.join(&file.path);
    let folder = folder.parent().unwrap_or(root);
    for (line, target) in links(&file.text) {
        let path = target.split('#').next().unwrap_or(target);
        let found = if let Some(path) = path.strip_prefix('/') { root.join(path) } else { folder.join(path) };
        if !found.exists() {
            findings.push(Finding::at(&file.path, line, format!("the link to `{target}` leads nowhere")));
        }
    }
}

/// The relative targets of `[text](target)` outside code, each with its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, next)) = after.split_once(')') else { break };
            let elsewhere = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
            if !elsewhere && !target.is_empty() {
                found.push((index + 1, target.split(' ').next().unwrap_or(target)));
            }
            rest = next;
        }
    }
    found
}

/// `ARCHITECTURE.md` names every room, by its folder.
pub(crate) fn check_map(rooms: &[Room], files: &[File], findings: &mut Vec<Finding>) {
    let map = files.iter().find(|file| file.path == "ARCHITECTURE.md").map_or("", |file| file.text.as_str());
    for room in rooms.iter().filter(|room| !room.dir.is_empty()) {
        let last = room.dir.rsplit('/').next().unwrap_or(&room.dir);
        let spellings = [room.dir.clone(), format!("`{last}`"), format!("`{last}/`"), format!("{last}/ ")];
        if !spellings.iter().any(|spelling| map.contains(spelling.as_str())) {
            findings.push(Finding::of("ARCHITECTURE.md", format!("no room of this name on the map: {}", room.dir)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_found_with_their_lines_and_others_are_left_alone() {
        let text = "see [a](docs/a.md) and [b](../b.md#part \"title\")\n[web](https://example.com) [here](#there)\n```\n[no](code.md)\n```\n    [no](indented.md)\n[c](c/)\n";
        assert_eq!(links(text), [(1, "docs/a.md"), (1, "../b.md#part"), (7, "c/")]);
    }

    #[test]
    fn an_unfinished_link_is_no_link() {
        assert_eq!(links("[a](b"), []);
    }
}
