//! What no bytes may break in the parts of this room that nobody else can call: the bodies of its fuzz targets.
//!
//! Each function takes bytes as an enemy would send them and panics when a promise is broken. `cargo fuzz` (which sets
//! `cfg(fuzzing)`) calls them with what it finds worth trying; the tests here call them with random input and with
//! everything that was worth keeping (`fuzz/seeds`), so that the promises are held in every test run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken promise must stop the run")]

mod body;
mod exchange;
#[cfg(test)]
mod tests;
mod wire;

pub use body::body;
pub use exchange::{bodies, errors, head};
pub use wire::{conversation, http1, preamble};
