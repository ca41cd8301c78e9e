//! What keeps a route from being served: its status says it in words, with the way out, and as an Event.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

#[tokio::test]
async fn a_pod_that_a_quota_refuses_is_explained_and_comes_when_the_quota_is_raised() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("quota").await?;
    space.kubectl(&["create", "quota", "no-pods", "--hard=pods=0"])?;
    // Nobody runs, so neither a key nor a receiver matters.
    space.apply(&plain(|_| {})?)?;
    let text = "exceeded quota: no-pods";
    let message = not_ready(&space, "PodNotCreated", text).await;
    assert!(message.contains("Raise the ResourceQuota"), "{message}");
    is_event(&space, "PodNotCreated", text)?;
    // A Deployment says it through its ReplicaSet.
    space.apply(&plain(|route| {
        route["metadata"]["name"] = json!("in-memory");
        route["spec"]["store"] = json!({"memory": {}});
    })?)?;
    eventually(PATIENCE, || space.not_ready("in-memory", "PodNotCreated", text)).await;

    space.kubectl(&["delete", "quota", "no-pods"])?;
    space.ready("analytics").await;
    space.done()
}

#[tokio::test]
async fn a_storage_class_that_does_not_exist_is_named() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("class").await?;
    space.apply(&plain(|route| {
        route["spec"]["store"] = json!({"embedded": {"size": "1Gi", "storageClassName": "no-such-class"}});
    })?)?;
    let text = "\"no-such-class\" not found";
    let message = not_ready(&space, "PodNotRunning", text).await;
    assert!(
        message.contains("waits for PersistentVolumeClaim analytics-store-"),
        "{message}"
    );
    is_event(&space, "PodNotRunning", text)?;
    space.done()
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_says_why() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("pull").await?;
    space.apply(&plain(|route| {
        route["spec"]["dataPlane"] = json!({"image": "127.0.0.1:1/no-such-image:1"});
    })?)?;
    not_ready(
        &space,
        "PodNotRunning",
        "image 127.0.0.1:1/no-such-image:1 cannot be pulled: ",
    )
    .await;
    not_ready(&space, "PodNotRunning", "connection refused").await;
    is_event(&space, "PodNotRunning", "cannot be pulled")?;
    space.done()
}

#[tokio::test]
async fn a_container_that_needs_more_memory_than_its_limit_is_named_with_it() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("memory").await?;
    space.apply(&plain(|route| {
        route["spec"]["dataPlane"] = json!({"resources": {"limits": {"memory": "5Mi"}}});
    })?)?;
    let text = "OOMKilled: the container needed more than its memory limit of 5Mi";
    not_ready(&space, "PodNotRunning", text).await;
    is_event(&space, "PodNotRunning", text)?;
    space.done()
}

#[tokio::test]
async fn a_live_edit_reaches_the_pod_while_a_child_is_refused() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("refused").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    space.kubectl(&["create", "quota", "storage", "--hard=requests.storage=1Gi"])?;
    let larger = |route: &mut Value| route["spec"]["store"]["embedded"]["size"] = json!("2Gi");
    space.apply(&space::route(larger)?)?;
    let text = "the pods serve the current configuration of the route, but the API server rejected PersistentVolumeClaim";
    not_ready(&space, "ChildRefused", text).await;

    let before = space.status().await?["configHash"].clone();
    space.apply(&space::route(|route| {
        larger(route);
        route["spec"]["webhookTools"] = json!([{"name": "process_batch"}, {"name": "echo"}]);
    })?)?;
    // Ten seconds: without its annotation a pod reads the document within about a minute.
    eventually(PATIENCE / 6, || async {
        let status = space.status().await.map_err(|error| error.to_string())?;
        let is_live = status["configHash"] != before && status["webhookTools"][1]["name"] == "echo";
        is_live.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
    not_ready(&space, "ChildRefused", text).await;
    space.kubectl(&["delete", "quota", "storage"])?;
    space.ready("analytics").await;
    space.done()
}

async fn not_ready(space: &Space, reason: &str, text: &str) -> String {
    eventually(PATIENCE, || space.not_ready("analytics", reason, text)).await
}

fn is_event(space: &Space, reason: &str, text: &str) -> Result<()> {
    let events = space.kubectl(&["get", "events", &format!("--field-selector=reason={reason}")])?;
    events.contains(text).then_some(()).context(events)
}

/// The example route without what needs Secrets, and without waiting for deliveries at its end.
fn plain(edit: impl FnOnce(&mut Value)) -> Result<String> {
    space::route(|route| {
        route["spec"].as_object_mut().map(|spec| spec.remove("webhook"));
        route["spec"]["deletion"] = json!({"policy": "Abandon"});
        edit(route);
    })
}
