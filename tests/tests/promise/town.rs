//! A data plane before several servers, and what a client sees of one while another is in trouble.
//!
//! The tools of the server `one` are named `one_<tool>`, and all are webhook tools. Invariant: what a client waits for
//! here goes to the route's own receiver, by the JSON-RPC id of the call.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::answers;

/// What nobody is in the way of happens within this time, as a rule within a second. What is held up waits for 30 s
/// or more.
pub(crate) const PROMPT: Duration = Duration::from_secs(15);

/// What is running. Dropped in this order.
pub(crate) struct Town {
    pub(crate) gateway: DataPlane,
    pub(crate) receiver: Receiver,
    _dir: TempDir,
}

impl Town {
    /// Everything up: these servers (their names, URLs, and how many jobs each may run), this receiver, and more lines of
    /// `spec.webhook`.
    pub(crate) async fn open(
        servers: &[(&str, &str, usize)],
        receiver: Receiver,
        webhook: &str,
    ) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let route = route(servers, &receiver.url("/hook"), webhook);
        let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
        Ok(Self {
            gateway,
            receiver,
            _dir: dir,
        })
    }

    /// A client.
    pub(crate) async fn client(&self) -> Result<Session> {
        Session::open(&self.gateway.url(), None).await
    }

    /// What the receiver gets for a call.
    pub(crate) async fn answer(&self, id: u64, within: Duration) -> Value {
        eventually(within, || async {
            let told = answers(&self.receiver.posts(), id);
            told.into_iter().next().ok_or(format!("no answer to {id}"))
        })
        .await
    }

    /// Calls a tool that answers at once; its result is there in good time.
    pub(crate) async fn is_prompt(&self, client: &Session, tool: &str, id: u64) -> Result<()> {
        self.is_prompt_with(client, tool, id, &json!({})).await
    }

    /// The same with these arguments.
    pub(crate) async fn is_prompt_with(
        &self,
        client: &Session,
        tool: &str,
        id: u64,
        arguments: &Value,
    ) -> Result<()> {
        call(client, tool, id, arguments).await?;
        let answer = self.answer(id, PROMPT).await;
        ensure!(answer.get("result").is_some(), "{answer}");
        Ok(())
    }

    /// Removes the file of the only large value in the store.
    pub(crate) fn lose_the_file(&self) -> Result<()> {
        let folder = std::fs::read_dir(self.gateway.dir.join("state/blobs"))?;
        let files: Vec<PathBuf> = folder.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        let [file] = &files[..] else {
            anyhow::bail!("not one file: {files:?}");
        };
        Ok(std::fs::remove_file(file)?)
    }
}

/// Calls a tool; returns the job's id.
pub(crate) async fn call(client: &Session, tool: &str, id: u64, arguments: &Value) -> Result<String> {
    let reply = client.call(id, tool, arguments).await?;
    reply
        .job()
        .with_context(|| format!("not accepted: {}", reply.json()))
}

fn route(servers: &[(&str, &str, usize)], receiver: &str, webhook: &str) -> String {
    let server = |(name, url, jobs): &(&str, &str, usize)| {
        format!(r#"{{name: {name}, url: "{url}", toolPrefix: {name}_, maxConcurrentJobs: {jobs}}}"#)
    };
    let servers: Vec<_> = servers.iter().map(server).collect();
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: town}}
spec:
  servers: [{}]
  webhookTools: [{{name: "*"}}]
  webhook:
    receivers:
      fromClients: {{allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}
      default: {{url: "{receiver}"}}
{webhook}"#,
        servers.join(", ")
    )
}
