//! `FastMCP` and its tasks of 2026-07-28 on both sides of the gateway: as webhook tools and as ordinary ones.
//!
//! Invariant: the client is `FastMCP`'s own, which knows nothing of the gateway.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Client, Kind, Receiver, Scene, Server};
use serde_json::{Value, json};

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

async fn task(client: &mut Client, tool: &str, arguments: Value) -> Result<Value> {
    client
        .ask(json!({"do": "task", "tool": tool, "arguments": arguments}))
        .await
}

/// Each job is a task at its server, whether its client knows tasks or gets a webhook.
#[tokio::test]
async fn webhook_tools_that_their_server_runs_as_tasks_only_are_run() -> Result<()> {
    let scene = Scene::new()?;
    let receiver = scene.pypi_receiver().await?;
    let (_server, gateway) = gateway(&scene, &["crunch", "maybe", "broken"], Some(&receiver)).await?;
    let mut client = Client::fast_tasks(&scene.peers, scene.dir(), &gateway.url()).await?;
    let done = task(&mut client, "crunch", json!({"text": "a"})).await?;
    assert_eq!(
        (&done["text"], &done["heard"][1]),
        (&json!("crunched a"), &json!("completed")),
        "{done}"
    );
    let done = task(&mut client, "maybe", json!({"text": "b"})).await?;
    assert_eq!(done["text"], "maybe b", "{done}");
    let failed = task(&mut client, "broken", json!({})).await?;
    assert!(failed.to_string().contains("it is broken"), "{failed}");
    // Its ordinary call becomes a task as well, which it polls by itself.
    let done = client.call("crunch", &json!({"text": "c"})).await?;
    assert_eq!(done["result"]["content"][0]["text"], "crunched c", "{done}");
    let mut legacy = scene.client(Kind::FastLegacy, &gateway.url(), false).await?;
    legacy.call("crunch", &json!({"text": "d"})).await?;
    all_delivered(&gateway, 5).await;
    Ok(())
}

#[tokio::test]
async fn a_cancelled_webhook_tool_is_cancelled_and_an_ordinary_one_is_the_servers() -> Result<()> {
    let scene = Scene::new()?;
    let (_server, gateway) = gateway(&scene, &["crunch"], None).await?;
    let mut client = Client::fast_tasks(&scene.peers, scene.dir(), &gateway.url()).await?;
    let arguments = json!({"text": "a", "seconds": 600});
    let order = json!({"do": "task", "tool": "crunch", "arguments": arguments, "cancel": true});
    let cancelled = client.ask(order).await?;
    assert_eq!(cancelled["heard"][1], "cancelled", "{cancelled}");
    let done = task(&mut client, "maybe", json!({"text": "b"})).await?;
    assert_eq!(done["text"], "maybe b", "{done}");
    Ok(())
}
