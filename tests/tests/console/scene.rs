//! A data plane whose receiver refuses or takes everything, in front of a server with one webhook tool.
//!
//! Invariant: no job changes its state by itself once it was delivered or is dead: a refused delivery dies at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_fakes::mcp::{McpServer, Reaction};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::Browser;

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The tool, whose result is [`RESULT`].
pub(crate) const TOOL: &str = "report";
/// What the tool says: it must never be more than text.
const RESULT: &str =
    r#"{"content": [{"type": "text", "text": "<img src=x onerror=alert(1)> \u202ereversed"}]}"#;

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    pub(crate) server: McpServer,
    _receiver: Receiver,
    status: Arc<AtomicU16>,
    pub(crate) dir: TempDir,
}

impl Scene {
    /// Everything up, with a receiver that answers `status`.
    pub(crate) async fn open(status: u16) -> Result<Self> {
        Self::open_with(status, &[TOOL], &[]).await
    }

    /// The same with these tools, all of them webhook tools, and these flags.
    pub(crate) async fn open_with(status: u16, tools: &[&str], flags: &[&str]) -> Result<Self> {
        let status = Arc::new(AtomicU16::new(status));
        let receiver = receiver(Arc::clone(&status)).await?;
        let server = McpServer::start(tools).await;
        for tool in tools {
            server.on(tool, [Reaction::Result(RESULT)]);
        }
        let dir = tempfile::tempdir()?;
        let route = route(&server.url(), &receiver.url("/hook?key=hidden"));
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, flags).await?,
            server,
            _receiver: receiver,
            status,
            dir,
        })
    }

    /// The receiver answers this from here on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// A token of this data plane.
    pub(crate) fn token(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("state").join(name))?)
    }

    /// A browser that is signed in with this token.
    pub(crate) async fn browser(&self, token: &str) -> Result<Browser> {
        let browser = Browser::new(&self.gateway.admin(""));
        let token = self.token(token)?;
        let answer = browser.post("/console/sign-in", &[("token", &token)]).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        Ok(browser)
    }

    /// Calls the tool, and gives the job's id once it is in this state.
    pub(crate) async fn job(&self, state: &str) -> Result<String> {
        let session = Session::open(&self.gateway.url(), None).await?;
        let reply = session.call(1, TOOL, &json!({})).await?;
        let id = reply
            .job()
            .with_context(|| format!("not accepted: {}", reply.json()))?;
        self.once(&id, state).await;
        Ok(id)
    }

    /// Waits until a job is in this state.
    pub(crate) async fn once(&self, id: &str, state: &str) {
        eventually(PATIENCE, || async {
            let job = self.shown(id).await.map_err(|error| error.to_string())?;
            if job["state"] == state {
                Ok(())
            } else {
                Err(format!("it is {}", job["state"]))
            }
        })
        .await;
    }

    /// A job as the API shows it; null if there is none.
    pub(crate) async fn shown(&self, id: &str) -> Result<Value> {
        let request = Client::new().get(self.gateway.admin(&format!("/jobs/{id}")));
        let answer = request.bearer_auth(self.token("adminToken")?).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&answer.error_for_status()?.text().await?)?)
    }
}

async fn receiver(status: Arc<AtomicU16>) -> Result<Receiver> {
    let receiver = Receiver::start(move |_| {
        let status = status.load(Ordering::Relaxed);
        async move { StatusCode::from_u16(status).unwrap_or(StatusCode::OK) }
    });
    Ok(receiver.await?)
}

fn route(server: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: shown}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: "*"}}
  webhook:
    retry: {{max: 1}}
    receivers:
      default: {{url: "{receiver}"}}
"#
    )
}
