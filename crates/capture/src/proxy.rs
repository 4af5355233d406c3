//! The proxy: connections in, exchanges through, records out. The only files of this room that do I/O.
//!
//! ```text
//! edge ──▶ connection ──▶ relay ──▶ upstream
//!   │           │  └────▶ answer ─▶ what is served here (local.rs)
//!   └─ http2 ───┘
//! ```
//!
//! One thread per core runs its own event loop with its own connections to the upstreams, so an exchange never
//! changes threads. HTTP/1.1 passes byte by byte; an HTTP/2 stream is carried into the same path.

mod answer;
mod buffers;
mod connection;
mod edge;
mod hold;
mod http2;
pub(crate) mod origin;
mod patience;
mod recording;
mod relay;
mod routes;
mod tee;
mod upstream;

pub use edge::{Bound, Edge, Running};
pub use origin::TrustedProxies;
pub use patience::{CLIENT_STALL, ClientLimits};
pub use recording::Audit;
pub use routes::{Routes, RoutesError};
pub use upstream::{Upstream, UpstreamError};
