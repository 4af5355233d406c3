//! The recorder and the proxy: Exchange to Call to Event.
//!
//! The pure half ([`Recorder`]) takes what passed through ([`Exchange`]) and writes what CloudTrail would have written:
//! it decodes the wire format into a small tree, gives it meaning by the service model of the [`aws`] room, and writes the
//! record once, by hand, into one buffer. Nothing of it does I/O, reads a clock or draws a random number by itself.
//!
//! What differs between services is data, in one table for each kind of difference: how a service writes its records
//! (`manner.rs`), what must not be seen (`redact.rs`), what is a data event (`data_events.rs`), what only reads
//! (`read_only.rs`), which names differ from the model (`names.rs`), EC2's old names (`ec2/`), the resources that are
//! named (`resources.rs`).

mod call;
mod chain;
mod classify;
mod compose;
mod decode;
mod drift;
mod dynamodb;
mod ec2;
mod error;
mod exchange;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod hostile;
mod http1;
mod identities;
mod learn;
mod limits;
mod local;
mod manner;
mod metrics;
mod names;
mod opened;
mod params;
mod proxy;
mod read_only;
mod recorder;
mod redact;
mod render;
mod resources;
mod s3;
mod saml;
mod time;
mod tree;
mod verdict;
mod virtual_host;
mod who;
mod write;

pub use exchange::{Captured, Exchange, Failure, Keep, Response, TlsDetails};
pub use identities::{Change, Identities, KnownIdentities, Lesson, Listener, Principal, Revoked};
pub use local::{Answer, Body, BoxError, Local, LocalCall};
pub use metrics::Metrics;
pub use opened::Opened;
pub use proxy::{
    Audit, Bound, CLIENT_STALL, ClientLimits, Edge, Routes, RoutesError, Running, TrustedProxies, Upstream,
    UpstreamError,
};
pub use recorder::{Recorder, RecorderConfig};
pub use verdict::{Reason, Records, Verdict};
