//! A data plane with jobs in every state, and more that come and go while a test looks.
//!
//! Invariant: where a delivery goes is in its call: `/400` refuses it for good, `/503` wants it later, `/heals` takes it when
//! it is replayed, and everything else takes it at once.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
/// A tool whose name would be markup in a careless page. It is hidden, and the overview says so.
const HOSTILE: &str = "<img src=x onerror=\"window.hostile=true\">\u{202e}gpj";
/// A result of the same kind.
const HOSTILE_RESULT: &str = r#"{"content": [{"type": "text", "text": "<script>window.hostile=true</script>\u202e<img src=x onerror=window.hostile=true>"}]}"#;
/// How a server refuses a session, and what of it is shown.
const HOSTILE_REFUSAL: &str = r#"{"jsonrpc": "2.0", "id": ID, "error": {"code": -32000, "message": "<svg onload=window.hostile=true>"}}"#;
const HOSTILE_ERROR: &str = "<svg onload=window.hostile=true>";

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    load: JoinHandle<()>,
    pub(crate) gateway: DataPlane,
    receiver: Receiver,
    session: Session,
    calls: AtomicU64,
    pub(crate) dir: TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.load.abort();
    }
}

impl Scene {
    /// Everything up, and deliveries running.
    pub(crate) async fn open() -> Result<Self> {
        Self::with(&["report", "forecast"], Reaction::of_a_proxy(502)).await
    }

    /// The same with servers that try to get markup into the pages.
    pub(crate) async fn open_hostile() -> Result<Self> {
        Self::with(
            &["report", "hostile", "big", HOSTILE],
            Reaction::Status(200, HOSTILE_REFUSAL),
        )
        .await
    }

    async fn with(tools: &[&str], broken: Reaction) -> Result<Self> {
        let server = McpServer::start(tools).await;
        server.on(
            "report",
            [Reaction::Result(
                r#"{"content": [{"type": "text", "text": "412 rows"}]}"#,
            )],
        );
        server.on("forecast", [Reaction::Hangs]);
        server.on("hostile", [Reaction::Result(HOSTILE_RESULT)]);
        let (bytes, stream) = (1 << 20, false);
        server.on("big", [Reaction::Big { bytes, stream }]);
        let broken = McpServer::that_says(broken).await;
        let receiver = Receiver::start(|post: Post| async move { status(&post) }).await?;
        let dir = tempfile::tempdir()?;
        DataPlane::write_secret(dir.path(), "signing", "secret", SECRET)?;
        let route = route((&server.url(), &broken.url()), &receiver.url("/results"));
        let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
        Ok(Self {
            load: tokio::spawn(load(gateway.url())),
            session: Session::open(&gateway.url(), None).await?,
            gateway,
            receiver,
            calls: AtomicU64::new(0),
            dir,
        })
    }

    /// Calls a tool whose result goes to this path; gives the job's id once it is in `state`.
    pub(crate) async fn job(&self, tool: &str, path: &str, state: &str) -> Result<String> {
        let url = self.receiver.url(path);
        let params = json!({"name": tool, "arguments": {"customer": "C-1042"},
                            "_meta": {"dev.asyncmcp/webhook": {"url": url}}});
        let call = json!({"jsonrpc": "2.0", "id": self.calls.fetch_add(1, Ordering::Relaxed), "method": "tools/call", "params": params});
        let reply = self.session.post(call.to_string()).await?;
        let id = reply
            .job()
            .with_context(|| format!("not accepted: {}", reply.json()))?;
        eventually(PATIENCE, || async {
            let job = self
                .api(&format!("/jobs/{id}"))
                .await
                .map_err(|error| error.to_string())?;
            if job["state"] == state {
                Ok(())
            } else {
                Err(format!("it is {job}"))
            }
        })
        .await;
        Ok(id)
    }

    /// What a script needs to know, with these jobs.
    pub(crate) fn world(&self, jobs: &Value) -> Result<Value> {
        Ok(json!({
            "base": self.gateway.admin(""),
            "adminToken": self.token("adminToken")?,
            "viewToken": self.token("viewToken")?,
            "error": HOSTILE_ERROR,
            "receiver": self.receiver.url(""),
            "jobs": jobs,
        }))
    }

    fn token(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("state").join(name))?)
    }

    async fn api(&self, path: &str) -> Result<Value> {
        let request = reqwest::Client::new().get(self.gateway.admin(path));
        let answer = request.bearer_auth(self.token("adminToken")?).send().await?;
        Ok(serde_json::from_str(&answer.error_for_status()?.text().await?)?)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Calls that are delivered at once, a few a second, for as long as the scene lasts; outages are part of some tests.
async fn load(url: String) {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut session = None;
    for id in 0.. {
        ticks.tick().await;
        if session.is_none() {
            session = Session::open(&url, None).await.ok();
        }
        if let Some(open) = &session
            && open.call(id, "report", &json!({})).await.is_err()
        {
            session = None;
        }
    }
}

fn status(post: &Post) -> StatusCode {
    match &*post.path {
        "/400" => StatusCode::BAD_REQUEST,
        "/503" => StatusCode::SERVICE_UNAVAILABLE,
        "/heals" if post.header("asyncmcp-replay").is_empty() => StatusCode::GONE,
        _ => StatusCode::OK,
    }
}

fn route((server, broken): (&str, &str), receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: analytics, namespace: tools}}
spec:
  servers:
  - {{name: analytics, url: "{server}"}}
  - {{name: legacy, url: "{broken}", toolPrefix: legacy_}}
  webhookTools:
  - {{name: "*"}}
  webhook:
    retry: {{max: 3, exponential: {{initial: 10m, max: 10m}}}}
    signing: {{secretRefs: [{{name: signing, key: secret}}]}}
    receivers:
      fromClients: {{allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}
      default: {{url: "{receiver}"}}
"#
    )
}
