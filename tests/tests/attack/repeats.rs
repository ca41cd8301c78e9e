//! The same idempotency key and arguments, with another receiver or another secret.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use serde_json::{Value, json};

use crate::{SOON, route};

const REST: &str = "  webhookTools: [{name: work}]
  webhook:
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ['127.0.0.1'], allowedCidrs: [127.0.0.0/8], schemes: [http]}
  store: {memory: {}}";

async fn call(session: &Session, id: u64, webhook: &Value) -> Result<Reply> {
    let meta = json!({"dev.asyncmcp/idempotencyKey": "same", "dev.asyncmcp/webhook": webhook});
    let params = json!({"name": "work", "arguments": {}, "_meta": meta});
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    Ok(session.post(call.to_string()).await?)
}

#[tokio::test]
async fn a_repetition_for_another_receiver_is_not_acknowledged_as_the_first_call() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, receiver) = (McpServer::start(&["work"]).await, Receiver::willing().await?);
    let gateway = DataPlane::start(dir.path(), &route(&[("a", &server.url())], REST), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let (one, two) = (receiver.url("/one"), receiver.url("/two"));
    let secrets = [
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk",
    ];
    let first = json!({"url": one, "secret": secrets[0]});
    let job = call(&session, 1, &first).await?.job();
    assert!(job.is_some());
    receiver.answered(1, SOON).await;
    for (id, other) in [
        json!({"url": two, "secret": secrets[0]}),
        json!({"url": one, "secret": secrets[1]}),
        json!({"url": one}),
    ]
    .iter()
    .enumerate()
    {
        let refused = call(&session, id as u64 + 2, other).await?.json();
        assert_eq!(refused["error"]["code"], -32602, "{other}: {refused}");
    }
    assert_eq!(
        call(&session, 9, &first).await?.job(),
        job,
        "the same call is the same job"
    );
    assert_eq!(receiver.count(), 1);
    Ok(())
}
