//! From digest to digest, newest first: pure. It is told what became of the digest that it wants and says what that means
//! and which one it wants next.
//!
//! The order and the verdicts are those of the AWS CLI (`reference/integrity.md` §5): along the links as long as they
//! hold, by the listing where one is broken. Beyond that it notes what the AWS CLI passes over: digests missing behind one
//! that is bad, and digests that differ from what their successor, or an earlier verification, says of them.

use super::check::{Parsed, is_backfill};
use super::report::{Finding, Verdict};
use super::state::Stretch;
use crate::name::{ChainName, Kind, digest_key};
use event::EventTime;

/// More missing digests than this are told as one stretch.
const NAMED_MAX: i64 = 1000;
/// What is said of a digest without a signature that its successor should tell.
const WITHOUT_SIGNATURE: &str =
    "its signature is not in the folder, and no digest after it tells it; put it into KEY.metadata.json beside it";

/// A chain of digests: whose, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The key prefix of the trail.
    pub prefix: Option<String>,
    /// `o-…` of the trail of an organization.
    pub organization: Option<String>,
    /// The account whose log files are listed.
    pub account: String,
    /// The Region whose log files are listed.
    pub region: String,
    /// The trail's name.
    pub trail: String,
    /// The trail's home Region.
    pub home_region: String,
}

impl Chain {
    fn name(&self) -> ChainName<'_> {
        ChainName {
            prefix: self.prefix.as_deref(),
            organization: self.organization.as_deref(),
            account: &self.account,
            region: &self.region,
            trail: &self.trail,
            home_region: &self.home_region,
        }
    }

    /// The folders of its log files, one for each kind of events.
    pub fn log_folders(&self) -> [String; 2] {
        Kind::ALL.map(|kind| self.name().folder(kind.folder()))
    }

    /// The folder of its digests.
    pub(crate) fn digest_folder(&self) -> String {
        self.name().folder("CloudTrail-Digest")
    }

    /// The key of the digest that ends at a time.
    pub(crate) fn digest_key(&self, end: EventTime, backfill: bool) -> String {
        digest_key(&self.name(), end, backfill)
    }

    /// The end of a digest by its key; `None` for a key that is none of this chain.
    pub(crate) fn end_of(&self, key: &str) -> Option<EventTime> {
        let rest = key.strip_prefix(&self.digest_folder())?;
        let mut parts = rest.splitn(4, '/');
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_number(parts.next()?) && is_number(parts.next()?) && is_number(parts.next()?)) {
            return None;
        }
        let Chain { account, region, trail, home_region, .. } = self;
        let start = format!("{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_");
        let stamp = parts.next()?.strip_prefix(start.as_str())?.strip_suffix(".json.gz")?;
        stamp_time(stamp.strip_suffix("_backfill").unwrap_or(stamp))
    }
}

/// The end of a digest by its name, wherever it lies.
fn end_in_name(key: &str) -> Option<EventTime> {
    let name = key.strip_suffix(".json.gz")?;
    stamp_time(name.strip_suffix("_backfill").unwrap_or(name).rsplit('_').next()?)
}

/// `YYYYMMDDTHHMMSSZ`.
fn stamp_time(stamp: &str) -> Option<EventTime> {
    let part = |from: usize, to: usize| stamp.get(from..to);
    let (date, time) = ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(9, 11)?, part(11, 13)?, part(13, 15)?));
    let time = EventTime::parse(&format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, time.0, time.1, time.2))?;
    (stamp.len() == 16 && stamp.as_bytes().get(8) == Some(&b'T') && stamp.ends_with('Z')).then_some(time)
}

/// What became of the digest that was wanted.
pub(crate) enum Outcome<'a> {
    /// Genuine.
    Good(&'a Parsed),
    /// Its form is right, and there is no signature of it.
    Unsigned(&'a Parsed),
    /// Not genuine, and why.
    Bad(String),
}

/// What is to be done with the log files of the digest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Check them.
    CheckLogs,
    /// They were verified before, with all others of that stretch.
    Skip(Box<Stretch>),
    /// Nothing.
    Nothing,
}

/// A walk along a chain.
pub(crate) struct Walk<'a> {
    chain: &'a Chain,
    start: EventTime,
    backfill: bool,
    bucket: String,
    /// Listed and not passed yet, oldest first.
    keys: Vec<String>,
    wanted: Option<String>,
    /// What the digest after the wanted one says of it: hash and signature.
    said: Option<(String, String)>,
    last_start: EventTime,
    /// The longest window seen, seconds.
    pub(crate) window: i64,
    /// End of a bad digest: those before it may be missing as well.
    broken_at: Option<EventTime>,
    /// Set when the chain leads to another bucket, whose keys are not known.
    pub(crate) needs_keys: bool,
    /// Whether nobody can be expected to know the signature of the wanted digest: it is the newest, or the last before a genuine
    /// starting digest.
    is_last: bool,
    remembered: Vec<(Stretch, bool)>,
    /// Where the digest that was taken last ends: what comes before it ends earlier, so that no links lead round for ever.
    passed: Option<EventTime>,
}

impl<'a> Walk<'a> {
    /// A walk over the listed keys of a bucket (oldest first, of this chain only), down to `start`.
    pub(crate) fn new(
        chain: &'a Chain,
        bucket: &str,
        keys: Vec<String>,
        start: EventTime,
        backfill: bool,
        remembered: Vec<Stretch>,
    ) -> Walk<'a> {
        let mut walk = Walk {
            chain,
            start,
            backfill,
            bucket: bucket.to_owned(),
            keys,
            wanted: None,
            said: None,
            last_start: start,
            window: 0,
            broken_at: None,
            needs_keys: false,
            is_last: true,
            remembered: remembered.into_iter().map(|stretch| (stretch, false)).collect(),
            passed: None,
        };
        walk.wanted = walk.keys.pop();
        walk.last_start = walk.wanted.as_deref().and_then(|key| chain.end_of(key)).unwrap_or(start);
        walk
    }

    /// The digest that is wanted next; `None` at the end.
    pub(crate) fn wanted(&self) -> Option<(&str, &str)> {
        let key = self.wanted.as_deref().filter(|_| self.start <= self.last_start)?;
        Some((&self.bucket, key))
    }

    /// The signature of the wanted digest, as its successor tells it.
    pub(crate) fn signature(&self) -> Option<&str> {
        self.said.as_ref().map(|(_, signature)| signature.as_str())
    }

    /// Those that will probably be wanted after it.
    pub(crate) fn upcoming(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().rev().map(String::as_str)
    }

    /// The keys of the bucket that the chain leads to.
    pub(crate) fn set_keys(&mut self, keys: Vec<String>) {
        (self.keys, self.needs_keys) = (keys, false);
    }

    /// Takes what became of the wanted digest: what is to be told, and what to do with its log files. Of the findings the one about
    /// the digest itself is the last before a gap.
    pub(crate) fn take(&mut self, outcome: Outcome<'_>) -> (Vec<Finding>, Then) {
        let Some(key) = self.wanted.take() else { return (Vec::new(), Then::Nothing) };
        let mut findings = Vec::new();
        let is_last = std::mem::take(&mut self.is_last);
        let stretch = self.stretch_of(&key);
        let (parsed, verdict) = match outcome {
            Outcome::Bad(why) => return self.bad(&key, why, findings),
            Outcome::Good(parsed) => (parsed, Verdict::Valid),
            Outcome::Unsigned(parsed) if is_last => (parsed, Verdict::Unsigned),
            Outcome::Unsigned(parsed) => (parsed, Verdict::invalid(WITHOUT_SIGNATURE)),
        };
        if self.said.as_ref().is_some_and(|(hash, _)| !hash.is_empty() && *hash != parsed.hash) {
            return self.bad(&key, "differs from what the next digest says of it".to_owned(), findings);
        }
        if self.passed.is_some_and(|passed| parsed.end >= passed) {
            return self.bad(&key, "does not end before the digest that follows it".to_owned(), findings);
        }
        self.passed = Some(parsed.end);
        if stretch.as_ref().is_some_and(|stretch| stretch.newest_hash != parsed.hash) {
            return self.bad(&key, "differs from what was verified before".to_owned(), findings);
        }
        self.window = self.window.max(parsed.end.0 - parsed.start.0);
        self.note_missing(parsed.end, &mut findings);
        if let Some(stretch) = stretch {
            self.last_start = EventTime(stretch.oldest_start);
            let said = stretch.before_hash.clone().zip(stretch.before_signature.clone());
            self.is_last = stretch.before.is_none();
            self.go_to(stretch.before.clone(), said, &stretch.oldest, &mut findings);
            return (findings, Then::Skip(Box::new(stretch)));
        }
        let digest = &parsed.digest;
        let before = digest.previous_digest_s3_bucket.clone().zip(digest.previous_digest_s3_object.clone());
        self.is_last = before.is_none() && verdict == Verdict::Valid;
        findings.push(self.about(&key, verdict));
        self.last_start = parsed.start;
        let hash = digest.previous_digest_hash_value.clone().unwrap_or_default();
        let said = digest.previous_digest_signature.clone().map(|signature| (hash, signature));
        self.go_to(before, said, &key, &mut findings);
        (findings, Then::CheckLogs)
    }

    /// What was verified before and never met: digests that are not there any more. `end`: of the range that was asked for.
    pub(crate) fn unmet(&self, end: EventTime) -> Vec<Finding> {
        let is_asked = |stretch: &Stretch| (self.start.0..=end.0).contains(&stretch.newest_end);
        // One whose newest digest lies in a stretch that was met was passed over with it.
        let is_inside = |end: i64| self.remembered.iter().any(|(other, met)| *met && other.has(end));
        let unmet =
            self.remembered.iter().filter(|(stretch, met)| !met && is_asked(stretch) && !is_inside(stretch.newest_end));
        unmet
            .map(|(stretch, _)| Finding::Digest {
                backfill: false,
                bucket: stretch.bucket.clone(),
                key: stretch.newest.clone(),
                verdict: Verdict::invalid("not found, though it was verified before"),
            })
            .collect()
    }

    fn stretch_of(&mut self, key: &str) -> Option<Stretch> {
        let bucket = self.bucket.as_str();
        let found =
            self.remembered.iter_mut().find(|(stretch, _)| stretch.newest == key && stretch.bucket == bucket)?;
        found.1 = true;
        Some(found.0.clone())
    }

    fn bad(&mut self, key: &str, why: String, mut findings: Vec<Finding>) -> (Vec<Finding>, Then) {
        let end = self.chain.end_of(key);
        if let Some(end) = end {
            self.note_missing(end, &mut findings);
        }
        findings.push(self.about(key, Verdict::Invalid(why)));
        self.broken_at = end;
        self.said = None;
        self.wanted = self.next_listed(key);
        (findings, Then::Nothing)
    }

    /// Follows a link, or the listing where there is none: then nothing was logged in between.
    fn go_to(
        &mut self,
        before: Option<(String, String)>,
        said: Option<(String, String)>,
        key: &str,
        findings: &mut Vec<Finding>,
    ) {
        match before {
            Some((bucket, before)) => {
                self.needs_keys = bucket != self.bucket;
                (self.bucket, self.wanted, self.said) = (bucket, Some(before), said);
            }
            None => {
                self.wanted = self.next_listed(key);
                self.said = None;
                if let Some(end) = self.wanted.as_deref().and_then(|next| self.chain.end_of(next)) {
                    let (from, to) = (end.to_string(), self.last_start.to_string());
                    findings.push(Finding::Gap { backfill: self.backfill, from, to });
                }
            }
        }
    }

    /// The newest listed digest that ends before `key` does, which may lie under another prefix: the trail delivered there in between.
    fn next_listed(&mut self, key: &str) -> Option<String> {
        let end = end_in_name(key).or(self.passed)?;
        while let Some(next) = self.keys.pop() {
            if self.chain.end_of(&next).is_some_and(|next| next < end) {
                return Some(next);
            }
        }
        None
    }

    /// After a bad digest the listing was followed to one that ends at `found`: if more than a window lies between their
    /// ends, there were others.
    fn note_missing(&mut self, found: EventTime, findings: &mut Vec<Finding>) {
        let Some(broken) = self.broken_at.take() else { return };
        let (between, window) = (broken.0 - found.0, self.window);
        if window <= 0 || between <= window {
            return;
        }
        if between % window == 0 && between / window <= NAMED_MAX {
            for back in 1..between / window {
                let key = self.chain.digest_key(EventTime(broken.0 - back * window), self.backfill);
                findings.push(self.about(&key, Verdict::invalid("not found")));
            }
        } else {
            findings.push(Finding::Missing {
                backfill: self.backfill,
                from: found.to_string(),
                to: Some(EventTime(broken.0 - window).to_string()),
                why: "the digests on both sides are further apart than one window".to_owned(),
            });
        }
    }

    fn about(&self, key: &str, verdict: Verdict) -> Finding {
        Finding::Digest { backfill: self.backfill, bucket: self.bucket.clone(), key: key.to_owned(), verdict }
    }
}

/// The keys of a listing that belong to a chain and a range, in two: those of the chain itself and of its backfill digests.
pub(crate) fn sort_keys(
    chain: &Chain,
    keys: Vec<String>,
    start: EventTime,
    end: EventTime,
) -> (Vec<String>, Vec<String>) {
    let in_range =
        |key: &String| chain.end_of(key).is_some_and(|time| time >= start && time.0 <= end.0.saturating_add(3600));
    let (backfill, standard) = keys.into_iter().filter(in_range).partition(|key| is_backfill(key));
    (standard, backfill)
}

#[cfg(test)]
mod tests;
