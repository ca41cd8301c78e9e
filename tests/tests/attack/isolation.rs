//! What one client leaves behind is looked for by another: in a server's session, and in a session that was ended.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Session, answer};
use serde_json::json;

use crate::{SOON, route};

const MEMORY: &str = "  store: {memory: {}}";

/// A server may keep what a call left in its session, as MCP intends.
#[tokio::test]
async fn jobs_of_two_clients_never_share_a_session_of_their_server() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, receiver) = (
        McpServer::start(&["set", "get"]).await,
        Receiver::willing().await?,
    );
    let rest = format!(
        "  webhookTools: [{{name: '*'}}]\n  webhook: {{receivers: {{default: {{url: '{}'}}}}}}\n{MEMORY}",
        receiver.url("/hook")
    );
    let gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], &rest), &[]).await?;
    let (one, two) = (
        Session::open(&gateway.url(), None).await?,
        Session::open(&gateway.url(), None).await?,
    );
    for (number, (client, tool)) in [(&one, "set"), (&two, "get"), (&one, "get"), (&two, "set")]
        .into_iter()
        .enumerate()
    {
        client.call(number as u64 + 1, tool, &json!({})).await?;
        receiver.answered(number + 1, SOON).await;
    }
    let calls = server.seen("tools/call");
    let session = |place: usize| calls[place].headers["mcp-session-id"].clone();
    assert_ne!(session(0), session(1), "another client's session was used");
    assert_eq!(session(0), session(2), "a client's jobs share one");
    assert_eq!(session(1), session(3));
    Ok(())
}

/// That a session was ended is kept in the store, and this store ends with the process.
#[tokio::test]
async fn an_ended_session_does_not_come_back_with_a_process_that_forgot_its_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&[]).await;
    let mut gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], MEMORY), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    assert_eq!(session.post(ping.clone()).await?.status, 200);
    let id = session.request("").build()?.headers()["mcp-session-id"].clone();
    let end = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .delete(gateway.url());
    assert_eq!(answer(end.header("mcp-session-id", id)).await?.status, 200);
    assert_eq!(session.post(ping.clone()).await?.status, 404);
    gateway.restart(&[]).await?;
    assert_eq!(session.post(ping).await?.status, 404);
    Ok(())
}

/// An operator who shortens it wants stolen ids to be worth less, also those that were stolen before.
#[tokio::test]
async fn a_shorter_lifetime_ends_sessions_that_were_opened_before() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&[]).await;
    let text = |lifetime: &str| {
        let rest = format!("  transport: {{lifetime: {lifetime}}}\n{MEMORY}");
        route(&[("a", &server.url())], &rest)
    };
    let gateway = DataPlane::start(dir.path(), &text("168h"), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    assert_eq!(session.post(ping.clone()).await?.status, 200);
    gateway.edit(&text("1s"))?;
    eventually(SOON, || async {
        match session.post(ping.clone()).await.map(|reply| reply.status) {
            Ok(404) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    Ok(())
}
