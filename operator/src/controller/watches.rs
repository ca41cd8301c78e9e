//! The watches of one scope: the caches they fill, and the routes they enqueue. Made by `run`, polled by `controller`.
//!
//! | watched | enqueues |
//! |---|---|
//! | routes | the route |
//! | pods of data planes | their route |
//! | children, by owner and by label | their route |
//! | everything a route refers to, and others' objects with a child's name | the routes in [`Interest`] |
//! | becoming the leader | all routes |
//!
//! Invariant: a change enqueues every route that it may concern; a route too many costs reads but no write.

use super::{Request, Requests, request};
use crate::api::WATCH_SECONDS;
use crate::api::backoff::Soon;
use crate::caches::{Caches, Orphaned, RouteObject};
use crate::interest::Interest;
use crate::kinds::{Key, Kind, Meta, route_resource};
use crate::labels;
use futures::stream::{self, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which part of the cluster a controller works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Cluster,
    Namespace(String),
}

impl Scope {
    /// One scope per namespace, or the whole cluster if no namespace is named.
    pub(crate) fn of(namespaces: &[String]) -> Vec<Self> {
        if namespaces.is_empty() {
            return vec![Self::Cluster];
        }
        let unique: BTreeSet<_> = namespaces.iter().collect();
        unique
            .into_iter()
            .map(|namespace| Self::Namespace(namespace.clone()))
            .collect()
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(namespace) => Some(namespace),
        }
    }

    fn api<K>(&self, client: &kube::Client, resource: &K::DynamicType) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::DynamicResourceScope, DynamicType = ApiResource>,
    {
        match self {
            Self::Cluster => Api::all_with(client.clone(), resource),
            Self::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        }
    }

    fn pods(&self, client: &kube::Client) -> Api<Pod> {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}

/// The watches of one scope: the caches they fill and the requests they make.
pub(crate) struct Watches {
    pub(crate) caches: Caches,
    /// Which routes depend on which object.
    pub(crate) interest: Arc<Interest>,
    pub(super) requests: Vec<Requests>,
}

impl Watches {
    /// Sets up every watch of the scope. No request is sent before `controller::run` polls them.
    pub(crate) fn new(client: &kube::Client, scope: &Scope, kinds: &[Kind]) -> Self {
        let interest = Arc::new(Interest::default());
        let orphaned = Arc::new(Orphaned::default());
        let (routes, own) = watch_routes(client, scope, orphaned.clone());
        let (pods, of_pods) = watch_pods(client, scope);
        let mut requests = vec![own, of_pods];
        let mut metas = BTreeMap::new();
        for kind in kinds.iter().copied() {
            let (store, touched) = watch_meta(client, scope, kind, interest.clone());
            metas.insert(kind, store);
            requests.push(touched);
        }
        Self {
            caches: Caches {
                namespace: scope.namespace().map(str::to_owned),
                routes,
                pods,
                metas,
                orphaned,
            },
            interest,
            requests,
        }
    }
}

/// Pages of the first list. Objects of others may carry 256 KiB of annotations each, which are dropped after the page is
/// read.
const PAGE: u32 = 50;

fn config(selector: Option<String>) -> watcher::Config {
    watcher::Config {
        label_selector: selector,
        ..watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
    }
}

fn watch_routes(
    client: &kube::Client,
    scope: &Scope,
    orphaned: Arc<Orphaned>,
) -> (Store<RouteObject>, Requests) {
    let resource = route_resource();
    let writer = reflector::store::Writer::new(resource.clone());
    let store = writer.as_reader();
    let stream = watcher(scope.api::<DynamicObject>(client, &resource), config(None))
        .backoff(Soon::default())
        .modify(move |route| {
            orphaned.note(route);
            labels::trim(&mut route.metadata);
        })
        .reflect(writer)
        .touched_objects()
        .map(|touched| touched.map(|route| request(ObjectRef::from_obj_with(&route, route_resource()))));
    (store, stream.boxed())
}

fn watch_pods(client: &kube::Client, scope: &Scope) -> (Store<Pod>, Requests) {
    let (store, writer) = reflector::store();
    let stream = watcher(scope.pods(client), config(Some(labels::managed())))
        .backoff(Soon::default())
        .modify(|pod| {
            labels::trim(&mut pod.metadata);
            pod.spec = None;
        })
        .reflect(writer)
        .touched_objects()
        .flat_map(|touched| match touched {
            Ok(pod) => stream::iter(
                by_label(&pod.metadata)
                    .map(request)
                    .map(Ok)
                    .into_iter()
                    .collect::<Vec<_>>(),
            ),
            Err(error) => stream::iter(vec![Err(error)]),
        });
    (store, stream.boxed())
}

fn watch_meta(
    client: &kube::Client,
    scope: &Scope,
    kind: Kind,
    interest: Arc<Interest>,
) -> (Store<Meta>, Requests) {
    let writer = reflector::store::Writer::new(kind.resource());
    let store = writer.as_reader();
    let config = config(kind.watch_selector());
    let stream = watcher(scope.api::<Meta>(client, &kind.resource()), config)
        .backoff(Soon::default())
        .modify(|meta| labels::trim(&mut meta.metadata))
        .reflect(writer)
        .touched_objects()
        .flat_map(move |touched| match touched {
            Ok(meta) => stream::iter(enqueued_by(&meta.metadata, kind, &interest)),
            Err(error) => stream::iter(vec![Err(error)]),
        });
    (store, stream.boxed())
}

/// The routes that a change of this object concerns.
fn enqueued_by(meta: &ObjectMeta, kind: Kind, interest: &Interest) -> Vec<Result<Request, watcher::Error>> {
    let Some((namespace, name)) = meta.namespace.as_deref().zip(meta.name.as_deref()) else {
        return Vec::new();
    };
    let interested = interest.routes(namespace, &Key::new(kind, name));
    let routes = interested
        .into_iter()
        .map(|route| route_ref(namespace, &route))
        .chain(by_label(meta));
    routes.map(request).map(Ok).collect()
}

/// The route that an object was made for, according to its labels.
fn by_label(meta: &ObjectMeta) -> Option<ObjectRef<RouteObject>> {
    let labels = meta.labels.as_ref()?;
    if labels.get(labels::MANAGED_BY).map(String::as_str) != Some(labels::OPERATOR) {
        return None;
    }
    Some(route_ref(
        meta.namespace.as_deref()?,
        labels.get(labels::INSTANCE)?,
    ))
}

fn route_ref(namespace: &str, name: &str) -> ObjectRef<RouteObject> {
    ObjectRef::new_with(name, route_resource()).within(namespace)
}

#[cfg(test)]
mod silence;

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("ns".to_owned()),
            labels: Some(labels.collect()),
            ..ObjectMeta::default()
        }
    }

    fn enqueued(meta: &ObjectMeta, interest: &Interest) -> Vec<String> {
        let requests = enqueued_by(meta, Kind::Secret, interest);
        requests
            .into_iter()
            .map(|request| request.unwrap().obj_ref.name)
            .collect()
    }

    #[test]
    fn a_child_enqueues_its_route_and_a_reference_the_routes_that_hold_it() {
        let interest = Interest::default();
        interest.set("ns", "two", [Key::new(Kind::Secret, "token")].into());
        let child = meta(
            "x",
            &[(labels::MANAGED_BY, labels::OPERATOR), (labels::INSTANCE, "one")],
        );
        assert_eq!(enqueued(&child, &interest), ["one"]);
        assert_eq!(enqueued(&meta("token", &[]), &interest), ["two"]);
        assert_eq!(
            enqueued(&meta("other", &[(labels::INSTANCE, "helm-release")]), &interest),
            [""; 0]
        );
    }

    #[test]
    fn a_namespace_named_twice_is_one_scope() {
        assert_eq!(Scope::of(&[]), [Scope::Cluster]);
        let twice = ["a".to_owned(), "a".to_owned()];
        assert_eq!(Scope::of(&twice), [Scope::Namespace("a".to_owned())]);
    }
}
