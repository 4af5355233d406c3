//! Access keys, found by their id.

use registry::{AccessKey, Documents, Registry, RegistryError};
use std::sync::Arc;

/// The access keys kept here. Looking one up is a read of a map in memory: the registry keeps its documents there, and
/// wipes the secret of one that is replaced or removed. Cheap to clone; always current.
#[derive(Clone)]
pub struct Keys(Documents<AccessKey>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// The keys of a registry.
    ///
    /// # Errors
    /// [`RegistryError`] when they cannot be read.
    pub fn of(registry: &Registry) -> Result<Keys, RegistryError> {
        registry.documents().map(Keys)
    }

    /// The key of that id, whatever its status.
    pub fn find(&self, access_key_id: &str) -> Option<Arc<AccessKey>> {
        self.0.get(access_key_id).map(|key| key.document)
    }
}
