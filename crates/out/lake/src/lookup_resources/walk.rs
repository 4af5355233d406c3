//! One pass over a record along the paths of some rules.
//!
//! A record was checked to be JSON when it became an `Event`, so what no path leads into is only skipped: quotes and
//! brackets are matched, and nothing else is looked at. Were the bytes no JSON all the same, the pass ends early.

use super::rules::{EACH, Rule};
use memchr::memchr2;
use smallvec::SmallVec;

/// Deeper than any path of the rules.
const DEPTH_MAX: usize = 16;

/// Calls `found` with the type and value of each text that a rule's path leads to.
pub(crate) fn walk(json: &[u8], rules: &[&Rule], found: &mut dyn FnMut(Option<&'static str>, &str)) {
    let mut walk = Walk { json, at: 0, found };
    walk.record(rules);
}

struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    found: &'a mut dyn FnMut(Option<&'static str>, &str),
}

impl<'a> Walk<'a> {
    /// Passes over the record until the parts that `rules` begin with have been seen. `None`: the bytes are no JSON.
    fn record(&mut self, rules: &[&Rule]) -> Option<()> {
        let begins = |part: &'static str| -> SmallVec<[&Rule; 32]> {
            rules.iter().filter(|rule| rule.path.first() == Some(&part)).copied().collect()
        };
        let (request, response) = (begins("requestParameters"), begins("responseElements"));
        let mut parts_left = usize::from(!request.is_empty()) + usize::from(!response.is_empty());
        self.expect(b'{')?;
        while parts_left > 0 {
            self.peek()?;
            let key = self.string()?;
            self.expect(b':')?;
            let led: &[&Rule] = match key {
                b"requestParameters" => &request,
                b"responseElements" => &response,
                _ => &[],
            };
            parts_left -= usize::from(!led.is_empty());
            self.value(led, 1)?;
            if self.next()? != b',' {
                return None;
            }
        }
        Some(())
    }

    /// Passes over a value to which the first `depth` keys of `rules` have led. `None`: the bytes are no JSON.
    fn value(&mut self, rules: &[&Rule], depth: usize) -> Option<()> {
        if rules.is_empty() || depth > DEPTH_MAX {
            return self.skip();
        }
        match self.peek()? {
            b'{' => self.members(rules, depth),
            b'[' => self.elements(rules, depth),
            b'"' => {
                let raw = self.string()?;
                for rule in rules.iter().filter(|rule| rule.path.len() == depth) {
                    self.emit(rule, raw);
                }
                Some(())
            }
            _ => self.skip(),
        }
    }

    fn members(&mut self, rules: &[&Rule], depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let key = self.string()?;
            self.expect(b':')?;
            let leads = |rule: &&&Rule| rule.path.get(depth).is_some_and(|step| step.as_bytes() == key);
            let led: SmallVec<[&Rule; 16]> = rules.iter().filter(leads).copied().collect();
            self.value(&led, depth + 1)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn elements(&mut self, rules: &[&Rule], depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        let leads = |rule: &&&Rule| rule.path.get(depth) == Some(&EACH);
        let led: SmallVec<[&Rule; 16]> = rules.iter().filter(leads).copied().collect();
        loop {
            self.value(&led, depth + 1)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn emit(&mut self, rule: &Rule, raw: &[u8]) {
        if memchr::memchr(b'\\', raw).is_none() {
            if let Ok(text) = std::str::from_utf8(raw) {
                (self.found)(rule.resource_type, text);
            }
            return;
        }
        let quoted = [b"\"", raw, b"\""].concat();
        if let Ok(text) = serde_json::from_slice::<String>(&quoted) {
            (self.found)(rule.resource_type, &text);
        }
    }

    /// Passes over a value of any kind.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => return self.string().map(drop),
            b'{' | b'[' => {}
            _ => {
                let rest = self.json.get(self.at..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let end = rest.iter().position(ends).unwrap_or(rest.len());
                self.at += end;
                return (end > 0).then_some(());
            }
        }
        let mut open = 0usize;
        loop {
            match *self.json.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Passes over a string; gives what stands between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        if self.json.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr2(b'"', b'\\', self.json.get(at..)?)?;
            if self.json.get(at) == Some(&b'"') {
                self.at = at + 1;
                return self.json.get(start..at);
            }
            at += 2;
        }
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Option<u8> {
        while self.json.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }
}
