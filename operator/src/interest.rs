//! Which routes depend on which object: the index from a changed Secret to the routes that refer to it.
//! Written by `route::resolve`, read by the watches.
//!
//! Invariant: a route registers its interest before it reads the caches, so it misses no change in between.

use crate::kinds::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Routes = BTreeMap<(String, String), BTreeSet<Key>>;

/// The index of one scope.
#[derive(Debug, Default)]
pub(crate) struct Interest(Mutex<Routes>);

impl Interest {
    /// Replaces the objects that a route depends on.
    pub(crate) fn set(&self, namespace: &str, route: &str, keys: BTreeSet<Key>) {
        self.lock().insert((namespace.to_owned(), route.to_owned()), keys);
    }

    /// The names of the routes in this namespace that depend on this object.
    pub(crate) fn routes(&self, namespace: &str, key: &Key) -> Vec<String> {
        let routes = self.lock();
        let here = routes
            .iter()
            .filter(|((of, _), keys)| of == namespace && keys.contains(key));
        here.map(|((_, route), _)| route.clone()).collect()
    }

    /// Drops every route that no longer exists.
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
    use crate::kinds::Kind;

    #[test]
    fn interest_ends_at_the_namespace_and_with_the_route() {
        let interest = Interest::default();
        let key = Key::new(Kind::Secret, "token");
        interest.set("a", "route", [key.clone()].into());
        assert_eq!(interest.routes("a", &key), ["route"]);
        assert!(interest.routes("b", &key).is_empty());
        interest.retain(|_, route| route != "route");
        assert!(interest.routes("a", &key).is_empty());
    }
}
