//! A stock client whose connection is cut in the middle of a call comes back by itself and gets the answer.
//!
//! Invariant: the tool runs once, and the cut is not before it has begun and the client has an event to continue after.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Client, Kind, Scene, Server};
use asyncmcp_tests::relay::Relay;
use serde_json::json;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_typescript_sdk_reads_an_answer_on_over_another_connection() -> Result<()> {
    let scene = Scene::new()?;
    let server = Server::resuming(&scene.peers, scene.dir()).await?;
    let behind = Behind {
        name: "behind",
        url: &server.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], &[], None).await?;
    let relay = Relay::to(gateway.port()).await?;
    let url = format!("http://127.0.0.1:{}/mcp", relay.port());
    let mut client = scene.client(Kind::Sdk1, &url, false).await?;
    let answered = called(&mut client, &server, &relay).await?;
    assert_eq!(answered["result"]["content"][0]["text"], "stream a", "{answered}");
    let output = server.process.output();
    let begun = output.lines().filter(|said| *said == "begun stream a").count();
    assert_eq!(begun, 1, "{output}");
    client.close().await
}

/// Calls, and cuts the wire while the tool works.
async fn called(client: &mut Client, server: &Server, relay: &Relay) -> Result<serde_json::Value> {
    let arguments = json!({"name": "a", "seconds": 3});
    let cutting = async {
        eventually(PATIENCE, || async {
            let output = server.process.output();
            let has_begun = output.lines().any(|said| said == "begun stream a");
            (has_begun && relay.has_answered("retry: "))
                .then_some(())
                .ok_or(output)
        })
        .await;
        relay.cut();
    };
    let (answered, ()) = tokio::join!(client.call("stream", &arguments), cutting);
    answered
}
