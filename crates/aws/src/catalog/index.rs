//! The uncompressed index in front of the frames: what can be known of a service without decoding it.

use super::CatalogError;
use super::cursor::{Cursor, Malformed};
use super::format::{self, service};
use crate::Protocol;
use smallvec::SmallVec;
use std::ops::Range;

/// A service's place in its [`Catalog`](crate::Catalog).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub(crate) u16);

/// What the index says of one service.
#[derive(Debug, Clone)]
pub struct ServiceInfo {
    pub(crate) id: ServiceId,
    name: &'static str,
    service_id: &'static str,
    signing_name: &'static str,
    endpoint_prefix: &'static str,
    target_prefix: &'static str,
    api_version: &'static str,
    json_version: &'static str,
    xml_namespace: &'static str,
    global_region: &'static str,
    event_source: Box<str>,
    protocols: SmallVec<[Protocol; 3]>,
    flags: u32,
    pub(super) frame: Range<usize>,
    pub(super) raw_len: usize,
}

impl ServiceInfo {
    /// Its place in the catalog.
    pub fn id(&self) -> ServiceId {
        self.id
    }

    /// The name of its folder in botocore, such as `dynamodb`: unique.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `serviceId`, such as `DynamoDB`.
    pub fn service_id(&self) -> &'static str {
        self.service_id
    }

    /// The service of the credential scope, such as `dynamodb`; several services may share one.
    pub fn signing_name(&self) -> &'static str {
        self.signing_name
    }

    /// The first labels of its host name, such as `streams.dynamodb`; several services may share one.
    pub fn endpoint_prefix(&self) -> &'static str {
        self.endpoint_prefix
    }

    /// What stands before the dot in `X-Amz-Target`; empty where there is none.
    pub fn target_prefix(&self) -> &'static str {
        self.target_prefix
    }

    /// Such as `2012-08-10`.
    pub fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// `1.0` or `1.1` for the JSON protocol; empty for others.
    pub fn json_version(&self) -> &'static str {
        self.json_version
    }

    /// The namespace of its XML documents; empty where there is none.
    pub fn xml_namespace(&self) -> &'static str {
        self.xml_namespace
    }

    /// The protocol that SDKs choose: the first of [`Self::protocols`].
    pub fn protocol(&self) -> Protocol {
        self.protocols.first().copied().unwrap_or(Protocol::Json)
    }

    /// All protocols that it accepts, in the order in which SDKs choose.
    pub fn protocols(&self) -> &[Protocol] {
        &self.protocols
    }

    /// Whether one Region serves all.
    pub fn is_global(&self) -> bool {
        !self.global_region.is_empty()
    }

    /// The Region in which the calls of a global service are made and recorded; `None` for services with Regions.
    pub fn global_region(&self) -> Option<&'static str> {
        self.is_global().then_some(self.global_region)
    }

    /// Whether some of its operations need no signature.
    pub fn has_unsigned_operations(&self) -> bool {
        self.flags & service::UNSIGNED_OPERATIONS != 0
    }

    /// `eventSource` of its records, such as `monitoring.amazonaws.com`.
    pub fn event_source(&self) -> &str {
        &self.event_source
    }
}

/// Reads the index and checks that the frames it speaks of are there.
pub(super) fn read(file: &'static [u8]) -> Result<Vec<ServiceInfo>, CatalogError> {
    let rest = file.strip_prefix(format::MAGIC).ok_or(CatalogError::NotACatalog)?;
    let mut cursor = Cursor::new(rest);
    let (mut services, frames_len) = entries(&mut cursor).map_err(|Malformed| CatalogError::Index)?;
    if cursor.remaining() != frames_len {
        return Err(CatalogError::Index);
    }
    let start = file.len() - frames_len;
    for service in &mut services {
        service.frame = start + service.frame.start..start + service.frame.end;
    }
    Ok(services)
}

fn entries(cursor: &mut Cursor<'static>) -> Result<(Vec<ServiceInfo>, usize), Malformed> {
    let count = cursor.count()?;
    let mut services = Vec::with_capacity(count);
    let mut at = 0usize;
    for number in 0..count {
        let mut service = ServiceInfo {
            id: ServiceId(u16::try_from(number).map_err(|_| Malformed)?),
            name: cursor.text()?,
            service_id: cursor.text()?,
            signing_name: cursor.text()?,
            endpoint_prefix: cursor.text()?,
            target_prefix: cursor.text()?,
            api_version: cursor.text()?,
            json_version: cursor.text()?,
            xml_namespace: cursor.text()?,
            global_region: cursor.text()?,
            event_source: Box::default(),
            protocols: SmallVec::new(),
            flags: 0,
            frame: 0..0,
            raw_len: 0,
        };
        for _ in 0..cursor.count()? {
            let protocol = Protocol::ALL.get(usize::from(cursor.byte()?)).ok_or(Malformed)?;
            service.protocols.push(*protocol);
        }
        service.flags = cursor.number()?;
        let len = cursor.number()? as usize;
        service.raw_len = cursor.number()? as usize;
        let end = at.checked_add(len).ok_or(Malformed)?;
        service.frame = at..end;
        at = end;
        service.event_source = crate::source::event_source(service.name, service.signing_name);
        services.push(service);
    }
    Ok((services, at))
}
