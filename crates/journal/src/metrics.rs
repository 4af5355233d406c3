//! What an operator watches.

use prometheus_client::registry::Registry;

/// The journal's and its followers' metrics; clones share their values.
#[derive(Debug, Clone, Default)]
pub struct Metrics {}

impl Metrics {
    /// Registers all of them.
    pub fn register(&self, _registry: &mut Registry) {
        unimplemented!()
    }
}
