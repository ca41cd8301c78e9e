//! The stock asyncmcp client, for which this transport was first made: 200 webhook calls on one session, where its own
//! server's transport leaves it dead after a hundred.
//!
//! Invariant: it is the released package, unchanged, and its receiver verifies signatures besides.

use anyhow::{Context as _, Result};
use asyncmcp_tests::example::Example;
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Client, Kind, Scene, Server};
use serde_json::{Value, json};

/// Calls of each tool.
const CALLS: u32 = 200;
/// How many the client has under way at a time.
const LANES: u32 = 8;

#[tokio::test]
async fn the_asyncmcp_client_makes_two_hundred_webhook_calls_to_the_example_server() {
    let scene = Scene::new().unwrap();
    let example = Example::start(scene.dir()).await.unwrap();
    let pair = |n: u32| {
        let quick = json!({"tool": "echo", "arguments": {"text": format!("echo {n}")}});
        let slow = json!({"tool": "process_batch", "arguments": {"seconds": 0, "items": n + 1}});
        [
            (quick, format!("echo {n}")),
            (slow, format!("processed {} items in 0 s", n + 1)),
        ]
    };
    calls(&scene, &example.url, "process_batch", pair).await.unwrap();
}

#[tokio::test]
async fn the_asyncmcp_client_makes_two_hundred_webhook_calls_to_server_everything() {
    let scene = Scene::new().unwrap();
    let server = Server::everything(&scene.peers, scene.dir()).await.unwrap();
    let pair = |n: u32| {
        let quick = json!({"tool": "echo", "arguments": {"message": n.to_string()}});
        let steps = json!({"duration": 0, "steps": n});
        let slow = json!({"tool": "trigger-long-running-operation", "arguments": steps});
        [(quick, format!("Echo: {n}")), (slow, format!("Steps: {n}."))]
    };
    calls(&scene, &server.url, "trigger-*", pair).await.unwrap();
}

/// Makes every pair of calls on one session, and counts what came on which way.
async fn calls(
    scene: &Scene,
    url: &str,
    webhook_tools: &str,
    pair: impl Fn(u32) -> [(Value, String); 2],
) -> Result<()> {
    let servers = [Behind {
        name: "behind",
        url,
        prefix: "",
    }];
    let gateway = scene.gateway(&servers, &[webhook_tools], None).await?;
    let mut client = scene.client(Kind::Asyncmcp, &gateway.url(), false).await?;
    let (orders, expected): (Vec<_>, Vec<_>) = (0..CALLS).flat_map(pair).unzip();
    let texts = client
        .ask(json!({"do": "many", "calls": orders, "lanes": LANES}))
        .await?;
    let texts = texts.as_array().context("no texts")?;
    assert_eq!(texts.len(), expected.len());
    for (text, expected) in texts.iter().zip(&expected) {
        assert!(
            text.as_str().is_some_and(|text| text.contains(expected)),
            "{text} is not {expected}"
        );
    }
    came_as_they_should(&mut client).await?;
    all_delivered(&gateway, CALLS).await;
    client.close().await
}

/// Quick calls were answered by SSE, webhook calls by 202 and one believed webhook each, and one session saw it all.
async fn came_as_they_should(client: &mut Client) -> Result<()> {
    client.session().await?;
    let heard = client.heard().await?;
    let answers = &heard["answers"];
    assert_eq!(answers["POST 200 text/event-stream"], CALLS, "{answers}");
    // One more is the client's `notifications/initialized`.
    assert_eq!(answers["POST 202"], CALLS + 1, "{answers}");
    let delivered = client.ask(json!({"do": "delivered"})).await?;
    assert_eq!(delivered, json!({"refused": [], "ids": CALLS}));
    Ok(())
}
