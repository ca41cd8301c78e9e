//! Every name derived from a route, in one place. Called by `route::build`, `route::apply` and the watches.
//!
//! Invariant: for every route name the API accepts (a DNS label of at most 40 characters) each
//! derived name is a DNS label, and within one kind two routes of a namespace never derive the same name.

use crate::digest::short;

/// Longest route name that the API accepts. `-dataplane-config` is the longest suffix (17), and a `StatefulSet`'s pods
/// carry `<name>-<10 characters>` as a label value, which must stay within 63: 40 + 10 + 11 = 61.
#[cfg(test)]
const MAX_ROUTE: usize = 40;

/// Length of the hash that distinguishes the volumes of two successive routes with the same name.
const UID_TAG: usize = 6;

/// A route's identity and the names of everything made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    namespace: String,
    route: String,
    uid: String,
}

impl Names {
    /// The names of a route. `validate` rejects a route whose name is too long or not a DNS label.
    pub(crate) fn new(namespace: &str, route: &str, uid: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            route: route.to_owned(),
            uid: uid.to_owned(),
        }
    }

    /// The namespace of the route and of everything made for it.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The route's own name.
    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// The `StatefulSet` or `Deployment`, the `Service` and the `ServiceAccount`.
    pub(crate) fn dataplane(&self) -> String {
        format!("{}-dataplane", self.route)
    }

    /// The `ConfigMap` with the route document.
    pub(crate) fn config_map(&self) -> String {
        format!("{}-dataplane-config", self.route)
    }

    /// The `Secret` with the keys that encrypt session ids, and the admin token.
    pub(crate) fn keys(&self) -> String {
        format!("{}-keys", self.route)
    }

    /// The `Secret` with the keys that encrypt the data on the volume of `claim`. It is named after the claim, not the
    /// route: a route that adopts the volume needs it.
    pub(crate) fn keys_of(claim: &str) -> String {
        format!("{claim}-keys")
    }

    /// The `PersistentVolumeClaim` of the embedded store. It holds a hash of the uid, so a new route
    /// with the same name never adopts the old one's jobs.
    pub(crate) fn store(&self) -> String {
        format!("{}-store-{}", self.route, short(&self.uid, UID_TAG))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn derived(names: &Names) -> [String; 5] {
        let store = names.store();
        let keys = Names::keys_of(&store);
        [names.dataplane(), names.config_map(), names.keys(), store, keys]
    }

    fn is_dns_label(name: &str) -> bool {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let starts = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        starts && name.len() <= 63 && name.bytes().all(inner) && !name.ends_with('-')
    }

    proptest! {
        #[test]
        fn derived_names_are_labels_and_differ(
            a in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
            b in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
            uid in "[0-9a-f]{8}-[0-9a-f]{4}",
        ) {
            let of = |name: &str| derived(&Names::new("ns", name, &uid));
            let (first, second) = (of(&a), of(&b));
            prop_assert!(first.iter().all(|name| is_dns_label(name)), "{first:?}");
            for (one, other) in first.iter().zip(&second) {
                prop_assert_eq!(one == other, a == b);
            }
        }
    }

    #[test]
    fn the_longest_route_name_leaves_room_for_a_pods_revision_label() {
        let names = Names::new("ns", &"r".repeat(MAX_ROUTE), "uid");
        assert!(names.dataplane().len() + "-0123456789".len() <= 63);
        assert!(derived(&names).iter().all(|name| is_dns_label(name)));
    }

    #[test]
    fn a_new_route_with_an_old_name_gets_another_volume() {
        let first = Names::new("ns", "route", "one");
        let again = Names::new("ns", "route", "two");
        assert_ne!(first.store(), again.store());
        assert_eq!(first.keys(), again.keys());
    }
}
