//! Two stock servers behind one route, and what their ends and ours cost a client: nothing.
//!
//! Invariant: a client's session is its own; no restart on our side of it ends it.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Client, Kind, Scene, Server};
use futures::future::try_join_all;
use serde_json::{Value, json};

const KINDS: [Kind; 6] = [
    Kind::Sdk1,
    Kind::Sdk2Legacy,
    Kind::Sdk2Auto,
    Kind::Mcp1,
    Kind::Mcp2Legacy,
    Kind::Mcp2Auto,
];

#[tokio::test]
async fn servers_and_the_gateway_start_anew_under_sessions_that_go_on() {
    let scene = Scene::new().unwrap();
    let mut python = Server::python(&scene.peers, scene.dir()).await.unwrap();
    let mut everything = Server::everything(&scene.peers, scene.dir()).await.unwrap();
    let receiver = scene.pypi_receiver().await.unwrap();
    let servers = [
        Behind {
            name: "python",
            url: &python.url.clone(),
            prefix: "py_",
        },
        Behind {
            name: "everything",
            url: &everything.url.clone(),
            prefix: "ev_",
        },
    ];
    let mut gateway = scene
        .gateway(&servers, &["py_slow"], Some(&receiver))
        .await
        .unwrap();
    let mut clients = scene.clients(&KINDS, &gateway.url()).await.unwrap();

    let calls = u32::try_from(KINDS.len()).unwrap();
    each(&mut clients, "at first").await.unwrap();
    all_delivered(&gateway, calls).await;
    // One answers 404 for a lost session, the other 400.
    python.restart().await.unwrap();
    everything.restart().await.unwrap();
    each(&mut clients, "after the servers").await.unwrap();
    all_delivered(&gateway, 2 * calls).await;
    gateway.restart(&[]).await.unwrap();
    each(&mut clients, "after the gateway").await.unwrap();
    all_delivered(&gateway, calls).await; // counted anew since the restart

    let expected = ["after the gateway", "after the servers", "at first"]
        .map(|when| vec![format!("slow {when}"); KINDS.len()]);
    assert_eq!(receiver.texts().unwrap(), expected.concat());
    for client in clients.iter_mut().filter(|client| client.kind.has_session()) {
        client.session().await.unwrap();
    }
}

async fn each(clients: &mut [Client], when: &str) -> Result<()> {
    try_join_all(clients.iter_mut().map(|client| uses_both(client, when))).await?;
    Ok(())
}

/// The list has both servers' tools, and calls find theirs; one of each kind.
async fn uses_both(client: &mut Client, when: &str) -> Result<()> {
    let kind = client.kind;
    lists_both(client, when).await;
    let quick = client.call("py_quick", &json!({"text": when})).await?;
    assert_eq!(text(&quick), &format!("quick {when}"), "{kind:?}");
    let operation = json!({"duration": 0.1, "steps": 2});
    let steps = client
        .call("ev_trigger-long-running-operation", &operation)
        .await?;
    assert_eq!(
        steps["progress"].as_array().map(Vec::len),
        Some(2),
        "{kind:?} {when}: {steps}"
    );
    let slow = client.call("py_slow", &json!({"text": when})).await?;
    assert_eq!(
        slow["result"]["_meta"]["dev.asyncmcp/job"]["status"], "working",
        "{kind:?} {when}"
    );
    Ok(())
}

/// A server that was found dead is left out of lists until it was looked at again.
async fn lists_both(client: &mut Client, when: &str) {
    let asking = tokio::sync::Mutex::new(client);
    eventually(Duration::from_secs(30), || async {
        let mut client = asking.lock().await;
        let tools = client.tools().await.map_err(|error| error.to_string())?;
        let names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        let of = |prefix| names.iter().filter(|name| name.starts_with(prefix)).count();
        if of("py_") == 3 && of("ev_") > 10 && of("ev_") + 3 == names.len() {
            Ok(())
        } else {
            Err(format!("{:?} {when}: {names:?}", client.kind))
        }
    })
    .await;
}

fn text(answer: &Value) -> &Value {
    &answer["result"]["content"][0]["text"]
}
