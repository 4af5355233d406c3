//! The real records in `tests/fixtures/events`.

use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// All records, in the order of their files.
pub(crate) fn records() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events");
    let mut records = Vec::new();
    for folder in sorted(&root).into_iter().filter(|folder| folder.is_dir()) {
        for file in sorted(&folder).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "gz")) {
            let mut text = String::new();
            flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_string(&mut text).unwrap();
            let Value::Object(mut log) = serde_json::from_str(&text).unwrap() else { panic!("{file:?}") };
            let Some(Value::Array(list)) = log.remove("Records") else { panic!("{file:?}") };
            records.extend(list);
        }
    }
    records
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
