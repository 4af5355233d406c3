//! How much of an answer waits for its record.
//!
//! The end of an answer always does. Under `fail-closed` the beginning does too, where that costs nobody a stream: an
//! SDK takes a head whose body never came for a success without members, and would count a call as answered whose record
//! died with this process.

use crate::http1::{Framing, ResponseHead};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// An answer that, head and body, is no longer than this waits whole. It stays below what a relay reads ahead.
pub(super) const WHOLE_BYTES: usize = 64 << 10;
/// How long the beginning of any other answer waits, for its end or for [`WHOLE_BYTES`] of it.
pub(super) const BRIEFLY: Duration = Duration::from_millis(250);

/// What of an answer waits although it could be written.
#[derive(Debug)]
pub(super) enum Hold {
    /// Nothing but its end.
    End,
    /// All of it: its length is known, and small, and the request has been said.
    Whole,
    /// Its beginning: it may be small, or large, or a stream. The timer is made for what has to wait.
    Beginning(Option<Pin<Box<Sleep>>>),
}

impl Hold {
    /// What waits of an answer whose head has been read, and stands with what came before in the first `read` bytes.
    /// `early`: the client has not said its whole request; it may wait for this answer before it goes on.
    pub(super) fn of(response: &ResponseHead, read: usize, early: bool) -> Hold {
        let is_small = match response.framing {
            Framing::Done => true,
            Framing::Length(length) => length.saturating_add(read as u64) <= WHOLE_BYTES as u64,
            Framing::Chunked(_) | Framing::UntilClose => false,
        };
        if is_small && !early {
            Hold::Whole
        } else if response.is_event_stream() {
            Hold::End
        } else {
            Hold::Beginning(None)
        }
    }

    /// Whether an answer of which `read` bytes have been read waits. Sets no timer.
    pub(super) fn holds(&self, read: usize) -> bool {
        match self {
            Hold::End => false,
            Hold::Whole => true,
            Hold::Beginning(_) => read <= WHOLE_BYTES,
        }
    }

    /// Ready, once, when a beginning has waited for long enough. To be asked when nothing else moves.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Hold::Beginning(timer) = self else { return Poll::Pending };
        ready!(timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(BRIEFLY))).as_mut().poll(cx));
        *self = Hold::End;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(head: &str, to_head: bool, early: bool) -> String {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        let hold = Hold::of(&ResponseHead::parse(head.as_bytes(), to_head).unwrap().unwrap(), head.len(), early);
        format!("{hold:?}")
    }

    #[test]
    fn small_answers_wait_whole_and_streams_of_events_do_not_wait() {
        let chunked = "Transfer-Encoding: chunked";
        for (head, to_head, expected) in [
            ("200 OK\r\nContent-Length: 2".to_owned(), false, "Whole"),
            ("200 OK\r\nContent-Length: 0".to_owned(), false, "Whole"),
            ("204 No Content".to_owned(), false, "Whole"),
            ("200 OK\r\nContent-Length: 5000000".to_owned(), true, "Whole"),
            (format!("200 OK\r\nContent-Length: {WHOLE_BYTES}"), false, "Beginning(None)"),
            (format!("200 OK\r\nContent-Length: {}", u64::MAX / 2), false, "Beginning(None)"),
            ("200 OK".to_owned(), false, "Beginning(None)"),
            (format!("200 OK\r\n{chunked}"), false, "Beginning(None)"),
            (format!("200 OK\r\n{chunked}\r\nContent-Type: application/vnd.amazon.eventstream"), false, "End"),
            (format!("200 OK\r\n{chunked}\r\ncontent-type:  Text/Event-Stream; charset=utf-8"), false, "End"),
        ] {
            assert_eq!(hold(&head, to_head, false), expected, "{head}");
        }
        assert_eq!(hold("200 OK\r\nContent-Length: 2", false, true), "Beginning(None)", "the client may wait for it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_beginning_waits_until_there_is_much_of_it_or_its_time_is_over() {
        let mut hold = Hold::Beginning(None);
        assert!(hold.holds(WHOLE_BYTES) && !hold.holds(WHOLE_BYTES + 1));
        let started = tokio::time::Instant::now();
        std::future::poll_fn(|cx| hold.poll_over(cx)).await;
        assert!((BRIEFLY..BRIEFLY * 2).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert!(!hold.holds(1));
    }
}
