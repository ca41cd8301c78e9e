//! The keys of session ids are rotated: sessions of the key before go on until it is taken away.
//!
//! Invariant: each process of a test reads the file anew, and keeps the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// 32 bytes in base64.
const SECOND: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    keys: BTreeMap<String, String>,
    seal_with: String,
}

struct Rotating {
    gateway: DataPlane,
    file: PathBuf,
}

impl Rotating {
    fn keys(&self) -> Result<Keys> {
        Ok(serde_json::from_slice(&std::fs::read(&self.file)?)?)
    }

    async fn rotate(&mut self, keys: &Keys) -> Result<()> {
        std::fs::write(&self.file, serde_json::to_vec(keys)?)?;
        self.gateway.restart(&[]).await
    }
}

async fn status(client: &Session) -> Result<u16> {
    Ok(client.call(1, "quick", &json!({})).await?.status)
}

#[tokio::test]
async fn the_key_before_opens_until_it_is_removed_and_the_new_one_seals() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    let dir = tempfile::tempdir()?;
    let route = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
         servers: [{{name: a, url: '{}'}}]\n",
        server.url()
    );
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let file = dir.path().join("state/sessions.json");
    let mut rotating = Rotating { gateway, file };
    let mut keys = rotating.keys()?;
    let first = keys.seal_with.clone();
    let old = Session::open(&rotating.gateway.url(), None).await?;
    assert_eq!(status(&old).await?, 200);

    keys.keys.insert("2".to_owned(), SECOND.to_owned());
    keys.seal_with = "2".to_owned();
    rotating.rotate(&keys).await?;
    assert_eq!(status(&old).await?, 200, "the key before still opens");
    let new = Session::open(&rotating.gateway.url(), None).await?;

    keys.keys.remove(&first).context("it was the only key")?;
    rotating.rotate(&keys).await?;
    assert_eq!(status(&old).await?, 404, "its key is gone");
    assert_eq!(status(&new).await?, 200, "the new key sealed it");
    let again = Session::open(&rotating.gateway.url(), None).await?;
    assert_eq!(status(&again).await?, 200);
    Ok(())
}
