//! A data plane whose receiver does as the test says, and the `asyncmcp` command beside it.
//!
//! Invariant: the receiver's mood is one for all of its paths, and changes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::binary;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// The webhook tool.
pub(crate) const TOOL: &str = "process_batch";
/// What deliveries are signed with.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver answers, and after how long.
pub(crate) struct Mood {
    status: AtomicU16,
    delay_ms: AtomicU64,
}

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    example: Option<Example>,
    pub(crate) receiver: Receiver,
    mood: Arc<Mood>,
    pub(crate) dir: TempDir,
}

/// What the command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) succeeded: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("{self:?}"))
    }
}

impl Scene {
    /// Everything up, with a receiver that answers `status`; `retry` is the route's `webhook.retry`.
    pub(crate) async fn open(status: u16, retry: &str) -> Result<Self> {
        Self::with_key(status, retry, Some(SECRET)).await
    }

    /// The same without the key that the route signs with.
    pub(crate) async fn open_without_key(retry: &str) -> Result<Self> {
        Self::with_key(200, retry, None).await
    }

    async fn with_key(status: u16, retry: &str, key: Option<&str>) -> Result<Self> {
        let mood = Arc::new(Mood {
            status: AtomicU16::new(status),
            delay_ms: AtomicU64::new(0),
        });
        let dir = tempfile::tempdir()?;
        let receiver = receiver(Arc::clone(&mood)).await?;
        let example = Example::start(dir.path()).await?;
        if let Some(key) = key {
            DataPlane::write_secret(dir.path(), "signing", "secret", key)?;
        }
        let route = route(&example.url, &receiver.url("/hook?key=hidden"), retry);
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            example: Some(example),
            receiver,
            mood,
            dir,
        })
    }

    /// The receiver answers this from here on.
    pub(crate) fn answer(&self, status: u16, after: Duration) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.mood.delay_ms.store(after, Ordering::Relaxed);
        self.mood.status.store(status, Ordering::Relaxed);
    }

    /// Ends the MCP server.
    pub(crate) fn stop_server(&mut self) {
        drop(self.example.take());
    }

    /// Calls the tool; gives the job's id.
    pub(crate) async fn call(&self, session: &Session, id: u64, seconds: f64) -> Result<String> {
        let arguments = json!({"seconds": seconds, "items": 1});
        let reply = session.call(id, TOOL, &arguments).await?;
        reply
            .job()
            .with_context(|| format!("not accepted: {}", reply.json()))
    }

    pub(crate) async fn session(&self) -> Result<Session> {
        Session::open(&self.gateway.url(), None).await
    }

    /// Runs `asyncmcp jobs` with the token of this data plane.
    pub(crate) async fn jobs(&self, args: &[&str]) -> Result<Said> {
        self.command(&[&["jobs"], args].concat()).await
    }

    /// Runs `asyncmcp` with the token of this data plane.
    pub(crate) async fn command(&self, args: &[&str]) -> Result<Said> {
        let output = Command::new(binary("asyncmcp")?)
            .args(args)
            .args(["--admin", &self.gateway.admin("")])
            .arg("--token-file")
            .arg(self.dir.path().join("state/adminToken"))
            .output()
            .await?;
        Ok(Said {
            succeeded: output.status.success(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// The token of this data plane.
    pub(crate) fn token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("state/adminToken"))?)
    }

    /// The job as the command shows it, once it is `state`.
    pub(crate) async fn once(&self, id: &str, state: &str) -> Value {
        eventually(PATIENCE, || async {
            let said = self.jobs(&["show", id, "-o", "json"]).await;
            let job = said
                .and_then(|said| said.json())
                .map_err(|error| error.to_string())?;
            if job["state"] == state {
                Ok(job)
            } else {
                Err(format!("it is {}", job["state"]))
            }
        })
        .await
    }

    /// Waits until so many dead letters are counted.
    pub(crate) async fn dead(&self, count: u64) {
        eventually(PATIENCE, || async {
            let status = self.gateway.status().await.map_err(|error| error.to_string())?;
            let dead = status["delivery"]["deadLettered"].as_u64();
            if dead == Some(count) {
                Ok(())
            } else {
                Err(format!("dead: {dead:?}"))
            }
        })
        .await;
    }
}

async fn receiver(mood: Arc<Mood>) -> Result<Receiver> {
    let receiver = Receiver::start(move |_| {
        let mood = Arc::clone(&mood);
        async move {
            let delay = mood.delay_ms.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let status = mood.status.load(Ordering::Relaxed);
            StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
        }
    })
    .await?;
    Ok(receiver)
}

fn route(server: &str, receiver: &str, retry: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: jobs}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: {TOOL}}}
  webhook:
    retry: {retry}
    signing: {{secretRefs: [{{name: signing, key: secret}}]}}
    receivers:
      fromClients: {{allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}
      default: {{url: "{receiver}"}}
"#
    )
}
