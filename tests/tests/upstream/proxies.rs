//! Clients without credentials, counted by address behind proxies that the route trusts.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::session::{Session, answer};
use serde_json::{Value, json};

use crate::route;

/// One pending call for each client, which stays pending.
async fn gateway(dir: &std::path::Path, server: &McpServer, transport: &str) -> Result<DataPlane> {
    server.on("job", [Reaction::Hangs]);
    let rest = format!(
        "  webhookTools: [{{name: job}}]\n  webhook: {{perClient: {{maxPending: 1}}, receivers: {{default: {{url: \
         'http://127.0.0.1:9/'}}}}}}\n  store: {{memory: {{}}}}\n{transport}"
    );
    let servers = [format!("{{name: a, url: '{}'}}", server.url())];
    DataPlane::start(dir, &route(&servers, &rest), &[]).await
}

/// What the gateway answers to a call of a webhook tool, in a session of its own, that a proxy passes on from here.
async fn job(gateway: &DataPlane, forwarded_for: &str) -> Result<Value> {
    let session = Session::open(&gateway.url(), None).await?;
    let params = json!({"name": "job", "arguments": {}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = session.request(call.to_string());
    let request = match forwarded_for {
        "" => request,
        from => request.header("x-forwarded-for", from),
    };
    Ok(answer(request).await?.json())
}

fn is_full(answer: &Value) -> bool {
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    message.contains("webhook.perClient.maxPending")
}

#[tokio::test]
async fn many_sessions_of_one_address_have_one_share_and_another_address_has_its_own() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["job"]).await;
    let trusts = "  transport: {trustedProxies: [127.0.0.0/8, 10.0.0.0/8]}";
    let gateway = gateway(dir.path(), &server, trusts).await?;
    let first = job(&gateway, "203.0.113.7").await?;
    assert!(first["result"].is_object(), "{first}");
    // Its own word on the left, and another proxy on the right, change nothing.
    for again in [
        "203.0.113.7",
        "198.51.100.1, 203.0.113.7",
        "203.0.113.7, 10.1.2.3",
    ] {
        let refused = job(&gateway, again).await?;
        assert!(is_full(&refused), "{again}: {refused}");
    }
    let other = job(&gateway, "203.0.113.8").await?;
    assert!(other["result"].is_object(), "{other}");
    // What cannot be read is the proxy's.
    let unknown = job(&gateway, "unknown").await?;
    assert!(unknown["result"].is_object(), "{unknown}");
    let same = job(&gateway, "").await?;
    assert!(is_full(&same), "{same}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_no_trusted_proxy_cannot_choose_its_address() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["job"]).await;
    let gateway = gateway(dir.path(), &server, "  transport: {trustedProxies: []}").await?;
    let first = job(&gateway, "203.0.113.7").await?;
    assert!(first["result"].is_object(), "{first}");
    let second = job(&gateway, "203.0.113.8").await?;
    assert!(is_full(&second), "{second}");
    Ok(())
}
