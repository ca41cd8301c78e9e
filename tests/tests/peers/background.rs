//! `FastMCP` and its tasks of 2026-07-28 behind the gateway: of webhook tools and of ordinary ones.
//!
//! Invariant: the server lists its tools as ones that need tasks, in sessions which know none of them.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Kind, Receiver, Scene, Server};
use serde_json::json;

use crate::tasks::failure;

async fn gateway(
    scene: &Scene,
    webhook_tools: &[&str],
    receiver: Option<&Receiver>,
) -> Result<(Server, DataPlane)> {
    let server = Server::fast_tasks(&scene.peers, scene.dir()).await?;
    let behind = Behind {
        name: "fast",
        url: &server.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], webhook_tools, receiver).await?;
    Ok((server, gateway))
}

/// Each job is a task at its server. One that asks its client has nobody to ask.
#[tokio::test]
async fn webhook_tools_that_their_server_runs_as_tasks_are_delivered() -> Result<()> {
    let scene = Scene::new()?;
    let receiver = scene.pypi_receiver().await?;
    let tools = ["crunch", "maybe", "broken", "confirm_delete"];
    let (_server, gateway) = gateway(&scene, &tools, Some(&receiver)).await?;
    let mut client = scene.client(Kind::FastLegacy, &gateway.url(), false).await?;
    for (tool, arguments) in tools.iter().zip([
        json!({"text": "a"}),
        json!({"text": "b"}),
        json!({}),
        json!({"filename": "c"}),
    ]) {
        client.call(tool, &arguments).await?;
    }
    all_delivered(&gateway, 4).await;
    let delivered = json!(receiver.deliveries()?).to_string();
    for expected in ["crunched a", "maybe b", "it is broken", "-32021"] {
        assert!(delivered.contains(expected), "{expected}: {delivered}");
    }
    client.close().await
}

/// A task that asks its client passes through the gateway where its tool is an ordinary one.
#[tokio::test]
async fn the_suite_finds_nothing_wrong_with_servers_tasks_that_ask() -> Result<()> {
    let scene = Scene::new()?;
    let (_server, gateway) = gateway(&scene, &["crunch"], None).await?;
    let failed = failure(&scene, &gateway.url(), "tasks-mrtr-input").await?;
    assert_eq!(failed, None);
    Ok(())
}
