//! The compression function of SHA-256 (FIPS 180-4, 6.2.2) by the SHA instructions of x86-64, of one message or of two side by side.

use super::{Block, State};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

/// That the processor has the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Lanes(());

impl Lanes {
    /// Whether it has them.
    pub(super) fn detect() -> Option<Lanes> {
        let has_all =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3");
        has_all.then_some(Lanes(()))
    }

    /// Takes the blocks of each of two messages into its state; as many as the shorter has.
    pub(super) fn compress_both(self, states: [&mut State; 2], blocks: [&[Block]; 2]) {
        #[expect(unsafe_code, reason = "a function for a processor that has some instructions")]
        // SAFETY: there is no `Lanes` where the processor lacks one of them.
        unsafe {
            compress(states, blocks);
        }
    }

    /// The same of one message, twice: a tenth slower than a function for one would be, of which there is seldom need.
    pub(super) fn compress(self, state: &mut State, blocks: &[Block]) {
        self.compress_both([&mut state.clone(), state], [blocks, blocks]);
    }
}

/// The round constants (FIPS 180-4, 4.2.2).
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// A state as the instructions want it: the words a, b, e, f and c, d, g, h, the first of each highest.
type Words = (__m128i, __m128i);

// No closures from here on: what calls them lacks the instructions, and they would not be inlined.

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress([first, second]: [&mut State; 2], [blocks, others]: [&[Block]; 2]) {
    let mut words = (words_of(first), words_of(second));
    for (block, other) in blocks.iter().zip(others) {
        words = one_block(words, block, other);
    }
    (*first, *second) = (state_of(words.0), state_of(words.1));
}

/// Sixteen times four rounds of both messages in turns: so the processor finds in the one what it can do while the other waits.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn one_block(before: (Words, Words), block: &Block, other: &Block) -> (Words, Words) {
    let ((mut a, mut b), mut m, mut n) = (before, first_schedule(block), first_schedule(other));
    // Written out sixteen times: in a loop the schedules would go through memory.
    macro_rules! rounds {
        ($($four:literal)*) => {$(
            a = four_rounds(a, m[0], &K[$four]);
            b = four_rounds(b, n[0], &K[$four]);
            m = [m[1], m[2], m[3], if $four < 12 { expand(m) } else { m[0] }];
            n = [n[1], n[2], n[3], if $four < 12 { expand(n) } else { n[0] }];
        )*};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    (sum(a, before.0), sum(b, before.1))
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn sum(one: Words, other: Words) -> Words {
    (_mm_add_epi32(one.0, other.0), _mm_add_epi32(one.1, other.1))
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four_rounds((abef, cdgh): Words, schedule: __m128i, constants: &[u32; 4]) -> Words {
    let sum = _mm_add_epi32(schedule, vector(*constants));
    let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
    (_mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e)), cdgh)
}

/// The words of the schedule that come sixteen after the first four of these.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn expand([first, second, third, fourth]: [__m128i; 4]) -> __m128i {
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(first, second), _mm_alignr_epi8(fourth, third, 4));
    _mm_sha256msg2_epu32(sum, fourth)
}

/// The first sixteen words of the schedule: the block's, which are big-endian.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn first_schedule(block: &Block) -> [__m128i; 4] {
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut schedule = [_mm_setzero_si128(); 4];
    for (words, bytes) in schedule.iter_mut().zip(block.as_chunks::<16>().0) {
        let [low, high] =
            [bytes.first_chunk(), bytes.last_chunk()].map(|half| i64::from_le_bytes(*half.unwrap_or(&[0; 8])));
        *words = _mm_shuffle_epi8(_mm_set_epi64x(high, low), swap);
    }
    schedule
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn words_of(state: &State) -> Words {
    let [a, b, c, d, e, f, g, h] = *state;
    (vector([f, e, b, a]), vector([h, g, d, c]))
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn state_of((abef, cdgh): Words) -> State {
    let ([f, e, b, a], [h, g, d, c]) = (numbers(abef), numbers(cdgh));
    [a, b, c, d, e, f, g, h]
}

/// The first number lowest.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn vector([first, second, third, fourth]: [u32; 4]) -> __m128i {
    _mm_set_epi32(fourth.cast_signed(), third.cast_signed(), second.cast_signed(), first.cast_signed())
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn numbers(vector: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32(vector, 0),
        _mm_extract_epi32(vector, 1),
        _mm_extract_epi32(vector, 2),
        _mm_extract_epi32(vector, 3),
    ]
    .map(i32::cast_unsigned)
}
