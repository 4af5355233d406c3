//! What is found, in the order of the chain: counted, told, and remembered.

use super::check::Parsed;
use super::fetch::Checking;
use super::report::{Counts, Finding, Verdict};
use super::run::{Progress, Request, VerifyError};
use super::state::{Memory, Stretch};
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
            saved: std::time::Instant::now(),
        }
    }

    pub(crate) async fn take(&mut self, item: Item) -> Result<(), VerifyError> {
        match item {
            Item::Log(log, checking) => {
                let verdict = joined(checking).await?;
                self.results.logs.add(&verdict);
                if let Some((_, all_valid)) = &mut self.open {
                    *all_valid &= verdict == Verdict::Valid;
                }
                self.progress.found(&Finding::Log { bucket: log.s3_bucket, key: log.s3_object, verdict });
                return Ok(());
            }
            Item::Finding(finding) => {
                self.close();
                self.done.extend(self.current.take());
                self.count(&finding);
            }
            Item::Digest { finding, parsed, logs, genuine } => {
                self.close();
                self.count(&finding);
                self.progress.expect(logs);
                if genuine {
                    let (from, to) = (parsed.start.max(self.start), parsed.end.min(self.end));
                    let found = self.results.found.unwrap_or((from, to));
                    self.results.found = Some((found.0.min(from), found.1.max(to)));
                    let stretch = parsed.backfill_at.is_none().then(|| Stretch::of(&parsed, logs));
                    self.open = stretch.map(|stretch| (stretch, true));
                }
            }
            Item::Skipped(stretch) => {
                self.close();
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
        stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.newest_end));
        Memory { stretches, ..self.memory.clone() }
    }

    pub(crate) fn finish(mut self) -> Results {
        self.close();
        let memory = self.to_remember();
        self.progress.remember(&memory);
        self.results
    }
}
