//! What the commands say: where nobody listens any more they end, and what comes from outside controls no terminal.

use std::fmt::{Arguments, Display};
use std::io::{ErrorKind, Write};

/// Exit code of a program whose reader is gone: 128 and the number of SIGPIPE, as shells show it.
const NOBODY_LISTENS: i32 = 141;
/// Exit code: nothing can be said.
const CANNOT_TELL: i32 = 2;

/// A line on standard output; otherwise as `println!`, which panics when it cannot write.
macro_rules! say {
    () => { $crate::cli::say::line(format_args!("")) };
    ($($words:tt)*) => { $crate::cli::say::line(format_args!($($words)*)) };
}

/// A line on standard error.
macro_rules! complain {
    ($($words:tt)*) => { $crate::cli::say::complaint(format_args!($($words)*)) };
}

pub(crate) use {complain, say};

/// A line on standard output. Ends the program where that cannot be written: quietly when nobody reads any more.
pub(crate) fn line(words: Arguments<'_>) {
    if let Err(error) = writeln!(std::io::stdout(), "{words}") {
        let nobody_listens = error.kind() == ErrorKind::BrokenPipe;
        if !nobody_listens {
            let _ = writeln!(std::io::stderr(), "opentrail: cannot write to standard output: {error}");
        }
        std::process::exit(if nobody_listens { NOBODY_LISTENS } else { CANNOT_TELL });
    }
}

/// A line on standard error. Where that cannot be written the exit code still tells.
pub(crate) fn complaint(words: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// A text in which control characters are written out (`\u{1b}`), all but ends of lines and tabs.
pub(crate) fn plain(text: impl Display) -> String {
    let mut plain = String::new();
    for letter in text.to_string().chars() {
        if letter.is_control() && !matches!(letter, '\n' | '\t') {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// The error and its causes on one line, but for causes that an error before them has told already.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(cause.trim_end()) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("disk full").context("cannot write f: disk full").context("saving");
        assert_eq!(told(&error), "saving: cannot write f: disk full");
    }

    #[test]
    fn what_comes_from_outside_controls_no_terminal() {
        assert_eq!(plain("a\tb\n\u{1b}[2J\r\u{9b}é"), "a\tb\n\\u{1b}[2J\\r\\u{9b}é");
    }
}
