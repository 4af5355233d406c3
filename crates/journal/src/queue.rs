//! Where appenders meet the writer: one batch collects while another is written.

use crate::frame::Prepared;
use crate::wake::{self, Chain, Waiters};
use crate::{Clock, Entry, JournalError, Seq};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long tasks may stay unwoken where the one that should wake them does not run.
const SWEEP_AFTER: Duration = Duration::from_micros(500);

/// A batch of this size gains little from waiting for more: what a sync costs is spread thin, and appenders fill the next
/// batch while this one is written.
const ENOUGH_BYTES: usize = 256 << 10;

/// So many appends that come together are worth twice the time of gathering: who sends that many has more under way, so what
/// one waits longer is what all are spared.
const CROWD: usize = 16;

/// Buffers that grew beyond this for a burst are given back.
const KEPT_BYTES: usize = 4 << 20;

/// What is written and synced at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The frames, as they are written.
    pub(crate) bytes: Vec<u8>,
    /// The same entries, for readers at the tail.
    pub(crate) entries: Vec<Entry>,
    /// Some entries and where their frames start in `bytes`.
    pub(crate) marks: Vec<(u64, u64)>,
    /// The place of its first entry.
    pub(crate) first: u64,
    /// Calls that filled it.
    appends: usize,
}

impl Batch {
    /// One past its last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn push(&mut self, prepared: Prepared, appended_ms: u64, salt: u32) {
        let seq = self.end();
        let at = self.bytes.len() as u64;
        if self.marks.last().is_none_or(|(_, last)| at >= last + crate::segments::Marks::STEP) {
            self.marks.push((seq, at));
        }
        prepared.write(&mut self.bytes, seq, self.entries.len() as u32, appended_ms, salt);
        self.entries.push(Entry { seq: Seq(seq), appended_ms, event: prepared.event });
    }

    fn clear(&mut self, first: u64) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.entries.clear();
        self.marks.clear();
        self.appends = 0;
        self.first = first;
    }
}

/// Whether appends are taken.
#[derive(Debug, Clone)]
enum Phase {
    Open,
    /// No more appends; the writer finishes what is queued.
    Closing,
    Failed(JournalError),
}

/// The queue between appenders and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    capacity: usize,
    gather: Duration,
    patient: bool,
    clock: Clock,
    /// One past the last durable entry.
    durable: AtomicU64,
    state: Mutex<State>,
    ready: Condvar,
    chain: Chain,
    salt: u32,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    collecting: Batch,
    /// Tasks that wait for the batch that collects.
    waiters: Waiters,
    /// One past the last entry of the batch that is being written, and the tasks that wait for it.
    writing_end: u64,
    writing_waiters: Waiters,
    /// Tasks that wait for room.
    room: Waiters,
    last_ms: u64,
    /// The number of appends for which the writer, asleep, wants to be woken; `None` while it works.
    wake_at: Option<usize>,
    /// How many appends are expected to come together.
    crowd: usize,
}

impl Queue {
    /// A queue whose first entry is `next`, appended at `last_ms` or later.
    pub(crate) fn new(
        next: u64,
        last_ms: u64,
        capacity: usize,
        (gather, patient): (Duration, bool),
        clock: Clock,
        salt: u32,
    ) -> Queue {
        let state = State {
            phase: Phase::Open,
            collecting: Batch { first: next, ..Batch::default() },
            waiters: Waiters::default(),
            writing_end: next,
            writing_waiters: Waiters::default(),
            room: Waiters::default(),
            last_ms,
            wake_at: None,
            crowd: if patient { usize::MAX } else { 1 },
        };
        let (state, ready, chain) = (Mutex::new(state), Condvar::new(), Chain::default());
        Queue {
            capacity: capacity.max(1),
            gather,
            clock,
            durable: AtomicU64::new(next),
            state,
            ready,
            chain,
            patient,
            salt,
        }
    }

    /// What the checksums of the frames are mixed with.
    pub(crate) fn salt(&self) -> u32 {
        self.salt
    }

    /// One past the last durable entry.
    pub(crate) fn end(&self) -> Seq {
        Seq(self.durable.load(Ordering::Acquire))
    }

    /// `Err` when no append is taken any more.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        self.state().check()
    }

    /// Queues the events in one batch and returns the last one's place; `None`, with `events` untouched, while there is
    /// no room. With a task given, that task is woken when there is room again.
    pub(crate) fn push(
        &self,
        events: &mut dyn Iterator<Item = Prepared>,
        waiting: Option<&Context<'_>>,
    ) -> Result<Option<Seq>, JournalError> {
        let mut state = self.state();
        state.check()?;
        // A batch is full when it has reached the capacity, so that even the largest append finds room in turn.
        if state.collecting.bytes.len() >= self.capacity {
            if let Some(cx) = waiting {
                state.room.add(wake::this_thread(), cx.waker().clone());
            }
            return Ok(None);
        }
        state.last_ms = state.last_ms.max(self.clock.now_ms());
        let appended_ms = state.last_ms;
        for prepared in events {
            state.collecting.push(prepared, appended_ms, self.salt);
        }
        state.collecting.appends += 1;
        let last = state.collecting.end().saturating_sub(1);
        let wake = state.wake_at.is_some_and(|count| state.collecting.appends >= count)
            || (state.wake_at.is_some() && state.collecting.bytes.len() >= self.enough());
        if wake {
            state.wake_at = None;
            drop(state);
            self.ready.notify_one();
        }
        Ok(Some(Seq(last)))
    }

    /// Ready once entry `seq`, which is queued, is durable. A task that waits is woken; `None` for the context registers
    /// nobody.
    pub(crate) fn poll_durable(&self, seq: Seq, cx: Option<&Context<'_>>) -> Poll<Result<Seq, JournalError>> {
        if self.end() > seq {
            return Poll::Ready(Ok(seq));
        }
        let mut state = self.state();
        if self.end() > seq {
            return Poll::Ready(Ok(seq));
        }
        if let Phase::Failed(error) = &state.phase {
            return Poll::Ready(Err(error.clone()));
        }
        if let Some(cx) = cx {
            let waiters = if seq.0 < state.writing_end { &mut state.writing_waiters } else { &mut state.waiters };
            waiters.add(wake::this_thread(), cx.waker().clone());
        }
        Poll::Pending
    }

    /// Passes a wake-up on to the other waiting tasks of a thread.
    pub(crate) fn help(&self, group: usize) {
        self.chain.help(group);
    }

    /// The writer's: waits for a batch; `None` when the queue is closed and empty. `spare` becomes the next
    /// collecting batch. `started` is when the last batch was begun.
    ///
    /// The batch is taken at once when as many appends as last time have come (so an append that comes alone never
    /// waits, and callers that go in step are never held up), and otherwise a short time after the last one.
    pub(crate) fn take(&self, mut spare: Batch, started: Instant) -> Option<Batch> {
        let mut state = self.state();
        loop {
            let closing = !matches!(state.phase, Phase::Open);
            let gather = if self.patient || state.crowd < CROWD { self.gather } else { self.gather * 2 };
            let left = gather.saturating_sub(started.elapsed());
            let wait = if state.collecting.appends == 0 {
                if closing {
                    return None;
                }
                let sweep = (!self.chain.is_done()).then_some(SWEEP_AFTER);
                if left.is_zero() {
                    state.wake_at = Some(1);
                    sweep
                } else {
                    // Who came first would only wake a writer that then waits for the others.
                    state.wake_at = Some(state.crowd);
                    Some(sweep.map_or(left, |sweep| sweep.min(left)))
                }
            } else {
                let ripe =
                    state.collecting.appends >= state.crowd || state.collecting.bytes.len() >= self.enough() || closing;
                if ripe || left.is_zero() {
                    break;
                }
                state.wake_at = Some(state.crowd);
                Some(left)
            };
            state = match wait {
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let (state, timeout) = self.ready.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && !self.chain.is_done() {
                        drop(state);
                        self.chain.sweep();
                        self.state()
                    } else {
                        state
                    }
                }
            };
        }
        state.wake_at = None;
        // It shrinks slowly, so that one small batch does not end the gathering.
        if !self.patient {
            state.crowd = state.collecting.appends.max(state.crowd * 3 / 4);
        }
        spare.clear(state.collecting.end());
        let batch = std::mem::replace(&mut state.collecting, spare);
        state.writing_end = batch.end();
        state.writing_waiters = std::mem::take(&mut state.waiters);
        let mut room = std::mem::take(&mut state.room);
        drop(state);
        room.wake_each();
        Some(batch)
    }

    /// The writer's: the batch that was taken is durable.
    pub(crate) fn complete(&self, end: u64) {
        let mut waiters = {
            let mut state = self.state();
            self.durable.store(end, Ordering::Release);
            std::mem::take(&mut state.writing_waiters)
        };
        self.chain.wake(&mut waiters);
    }

    /// The writer's: nothing more becomes durable.
    pub(crate) fn fail(&self, error: JournalError) {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Failed(_)) {
            state.phase = Phase::Failed(error);
        }
        state.collecting = Batch::default();
        let mut woken = [
            std::mem::take(&mut state.waiters),
            std::mem::take(&mut state.writing_waiters),
            std::mem::take(&mut state.room),
        ];
        drop(state);
        woken.iter_mut().for_each(Waiters::wake_each);
        self.chain.sweep();
    }

    /// Takes no more appends; the writer finishes and ends.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closing;
        }
        let mut room = std::mem::take(&mut state.room);
        drop(state);
        self.ready.notify_one();
        room.wake_each();
    }

    fn enough(&self) -> usize {
        ENOUGH_BYTES.min(self.capacity / 2)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self) -> Result<(), JournalError> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Closing => Err(JournalError::Closed),
            Phase::Failed(error) => Err(error.clone()),
        }
    }
}
