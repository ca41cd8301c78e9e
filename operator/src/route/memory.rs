//! What the operator remembers about a route between two reconciles. All of it can be lost: a restarted operator
//! collects it again and changes nothing that was right. Each step gets its own part only.
//!
//! Invariant: one reconcile of a route at a time holds its memory; a new route with the same name starts without one.

use super::apply::Applied;
use super::feedback::Reports;
use super::publish::Published;
use super::reload::Reloads;
use super::resolve::Written;
use super::stuck::Waiting;
use crate::kinds::Key;
use crate::names::Names;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is remembered about one route.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What was last applied to each child.
    pub(crate) applied: BTreeMap<Key, Applied>,
    /// What the ConfigMap holds; `None` if not read yet.
    pub(crate) written: Option<Written>,
    /// The Secrets with keys that are known to exist.
    pub(crate) secrets: BTreeSet<String>,
    /// Each pod's last report.
    pub(crate) reports: Reports,
    /// Which pods were notified of a new configuration, and when.
    pub(crate) reloads: Reloads,
    /// Since when it has no pod, or a pod without a volume.
    pub(crate) stuck: Waiting,
    /// What `publish` needs besides the status itself.
    pub(crate) published: Published,
    /// The generation that this process knew first.
    pub(crate) generation: Option<i64>,
    /// Failed reconciles in a row.
    pub(crate) failures: u32,
}

/// The memory of one route, held by one reconcile at a time.
pub(crate) type Shared = Arc<tokio::sync::Mutex<Memory>>;

type Routes = HashMap<(String, String), (String, Shared)>;

/// The memories of a scope.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<Routes>);

impl Memories {
    /// The memory of a route.
    pub(crate) fn of(&self, names: &Names) -> Shared {
        let key = (names.namespace().to_owned(), names.route().to_owned());
        let mut routes = self.lock();
        let (uid, memory) = routes.entry(key).or_default();
        if uid != names.uid() {
            names.uid().clone_into(uid);
            *memory = Shared::default();
        }
        memory.clone()
    }

    /// Forgets every route that no longer exists.
    pub(crate) fn retain(&self, exists: impl Fn(&str, &str) -> bool) {
        self.lock()
            .retain(|(namespace, route), _| exists(namespace, route));
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_route_with_an_old_name_starts_without_memory() {
        let memories = Memories::default();
        let first = Names::new("ns", "route", "one");
        memories.of(&first).lock().await.failures = 3;
        assert_eq!(memories.of(&first).lock().await.failures, 3);
        let again = Names::new("ns", "route", "two");
        assert_eq!(memories.of(&again).lock().await.failures, 0);
    }

    #[tokio::test]
    async fn a_deleted_route_is_forgotten() {
        let memories = Memories::default();
        let names = Names::new("ns", "route", "one");
        memories.of(&names).lock().await.failures = 3;
        memories.retain(|_, _| false);
        assert_eq!(memories.of(&names).lock().await.failures, 0);
    }
}
