//! A data plane whose store is filled between two of its lives.
//!
//! Invariant: the server and the receivers live on while the data plane comes and goes.

use std::time::Duration;

use anyhow::{Result, bail};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::pile::{self, Pile};
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// The jobs that wait.
pub(crate) const MANY: u64 = 100_000;
/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// `webhook.perReceiver.maxInFlight`: more than the last step of a breaker that closes.
pub(crate) const MAX_IN_FLIGHT: usize = 12;
/// The webhook tool.
const TOOL: &str = "process_batch";
/// Between two tries of a call.
const PAUSE: Duration = Duration::from_millis(20);

/// What is running. Dropped in this order.
pub(crate) struct Stage {
    pub(crate) gateway: DataPlane,
    _example: Example,
    dir: TempDir,
}

impl Stage {
    /// Starts a data plane with an empty store, whose default receiver is `receiver`.
    pub(crate) async fn open(receiver: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let example = Example::start(dir.path()).await?;
        let route = route(&example.url, receiver);
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            _example: example,
            dir,
        })
    }

    /// Ends the data plane as a roll does, puts the piles into its store, and starts it again.
    pub(crate) async fn burden(&mut self, piles: &[Pile]) -> Result<()> {
        self.gateway.process.terminate()?;
        self.gateway.process.ended(PATIENCE).await;
        pile::put(&self.dir.path().join("state"), piles).await?;
        self.gateway.restart(&[]).await
    }
}

/// Calls the tool, the same call each time, until it is acknowledged; says how long after `since` that was.
pub(crate) async fn call_surely(session: &Session, id: u64, since: Instant) -> Result<Duration> {
    while since.elapsed() < PATIENCE {
        let arguments = json!({"seconds": 0, "items": 1});
        match session.call(id, TOOL, &arguments).await {
            Ok(reply) if reply.is_acknowledgement() => return Ok(since.elapsed()),
            // -31001: no server could be asked yet.
            Ok(reply) if reply.json()["error"]["code"] != -31001 => bail!("{}", reply.json()),
            _ => sleep(PAUSE).await,
        }
    }
    bail!("call {id} was not acknowledged within {PATIENCE:?}")
}

/// How many jobs `/status` counts as pending.
pub(crate) fn pending(status: &Value) -> u64 {
    status["delivery"]["pending"].as_u64().unwrap_or_default()
}

fn route(server: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: backlog}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: {TOOL}}}
  webhook:
    perReceiver: {{maxInFlight: {MAX_IN_FLIGHT}}}
    receivers:
      fromClients: {{allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}
      default: {{url: "{receiver}"}}
  dataPlane: {{terminationGracePeriod: 40s}}
"#
    )
}
