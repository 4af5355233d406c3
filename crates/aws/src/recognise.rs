//! Names the service and the operation of a request.
//!
//! [`service`] works from the head alone, so that a request can be sent on its way before its body has come. [`operation`]
//! may look at the first bytes of the body, where the query protocol keeps its `Action`.
//!
//! First come the candidates: the credential scope names a signing name, which up to nine services share; a request
//! without one is told by what else it says (`candidates.rs`). Then each candidate is asked, by the protocol that the
//! request speaks, whether it has such an operation: by name for JSON, CBOR and forms, by route for REST (`route.rs`), with
//! S3's own ways in `s3.rs`. Where several services answer, the better fit wins, then the service that the host or the user
//! agent names, then a fixed order; services that still tie are twins, which share operation and event source.

mod candidates;
mod host;
mod route;
mod s3;
pub(crate) mod template;
mod wire;

pub use candidates::Candidates;
pub use host::region;
pub(crate) use route::Router;
pub(crate) use s3::address as s3_address;
pub use s3::bucket_in_host;
pub use wire::{form_action, is_form};

use crate::{Catalog, Operation, Protocol, Request, ServiceId};
use route::Fit;
use smallvec::SmallVec;
use wire::Wire;

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

/// The services that the head of a request may be for, the likeliest first.
///
/// The credential scope names them, and target, path and host narrow them; an unsigned request is told by its target,
/// `Action`, path or host, and what remains is taken for an S3 request by path, as S3 stores do.
pub fn service(catalog: &Catalog, request: &Request<'_>) -> Candidates {
    let wire = Wire::of(request, &[]);
    let candidates = candidates::find(catalog, request, &wire);
    if candidates.len() < 2 {
        return candidates;
    }
    let fitting: SmallVec<[Match<'_>; 4]> = fitting(catalog, request, &wire, &candidates).collect();
    match best(catalog, request, &fitting) {
        // Twins stay candidates only where a form may still tell them apart.
        Some(found) => Candidates::certain(found.recognised.service),
        None => candidates,
    }
}

/// The service and operation of a request. `form` is the body (or its first bytes) where the content type is a form;
/// other bodies are not looked at.
pub fn operation<'c>(catalog: &'c Catalog, request: &Request<'_>, form: &[u8]) -> Option<Recognised<'c>> {
    let wire = Wire::of(request, form);
    let candidates = candidates::find(catalog, request, &wire);
    let fitting: SmallVec<[Match<'c>; 4]> = fitting(catalog, request, &wire, &candidates).collect();
    best(catalog, request, &fitting).map(|found| found.recognised)
}

/// A candidate that has an operation for the request.
struct Match<'c> {
    recognised: Recognised<'c>,
    fit: Fit,
}

fn fitting<'a, 'c: 'a>(
    catalog: &'c Catalog,
    request: &'a Request<'_>,
    wire: &'a Wire<'_>,
    candidates: &'a Candidates,
) -> impl Iterator<Item = Match<'c>> + 'a {
    candidates.iter().filter_map(move |id| {
        let info = catalog.info(id)?;
        let (protocol, named) = match wire {
            Wire::Cbor { operation, .. } if info.protocols().contains(&Protocol::RpcV2Cbor) => {
                (Protocol::RpcV2Cbor, Some(*operation))
            }
            Wire::Json { prefix, operation } if candidates::is_target(info, prefix) => {
                (Protocol::Json, Some(*operation))
            }
            Wire::Form { action, .. } if info.protocols().iter().any(|protocol| protocol.is_form()) => {
                let ec2 = info.protocols().contains(&Protocol::Ec2);
                (if ec2 { Protocol::Ec2 } else { Protocol::Query }, Some(action.as_ref()))
            }
            _ if info.protocol().is_rest() => (info.protocol(), None),
            _ => return None,
        };
        let service = catalog.service(id).ok()?;
        let (operation, fit) = match named {
            Some(name) => (service.operation(name)?, Fit::named(candidates::is_version(info, wire))),
            None => service.router().find(service, request)?,
        };
        Some(Match { recognised: Recognised { service: id, operation, protocol }, fit })
    })
}

/// The best fit; the candidates come in the fixed order, so the first of equals wins.
fn best<'m, 'c>(catalog: &Catalog, request: &Request<'_>, matches: &'m [Match<'c>]) -> Option<&'m Match<'c>> {
    let (first, rest) = matches.split_first()?;
    if rest.is_empty() {
        return Some(first);
    }
    let rank = |found: &Match<'_>| {
        let hint = catalog.info(found.recognised.service).map_or(0, |info| host::hint(request, info));
        (found.fit.of_route(), hint, found.fit)
    };
    let mut best = (rank(first), first);
    for found in rest {
        let own = rank(found);
        if own > best.0 {
            best = (own, found);
        }
    }
    Some(best.1)
}
