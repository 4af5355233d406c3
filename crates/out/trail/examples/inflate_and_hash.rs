//! What the bytes alone cost: inflates and hashes every file below a folder, held in memory, on as many threads as are
//! asked for, with the libraries of the verifier and nothing around them. `bench/validate_logs.py` compares the verifier with it.
//!
//!     cargo run --release -p opentrail-trail --example inflate_and_hash -- FOLDER THREADS
//!
//! Prints one line: files, bytes inflated, seconds of the fastest of five rounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a tool of the bench")]

use aws_lc_rs::digest::{Context, SHA256, digest};
use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const STEP: usize = 64 * 1024;
const WHOLE_MAX: usize = 512 * 1024;

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = words.next().expect("a folder");
    let threads: usize = words.next().map_or(1, |word| word.parse().expect("a number of threads"));
    let mut files = Vec::new();
    read_all(Path::new(&folder), &mut files);
    let mut fastest = Duration::MAX;
    let bytes = AtomicU64::new(0);
    for _ in 0..ROUNDS {
        bytes.store(0, Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (mut inflate, mut whole, mut step) =
                        (Decompress::new_gzip(15), Decompressor::new(), vec![0; STEP]);
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bytes.fetch_add(one(&mut inflate, &mut whole, &mut step, file), Ordering::Relaxed);
                        inflate.reset(true);
                    }
                });
            }
        });
        fastest = fastest.min(start.elapsed());
    }
    println!("{} {} {:.6}", files.len(), bytes.load(Ordering::Relaxed), fastest.as_secs_f64());
}

fn one(inflate: &mut Decompress, whole: &mut Decompressor, step: &mut Vec<u8>, mut file: &[u8]) -> u64 {
    // In one step where that is fastest, as the verifier does it.
    let size = file.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    if size <= WHOLE_MAX {
        step.resize(step.len().max(size), 0);
        let made = whole.gzip_decompress(file, &mut step[..size]).expect("a gzip file");
        std::hint::black_box(digest(&SHA256, &step[..made]));
        return made as u64;
    }
    let mut hash = Context::new(&SHA256);
    loop {
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(file, step, FlushDecompress::None).expect("a gzip file");
        file = &file[(inflate.total_in() - before_in) as usize..];
        hash.update(&step[..(inflate.total_out() - before_out) as usize]);
        if status == Status::StreamEnd {
            std::hint::black_box(hash.finish());
            return inflate.total_out();
        }
    }
}

fn read_all(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, files);
        } else {
            files.push(std::fs::read(&path).expect("a file"));
        }
    }
}
