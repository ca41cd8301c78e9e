//! Secrets that routes refer to: they may come late, and they change.

use anyhow::Result;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::json;

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

#[tokio::test]
async fn a_signing_key_that_cannot_be_used_keeps_the_route_from_being_ready_and_is_named() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("badkey").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    for (value, text) in [
        (
            "hunter2",
            "key secret of Secret analytics-signing is not usable: a signing key must begin with",
        ),
        ("", "key secret of Secret analytics-signing is empty"),
    ] {
        put(&space, "analytics-signing", "secret", value)?;
        let message = not_ready(&space, "NoSigningKey", text).await;
        assert!(!message.contains("hunter2"), "{message}");
        eventually(PATIENCE, || resolved(&space, "False", text)).await;
    }
    let events = space.kubectl(&["get", "events", "--field-selector=reason=NoSigningKey"])?;
    assert!(
        events.contains("whsec_$(head -c 32 /dev/urandom | base64)"),
        "{events}"
    );

    space.kubectl(&["delete", "secret", "analytics-signing"])?;
    not_ready(&space, "NoSigningKey", "Secret analytics-signing does not exist").await;
    space.call("process_batch", r#"{"seconds": 0.1, "items": 13}"#)?;
    let key = format!("--from-literal=secret={KEY}");
    space.kubectl(&["create", "secret", "generic", "analytics-signing", &key])?;
    space.ready("analytics").await;
    let received = space.receives("processed 13 items").await;
    assert!(received.contains("signature valid, answered 200"), "{received}");
    space.done()
}

#[tokio::test]
async fn a_missing_header_of_the_default_receiver_holds_its_deliveries_back() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("header").await?;
    space.example(KEY)?;
    let reference = json!({"secretKeyRef": {"name": "receiver", "key": "token"}});
    space.apply(&space::route(|route| {
        route["spec"]["webhook"]["receivers"]["default"]["headers"] =
            json!([{"name": "x-token", "valueFrom": reference}]);
        // One attempt: a delivery that was sent without the header would not come again.
        route["spec"]["webhook"]["retry"] = json!({"max": 0});
    })?)?;
    not_ready(
        &space,
        "NoReceiverHeader",
        "x-token (Secret receiver does not exist)",
    )
    .await;
    eventually(PATIENCE, || async {
        space.call("process_batch", r#"{"seconds": 0.1, "items": 14}"#)
    })
    .await;
    eventually(PATIENCE, || async {
        let status = space.status().await.map_err(|error| error.to_string())?;
        let is_waiting = status["delivery"]["oldestPendingTime"].is_string();
        is_waiting.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
    assert!(!space.received()?.contains("processed 14 items"));

    space.kubectl(&[
        "create",
        "secret",
        "generic",
        "receiver",
        "--from-literal=token=let-me-in",
    ])?;
    space.ready("analytics").await;
    space.receives("processed 14 items").await;
    space.done()
}

fn put(space: &Space, secret: &str, key: &str, value: &str) -> Result<()> {
    let change = json!({"stringData": {key: value}}).to_string();
    space
        .kubectl(&["patch", "secret", secret, "--patch", &change])
        .map(drop)
}

async fn not_ready(space: &Space, reason: &str, text: &str) -> String {
    eventually(PATIENCE, || space.not_ready("analytics", reason, text)).await
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
