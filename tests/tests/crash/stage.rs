//! The parts of a crash test: example server, a server behind a proxy that lies, data plane, receiver, and clients that do not give up.
//!
//! Invariant: the server and the receiver live on while the data plane comes and goes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A tool that runs at most once.
pub(crate) const ONCE: &str = "process_batch";
/// The same tool, where the route lets it run again.
pub(crate) const AGAIN: &str = "again_process_batch";
/// The same tool, of which one runs at a time.
pub(crate) const ALONE: &str = "alone_process_batch";
/// A tool behind a proxy that answers 503 once the tool ran.
pub(crate) const LIAR: &str = "liar_charge";
/// The path of the default receiver.
pub(crate) const DEFAULT: &str = "/default";
/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of a call.
const PAUSE: Duration = Duration::from_millis(20);
/// JSON-RPC codes that say that a call was not accepted and may be sent again.
const NOT_NOW: [i64; 2] = [-31001, -31004];

/// What is running. Dropped in this order.
pub(crate) struct Stage {
    pub(crate) gateway: DataPlane,
    pub(crate) example: Example,
    pub(crate) liar: McpServer,
    pub(crate) receiver: Receiver,
    pub(crate) dir: TempDir,
}

impl Stage {
    /// Starts everything around `receiver`.
    pub(crate) async fn open(receiver: Receiver, flags: &[&str]) -> Result<Self> {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let launch = Launch {
            flags,
            ..Launch::default()
        };
        Self::open_as(receiver, launch).await
    }

    /// The same with a data plane that is started in a way of the test's.
    pub(crate) async fn open_as(receiver: Receiver, launch: Launch) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let example = Example::start(dir.path()).await?;
        let liar = McpServer::start(&["charge"]).await;
        liar.on("charge", [Reaction::Status(503, "upstream connect error")]);
        let route = route((&example.url, &liar.url()), &receiver.url(DEFAULT));
        Ok(Self {
            gateway: DataPlane::start_as(dir.path(), &route, launch).await?,
            example,
            liar,
            receiver,
            dir,
        })
    }

    /// Opens a session that names the receiver's `path` as its own, or none.
    pub(crate) async fn session(&self, path: Option<&str>) -> Result<Session> {
        let named = path.map(|path| self.receiver.url(path));
        Session::open(&self.gateway.url(), named.as_deref()).await
    }

    /// Waits until the tool ran so often.
    pub(crate) async fn ran(&self, times: usize) {
        eventually(PATIENCE, || async {
            let ran = self.example.ran().len();
            if ran == times {
                Ok(())
            } else {
                Err(format!("ran {ran} times"))
            }
        })
        .await;
    }
}

/// Arguments under which one execution can be told from another.
pub(crate) fn batch(seconds: f64, key: &str) -> Value {
    json!({"seconds": seconds, "items": 1, "key": key})
}

/// Sends a call, the same each time, until it is acknowledged: what a client does whose connection broke.
pub(crate) async fn call_surely(session: &Session, id: u64, tool: &str, arguments: &Value) -> Result<Reply> {
    let give_up = Instant::now() + 2 * PATIENCE; // one request may take all of a client's patience
    let mut heard = BTreeMap::<String, usize>::new();
    while Instant::now() < give_up {
        let said = match session.call(id, tool, arguments).await {
            Ok(reply) if reply.is_acknowledgement() => return Ok(reply),
            Ok(reply) => refusal(id, &reply)?,
            Err(error) => format!("{error:?}"),
        };
        *heard.entry(said).or_default() += 1;
        sleep(PAUSE).await;
    }
    bail!("call {id} of {tool} was not acknowledged in time, but answered: {heard:#?}")
}

/// What an answer says that asks for another try; an error if it does not.
fn refusal(id: u64, reply: &Reply) -> Result<String> {
    let code = reply.json()["error"]["code"].as_i64();
    if code.is_some_and(|code| NOT_NOW.contains(&code)) {
        return Ok(reply.json()["error"].to_string());
    }
    bail!("call {id}: HTTP {} {}", reply.status, reply.json())
}

fn route((server, liar): (&str, &str), receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: crash}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  - {{name: again, url: "{server}", toolPrefix: again_}}
  - {{name: alone, url: "{server}", toolPrefix: alone_, maxConcurrentJobs: 1}}
  - {{name: liar, url: "{liar}", toolPrefix: liar_}}
  webhookTools:
  - {{name: {ONCE}}}
  - {{name: {AGAIN}, onInterruption: Retry}}
  - {{name: {ALONE}}}
  - {{name: {LIAR}}}
  webhook:
    timeout: 5s
    perClient: {{maxRunningPercent: 100}}
    retry: {{max: 20, exponential: {{initial: 100ms, max: 1s}}}}
    receivers:
      fromClients: {{allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}
      default: {{url: "{receiver}"}}
  dataPlane: {{terminationGracePeriod: 40s}}
"#
    )
}
