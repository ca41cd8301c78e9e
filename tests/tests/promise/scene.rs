//! A data plane between the example server and a receiver, and what the tests ask of them.
//!
//! Invariant: the default receiver gets every result.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The webhook tool of the example server.
pub(crate) const TOOL: &str = "process_batch";
/// What one fault stopped goes on within this time.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    pub(crate) example: Example,
    _dir: TempDir,
}

impl Scene {
    /// Everything up, with `receiver` as the route's own.
    pub(crate) async fn open(receiver: &Receiver, retry: &str, launch: Launch) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let example = Example::start(dir.path()).await?;
        let route = route(&example.url, TOOL, &receiver.url("/hook"), retry);
        let gateway = DataPlane::start_as(dir.path(), &route, launch).await?;
        Ok(Self {
            gateway,
            example,
            _dir: dir,
        })
    }

    pub(crate) async fn session(&self) -> Result<Session> {
        Session::open(&self.gateway.url(), None).await
    }

    /// A call of the tool that takes so long; returns the job's id.
    pub(crate) async fn call(&self, session: &Session, id: u64, seconds: f64) -> Result<String> {
        let arguments = json!({"seconds": seconds, "items": 1});
        let reply = session.call(id, TOOL, &arguments).await?;
        reply
            .job()
            .with_context(|| format!("not accepted: {}", reply.json()))
    }

    /// An answer of the jobs API.
    pub(crate) async fn jobs(&self, path: &str) -> Result<Value> {
        jobs(&self.gateway, path).await
    }

    /// A command of the jobs API; whoever drops it hangs up.
    pub(crate) async fn act(&self, path: &str) -> Result<u16> {
        let request = admin()?.post(self.gateway.admin(path));
        let request = authorized(&self.gateway, request)?;
        Ok(request.send().await?.status().as_u16())
    }

    /// The job, once it is in this state.
    pub(crate) async fn once(&self, id: &str, state: &str) -> Value {
        once(&self.gateway, id, state).await
    }

    /// Dead letters that were counted.
    pub(crate) async fn dead_letters(&self) -> Result<f64> {
        self.gateway.metric("asyncmcp_dead_letters_total", &[]).await
    }
}

/// An answer of a data plane's jobs API.
pub(crate) async fn jobs(gateway: &DataPlane, path: &str) -> Result<Value> {
    let request = authorized(gateway, admin()?.get(gateway.admin(path)))?;
    Ok(serde_json::from_str(&request.send().await?.text().await?)?)
}

/// A job, once it is in this state.
pub(crate) async fn once(gateway: &DataPlane, id: &str, state: &str) -> Value {
    eventually(SOON, || async {
        let job = jobs(gateway, &format!("/jobs/{id}"))
            .await
            .map_err(|error| error.to_string())?;
        if job["state"] == state {
            Ok(job)
        } else {
            Err(format!("it is {}", job["state"]))
        }
    })
    .await
}

fn authorized(gateway: &DataPlane, request: RequestBuilder) -> Result<RequestBuilder> {
    let token = std::fs::read_to_string(gateway.dir.join("state/adminToken"))?;
    Ok(request.bearer_auth(token.trim()))
}

fn admin() -> Result<Client> {
    Ok(Client::builder().no_proxy().build()?)
}

/// A route without signatures.
pub(crate) fn route(server: &str, tool: &str, receiver: &str, retry: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: promise}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: {tool}, onInterruption: Fail, timeout: 40s}}
  webhook:
    retry: {retry}
    receivers:
      default: {{url: "{receiver}"}}
"#
    )
}

/// The answers that a receiver got, by the JSON-RPC id of the call.
pub(crate) fn answers(posts: &[Post], id: u64) -> Vec<Value> {
    let responses = posts.iter().map(Post::response);
    responses.filter(|response| response["id"] == id).collect()
}

/// A directory of this build's for things that are compiled once.
pub(crate) fn compiled() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
