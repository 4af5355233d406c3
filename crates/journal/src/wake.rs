//! Waking many waiting tasks cheaply.
//!
//! To wake a task of a runtime from outside costs a system call (tokio writes to an eventfd), and one sync may resolve
//! the appends of hundreds of tasks. So waiters are kept by the thread that they were polled on; the writer wakes one of each
//! thread, and that one wakes the others when it runs: from within the thread that costs a push to a queue.
//! The chain never depends on that one alone: whoever is polled or dropped on its behalf helps, and the writer wakes what
//! is left over a moment later (a task may be woken and then not poll us for a while).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Threads are told apart up to this number; beyond it some share a group, which costs a little and breaks nothing.
const GROUPS: usize = 16;

/// The group of the thread that calls.
pub(crate) fn this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static GROUP: usize = NEXT.fetch_add(1, Ordering::Relaxed) % GROUPS);
    GROUP.try_with(|group| *group).unwrap_or(0)
}

/// Tasks that wait for one event, by thread.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    groups: [Vec<Waker>; GROUPS],
}

impl Waiters {
    /// Adds a task of `group`.
    pub(crate) fn add(&mut self, group: usize, waker: Waker) {
        if let Some(wakers) = self.groups.get_mut(group) {
            wakers.push(waker);
        }
    }

    /// Wakes all of them, each by itself.
    pub(crate) fn wake_each(&mut self) {
        self.groups.iter_mut().flat_map(|wakers| wakers.drain(..)).for_each(Waker::wake);
    }
}

/// Tasks that are to be woken by one of their own thread.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    links: [Link; GROUPS],
}

#[derive(Debug, Default)]
struct Link {
    /// Whether `wakers` holds any, to be seen without the lock.
    waiting: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Chain {
    /// Wakes one of each thread, and leaves the others to it.
    pub(crate) fn wake(&self, waiters: &mut Waiters) {
        for (link, wakers) in self.links.iter().zip(&mut waiters.groups) {
            link.wake_all();
            let Some(first) = wakers.pop() else { continue };
            if !wakers.is_empty() {
                let mut waiting = link.wakers.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.append(wakers);
                link.waiting.store(true, Ordering::Release);
            }
            first.wake();
        }
    }

    /// Wakes those that were left to `group`. Called by whoever runs on the group's behalf.
    pub(crate) fn help(&self, group: usize) {
        if let Some(link) = self.links.get(group) {
            link.wake_all();
        }
    }

    /// Whether nobody is left to be woken.
    pub(crate) fn is_done(&self) -> bool {
        !self.links.iter().any(|link| link.waiting.load(Ordering::Acquire))
    }

    /// Wakes everyone who is left.
    pub(crate) fn sweep(&self) {
        self.links.iter().for_each(Link::wake_all);
    }
}

impl Link {
    fn wake_all(&self) {
        if !self.waiting.load(Ordering::Acquire) {
            return;
        }
        // Woken after the lock is released: a waker may run anything, even code that comes back here.
        let wakers = {
            let mut waiting = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting.store(false, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn one_of_each_thread_is_woken_and_wakes_the_rest() {
        let (count, chain, mut waiters) = (Arc::new(Count::default()), Chain::default(), Waiters::default());
        let woken = || count.0.load(Ordering::SeqCst);
        for group in [1, 1, 1, 4] {
            waiters.add(group, count.clone().into());
        }
        chain.wake(&mut waiters);
        assert_eq!(woken(), 2);
        chain.help(0);
        assert_eq!((woken(), chain.is_done()), (2, false));
        chain.help(1);
        assert_eq!((woken(), chain.is_done()), (4, true));
    }

    #[test]
    fn those_left_over_are_woken_by_a_sweep_or_by_the_next_event() {
        let (count, chain, mut waiters) = (Arc::new(Count::default()), Chain::default(), Waiters::default());
        let woken = || count.0.load(Ordering::SeqCst);
        (0..3).for_each(|_| waiters.add(2, count.clone().into()));
        chain.wake(&mut waiters);
        chain.sweep();
        assert_eq!(woken(), 3);
        (0..3).for_each(|_| waiters.add(2, count.clone().into()));
        chain.wake(&mut waiters);
        chain.wake(&mut Waiters::default());
        assert_eq!((woken(), chain.is_done()), (6, true));
    }
}
