//! An endpoint on a route of one server, and a client that speaks to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_crds::{effective, validate};
use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::engine::{Begin, Engine, Executed, Executor, Parts, Run};
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::Call;
use asyncmcp_delivery::sender::{Attempt, Post, Sender};
use asyncmcp_delivery::state::End;
use asyncmcp_delivery::store::Upkeep as _;
use asyncmcp_delivery::store::memory::Memory;
use asyncmcp_delivery::verdict::Verdict;
use asyncmcp_fakes::eventually;
use asyncmcp_fakes::mcp::{McpServer, Seen};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::example;
use crate::auth::{self, Auth};
use crate::caller::operation::Metrics;
use crate::caller::session::seal::Ring;
use crate::calls::{Calls, InProgress, Rates, Resumable, TaskIds};
use crate::config::{Config, Refs};
use crate::edge::{Edge, router};
use crate::servers::catalogue::{Catalogue, Cursors};
use crate::servers::lines::{Lines, Wrap};
use crate::servers::{self, Upstreams};
use crate::tests::route::SOON;
use crate::work::delivery_policy;

/// What the tests' clients accept.
pub(super) const BOTH: &str = "application/json, text/event-stream";

/// The endpoint and what is behind it.
pub(super) struct Gateway {
    router: Router,
    pub(super) edge: Arc<Edge>,
    pub(super) server: McpServer,
    pub(super) jobs: Arc<Jobs>,
    pub(super) store: Arc<Memory>,
    pub(super) registry: Registry,
    route: watch::Sender<Arc<Config>>,
    spec: String,
}

/// Executes nothing: a job stays where acceptance left it until it is cancelled.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) begun: Mutex<Vec<(JobId, Call, Bytes)>>,
    pub(super) delivered: watch::Sender<Vec<String>>,
    /// `webhook-timestamp` and `ce-time` of the deliveries.
    pub(super) times: Mutex<Vec<(Millis, Millis)>>,
}

#[async_trait]
impl Executor for Jobs {
    async fn execute(&self, run: Run<'_>) -> Executed {
        let Begin::Send(params) = run.begin else {
            return Executed::Lost;
        };
        self.begun
            .lock()
            .unwrap()
            .push((run.job, run.call.clone(), params));
        run.cancel.cancelled().await;
        Executed::NotSent {
            retry_after: Duration::ZERO,
            is_away: false,
        }
    }

    fn body(&self, _: &Call, end: End) -> Bytes {
        format!("{end:?}").into()
    }
}

#[async_trait]
impl Sender for Jobs {
    async fn send(&self, post: Post<'_>) -> Attempt {
        self.times.lock().unwrap().push((post.at, post.ended));
        let body = String::from_utf8(post.body.to_vec()).unwrap();
        self.delivered
            .send_modify(|all| all.push(format!("{} {body}", post.target.url)));
        Attempt {
            status: Some(200),
            verdict: Verdict::Delivered,
            retry_after: None,
            disables: false,
            duration: Duration::ZERO,
        }
    }
}

fn config(spec: &str, server: &McpServer, deleting: bool) -> Arc<Config> {
    let yaml = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
         servers: [{{name: a, url: \"{}\", toolPrefix: p_, maxQueuedJobs: 8}}]\n  store: {{memory: {{}}}}\n{spec}",
        server.url()
    );
    let loaded = load(&yaml, Unknown::Refuse).unwrap();
    validate(&loaded.route).unwrap();
    let mut route = effective(&loaded.route);
    route.deleting = deleting;
    Arc::new(Config {
        route,
        hash: "hash".into(),
        refs: Refs::default(),
        unknown_fields: Vec::new(),
        refused: None,
    })
}

impl Gateway {
    /// A route whose tools are prefixed `p_`, with `spec` in addition: lines indented by two.
    pub(super) async fn start(spec: &str) -> Self {
        Self::start_at(spec, Clock::system(Millis(0), 0, None)).await
    }

    /// The same with a clock of the test's.
    pub(super) async fn start_at(spec: &str, clock: Clock) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (server, registry) = (example::server().await, Registry::new());
        let (route, live) = watch::channel(config(spec, &server, false));
        let store = Arc::new(Memory::new(
            asyncmcp_delivery::store::metrics::Metrics::register(&registry).unwrap(),
        ));
        let jobs = Arc::new(Jobs::default());
        let parts = Parts {
            store: store.clone(),
            executor: jobs.clone(),
            sender: jobs.clone(),
            policy: delivery_policy::follow(live.clone()),
            clock: clock.clone(),
            rng: asyncmcp_delivery::engine::rng(),
        };
        let ring = Arc::new(Ring::random());
        let upstreams = Upstreams::new(live.clone(), servers::Metrics::register(&registry).unwrap());
        let wrap = Wrap::new(ring.clone(), live.borrow().identity());
        let task_ids = TaskIds::new(ring.clone(), live.borrow().identity());
        let lines = Lines::new(upstreams.clone(), store.clone(), wrap);
        let cursors = Cursors::new(ring.clone(), live.borrow().identity());
        let calls = Calls {
            catalogue: Catalogue::start(upstreams, lines.clone(), cursors),
            lines,
            engine: Arc::new(Engine::start(parts, &registry).unwrap()),
            in_progress: InProgress::default(),
            rates: Rates::default(),
            metrics: Metrics::register(&registry, clock.clone()).unwrap(),
            clock,
            task_ids,
            resumable: Resumable::start(ring.clone(), live.borrow().identity()),
            closing: CancellationToken::new(),
        };
        let edge = Arc::new(Edge {
            auth: Arc::new(Auth::start(live.clone(), auth::Metrics::register(&registry).unwrap()).unwrap()),
            live,
            calls: Arc::new(calls),
            ring,
            loopback: true,
            closing: CancellationToken::new(),
        });
        Self {
            router: router(edge.clone()),
            edge,
            server,
            jobs,
            store,
            registry,
            route,
            spec: spec.to_owned(),
        }
    }

    /// The same endpoint, but the route is being deleted.
    pub(super) fn delete_route(&self) {
        self.route.send_replace(config(&self.spec, &self.server, true));
    }

    /// The route, changed.
    pub(super) fn change_route(&self, spec: &str) {
        self.route.send_replace(config(spec, &self.server, false));
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The last message of this method that the server got, once there is one.
    pub(super) async fn hears(&self, method: &str) -> Seen {
        eventually(SOON, async || self.server.seen(method).pop()).await
    }

    /// Serves the endpoint on a port of its own.
    pub(super) async fn listen(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, router) = (listener.local_addr().unwrap(), self.router.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Posts `body` with the usual headers and these.
    pub(super) async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let usual = [
            ("host", "localhost:8080"),
            ("accept", BOTH),
            ("content-type", "application/json"),
        ];
        let mut request = Request::post("/mcp");
        for (name, value) in usual.iter().chain(headers) {
            request
                .headers_mut()
                .unwrap()
                .insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Reply::read(self.send(request.body(body.into()).unwrap()).await).await
    }

    /// Opens a session whose `initialize` has this `_meta`.
    pub(super) async fn client(&self, meta: Value) -> Client<'_> {
        self.client_of("2025-11-25", meta).await
    }

    pub(super) async fn client_of(&self, version: &str, meta: Value) -> Client<'_> {
        let reply = self.post(&[], initialize(version, &meta).to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let session = reply.headers["mcp-session-id"].to_str().unwrap().to_owned();
        Client {
            gateway: self,
            session,
        }
    }

    /// The value of a counter or a histogram's count, over all its labels.
    pub(super) fn count(&self, name: &str, label: &str) -> u64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == name)
            .expect("a metric");
        let has =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|pair| pair.value() == label);
        let metrics = family.get_metric().iter().filter(has);
        metrics
            .map(|metric| metric.get_histogram().get_sample_count())
            .sum()
    }

    /// Whether the store knows of nothing that is still to happen.
    pub(super) fn pending(&self) -> u64 {
        self.store.counts().pending()
    }
}

pub(super) fn initialize(version: &str, meta: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version,
        "capabilities": {"sampling": {}},
        "clientInfo": {"name": "test", "version": "1"},
        "_meta": meta,
    }})
}

/// A client with a session.
pub(super) struct Client<'a> {
    gateway: &'a Gateway,
    pub(super) session: String,
}

impl Client<'_> {
    pub(super) async fn post(&self, body: impl Into<Body>) -> Reply {
        self.gateway
            .post(&[("mcp-session-id", &self.session)], body)
            .await
    }

    /// Calls a tool; `params` goes beside its name.
    pub(super) async fn call(&self, id: u64, tool: &str, mut params: Value) -> Reply {
        params["name"] = json!(tool);
        self.post(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string())
            .await
    }

    /// The same, but the answer is read as it comes.
    pub(super) async fn stream(&self, id: u64, tool: &str) -> Response {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}});
        let request = Request::post("/mcp")
            .header("host", "localhost")
            .header("accept", BOTH)
            .header("content-type", "application/json")
            .header("mcp-session-id", &self.session);
        self.gateway
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    pub(super) async fn with_method(&self, method: &str) -> Response {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &self.session);
        self.gateway.send(request.body(Body::empty()).unwrap()).await
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) async fn read(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and JSON-RPC error code.
    pub(super) fn refusal(&self) -> (u16, i64) {
        (
            self.status.as_u16(),
            self.json()["error"]["code"].as_i64().unwrap_or_default(),
        )
    }

    /// The messages of a stream, as they were written.
    pub(super) fn messages(&self) -> Vec<&str> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|message| !message.is_empty()).collect()
    }

    pub(super) fn is_stream(&self) -> bool {
        self.headers["content-type"] == "text/event-stream"
    }
}
