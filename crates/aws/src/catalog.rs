//! The table of every operation of every AWS service, embedded in the binary.
//!
//! `models/aws.bin` is made by `cargo xtask models` from the public service models. Opening it reads the index only; a
//! service is decompressed and checked when it is first asked for, and kept.

mod cursor;
pub mod format;
mod index;
mod tables;

pub use index::{ServiceId, ServiceInfo};
pub(crate) use tables::{CodeRow, LINEAR, MemberRow, OperationRow, ShapeRow, Tables, order};

use crate::model::Service;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

/// A service takes at most this many bytes decompressed: EC2, the largest, takes about a third of it.
const MAX_SERVICE: usize = 4 << 20;

static EMBEDDED: &[u8] = include_bytes!("../../../models/aws.bin");

/// All services. There is one per process: [`Catalog::embedded`].
#[derive(Debug)]
pub struct Catalog {
    file: &'static [u8],
    services: Vec<ServiceInfo>,
    decoded: Vec<OnceLock<Result<Box<Service>, CatalogError>>>,
    pub(crate) lookup: Lookup,
}

/// Why a table cannot be read. The embedded one is tested to be readable, so this means a damaged build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// The first bytes are not those of a table, or of a version that this reader does not know.
    #[error("not a table of AWS operations of this version")]
    NotACatalog,
    /// The index is damaged.
    #[error("the index of the table of AWS operations is damaged")]
    Index,
    /// A service's frame is damaged.
    #[error("the table of the AWS service `{0}` is damaged")]
    Service(&'static str),
}

impl Catalog {
    /// The table in this binary.
    pub fn embedded() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            // The bytes are part of the binary and a test reads them all; an empty catalog recognises nothing,
            // which is a better end for a damaged build than a panic in the middle of a request.
            Catalog::open(EMBEDDED).unwrap_or_else(|_| Catalog {
                file: &[],
                services: Vec::new(),
                decoded: Vec::new(),
                lookup: Lookup::default(),
            })
        });
        &CATALOG
    }

    /// Reads the index of a table.
    ///
    /// # Errors
    /// [`CatalogError`] when the bytes are no table or the index is damaged.
    pub fn open(file: &'static [u8]) -> Result<Catalog, CatalogError> {
        let services = index::read(file)?;
        let decoded = services.iter().map(|_| OnceLock::new()).collect();
        let lookup = Lookup::new(&services);
        Ok(Catalog { file, services, decoded, lookup })
    }

    /// What the index says of all services, by name.
    pub fn services(&self) -> &[ServiceInfo] {
        &self.services
    }

    /// What the index says of a service, without decoding it; `None` for an id of another catalog.
    pub fn info(&self, id: ServiceId) -> Option<&ServiceInfo> {
        self.services.get(usize::from(id.0))
    }

    /// A service with its operations and shapes; decoded on first use.
    ///
    /// # Errors
    /// [`CatalogError::Service`] when its frame is damaged.
    pub fn service(&self, id: ServiceId) -> Result<&Service, CatalogError> {
        let (Some(info), Some(slot)) = (self.info(id), self.decoded.get(usize::from(id.0))) else {
            return Err(CatalogError::Index);
        };
        match slot.get_or_init(|| self.decode(info)) {
            Ok(service) => Ok(service),
            Err(error) => Err(*error),
        }
    }

    /// The service of that botocore name, such as `dynamodb`.
    pub fn by_name(&self, name: &str) -> Option<&ServiceInfo> {
        let at = self.services.binary_search_by(|service| service.name().cmp(name)).ok()?;
        self.services.get(at)
    }

    fn decode(&self, info: &ServiceInfo) -> Result<Box<Service>, CatalogError> {
        let damaged = CatalogError::Service(info.name());
        let frame = self.file.get(info.frame.clone()).ok_or(damaged)?;
        if info.raw_len > MAX_SERVICE {
            return Err(damaged);
        }
        let raw = zstd::bulk::decompress(frame, info.raw_len).map_err(|_| damaged)?;
        let tables = Tables::read(&raw).map_err(|_| damaged)?;
        Ok(Box::new(Service::new(info, tables)))
    }
}

/// Finds services by the words of a request; built once from the index.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    signing: Words,
    endpoint: Words,
    target: Words,
    version: Words,
}

/// Words and the services that they name, these by their ids.
#[derive(Debug, Default)]
struct Words(HashMap<&'static str, SmallVec<[ServiceId; 4]>>);

impl Words {
    fn new(words: impl Iterator<Item = (&'static str, ServiceId)>) -> Words {
        let mut services: HashMap<_, SmallVec<[ServiceId; 4]>> = HashMap::new();
        for (word, id) in words.filter(|(word, _)| !word.is_empty()) {
            services.entry(word).or_default().push(id);
        }
        services.values_mut().for_each(|ids| ids.sort_unstable());
        Words(services)
    }

    fn find(&self, word: &str) -> impl Iterator<Item = ServiceId> + '_ + use<'_> {
        self.0.get(word).into_iter().flatten().copied()
    }
}

impl Lookup {
    fn new(services: &[ServiceInfo]) -> Lookup {
        let words = |of: fn(&ServiceInfo) -> &'static str| Words::new(services.iter().map(|s| (of(s), s.id)));
        Lookup {
            signing: words(ServiceInfo::signing_name),
            endpoint: words(ServiceInfo::endpoint_prefix),
            target: words(ServiceInfo::target_prefix),
            version: words(ServiceInfo::api_version),
        }
    }

    pub(crate) fn by_signing_name(&self, name: &str) -> impl Iterator<Item = ServiceId> + '_ {
        self.signing.find(name)
    }

    pub(crate) fn by_endpoint_prefix(&self, prefix: &str) -> impl Iterator<Item = ServiceId> + '_ {
        self.endpoint.find(prefix)
    }

    pub(crate) fn by_target_prefix(&self, prefix: &str) -> impl Iterator<Item = ServiceId> + '_ {
        self.target.find(prefix)
    }

    pub(crate) fn by_version(&self, version: &str) -> impl Iterator<Item = ServiceId> + '_ {
        self.version.find(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use proptest::prelude::*;

    fn raw(name: &str) -> Vec<u8> {
        let catalog = Catalog::embedded();
        let info = catalog.by_name(name).unwrap();
        zstd::bulk::decompress(catalog.file.get(info.frame.clone()).unwrap(), info.raw_len).unwrap()
    }

    /// Follows every number in the tables.
    fn visit(service: &Service) -> usize {
        let mut seen = 0;
        for operation in service.operations() {
            let errors = operation.errors().map(|error| error.shape());
            for shape in operation.input().into_iter().chain(operation.output()).chain(errors) {
                seen += shape
                    .members()
                    .map(|member| member.wire_name().len() + member.shape().members().count())
                    .sum::<usize>();
                seen += usize::from(
                    shape.member_by_wire("Name").is_some_and(|member| member.shape().kind() == Kind::String),
                );
            }
            seen += operation.name().len() + operation.request_uri().len();
        }
        seen
    }

    proptest! {
        #[test]
        fn damaged_tables_are_refused_or_harmless(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = raw("iam");
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            if let Ok(tables) = Tables::read(&bytes) {
                let info = Catalog::embedded().by_name("iam").unwrap();
                visit(&Service::new(info, tables));
            }
        }
    }
}
