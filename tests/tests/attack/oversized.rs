//! Messages and lists whose parts are small, and very many.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, tool};
use asyncmcp_tests::session::Session;
use serde_json::json;

use crate::{SOON, route};

const MEMORY: &str = "  store: {memory: {}}";

#[tokio::test]
async fn a_message_with_thousands_of_unknown_members_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["work"]).await;
    let gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], MEMORY), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let message = |members: usize| {
        let mut text = String::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping""#);
        let prefix = "x".repeat(1000);
        for number in 0..members {
            write!(text, r#","{prefix}{number}":0"#).expect("writing to a string cannot fail");
        }
        text + "}"
    };
    assert!(session.post(message(64)).await?.json()["result"].is_object());
    for members in [65, 4000] {
        let refused = session.post(message(members)).await?;
        assert_eq!(
            (refused.status, &refused.json()["error"]["code"]),
            (400, &json!(-32600))
        );
        assert_eq!(refused.json()["id"], 1, "the client that waits is told");
    }
    Ok(())
}

#[tokio::test]
async fn a_tool_whose_name_is_longer_than_any_is_unknown() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["work"]).await;
    let gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], MEMORY), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let refused = session.call(1, &"work".repeat(900_000), &json!({})).await?.json();
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert!(refused.to_string().len() < 1000);
    Ok(())
}

#[tokio::test]
async fn a_server_has_no_more_tools_than_are_of_use_and_its_status_says_so() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&[]).await;
    server.nature().tools = (0..50_000).map(|number| tool(&format!("t{number}"))).collect();
    let gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], MEMORY), &[]).await?;
    let told = eventually(SOON, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        let server = status["servers"][0].clone();
        if server["state"] == "Ready" {
            Ok(server)
        } else {
            Err(server.to_string())
        }
    })
    .await;
    assert_eq!(told["tools"], 4096, "{told}");
    let message = told["message"].as_str().context("no message")?;
    assert!(message.contains("more than 4096 tools"), "{message}");
    let session = Session::open(&gateway.url(), None).await?;
    assert_eq!(session.tools().await?.len(), 4096);
    Ok(())
}
