//! Names the service and the operation of a request.
//!
//! [`service`] works from the head alone, so that a request can be sent on its way before its body has come. [`operation`]
//! may look at the first bytes of the body, where the query protocol keeps its `Action`.

mod s3;
pub(crate) mod template;

pub(crate) use s3::address as s3_address;

use crate::{Catalog, Operation, Protocol, Request, Service, ServiceId};
use smallvec::SmallVec;

/// The services that a request may be for, the likeliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates(SmallVec<[ServiceId; 4]>);

impl Candidates {
    /// The likeliest service.
    pub fn first(&self) -> Option<ServiceId> {
        self.0.first().copied()
    }

    /// The service, if only one is possible.
    pub fn one(&self) -> Option<ServiceId> {
        if self.0.len() == 1 { self.first() } else { None }
    }

    /// All, the likeliest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ServiceId> + '_ {
        self.0.iter().copied()
    }
}

/// What a request was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised<'c> {
    /// The service.
    pub service: ServiceId,
    /// The operation.
    pub operation: Operation<'c>,
    /// The protocol of this very request, one of the service's.
    pub protocol: Protocol,
}

/// The services that the head of a request may be for.
///
/// The credential scope names them, and target, path and host narrow them; an unsigned request is told by its target,
/// `Action`, path or host, and what remains is taken for an S3 request by path, as S3 stores do.
pub fn service(catalog: &Catalog, request: &Request<'_>) -> Candidates {
    let _ = (catalog, request);
    Candidates::default()
}

/// The service and operation of a request. `form` is the body (or its first bytes) where the content type is a form;
/// other bodies are not looked at.
pub fn operation<'c>(catalog: &'c Catalog, request: &Request<'_>, form: &[u8]) -> Option<Recognised<'c>> {
    let _ = (catalog, request, form);
    None
}

/// The REST routes of one service.
#[derive(Debug)]
pub(crate) struct Router {}

impl Router {
    pub(crate) fn new(_service: &Service) -> Router {
        Router {}
    }
}
