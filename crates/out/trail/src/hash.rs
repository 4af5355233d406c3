//! SHA-256, of many messages two at a time.
//!
//! A processor with instructions for SHA-256 spends most of the time that one message takes waiting: each step needs the one before.
//! The steps of a second message fit between them, so that two take 1.1 times as long as one. What is delivered is hashed twice,
//! as a file and record by record, and what is verified comes in many files: both have a second message at hand.
//!
//! Where the processor has no such instructions, and for single messages, the library does it.

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(not(target_arch = "x86_64"))]
#[path = "hash/no_lanes.rs"]
mod lanes;

use aws_lc_rs::digest::{Context, SHA256, digest};
use lanes::Lanes;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What SHA-256 takes at a time (FIPS 180-4, 5.2.1).
type Block = [u8; 64];

/// The eight words between two blocks (FIPS 180-4, 6.2).
type State = [u32; 8];

/// The words before the first block (FIPS 180-4, 5.3.3).
const FIRST: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256 of one message.
pub fn sha256(data: &[u8]) -> Hash {
    to_hash(digest(&SHA256, data).as_ref())
}

/// SHA-256 of each message, in their order.
pub(crate) fn sha256_of_each(messages: &[&[u8]]) -> Vec<Hash> {
    each(Lanes::detect(), messages)
}

fn each(lanes: Option<Lanes>, messages: &[&[u8]]) -> Vec<Hash> {
    let Some(lanes) = lanes else {
        return messages.iter().map(|message| sha256(message)).collect();
    };
    let mut hashes = vec![Hash::default(); messages.len()];
    // The longest first: so both lanes come to their end at about the same time.
    let mut order: Vec<(usize, &[u8])> = messages.iter().copied().enumerate().collect();
    order.sort_unstable_by_key(|(_, message)| std::cmp::Reverse(message.len()));
    let jobs = order.into_iter().map(|(of, message)| Job::whole(of, message));
    run(lanes, jobs, |job| keep(&mut hashes, &job));
    hashes
}

/// SHA-256 of a message that comes in parts, of which each may have messages of its own in it.
pub(crate) enum Parted {
    /// Two at a time.
    Lanes(Lanes, Begun),
    /// Each on its own.
    Library(Context),
}

/// A message of which the first blocks are hashed.
pub(crate) struct Begun {
    state: State,
    /// What does not fill a block yet.
    rest: Vec<u8>,
    length: u64,
}

impl Parted {
    /// Nothing has come yet.
    pub(crate) fn new() -> Parted {
        Parted::with(Lanes::detect())
    }

    /// The same, of a message whose parts have no messages in them.
    pub(crate) fn alone() -> Parted {
        Parted::with(None)
    }

    fn with(lanes: Option<Lanes>) -> Parted {
        match lanes {
            Some(lanes) => Parted::Lanes(lanes, Begun { state: FIRST, rest: Vec::new(), length: 0 }),
            None => Parted::Library(Context::new(&SHA256)),
        }
    }

    /// Takes the next part, and gives the hashes of the messages in it, in their order.
    pub(crate) fn update<'a>(
        &mut self,
        part: &'a [u8],
        messages: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Vec<Hash> {
        let (lanes, begun) = match self {
            Parted::Lanes(lanes, begun) => (*lanes, begun),
            Parted::Library(context) => {
                context.update(part);
                return messages.map(sha256).collect();
            }
        };
        let mut hashes = vec![Hash::default(); messages.len()];
        let this = begun.take(lanes, part);
        let others = messages.enumerate().map(|(of, message)| Job::whole(of, message));
        run(lanes, std::iter::once(this).chain(others), |job| match job.of {
            Of::Part => begun.state = job.state,
            Of::Message(_) => keep(&mut hashes, &job),
        });
        hashes
    }

    /// The hash of all parts.
    pub(crate) fn finish(self) -> Hash {
        match self {
            Parted::Library(context) => to_hash(context.finish().as_ref()),
            Parted::Lanes(lanes, Begun { mut state, rest, length }) => {
                let (end, ends) = padded(&rest, length);
                lanes.compress(&mut state, end.get(..ends).unwrap_or_default());
                bytes_of(&state)
            }
        }
    }
}

impl Begun {
    /// The whole blocks of what is known now. The one that what came before has begun is hashed right here.
    fn take<'a>(&mut self, lanes: Lanes, mut part: &'a [u8]) -> Job<'a> {
        self.length += part.len() as u64;
        if !self.rest.is_empty() {
            let (first, others) = part.split_at(part.len().min(size_of::<Block>() - self.rest.len()));
            self.rest.extend_from_slice(first);
            part = others;
        }
        if let (blocks @ [_], _) = self.rest.as_chunks() {
            lanes.compress(&mut self.state, blocks);
            self.rest.clear();
        }
        let (blocks, rest) = part.as_chunks();
        self.rest.extend_from_slice(rest);
        Job { of: Of::Part, state: self.state, blocks, end: [[0; 64]; 2], ends: 0..0 }
    }
}

/// Blocks to be hashed, one after another.
struct Job<'a> {
    of: Of,
    state: State,
    blocks: &'a [Block],
    /// What follows them: the end of the message, padded.
    end: [Block; 2],
    ends: std::ops::Range<usize>,
}

/// What is hashed.
enum Of {
    /// The part of a longer message.
    Part,
    /// One of several messages.
    Message(usize),
}

impl<'a> Job<'a> {
    fn whole(of: usize, message: &'a [u8]) -> Job<'a> {
        let (blocks, rest) = message.as_chunks();
        let (end, ends) = padded(rest, message.len() as u64);
        Job { of: Of::Message(of), state: FIRST, blocks, end, ends: 0..ends }
    }

    /// The state, and the blocks that come next and lie together.
    fn next(&mut self) -> (&mut State, &[Block]) {
        let end = self.end.get(self.ends.clone()).unwrap_or_default();
        (&mut self.state, if self.blocks.is_empty() { end } else { self.blocks })
    }

    /// So many of them are done.
    fn advance(&mut self, count: usize) {
        match self.blocks.get(count..) {
            Some(left) if !self.blocks.is_empty() => self.blocks = left,
            _ => self.ends.start += count,
        }
    }

    fn is_done(&self) -> bool {
        self.blocks.is_empty() && self.ends.is_empty()
    }
}

/// Does all jobs, two at a time. They are begun in their order, and need not end in it.
fn run<'a>(lanes: Lanes, mut jobs: impl Iterator<Item = Job<'a>>, mut done: impl FnMut(Job<'a>)) {
    let mut pair = [jobs.next(), jobs.next()];
    loop {
        match &mut pair {
            [Some(one), Some(other)] => {
                let ((a, first), (b, second)) = (one.next(), other.next());
                let count = first.len().min(second.len());
                lanes.compress_both([a, b], [first, second]);
                one.advance(count);
                other.advance(count);
            }
            [Some(one), None] | [None, Some(one)] => {
                let (state, blocks) = one.next();
                let count = blocks.len();
                lanes.compress(state, blocks);
                one.advance(count);
            }
            [None, None] => return,
        }
        for lane in &mut pair {
            if let Some(job) = lane.take_if(|job| job.is_done()) {
                done(job);
                *lane = jobs.next();
            }
        }
    }
}

fn keep(hashes: &mut [Hash], job: &Job<'_>) {
    if let Of::Message(of) = job.of
        && let Some(hash) = hashes.get_mut(of)
    {
        *hash = bytes_of(&job.state);
    }
}

/// The last blocks of a message of so many bytes, of which `rest` fill no block: a one bit, zeros, and its length in bits
/// (FIPS 180-4, 5.1.1). How many they are.
fn padded(rest: &[u8], length: u64) -> ([Block; 2], usize) {
    let mut blocks = [[0; 64]; 2];
    let bytes = blocks.as_flattened_mut();
    let ends = if rest.len() < 56 { 1 } else { 2 };
    for (to, from) in bytes.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *to = *from;
    }
    for (to, from) in bytes.iter_mut().skip(ends * 64 - 8).zip((length * 8).to_be_bytes()) {
        *to = from;
    }
    (blocks, ends)
}

fn bytes_of(state: &State) -> Hash {
    let mut hash = Hash::default();
    for (to, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    hash
}

/// The library's, which has 32 bytes.
fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    if bytes.len() == hash.len() {
        hash.copy_from_slice(bytes);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hashes_are_those_of_the_library_however_messages_meet(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 0..12),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            let expected: Vec<Hash> = messages.iter().map(|message| sha256(message)).collect();
            for lanes in [Lanes::detect(), None] {
                prop_assert_eq!(&each(lanes, &messages), &expected);
            }
        }

        #[test]
        fn a_message_in_parts_has_the_hash_of_the_whole(
            parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..500), 0usize..6), 0..8),
        ) {
            let whole: Vec<u8> = parts.iter().flat_map(|(part, _)| part.clone()).collect();
            for lanes in [Lanes::detect(), None] {
                let mut hash = Parted::with(lanes);
                for (part, messages) in &parts {
                    let inside: Vec<&[u8]> = (1..=*messages).filter_map(|cut| part.get(part.len() / cut..)).collect();
                    let expected: Vec<Hash> = inside.iter().map(|message| sha256(message)).collect();
                    prop_assert_eq!(hash.update(part, inside.into_iter()), expected);
                }
                prop_assert_eq!(hash.finish(), sha256(&whole));
            }
        }
    }

    #[test]
    fn every_length_around_the_ends_of_blocks_is_padded_rightly() {
        let bytes: Vec<u8> = (0..=255).collect();
        let messages: Vec<&[u8]> = (0..=200).filter_map(|length| bytes.get(..length)).collect();
        let expected: Vec<Hash> = messages.iter().map(|message| sha256(message)).collect();
        assert_eq!(sha256_of_each(&messages), expected);
    }
}
