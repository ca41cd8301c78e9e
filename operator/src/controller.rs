//! The queue of routes of one scope, fed by its watches. Called by `run`, once per scope.
//!
//! Invariant: every replica watches, only the leader reconciles.

mod watches;

use crate::caches::{Caches, RouteObject};
use crate::cause;
use crate::kinds::route_resource;
use crate::leader::Leadership;
use crate::route::{self, Routes};
use futures::stream::{self, BoxStream, StreamExt};
use kube::runtime::controller::{self, Config, ReconcileRequest, applier};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use std::sync::Arc;
pub(crate) use watches::{Scope, Watches};

/// Routes reconciled at the same time.
const CONCURRENCY: u16 = 32;

type Request = ReconcileRequest<RouteObject>;
type Requests = BoxStream<'static, Result<Request, watcher::Error>>;

/// Reconciles the routes of one scope. The watches never end, so this does not return.
pub(crate) async fn run(requests: Watches, leadership: Leadership, routes: Arc<Routes>) {
    let store = requests.caches.routes.clone();
    let mut queue = requests.requests;
    queue.push(all_routes_when_leading(leadership, requests.caches));
    applier(
        |object, routes| Box::pin(route::reconcile(object, routes)),
        |object, error, routes| route::error_policy(object, error, &routes),
        routes,
        store,
        stream::select_all(queue),
        Config::default().concurrency(CONCURRENCY),
    )
    .for_each(|outcome| async move {
        match outcome {
            Ok(_) | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
            Err(error) => {
                tracing::warn!(cause = cause::line(&error), "watch failed; retrying");
            }
        }
    })
    .await;
}

/// Every route, once this replica leads and its caches are warm: on standby it reconciled none.
fn all_routes_when_leading(mut leadership: Leadership, caches: Caches) -> Requests {
    stream::once(async move {
        leadership.gained().await;
        caches.warm().await;
        let routes = caches.routes.state();
        stream::iter(routes).map(|route| Ok(request(ObjectRef::from_obj_with(&*route, route_resource()))))
    })
    .flatten()
    .boxed()
}

fn request(route: ObjectRef<RouteObject>) -> Request {
    Request::from(route)
}
