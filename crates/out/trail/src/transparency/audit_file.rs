//! One log file against what the log says of it.

use super::leaf::id_text;
use super::merkle::{Hash, sha256};
use super::proof::id_of;
use super::records::RecordSplitter;
use crate::verify::{Archive, ArchiveError, Body};
use aws_lc_rs::digest::{Context, SHA256};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::StreamExt;
use std::io::Read;

/// What the log says of a file.
pub(crate) struct Expected {
    /// SHA-256 of its uncompressed bytes.
    pub(crate) hash: Hash,
    /// Hash and ID of each of its records.
    pub(crate) events: Vec<(Hash, String)>,
}

/// What is to be said of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileVerdict {
    /// It is what the log says.
    Same,
    /// It is not there.
    Gone,
    /// It is not what the log says.
    Differs(String),
}

/// Bytes that are inflated at a time.
const STEP: usize = 64 << 10;

/// Reads a file and compares it with what the log says.
pub(crate) async fn check_file(
    archive: &dyn Archive,
    bucket: &str,
    key: &str,
    expected: Expected,
) -> Result<FileVerdict, ArchiveError> {
    let object = match archive.get(bucket, key).await {
        Err(ArchiveError::NotFound) => return Ok(FileVerdict::Gone),
        object => object?,
    };
    let mut comparison = Comparison::new(expected);
    match object.body {
        Body::Stream(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                comparison.push(&chunk?);
            }
        }
        Body::File(mut file) => {
            let mut buffer = vec![0; STEP];
            loop {
                let read = file.read(&mut buffer);
                match read.map_err(|error| ArchiveError::Failed(key.to_owned(), error.to_string()))? {
                    0 => break,
                    count => comparison.push(buffer.get(..count).unwrap_or_default()),
                }
            }
        }
    }
    Ok(comparison.finish())
}

/// A file that is being inflated, hashed, split and compared as it comes.
struct Comparison {
    expected: Expected,
    inflate: Decompress,
    step: Vec<u8>,
    hash: Context,
    splitter: RecordSplitter,
    records: usize,
    /// The first record that is not as expected.
    differs: Option<usize>,
    is_broken: bool,
}

impl Comparison {
    fn new(expected: Expected) -> Comparison {
        Comparison {
            expected,
            inflate: Decompress::new_gzip(15),
            step: vec![0; STEP],
            hash: Context::new(&SHA256),
            splitter: RecordSplitter::default(),
            records: 0,
            differs: None,
            is_broken: false,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !self.is_broken {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(bytes, &mut self.step, FlushDecompress::None);
            let taken = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            let inflated = self.step.get(..made).unwrap_or_default();
            self.hash.update(inflated);
            let (events, records, differs) = (&self.expected.events, &mut self.records, &mut self.differs);
            self.splitter.push(inflated, |record| {
                let same = events.get(*records).is_some_and(|(hash, id)| {
                    sha256(record) == *hash && id_of(record).is_some_and(|found| id_text(&found) == *id)
                });
                if !same {
                    differs.get_or_insert(*records);
                }
                *records += 1;
            });
            bytes = bytes.get(taken..).unwrap_or_default();
            match status {
                Err(_) => self.is_broken = true,
                Ok(Status::StreamEnd) => return,
                // What is inflated by now may not fill the room that there is.
                Ok(_) if bytes.is_empty() && made < self.step.len() => return,
                Ok(_) if taken == 0 && made == 0 => self.is_broken = true,
                Ok(_) => {}
            }
        }
    }

    fn finish(self) -> FileVerdict {
        let Comparison { expected, hash, splitter, records, differs, is_broken, .. } = self;
        if is_broken || !splitter.is_whole() {
            return FileVerdict::Differs("it is no whole log file".to_owned());
        }
        if let Some(at) = differs.filter(|at| *at < expected.events.len()) {
            return FileVerdict::Differs(format!("its record {at} is another"));
        }
        if records != expected.events.len() {
            return FileVerdict::Differs(format!("it has {records} records, not {}", expected.events.len()));
        }
        if hash.finish().as_ref() != expected.hash {
            return FileVerdict::Differs("it has another hash".to_owned());
        }
        FileVerdict::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::compress;
    use proptest::prelude::*;

    fn expected(records: &[String], file: &str) -> Expected {
        let events = records.iter().map(|record| (sha256(record.as_bytes()), id_of(record.as_bytes()).unwrap()));
        Expected { hash: sha256(file.as_bytes()), events: events.collect() }
    }

    fn verdict(stored: &[u8], chunk: usize, expected: Expected) -> FileVerdict {
        let mut comparison = Comparison::new(expected);
        stored.chunks(chunk.max(1)).for_each(|chunk| comparison.push(chunk));
        comparison.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_file_is_what_the_log_says_or_it_is_told_what_is_not(
            fill in proptest::collection::vec("[a-z]{0,3000}", 1..80),
            chunk in 1usize..20_000,
            pick in any::<prop::sample::Index>(),
        ) {
            let records: Vec<String> =
                fill.iter().enumerate().map(|(at, fill)| format!(r#"{{"eventID":"{at}","fill":"{fill}"}}"#)).collect();
            let file_of = |records: &[String]| format!("{{\"Records\":[{}]}}", records.join(","));
            let file = file_of(&records);
            let stored = compress(file.as_bytes()).unwrap();
            prop_assert_eq!(verdict(&stored, chunk, expected(&records, &file)), FileVerdict::Same);

            let at = pick.index(records.len());
            let mut other = records.clone();
            other[at] = other[at].replace("fill", "full");
            let changed = compress(file_of(&other).as_bytes()).unwrap();
            let said = FileVerdict::Differs(format!("its record {at} is another"));
            prop_assert_eq!(verdict(&changed, chunk, expected(&records, &file)), said);

            let shorter = compress(file_of(&records[..at]).as_bytes()).unwrap();
            let said = FileVerdict::Differs(format!("it has {at} records, not {}", records.len()));
            prop_assert_eq!(verdict(&shorter, chunk, expected(&records, &file)), said);
            let cut = verdict(&stored[..stored.len() / 2], chunk, expected(&records, &file));
            prop_assert_ne!(cut, FileVerdict::Same);
        }
    }
}
