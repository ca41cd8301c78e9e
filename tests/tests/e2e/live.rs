//! Live configuration: what a change of a route does while clients are connected.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::tunnel::Tunnel;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use asyncmcp_tests::session::Session;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::KEY;

/// The promise, counted from the end of `kubectl apply`.
const LIVE_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_changed_route_is_live_in_three_seconds_without_a_restarted_pod_or_a_dropped_stream() -> Result<()>
{
    let _release = Release::shared().await?;
    let space = Space::new("live").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let tunnel = Tunnel::open(&space, "analytics").await?;
    let session = Session::open(&tunnel.url, None).await?;
    let mut stream = pin!(session.stream().await?);
    let before = identity(&space).await?;
    let echo = json!({"text": "hello"});
    assert_eq!(
        session.call(1, "echo", &echo).await?.job(),
        None,
        "echo answers at once"
    );

    space.apply(&space::route(|route| {
        route["spec"]["webhookTools"] = json!([{"name": "process_batch"}, {"name": "echo"}]);
        route["spec"]["servers"][0]["tools"] = json!({"exclude": ["fail"]});
    })?)?;
    let mut calls = 1..;
    eventually(LIVE_WITHIN, || {
        let id = calls.next().unwrap_or_default();
        let (session, echo) = (&session, &echo);
        async move {
            let reply = session
                .call(id, "echo", echo)
                .await
                .map_err(|error| error.to_string())?;
            reply.job().ok_or_else(|| reply.json().to_string())
        }
    })
    .await;
    assert!(!session.tools().await?.contains(&"fail".to_owned()));
    let heard = tokio::time::timeout(PATIENCE, stream.next()).await?;
    let heard = heard.context("the stream ended")?;
    assert_eq!(heard["method"], "notifications/tools/list_changed", "{heard}");
    assert_eq!(identity(&space).await?, before);
    space.done()
}

/// Changes with every restart of the pod and of its container.
async fn identity(space: &Space) -> Result<(Value, Value)> {
    let pod = space.get("pods", "analytics-dataplane-0").await?;
    let container = &pod["status"]["containerStatuses"][0];
    Ok((pod["metadata"]["uid"].clone(), container["containerID"].clone()))
}

#[tokio::test]
async fn a_volume_grows_with_its_route_as_far_as_its_class_allows() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("growth").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = identity(&space).await?;
    let children = space.children().await?;
    let volume = children
        .keys()
        .find_map(|child| child.strip_prefix("persistentvolumeclaims/"));
    let volume = volume.context("no volume")?;
    let claim = space.get("persistentvolumeclaims", volume).await?;
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "1Gi");

    space.apply(&space::route(|route| {
        route["spec"]["store"]["embedded"]["size"] = json!("2Gi");
    })?)?;
    eventually(PATIENCE, || async {
        let claim = space
            .get("persistentvolumeclaims", volume)
            .await
            .map_err(|error| error.to_string())?;
        let route = space
            .get("mcpwebhookroutes", "analytics")
            .await
            .map_err(|error| error.to_string())?;
        let has_grown = claim["spec"]["resources"]["requests"]["storage"] == "2Gi";
        let is_refused = space::condition(&route, "Programmed").is_some_and(|programmed| {
            programmed["reason"] == "ChildRefused" && programmed["message"].to_string().contains(volume)
        });
        (has_grown || is_refused)
            .then_some(())
            .ok_or_else(|| route["status"].to_string())
    })
    .await;
    assert_eq!(identity(&space).await?, before);
    space.done()
}
