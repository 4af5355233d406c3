//! Which services may be meant.

use super::host;
use super::wire::Wire;
use crate::credential::signed_service;
use crate::{Catalog, Protocol, Request, ServiceId, ServiceInfo};
use smallvec::SmallVec;

/// The services that a request may be for, the likeliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates(SmallVec<[ServiceId; 4]>);

impl Candidates {
    pub(super) fn certain(id: ServiceId) -> Candidates {
        Candidates(std::iter::once(id).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

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

/// Signing names that the endpoint rules of the models give to single kinds of request, and the services meant.
const EXTRA_SIGNING_NAMES: &[(&str, &[&str])] = &[
    ("s3express", &["s3", "s3control"]),
    ("s3-object-lambda", &["s3"]),
    ("s3-outposts", &["s3outposts", "s3control", "s3"]),
    ("IngestionService", &["importexport"]),
    // What clients of before 2020 sign for the data plane of IoT.
    ("iotdevicegateway", &["iot-data"]),
];

pub(super) fn find(catalog: &Catalog, request: &Request<'_>, wire: &Wire<'_>) -> Candidates {
    let scope = signed_service(request).unwrap_or_default();
    let scope = &*scope;
    let mut found = if scope.is_empty() { Candidates::default() } else { signed(catalog, scope) };
    if found.0.is_empty() {
        found = unsigned(catalog, request, wire, scope);
    }
    if found.len() > 1 {
        narrow(catalog, request, wire, scope, &mut found);
    }
    found
}

fn signed(catalog: &Catalog, scope: &str) -> Candidates {
    if let Some((_, services)) = EXTRA_SIGNING_NAMES.iter().find(|(name, _)| *name == scope) {
        return Candidates(services.iter().filter_map(|name| catalog.by_name(name)).map(ServiceInfo::id).collect());
    }
    let mut found: SmallVec<[ServiceId; 4]> = catalog.lookup.by_signing_name(scope).collect();
    if found.is_empty() {
        found = catalog.lookup.by_endpoint_prefix(scope).collect();
    }
    sort(catalog, found)
}

/// The service that the signing name is called after, then the newest: a fixed order for twins.
fn sort(catalog: &Catalog, mut found: SmallVec<[ServiceId; 4]>) -> Candidates {
    found.sort_by_key(|id| {
        let info = catalog.info(*id);
        let version = info.map_or("", |info| info.api_version());
        (info.is_none_or(|info| info.name() != info.signing_name()), std::cmp::Reverse(version))
    });
    Candidates(found)
}

/// Keeps those that the request's own words allow, if any; a wrong word is the service's business, not ours.
fn narrow(catalog: &Catalog, request: &Request<'_>, wire: &Wire<'_>, scope: &str, found: &mut Candidates) {
    let keep = |found: &mut Candidates, rule: &dyn Fn(&ServiceInfo) -> bool| {
        let kept: SmallVec<_> = found.iter().filter(|id| catalog.info(*id).is_some_and(rule)).collect();
        if !kept.is_empty() {
            found.0 = kept;
        }
    };
    match wire {
        Wire::Cbor { prefix, .. } => keep(found, &|info| is_target(info, prefix)),
        Wire::Json { prefix, .. } => keep(found, &|info| is_target(info, prefix)),
        Wire::Form { .. } => keep(found, &|info| is_version(info, wire)),
        Wire::UnreadForm => keep(found, &|info| info.protocols().iter().any(|protocol| protocol.is_form())),
        Wire::Route => keep(found, &|info| info.protocol().is_rest()),
    }
    if scope.starts_with("s3") {
        let control = super::s3::is_control(request, scope);
        keep(found, &|info| (info.name() == "s3control") == control);
    }
    if found.len() > 1 {
        keep(found, &|info| host::names(request, info));
    }
}

/// Whether a target's prefix is the service's; the last word of a dotted one is enough (`CloudTrail_20131101`).
pub(super) fn is_target(info: &ServiceInfo, prefix: &str) -> bool {
    let own = info.target_prefix();
    !own.is_empty() && (own == prefix || own.rsplit_once('.').is_some_and(|(_, last)| last == prefix))
}

/// Whether the form's version is the service's; other wires have none.
pub(super) fn is_version(info: &ServiceInfo, wire: &Wire<'_>) -> bool {
    matches!(wire, Wire::Form { version, .. } if *version == info.api_version())
}

/// A request without a scope, or with one that no service signs for: what else does it say?
fn unsigned(catalog: &Catalog, request: &Request<'_>, wire: &Wire<'_>, scope: &str) -> Candidates {
    let lookup = &catalog.lookup;
    let speaks = |id: &ServiceId, rule: fn(Protocol) -> bool| {
        catalog.info(*id).is_some_and(|info| info.protocols().iter().any(|protocol| rule(*protocol)))
    };
    let by_words: SmallVec<[ServiceId; 4]> = match wire {
        Wire::Cbor { prefix, .. } | Wire::Json { prefix, .. } => targeted(catalog, prefix),
        Wire::Form { version, .. } => lookup.by_version(version).filter(|id| speaks(id, Protocol::is_form)).collect(),
        Wire::UnreadForm | Wire::Route => SmallVec::new(),
    };
    if !by_words.is_empty() {
        return sort(catalog, by_words);
    }
    let by_host = host::services(catalog, request);
    if !by_host.is_empty() {
        return sort(catalog, by_host);
    }
    match wire {
        Wire::UnreadForm => unsigned_services(catalog, Protocol::Query),
        Wire::Route => match routed(catalog, request) {
            Some(id) => Candidates::certain(id),
            // Whoever signs for something else does not mean S3.
            None if !scope.is_empty() => Candidates::default(),
            None => Candidates(catalog.by_name("s3").map(ServiceInfo::id).into_iter().collect()),
        },
        _ => Candidates::default(),
    }
}

/// The services of a target's prefix; of all of them only where its last word alone is given.
fn targeted(catalog: &Catalog, prefix: &str) -> SmallVec<[ServiceId; 4]> {
    let whole: SmallVec<[ServiceId; 4]> = catalog.lookup.by_target_prefix(prefix).collect();
    if !whole.is_empty() {
        return whole;
    }
    catalog.services().iter().filter(|info| is_target(info, prefix)).map(ServiceInfo::id).collect()
}

/// The services of that protocol that have operations without a signature (STS for forms).
fn unsigned_services(catalog: &Catalog, protocol: Protocol) -> Candidates {
    let services = catalog.services().iter();
    let open = services.filter(|info| info.has_unsigned_operations() && info.protocol() == protocol);
    Candidates(open.map(ServiceInfo::id).collect())
}

/// An unsigned REST call of a service that allows one (IAM Identity Center's portal and token endpoints, sign-in): known by
/// a bearer token of its own or by a JSON body, neither of which an anonymous S3 request has.
fn routed(catalog: &Catalog, request: &Request<'_>) -> Option<ServiceId> {
    let json = request.headers.get("content-type").is_some_and(|value| value.starts_with("application/json"));
    if !json && !request.headers.has("x-amz-sso_bearer_token") {
        return None;
    }
    unsigned_services(catalog, Protocol::RestJson).iter().find(|id| {
        let service = catalog.service(*id).ok();
        service
            .and_then(|service| service.router().find(service, request))
            .is_some_and(|(found, _)| found.is_unsigned())
    })
}
