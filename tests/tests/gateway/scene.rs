//! A process in front of one server.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::McpServer;
use tempfile::TempDir;

/// How long what should happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The process and its directory.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    _dir: TempDir,
}

impl Scene {
    /// The route has `rest` as the rest of its spec.
    pub(crate) async fn of(server: &McpServer, rest: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let head = "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {name: eras}\nspec:";
        let route = format!(
            "{head}\n  servers: [{{name: a, url: '{}'}}]\n{rest}\n",
            server.url()
        );
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            _dir: dir,
        })
    }
}
