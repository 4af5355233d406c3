//! What is found, in the order of the chain: counted, told, and remembered.

use super::check::{Parsed, is_backfill};
use super::fetch::Checking;
use super::report::{Counts, Finding, Verdict};
use super::run::{Progress, Request, VerifyError};
use super::state::{Memory, Stretch};
use super::tail::SLOT;
use crate::digest::ListedFile;
use crate::off_thread::joined;
use event::EventTime;
use std::time::Duration;

/// What a verification comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Results {
    /// Digest files.
    pub digests: Counts,
    /// Backfill digest files.
    pub backfill: Counts,
    /// Log files.
    pub logs: Counts,
    /// Stretches of digests that are missing and could not be named.
    pub missing: u64,
    /// The times that valid digests cover.
    pub found: Option<(EventTime, EventTime)>,
    /// The times all of whose log files are told by this run, or are in `listed_before`: from the newest digest on to the first that is
    /// bad or missing.
    pub covered: Vec<(EventTime, EventTime)>,
    /// Keys of log files at the edges of what was verified before.
    pub listed_before: Vec<String>,
    /// Digests that were verified by an earlier run and not looked at again.
    pub remembered_digests: u64,
    /// Log files of these.
    pub remembered_logs: u64,
}

impl Results {
    /// Whether something is not as it was delivered.
    pub fn is_bad(&self) -> bool {
        self.digests.invalid + self.backfill.invalid + self.logs.invalid + self.missing > 0
    }
}

/// In the order of the chain.
pub(crate) enum Item {
    Finding(Finding),
    /// A digest, and whether it is genuine; so many log files of it follow.
    Digest {
        finding: Finding,
        parsed: Box<Parsed>,
        logs: u64,
        genuine: bool,
    },
    Log(ListedFile, Checking),
    Skipped(Box<Stretch>),
}

/// Counts what is found, and keeps what to remember.
pub(crate) struct Ledger<'a> {
    progress: &'a mut dyn Progress,
    results: Results,
    start: EventTime,
    end: EventTime,
    memory: Memory,
    /// Finished stretches of this run, newest first.
    done: Vec<Stretch>,
    current: Option<Stretch>,
    /// The digest whose log files are being told, and whether all were valid so far.
    open: Option<(Stretch, bool)>,
    /// Whether the digest whose log files are being told is genuine.
    is_genuine: bool,
    /// Whether no digest was bad, missing or passed over so far.
    is_unbroken: bool,
    /// Start of the stretch that was passed over right before the next digest.
    passed: Option<i64>,
    saved: std::time::Instant,
}

/// How often what is to be remembered is handed over.
const REMEMBER_EVERY: Duration = Duration::from_secs(2);

impl<'a> Ledger<'a> {
    pub(crate) fn new(request: &Request, progress: &'a mut dyn Progress) -> Ledger<'a> {
        Ledger {
            progress,
            results: Results::default(),
            start: request.start,
            end: request.end,
            memory: request.memory.clone(),
            done: Vec::new(),
            current: None,
            open: None,
            is_genuine: false,
            is_unbroken: true,
            passed: None,
            saved: std::time::Instant::now(),
        }
    }

    pub(crate) async fn take(&mut self, item: Item) -> Result<(), VerifyError> {
        match item {
            Item::Log(log, checking) => {
                // As a digest says that nobody has signed, it may well be: that says nothing.
                let verdict = match joined(checking).await? {
                    Verdict::Valid if !self.is_genuine => Verdict::Unsigned,
                    verdict => verdict,
                };
                self.results.logs.add(&verdict);
                if let Some((stretch, all_valid)) = &mut self.open {
                    stretch.note(&log.s3_object);
                    *all_valid &= verdict == Verdict::Valid;
                }
                self.progress.found(&Finding::Log { bucket: log.s3_bucket, key: log.s3_object, verdict });
                return Ok(());
            }
            Item::Finding(finding) => {
                self.close();
                self.done.extend(self.current.take());
                self.is_unbroken &= !finding.is_bad();
                self.count(&finding);
            }
            Item::Digest { finding, parsed, logs, genuine } => {
                self.close();
                self.count(&finding);
                self.progress.expect(logs);
                self.is_genuine = genuine;
                let is_standard = !is_backfill(&parsed.digest.digest_s3_object);
                self.is_unbroken &= !finding.is_bad();
                if genuine && is_standard && self.is_unbroken {
                    self.cover(parsed.start, parsed.end);
                }
                if genuine {
                    let (from, to) = (parsed.start.max(self.start), parsed.end.min(self.end));
                    let found = self.results.found.unwrap_or((from, to));
                    self.results.found = Some((found.0.min(from), found.1.max(to)));
                    let stretch = is_standard.then(|| Stretch::of(&parsed, logs));
                    self.open = stretch.map(|stretch| (stretch, true));
                }
            }
            Item::Skipped(stretch) => {
                self.close();
                self.pass_over(&stretch);
                self.results.remembered_digests += stretch.digests;
                self.results.remembered_logs += stretch.logs;
                let (from, to) =
                    (EventTime(stretch.oldest_start).max(self.start), EventTime(stretch.newest_end).min(self.end));
                let found = self.results.found.unwrap_or((from, to));
                self.results.found = Some((found.0.min(from), found.1.max(to)));
                self.memory.stretches.retain(|known| *known != *stretch);
                self.current = Some(match self.current.take() {
                    None => *stretch,
                    Some(current) => current.joined(*stretch),
                });
            }
        }
        if self.saved.elapsed() > REMEMBER_EVERY {
            self.saved = std::time::Instant::now();
            let memory = self.to_remember();
            self.progress.remember(&memory);
        }
        Ok(())
    }

    /// The log files of a digest are told.
    fn cover(&mut self, start: EventTime, end: EventTime) {
        let covered = &mut self.results.covered;
        match (self.passed.take(), covered.last_mut()) {
            (None, Some((from, _))) => *from = start.min(*from),
            (None, None) => covered.push((start, end)),
            // A starting digest begins before the one before it ends.
            (Some(stretch), _) => covered.push((start, EventTime(end.0.min(stretch) + SLOT))),
        }
    }

    /// The log files of a stretch are not told, but for those at its edges: what is beside it is covered up to whole slots.
    fn pass_over(&mut self, stretch: &Stretch) {
        let Some(at_edges) = &stretch.at_edges else {
            self.is_unbroken = false;
            return;
        };
        if self.passed.is_none()
            && let Some((from, _)) = self.results.covered.last_mut()
        {
            *from = EventTime(from.0.max(stretch.newest_end) - SLOT);
        }
        self.results.listed_before.extend(at_edges.iter().cloned());
        self.passed = Some(stretch.oldest_start);
    }

    /// The log files of the open digest are all told.
    fn close(&mut self) {
        match self.open.take() {
            None => {}
            Some((_, false)) => self.done.extend(self.current.take()),
            Some((one, true)) => {
                self.current = Some(match self.current.take() {
                    None => one,
                    Some(current) => current.joined(one),
                });
            }
        }
    }

    fn count(&mut self, finding: &Finding) {
        match finding {
            Finding::Digest { backfill: true, verdict, .. } => self.results.backfill.add(verdict),
            Finding::Digest { verdict, .. } => self.results.digests.add(verdict),
            Finding::Missing { .. } => self.results.missing += 1,
            Finding::Gap { .. } | Finding::Log { .. } => {}
        }
        self.progress.found(finding);
    }

    fn to_remember(&self) -> Memory {
        let mut stretches: Vec<Stretch> =
            self.done.iter().chain(&self.current).chain(&self.memory.stretches).cloned().collect();
        stretches.sort_by_key(|stretch| (std::cmp::Reverse(stretch.newest_end), stretch.oldest_start));
        Memory { stretches: Stretch::outermost(stretches), ..self.memory.clone() }
    }

    pub(crate) fn finish(mut self) -> Results {
        self.close();
        let memory = self.to_remember();
        self.progress.remember(&memory);
        self.results
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Chain, Progress};

    struct Nobody;

    impl Progress for Nobody {
        fn found(&mut self, _: &Finding) {}
        fn expect(&mut self, _: u64) {}
        fn remember(&mut self, _: &Memory) {}
    }

    const T: i64 = 1_768_471_200; // 2026-01-15T10:00:00Z

    fn request() -> Request {
        let text = String::new;
        Request {
            chain: Chain {
                prefix: None,
                organization: None,
                account: text(),
                region: text(),
                trail: text(),
                home_region: text(),
            },
            bucket: text(),
            start: EventTime(0),
            end: EventTime(2 * T),
            now: EventTime(2 * T),
            parallel: 1,
            latest_delivery: None,
            is_going_on: true,
            memory: Memory::default(),
        }
    }

    #[test]
    fn what_lies_beside_a_stretch_that_was_passed_over_is_covered_up_to_its_edges() {
        let (request, mut nobody) = (request(), Nobody);
        let mut ledger = Ledger::new(&request, &mut nobody);
        let at = |minutes: i64| EventTime(T + 60 * minutes);
        let key =
            |slot: &str| format!("AWSLogs/1/CloudTrail/r/2026/01/15/1_CloudTrail_r_20260115T{slot}Z_{slot}.json.gz");
        let one = |start: i64, end: i64, keys: &[&str]| {
            let (oldest_start, newest_end) = (at(start).0, at(end).0);
            let mut made = Stretch { oldest_start, newest_end, at_edges: Some(Vec::new()), ..Stretch::default() };
            keys.iter().for_each(|slot| made.note(&key(slot)));
            made
        };
        let stretch = one(8, 68, &["1105", "1110"]).joined(one(-52, 8, &["1005", "0930", "0905"]));
        assert_eq!(stretch.at_edges, Some(vec![key("1105"), key("1110"), key("0905")]), "that of 10:05 is amid it");
        ledger.cover(at(128), at(188));
        // A starting digest, which covers an hour that others cover, too.
        ledger.cover(at(60), at(128));
        ledger.pass_over(&stretch);
        ledger.cover(at(-112), at(-52));
        assert_eq!(ledger.results.covered, [(at(63), at(188)), (at(-112), at(-47))]);
        assert_eq!(ledger.results.listed_before.len(), 3);
        ledger.pass_over(&Stretch { at_edges: None, ..stretch });
        assert!(!ledger.is_unbroken, "an older state does not tell");
    }
}
