//! A server, a receiver and a data plane at fixed addresses, which the jobs of a golden store name.
//!
//! Used by `store`, in a network namespace of its own. Invariant: the receiver of a later run accepts what an earlier one
//! refused, and nothing else differs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::binary;
use asyncmcp_tests::receiver::{Answer, Post, Receiver};
use serde_json::Value;
use tokio::process::Command;

/// How long what should happen may take. An attempt that was refused is repeated after 20 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
pub(crate) const TOOL: &str = "process_batch";
pub(crate) const SECRET: &str = "whsec_Z29sZGVuLWdvbGRlbi1nb2xkZW4tZ29sZGVuLWdvbGQ=";
const SERVER: u16 = 18080;
const RECEIVER: u16 = 18081;

/// Everything is kept for eleven years: tests of later versions look at it.
const ROUTE: &str = r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: golden}
spec:
  servers: [{name: example, url: "http://127.0.0.1:18080/mcp", maxConcurrentJobs: 1}]
  webhookTools: [{name: process_batch, timeout: 24h}]
  webhook:
    maxAge: 99999h
    resultRetention: 99999h
    deadLetter: {retention: 99999h}
    retry: {max: 50, exponential: {initial: 20s, max: 20s}}
    perReceiver: {breaker: Disabled}
    signing: {secretRefs: [{name: golden, key: secret}]}
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
"#;

/// What is running. Dropped in this order.
pub(crate) struct Town {
    pub(crate) gateway: DataPlane,
    _example: Example,
    pub(crate) receiver: Receiver,
}

impl Town {
    /// Everything up in `dir`, on what is in `dir/state`. A receiver that is not willing answers by the path.
    pub(crate) async fn open(dir: &Path, willing: bool) -> Result<Self> {
        DataPlane::write_secret(dir, "golden", "secret", SECRET)?;
        let receiver = receiver(willing).await?;
        Ok(Self {
            _example: Example::start_at(dir, SERVER).await?,
            gateway: DataPlane::start(dir, ROUTE, &[]).await?,
            receiver,
        })
    }

    /// What `asyncmcp jobs` prints.
    pub(crate) async fn jobs(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(binary("asyncmcp")?)
            .arg("jobs")
            .args(args)
            .args(["--admin", &self.gateway.admin(""), "--token-file"])
            .arg(self.gateway.dir.join("state/adminToken"))
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{args:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// All jobs, oldest first.
    pub(crate) async fn list(&self) -> Result<Vec<Value>> {
        let list = self
            .jobs(&["list", "-o", "json", "--order", "oldest", "--limit", "100"])
            .await?;
        let list: Value = serde_json::from_str(&list)?;
        list["jobs"].as_array().cloned().context("no jobs")
    }

    /// Waits until this job is in this state.
    pub(crate) async fn once(&self, id: &str, state: &str) {
        eventually(PATIENCE, || async {
            let jobs = self.list().await.map_err(|error| error.to_string())?;
            let job = jobs.iter().find(|job| job["id"] == id);
            let found = job.map(|job| job["state"].clone()).unwrap_or_default();
            if found == state {
                Ok(())
            } else {
                Err(format!("{id} is {found}"))
            }
        })
        .await;
    }
}

/// `/gone` refuses for good, `/busy` for a while, `/silent` does not answer.
async fn receiver(willing: bool) -> Result<Receiver> {
    let answer = move |post: Post| {
        let answer = match post.path.as_str() {
            _ if willing => Answer::status(200),
            "/gone" => Answer::status(410),
            "/busy" => Answer::status(503),
            "/silent" => Answer::Silence,
            _ => Answer::status(200),
        };
        std::future::ready(answer)
    };
    Ok(Receiver::start_at(RECEIVER, answer).await?)
}

/// The URL of the receiver at this path.
pub(crate) fn at(path: &str) -> String {
    format!("http://127.0.0.1:{RECEIVER}{path}")
}
