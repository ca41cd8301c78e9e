//! Watches against an API server that accepts them and then says nothing.

use super::{Scope, Watches};
use crate::api::hearing::Hearing;
use crate::api::of;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::select_all;
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// This text, and then nothing more; the answer does not end.
fn open(text: String) -> Answer {
    let first = futures::stream::iter([Ok(Frame::data(Bytes::from(text)))]);
    let body = StreamBody::new(first.chain(futures::stream::pending()));
    Response::new(BoxBody::new(body))
}

fn whole(text: String) -> Answer {
    let body = futures::stream::iter([Ok(Frame::data(Bytes::from(text)))]);
    Response::new(BoxBody::new(StreamBody::new(body)))
}

fn empty_list() -> String {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}).to_string()
}

fn added() -> String {
    let mut route = crate::route::fixture::object(&crate::route::fixture::minimal());
    route["metadata"]["resourceVersion"] = json!("2");
    format!("{}\n", json!({"type": "ADDED", "object": route}))
}

/// The first watches are accepted and stay silent, as after a load balancer dropped them; the next `unanswered` requests
/// get no answer at all; then a watch of routes gets an event.
async fn answer(uri: Uri, watches: Arc<AtomicU32>, unanswered: u32) -> Answer {
    let is_watch = uri.query().unwrap_or_default().contains("watch=true");
    if !is_watch {
        return whole(empty_list());
    }
    if !uri.path().ends_with("/mcpwebhookroutes") {
        return open(String::new());
    }
    match watches.fetch_add(1, Ordering::Relaxed) {
        0 => open(String::new()),
        count if count <= unanswered => std::future::pending().await,
        _ => open(added()),
    }
}

async fn heard_after(unanswered: u32) -> Duration {
    let watches = Arc::new(AtomicU32::new(0));
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let answer = answer(request.uri().clone(), watches.clone(), unanswered);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let client = of(service, Hearing::default());
    let mut requests = select_all(Watches::new(&client, &Scope::Cluster, &[]).requests);
    let began = Instant::now();
    let until = Duration::from_mins(10);
    timeout(until, async {
        while !matches!(requests.next().await, Some(Ok(_))) {}
    })
    .await
    .expect("deaf");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_opened_again_within_a_minute() {
    let heard = heard_after(0).await;
    assert!(heard < Duration::from_mins(1), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_given_up() {
    let heard = heard_after(2).await;
    assert!(heard < Duration::from_secs(90), "{heard:?}");
}
