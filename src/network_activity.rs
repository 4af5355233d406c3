//! Whether anybody wants network activity events: for nobody, none are recorded.

use registry::{Documents, Registry, RegistryError, Trail, Watch};
use std::sync::{Mutex, PoisonError};

/// What the trails select, looked at again only when one of them has changed.
pub(crate) struct NetworkActivity {
    trails: Documents<Trail>,
    changes: Watch,
    /// The change after which was looked last, and what was seen.
    seen: Mutex<(Option<u64>, bool)>,
}

impl NetworkActivity {
    /// Of the trails of this registry.
    pub(crate) fn of(registry: &Registry) -> Result<NetworkActivity, RegistryError> {
        let trails = registry.documents::<Trail>()?;
        Ok(NetworkActivity { changes: trails.watch(), trails, seen: Mutex::default() })
    }

    /// Whether a trail that logs selects any. A change that was answered is seen.
    pub(crate) fn is_selected(&self) -> bool {
        let latest = *self.changes.borrow();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != Some(latest) {
            let wants = |trail: &Trail| {
                trail.logging.is_on() && trail.selectors.as_ref().is_some_and(|all| all.select_network_activity())
            };
            *seen = (Some(latest), self.trails.list().iter().any(|trail| wants(trail)));
        }
        seen.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::Selectors;
    use registry::Expected;

    fn selecting(category: &str) -> Selectors {
        let json = format!(
            r#"{{"advanced":[{{"FieldSelectors":[{{"Field":"eventCategory","Equals":["{category}"]}},{{"Field":"eventSource","Equals":["kms.amazonaws.com"]}}]}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn it_is_selected_while_a_trail_that_selects_it_logs() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let activity = NetworkActivity::of(&registry).unwrap();
        assert!(!activity.is_selected(), "there are no trails");
        let mut trail = Trail::new("us-east-1", "111122223333", "main", "audit", 1);
        trail.logging.start(0, 1, 0);
        let mut version = registry.put(trail.clone(), Expected::Absent).unwrap();
        assert!(!activity.is_selected(), "management events only");
        for (selectors, logs, selected) in
            [("Data", true, false), ("NetworkActivity", true, true), ("NetworkActivity", false, false)]
        {
            trail.selectors = Some(selecting(selectors));
            if !logs {
                trail.logging.stop(2);
            }
            version = registry.put(trail.clone(), version).unwrap();
            assert_eq!((activity.is_selected(), activity.is_selected()), (selected, selected), "{selectors} {logs}");
        }
        registry.delete::<Trail>(&trail.arn(), version).unwrap();
        assert!(!activity.is_selected());
    }
}
