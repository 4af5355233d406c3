//! What is found, in the words of the AWS CLI.

use std::fmt;

/// One thing that was found out. Shown as a line of `aws cloudtrail validate-logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// About a digest file.
    Digest {
        /// Of the chain of backfill digests.
        backfill: bool,
        /// Where it lies, or should.
        bucket: String,
        /// Its key.
        key: String,
        /// What is to be said of it.
        verdict: Verdict,
    },
    /// About a log file.
    Log {
        /// Where it lies, or should.
        bucket: String,
        /// Its key.
        key: String,
        /// What is to be said of it.
        verdict: Verdict,
    },
    /// A digest without predecessor, with others before it: nothing was logged in between, or validation was off.
    Gap {
        /// Of the chain of backfill digests.
        backfill: bool,
        /// Where the earlier digests end, `YYYY-MM-DDTHH:MM:SSZ`.
        from: String,
        /// Where the later ones start.
        to: String,
    },
    /// Digests that must have been there, of which the names cannot be told.
    Missing {
        /// Of the chain of backfill digests.
        backfill: bool,
        /// From when on none is there.
        from: String,
        /// Where the next one starts; `None`: none is there up to the end.
        to: Option<String>,
        /// How that is known.
        why: String,
    },
}

/// What is to be said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it was delivered.
    Valid,
    /// Not as it was delivered; the words of the AWS CLI, or our own where that has none.
    Invalid(String),
    /// A digest of which the archive has no signature, the newest in a folder; or a log file that only such a one lists.
    Unsigned,
}

impl Verdict {
    /// An [`Verdict::Invalid`].
    pub fn invalid(why: impl Into<String>) -> Verdict {
        Verdict::Invalid(why.into())
    }
}

impl Finding {
    /// Whether it means that the archive is not as it was delivered.
    pub fn is_bad(&self) -> bool {
        match self {
            Finding::Digest { verdict, .. } | Finding::Log { verdict, .. } => matches!(verdict, Verdict::Invalid(_)),
            Finding::Gap { .. } => false,
            Finding::Missing { .. } => true,
        }
    }

    /// Whether it is told only to those who want to hear everything.
    pub fn is_quiet(&self) -> bool {
        // How many log files could not be verified, the counts tell.
        matches!(
            self,
            Finding::Digest { verdict: Verdict::Valid, .. }
                | Finding::Log { verdict: Verdict::Valid | Verdict::Unsigned, .. }
        )
    }
}

/// A text from outside in a line: control characters, which could move or hide what a terminal shows, are written out.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|letter| match letter {
            letter if letter.is_control() => write!(f, "{}", letter.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |backfill: &bool| if *backfill { "(backfill) " } else { "" };
        match self {
            Finding::Digest { backfill, bucket, key, verdict } => {
                write!(f, "{}Digest file\ts3://{}/{}\t{verdict}", mark(backfill), Plain(bucket), Plain(key))
            }
            Finding::Log { bucket, key, verdict: Verdict::Unsigned } => {
                write!(f, "Log file\ts3://{}/{}\tnot verified: its digest has no signature", Plain(bucket), Plain(key))
            }
            Finding::Log { bucket, key, verdict } => {
                write!(f, "Log file\ts3://{}/{}\t{verdict}", Plain(bucket), Plain(key))
            }
            Finding::Gap { backfill, from, to } => {
                write!(f, "{}No log files were delivered by CloudTrail between {from} and {to}", mark(backfill))
            }
            Finding::Missing { backfill, from, to: Some(to), why } => {
                write!(f, "{}Digest files\tbetween {from} and {to}\tINVALID: not found: {why}", mark(backfill))
            }
            Finding::Missing { backfill, from, to: None, why } => {
                write!(f, "{}Digest files\tafter {from}\tINVALID: not found: {why}", mark(backfill))
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Valid => f.write_str("valid"),
            Verdict::Invalid(why) => write!(f, "INVALID: {}", Plain(why)),
            Verdict::Unsigned => f.write_str("not verified: its signature is not in the folder"),
        }
    }
}

/// How many files of a kind are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Valid ones.
    pub valid: u64,
    /// Invalid ones.
    pub invalid: u64,
    /// Digests without a signature, and log files that only such digests list.
    pub unsigned: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Valid => self.valid += 1,
            Verdict::Invalid(_) => self.invalid += 1,
            Verdict::Unsigned => self.unsigned += 1,
        }
    }

    /// `3/3 digest files valid`, as the AWS CLI says it; `None` where there are none.
    pub fn told(&self, kind: &str) -> Option<String> {
        let all = self.valid + self.invalid + self.unsigned;
        let mut text = format!("{}/{all} {kind} files valid", self.valid);
        if self.invalid > 0 {
            text.push_str(&format!(", {}/{all} {kind} files INVALID", self.invalid));
        }
        if self.unsigned > 0 {
            let what = if kind == "log" { "not verified" } else { "without signature" };
            text.push_str(&format!(", {}/{all} {kind} files {what}", self.unsigned));
        }
        (all > 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_digest_says_moves_no_cursor_and_makes_no_lines() {
        let (bucket, key) = ("b".to_owned(), "x\tvalid\nLog file\u{1b}[1A\u{9b}é".to_owned());
        let finding = Finding::Log { bucket, key, verdict: Verdict::invalid("\r") };
        assert_eq!(finding.to_string(), "Log file\ts3://b/x\\tvalid\\nLog file\\u{1b}[1A\\u{9b}é\tINVALID: \\r");
    }
}
