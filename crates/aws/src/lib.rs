//! Speaks AWS: credential scopes, SigV4, the protocols, the table of every operation.
//!
//! Everything here is a function over values. No socket, file, clock or runtime: time is an argument, a request is a
//! borrowed [`Request`], a body is bytes.
//!
//! The knowledge is data. [`Catalog`] is one compact table of all operations of all AWS services, made from the public
//! service models by `cargo xtask models` and embedded in the binary; a service is decoded when it is first needed, by
//! one pass that checks every number in it, and from then on [`Operation`], [`Shape`] and [`Member`] are views that are
//! copied freely and never allocate. No per-service code is generated: what differs between services is either in the
//! models, or a small table here that says where it comes from ([`ServiceInfo::event_source`]).
//!
//! [`recognise`] names the service and operation of a request; [`credential`] says who signed it; [`uri_labels`] gives
//! the values in its path; [`sigv4`] holds the signature's mathematics; [`error_body`] writes an error as the service would.

mod catalog;
mod credential;
mod error_body;
mod labels;
mod model;
mod protocol;
pub mod recognise;
mod request;
pub mod sigv4;
mod source;

pub use catalog::{Catalog, CatalogError, ServiceId, ServiceInfo, format};
pub use credential::{Credential, CredentialKind, credential, form_credential, form_key};
pub use error_body::{ErrorBody, error_body};
pub use labels::{Labels, uri_labels};
pub use model::{ErrorShape, Kind, Location, Member, Operation, Service, Shape, TimestampFormat};
pub use protocol::Protocol;
pub use recognise::{Candidates, Recognised};
pub use request::{Headers, Pairs, Request};
