//! A route that holds a job which cannot be delivered, and what the tests of volumes, claims and deletions ask of it.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{PATIENCE, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

/// A patch that takes every finalizer off an object: what people do who lose patience.
pub(crate) const FREE: &str = r#"{"metadata": {"finalizers": null}}"#;

/// A route with one job that cannot be delivered, and the name of its claim.
pub(crate) async fn with_a_job(space: &Space, items: u32) -> Result<String> {
    space.example(KEY)?;
    space
        .route(|route| route["spec"]["deletion"] = json!({"timeout": "5m"}))
        .await?;
    space.stop_receiver()?;
    let arguments = json!({"seconds": 0.1, "items": items}).to_string();
    space.call("process_batch", &arguments)?;
    pending(space, 1).await;
    recorded_claim(space).await
}

/// The claim that status names.
pub(crate) async fn recorded_claim(space: &Space) -> Result<String> {
    let route = space.get("mcpwebhookroutes", "analytics").await?;
    let claim = route["status"]["store"]["claim"].as_str();
    Ok(claim.context("status names no claim")?.to_owned())
}

/// Waits until the pod has this many jobs.
pub(crate) async fn pending(space: &Space, jobs: u32) {
    eventually(PATIENCE, || async {
        let status = space.status().await.map_err(|error| error.to_string())?;
        let is_so = status["delivery"]["pending"] == jobs;
        is_so.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
}

/// The message of Ready, once it is False for `reason`.
pub(crate) async fn not_ready(space: &Space, reason: &str) -> String {
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let route = route.map_err(|error| error.to_string())?;
        let ready = space::condition(&route, "Ready");
        let ready = ready.filter(|ready| ready["status"] == "False" && ready["reason"] == reason);
        let message = ready.and_then(|ready| ready["message"].as_str());
        message
            .map(str::to_owned)
            .ok_or_else(|| route["status"].to_string())
    })
    .await
}

/// The uid of an object.
pub(crate) async fn uid(space: &Space, plural: &str, name: &str) -> Result<Value> {
    Ok(space.get(plural, name).await?["metadata"]["uid"].clone())
}

/// Starts the receiver again, and waits until it has the job's result.
pub(crate) async fn receiver_is_back(space: &Space, items: u32) -> Result<()> {
    space.start_receiver()?;
    space.receives(&format!("processed {items} items")).await;
    Ok(())
}

/// Deletes the pod, and waits until another one is there.
pub(crate) async fn replace_pod(space: &Space) -> Result<()> {
    let before = uid(space, "pods", "analytics-dataplane-0").await?;
    space.kubectl(&["delete", "pod", "analytics-dataplane-0", "--timeout=60s"])?;
    eventually(PATIENCE, || async {
        let now = uid(space, "pods", "analytics-dataplane-0").await;
        let now = now.map_err(|error| error.to_string())?;
        (now != before)
            .then_some(())
            .ok_or_else(|| "the old pod".to_owned())
    })
    .await;
    Ok(())
}

/// Waits until an object is gone.
pub(crate) async fn gone(space: &Space, plural: &str, name: &str) {
    eventually(PATIENCE, || async {
        let found = space
            .find(plural, name)
            .await
            .map_err(|error| error.to_string())?;
        found.map_or(Ok(()), |object| Err(object.to_string()))
    })
    .await;
}

/// The events of this reason.
pub(crate) fn events(space: &Space, reason: &str) -> Result<String> {
    space.kubectl(&["get", "events", &format!("--field-selector=reason={reason}")])
}
