//! The promises of the store, kept through its public doors: against a model, across crashes, over HTTP.

// clippy.toml lets tests unwrap, but not the functions that they share.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "store/crash.rs"]
mod crash;
#[path = "store/http.rs"]
mod http_door;
#[path = "store/kept.rs"]
mod kept;
#[path = "store/lifetimes.rs"]
mod lifetimes;
#[path = "store/model.rs"]
mod model;
#[path = "store/signed.rs"]
mod signed;
