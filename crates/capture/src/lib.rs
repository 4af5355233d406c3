//! The recorder and the proxy: Exchange to Call to Event.
//!
//! The I/O stands in `proxy/`, on `http1/`, and gives what passed through as an [`Exchange`]. The pure half ([`Recorder`])
//! writes what CloudTrail would have written of it, without a clock or a random number of its own. Each folder knows only those
//! before it:
//!
//! * `decode/` makes a small tree of a body, whatever its format;
//! * `render/` makes JSON of a tree, by the service model of the [`aws`] room, and hides what nobody may see;
//! * `call/` says which call it was, of which class, and on what it acted;
//! * `params/` writes `requestParameters` and `responseElements`;
//! * `who/` says who made the call, and learns from answers who will make the next ones;
//! * `compose/` writes the record, once, by hand, into one buffer.
//!
//! What differs between services is data, in one table for each kind of difference: how a service writes its records
//! (`render/manner.rs`, for single operations `render/drift.rs`), what must not be seen (`render/redact.rs`), what is a data
//! event (`call/classify.rs`), what only reads (`call/read_only.rs`), which names differ from the model (`call/names.rs`),
//! which resources are named (`call/resources.rs`), EC2's old names (`params/ec2/`).

mod call;
mod compose;
mod decode;
mod exchange;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod hostile;
mod http1;
mod local;
mod metrics;
mod params;
mod proxy;
mod recorder;
mod render;
mod tables;
mod verdict;
mod who;

pub use call::opened::Opened;
pub use exchange::{Captured, Exchange, Failure, Keep, Response, TlsDetails};
pub use local::{Answer, Body, BoxError, Local, LocalCall};
pub use metrics::Metrics;
pub use proxy::{
    Audit, Bound, CLIENT_STALL, ClientLimits, Edge, Routes, RoutesError, Running, TrustedProxies, Upstream,
    UpstreamError,
};
pub use recorder::{Recorder, RecorderConfig};
pub use verdict::{Reason, Records, Verdict};
pub use who::identities::{Change, Identities, KnownIdentities, Lesson, Listener, Principal, Revoked};
