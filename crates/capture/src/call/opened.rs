//! What the head of a request tells, before its body has passed: which call it is and which bytes must be kept.

use crate::call::Call;
use crate::exchange::Keep;
use aws::{Operation, Protocol, Service, ServiceId};

/// A request whose head has been read. The proxy keeps it beside the exchange and hands it back to
/// [`Recorder::record`](crate::Recorder::record).
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    pub(crate) service: Option<&'static Service>,
    /// Whether it can be no other.
    pub(crate) only_service: bool,
    pub(crate) call: Option<Call>,
    /// How it is made, and how an error of our own must be written.
    pub(crate) protocol: Option<Protocol>,
    /// Whether its host names a bucket in a way that the store does not know.
    pub(crate) is_elsewhere: bool,
    pub(crate) request_body: Keep,
    pub(crate) response_body: Keep,
}

impl Opened {
    /// The service that the call is for; `None` when the head names none.
    pub fn service(&self) -> Option<ServiceId> {
        self.service.map(|service| service.id())
    }

    /// The operation, when the head alone tells (query protocols name it in the body).
    pub fn operation(&self) -> Option<Operation<'static>> {
        self.call.map(|call| call.operation)
    }

    /// The protocol of the call: how an error of our own must be written.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether the call may change something: all but those that are known to read only.
    pub(crate) fn may_change(&self) -> bool {
        self.call.is_none_or(|call| !call.read_only)
    }

    /// How much of the request's body to keep.
    pub fn request_body(&self) -> Keep {
        self.request_body
    }

    /// How much of the body of an answer with this status to keep.
    pub fn response_body(&self, status: u16) -> Keep {
        crate::call::response_keep(self.response_body, status)
    }
}
