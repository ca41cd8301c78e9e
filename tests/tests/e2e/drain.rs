//! Deleting a route: it delivers what it holds, then everything goes; or its volume stays with what is left.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{PATIENCE, Release, Space};
use asyncmcp_tests::eventually;
use serde_json::json;

use crate::KEY;

#[tokio::test]
async fn a_deleted_route_delivers_what_it_holds_and_leaves_nothing() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("drain").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    space.stop_receiver()?;
    space.call("process_batch", r#"{"seconds": 0.1, "items": 21}"#)?;

    space.kubectl(&["delete", "mwr", "analytics", "--wait=false"])?;
    eventually(PATIENCE, || draining(&space)).await;
    let refused = space.call("process_batch", r#"{"seconds": 0.1, "items": 22}"#);
    assert!(refused.is_err(), "a draining route took a call: {refused:?}");
    assert!(space.find("mcpwebhookroutes", "analytics").await?.is_some());

    space.start_receiver()?;
    let received = space.receives("processed 21 items").await;
    assert!(received.contains("signature valid, answered 200"), "{received}");
    space.kubectl(&["wait", "--for=delete", "mwr/analytics", "--timeout=60s"])?;
    eventually(PATIENCE, || async {
        let children = space.children().await.map_err(|error| error.to_string())?;
        if children.is_empty() {
            Ok(())
        } else {
            Err(format!("{children:?}"))
        }
    })
    .await;
    space.done()
}

async fn draining(space: &Space) -> Result<(), String> {
    let status = space.status().await.map_err(|error| error.to_string())?;
    let drains = status["draining"] == true && status["delivery"]["pending"] == 1;
    drains.then_some(()).ok_or_else(|| status.to_string())
}

#[tokio::test]
async fn a_volume_with_undelivered_jobs_outlives_its_route_and_a_new_one_delivers_them() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("kept").await?;
    space.example(KEY)?;
    space
        .route(|route| route["spec"]["deletion"] = json!({"timeout": "1s"}))
        .await?;
    space.stop_receiver()?;
    space.call("process_batch", r#"{"seconds": 0.1, "items": 23}"#)?;
    let cascade = [
        "delete",
        "mwr",
        "analytics",
        "--cascade=foreground",
        "--timeout=60s",
    ];
    space.kubectl(&cascade)?;

    let children = space.children().await?;
    let volume = children
        .keys()
        .find_map(|child| child.strip_prefix("persistentvolumeclaims/"));
    let volume = volume.context("the volume is gone")?;
    let keys = format!("secrets/{volume}-keys");
    assert!(
        children.contains_key(&keys),
        "the volume's keys are gone: {children:?}"
    );
    let claim = space.get("persistentvolumeclaims", volume).await?;
    assert!(claim["metadata"]["ownerReferences"].is_null(), "{claim}");
    let finalizers = claim["metadata"]["finalizers"].to_string();
    assert!(!finalizers.contains("asyncmcp.dev"), "{claim}");
    let events = space.kubectl(&["get", "events", "--field-selector=reason=StoreKept"])?;
    assert!(
        events.contains(volume) && events.contains("undelivered jobs: 1"),
        "{events}"
    );

    space.start_receiver()?;
    space.kubectl(&[
        "wait",
        "--for=delete",
        "pod/analytics-dataplane-0",
        "--timeout=60s",
    ])?;
    space
        .route(|route| route["spec"]["store"] = json!({"embedded": {"existingClaim": volume}}))
        .await?;
    space.receives("processed 23 items").await;
    space.done()
}
