//! The bytes that JSON does not let stand in a string as they are.

/// Where, from `at` on, the first byte stands that ends a JSON string, begins an escape or must not be in one; the length of
/// `text` if there is none. Eight bytes at a time: most strings of a record are short, and a search that is made for long ones
/// takes longer to begin than they take to read.
pub fn first_to_escape(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES * 0x80;
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        // Behind the first byte that is found there may be false finds; the first is right.
        let found = control | zero_in(word ^ (ONES * u64::from(b'"'))) | zero_in(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_look_at_each_byte_finds(text in any::<Vec<u8>>(), plain in "[a-z é]{0,40}", from in 0usize..50) {
            let text = [plain.as_bytes(), &text].concat();
            let from = from.min(text.len());
            let slowly = text[from..].iter().position(|&byte| is_special(byte)).map_or(text.len(), |at| from + at);
            prop_assert_eq!(first_to_escape(&text, from), slowly);
        }
    }
}
