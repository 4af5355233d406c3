//! The proxy at work, between a client and an upstream that break off, stand still and go away: what each of them sees, and what the
//! record says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod held;
mod house;
mod http1;
mod http2;
mod journal_refuses;
mod waiting;
