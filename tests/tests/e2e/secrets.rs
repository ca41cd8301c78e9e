//! Secrets that routes refer to: they may come late, and they change.

use anyhow::Result;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;

use crate::{KEY, NEXT_KEY};

#[tokio::test]
async fn a_changed_signing_key_signs_the_next_delivery() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("key").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let pod = space.get("pods", "analytics-dataplane-0").await?;

    let change = format!(r#"{{"stringData": {{"secret": "{NEXT_KEY}"}}}}"#);
    space.kubectl(&["patch", "secret", "analytics-signing", "--patch", &change])?;
    // The receiver reads its key once, at its start.
    space.kubectl(&["rollout", "restart", "deployment/receiver"])?;
    space.kubectl(&["rollout", "status", "deployment/receiver", "--timeout=60s"])?;
    // An attempt that still has the old signature is answered 401, and the next one is signed anew.
    space.call("process_batch", r#"{"seconds": 0.1, "items": 11}"#)?;
    let received = space.receives("processed 11 items").await;
    assert!(received.contains("signature valid, answered 200"), "{received}");
    let now = space.get("pods", "analytics-dataplane-0").await?;
    assert_eq!(now["metadata"]["uid"], pod["metadata"]["uid"]);
    space.done()
}

#[tokio::test]
async fn a_route_names_the_secret_that_it_waits_for() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("missing").await?;
    space.example(KEY)?;
    space.kubectl(&["delete", "secret", "analytics-signing"])?;
    space.apply(&space::route(|_| {})?)?;
    eventually(PATIENCE, || resolved(&space, "False", "analytics-signing")).await;

    let key = format!("--from-literal=secret={KEY}");
    space.kubectl(&["create", "secret", "generic", "analytics-signing", &key])?;
    eventually(PATIENCE, || resolved(&space, "True", "")).await;
    space.route(|_| {}).await?;
    space.call("process_batch", r#"{"seconds": 0.1, "items": 12}"#)?;
    space.receives("processed 12 items").await;
    space.done()
}

async fn resolved(space: &Space, status: &str, text: &str) -> Result<(), String> {
    let route = space
        .get("mcpwebhookroutes", "analytics")
        .await
        .map_err(|error| error.to_string())?;
    let condition = space::condition(&route, "ResolvedRefs");
    let is_so = condition.is_some_and(|condition| {
        condition["status"] == status && condition["message"].to_string().contains(text)
    });
    is_so.then_some(()).ok_or_else(|| route["status"].to_string())
}
