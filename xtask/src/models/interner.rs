//! Strings by number, in the order in which they were first met; 0 is the empty string.

use std::collections::HashMap;

pub(super) struct Interner {
    pub(super) strings: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Interner {
    pub(super) fn new() -> Interner {
        Interner { strings: vec![String::new()], numbers: HashMap::from([(String::new(), 0)]) }
    }

    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.strings.len() as u32;
        self.strings.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}
