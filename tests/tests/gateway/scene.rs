//! A data plane between a server and a receiver.
//!
//! Invariant: nothing here sends a request that a test did not ask for.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::{McpServer, Seen};
use asyncmcp_tests::modern::Modern;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Reply;
use tempfile::TempDir;

/// How long what should happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Two clients' tokens.
pub(crate) const ONE: &str = "token-of-the-first-client";
pub(crate) const TWO: &str = "token-of-the-second-client";
/// With it, the route asks for them.
pub(crate) const AUTH: &str =
    "  auth: {bearerSecretRefs: [{name: clients, key: one}, {name: clients, key: two}]}\n";

/// With it, sessions outlive the process: the store is a file.
pub(crate) const LASTING: &str = "  store: {embedded: {}}\n";

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    pub(crate) server: McpServer,
    pub(crate) receiver: Receiver,
    _dir: TempDir,
}

impl Scene {
    /// A route with the ordinary tool `quick`, the webhook tool `slow`, and `more` of a spec: lines indented by two.
    pub(crate) async fn open(more: &str) -> Result<Self> {
        Self::before(McpServer::start(&["quick", "slow"]).await, more).await
    }

    /// The same with a server of the test's.
    pub(crate) async fn before(server: McpServer, more: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for (key, value) in [("one", ONE), ("two", TWO)] {
            DataPlane::write_secret(dir.path(), "clients", key, value)?;
        }
        let receiver = Receiver::willing().await?;
        let store = match more {
            LASTING => "",
            _ => "  store: {memory: {}}\n",
        };
        let route = format!(
            "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: eras}}\nspec:\n  \
             servers: [{{name: a, url: '{}'}}]\n  webhookTools: [{{name: slow}}]\n{store}  \
             webhook: {{receivers: {{default: {{url: '{}'}}, fromClients: {{allowedHosts: ['127.0.0.1'], \
             allowedCidrs: [127.0.0.0/8], schemes: [http]}}}}}}\n{more}",
            server.url(),
            receiver.url("/hook"),
        );
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            server,
            receiver,
            _dir: dir,
        })
    }

    /// A client of the modern era.
    pub(crate) fn client(&self) -> Result<Modern> {
        Modern::at(&self.gateway.url())
    }

    /// The calls that the server saw.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.server.seen("tools/call")
    }
}

/// The messages of an event stream as they were written.
pub(crate) fn events(reply: &Reply) -> Vec<String> {
    let text = String::from_utf8_lossy(&reply.body);
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| !data.is_empty()).map(str::to_owned).collect()
}

/// The session that a request came in.
pub(crate) fn session(seen: &Seen) -> &str {
    let id = seen.headers.get("mcp-session-id");
    id.and_then(|id| id.to_str().ok()).unwrap_or_default()
}
