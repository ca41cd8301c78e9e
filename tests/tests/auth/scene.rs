//! A data plane whose route asks for credentials, between a server and a receiver.
//!
//! Invariant: nothing here sends a request that a test did not ask for.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use asyncmcp_fakes::issuer::Issuer;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use serde_json::json;
use tempfile::TempDir;

/// How long what should happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

/// What tokens are for.
pub(crate) const AUDIENCE: &str = "https://mcp.example.com/mcp";

/// An entry of `auth.jwt`, with more settings.
pub(crate) fn jwt(issuer: &str, more: &str) -> String {
    format!("{{issuer: '{issuer}', audiences: ['{AUDIENCE}']{more}}}")
}

/// An `auth` that takes tokens of this issuer with the scope `mcp`.
pub(crate) fn of_issuer(issuer: &Issuer) -> String {
    format!("  auth: {{jwt: [{}]}}", jwt(issuer.url(), ", scopes: [mcp]"))
}

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    pub(crate) server: McpServer,
    pub(crate) receiver: Receiver,
    pub(crate) dir: TempDir,
}

/// A route with this `auth`, whose tool `slow` is a webhook tool.
pub(crate) fn route(server: &McpServer, receiver: &Receiver, auth: &str) -> String {
    format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: guarded}}\nspec:\n  \
         servers: [{{name: a, url: '{}'}}]\n  webhookTools: [{{name: slow}}]\n  store: {{memory: {{}}}}\n  \
         webhook: {{receivers: {{default: {{url: '{}'}}}}}}\n  transport: {{allowedOrigins: ['https://app.example.com']}}\n{auth}\n",
        server.url(),
        receiver.url("/hook"),
    )
}

impl Scene {
    /// Changes the route; returns once the change is served.
    pub(crate) async fn edit(&self, route: &str) -> Result<()> {
        self.gateway.edit(route)?;
        asyncmcp_tests::eventually(SOON, || async {
            let log = self.gateway.process.output();
            if log.contains("configuration changed") {
                Ok(())
            } else {
                Err(log)
            }
        })
        .await;
        Ok(())
    }

    /// Everything up; `secrets` are values of the Secret `clients`, by key.
    pub(crate) async fn open(auth: &str, secrets: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for (key, value) in secrets {
            secret(dir.path(), key, value)?;
        }
        let (server, receiver) = (
            McpServer::start(&["quick", "slow"]).await,
            Receiver::willing().await?,
        );
        let route = route(&server, &receiver, auth);
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            server,
            receiver,
            dir,
        })
    }

    /// A client with this token and no session.
    pub(crate) fn client(&self, token: &str) -> Result<Session> {
        Ok(Session::nowhere(&self.gateway.url())?.with_token(token))
    }
}

/// Writes a value of the Secret `clients`.
pub(crate) fn secret(dir: &Path, key: &str, value: &str) -> Result<()> {
    DataPlane::write_secret(dir, "clients", key, value)
}

/// An `initialize`.
pub(crate) fn initialize() -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
}
