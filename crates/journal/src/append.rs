//! Appending: from an event to the promise that it is durable.

use crate::frame::Prepared;
use crate::queue::Queue;
use crate::{JournalError, Seq, wake};
use event::Event;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Where events enter the journal. Cheap to clone; it does not keep the journal open.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: Arc<Queue>,
}

impl Appender {
    pub(crate) fn new(queue: Arc<Queue>) -> Appender {
        Appender { queue }
    }

    /// Appends one event. It is queued at once where there is room, otherwise when the future is polled and there is; the
    /// future resolves when the event is durable. To drop the future does not undo an append that was queued.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] after a failed write, [`JournalError::Closed`] after [`close`](crate::Journal::close).
    pub fn append(&self, event: Event) -> Append {
        let mut prepared = Some(Prepared::new(event));
        match self.queue.push(&mut std::iter::from_fn(|| prepared.take()), None) {
            Ok(None) => self.future(State::Waiting(prepared.into_iter().collect())),
            Ok(Some(last)) => self.future(State::Queued(last)),
            Err(error) => self.future(State::Failed(error)),
        }
    }

    /// Appends all events, in order, without others between them, in one batch: one sync covers them all. The future resolves to
    /// the place of the last. A power cut before that may keep the first few of them: this is no transaction.
    ///
    /// With no events it resolves at once, to the place of the newest durable entry (0 where there is none).
    ///
    /// # Errors
    /// As [`append`](Appender::append).
    pub fn append_all(&self, mut events: Vec<Event>) -> Append {
        if events.len() < 2 {
            return events.pop().map_or_else(|| self.future(State::Nothing), |only| self.append(only));
        }
        self.future(State::Waiting(events.into_iter().map(Prepared::new).collect())).queued()
    }

    /// Why no append would be taken now: whoever must not act without a record asks before it acts.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] or [`JournalError::Closed`].
    pub fn check(&self) -> Result<(), JournalError> {
        self.queue.check()
    }

    fn future(&self, state: State) -> Append {
        Append { queue: self.queue.clone(), state, group: wake::this_thread(), waiting: None }
    }
}

/// An append on its way: resolves to the (last) event's place once it is durable.
#[derive(Debug)]
#[must_use = "an append is acknowledged only when its future resolves"]
pub struct Append {
    queue: Arc<Queue>,
    state: State,
    /// The threads' group that it waits with.
    group: usize,
    /// The identity of the task that is registered to be woken, so that polling again registers nothing twice. It
    /// cannot belong to another task in the meantime: while it is registered, it lives.
    waiting: Option<(usize, usize)>,
}

#[derive(Debug)]
enum State {
    Nothing,
    /// There was no room yet.
    Waiting(Vec<Prepared>),
    Queued(Seq),
    Failed(JournalError),
}

impl Append {
    /// Whether the journal has the event and will make it durable, even if this future is dropped. It is `false` while
    /// the queue is full, and after an error: a caller that does not want to wait counts such an event as lost.
    pub fn is_queued(&self) -> bool {
        matches!(self.state, State::Queued(_))
    }

    /// Tries to queue, without waiting.
    fn queued(mut self) -> Append {
        self.try_queue(None);
        self
    }

    fn try_queue(&mut self, cx: Option<&Context<'_>>) {
        let State::Waiting(events) = &mut self.state else { return };
        let mut events = std::mem::take(events).into_iter();
        match self.queue.push(&mut events, cx) {
            Ok(None) => self.state = State::Waiting(events.collect()),
            Ok(Some(last)) => self.state = State::Queued(last),
            Err(error) => self.state = State::Failed(error),
        }
    }
}

impl Future for Append {
    type Output = Result<Seq, JournalError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.queue.help(this.group);
        this.try_queue(Some(cx));
        match &this.state {
            State::Waiting(_) => Poll::Pending,
            State::Nothing => Poll::Ready(Ok(Seq(this.queue.end().0.saturating_sub(1)))),
            State::Failed(error) => Poll::Ready(Err(error.clone())),
            State::Queued(last) => {
                let task = (cx.waker().data() as usize, std::ptr::from_ref(cx.waker().vtable()) as usize);
                let known = this.waiting.replace(task) == Some(task);
                if !known {
                    this.group = wake::this_thread();
                }
                this.queue.poll_durable(*last, (!known).then_some(&*cx))
            }
        }
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        // It may have been the one that was woken for its thread.
        self.queue.help(self.group);
    }
}
