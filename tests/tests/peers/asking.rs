//! What goes the other way: servers that ask clients, and clients that give up.
//!
//! Invariant: only a client that says it can answer is asked.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Kind, Scene, Server};
use serde_json::{Value, json};

/// What `server-everything` asks by which tool, and what of the client's answer is in the result.
const QUESTIONS: [(&str, &str, &str); 3] = [
    (
        "trigger-sampling-request",
        "sampling/createMessage",
        "sampled here",
    ),
    (
        "trigger-elicitation-request",
        "elicitation/create",
        "elicited here",
    ),
    ("get-roots-list", "roots/list", "rooted here"),
];

#[tokio::test]
async fn a_server_asks_the_clients_that_can_answer() {
    let scene = Scene::new().unwrap();
    let server = Server::everything(&scene.peers, scene.dir()).await.unwrap();
    let gateway = scene.gateway(&[behind(&server)], &[], None).await.unwrap();
    for kind in [Kind::Sdk1, Kind::Sdk2Legacy, Kind::Mcp2Legacy] {
        questions(&scene, kind, &gateway.url()).await.unwrap();
    }
}

async fn questions(scene: &Scene, kind: Kind, url: &str) -> Result<()> {
    let mut mute = scene.client(kind, url, false).await?;
    let mut capable = scene.client(kind, url, true).await?;
    let (few, many) = (mute.tools().await?, capable.tools().await?);
    for (tool, method, answer) in QUESTIONS {
        let lists = |tools: &[Value]| tools.iter().any(|listed| listed["name"] == tool);
        assert!(!lists(&few) && lists(&many), "{kind:?}: {tool}");
        let arguments = json!({"prompt": "say something"});
        let result = capable.call(tool, &arguments).await?;
        assert!(result.to_string().contains(answer), "{kind:?}: {result}");
        let heard = capable.heard().await?;
        let asked = heard["asked"].as_array().into_iter().flatten();
        assert!(asked.clone().any(|asked| asked == method), "{kind:?}: {heard}");
    }
    mute.close().await?;
    capable.close().await
}

/// In the modern era the SDKs answer by calling again, as often as the server needs.
#[tokio::test]
async fn a_server_asks_in_rounds_what_modern_clients_can_answer() -> Result<()> {
    let scene = Scene::new()?;
    let server = Server::fixture(&scene.peers, scene.dir()).await?;
    let gateway = scene.gateway(&[behind(&server)], &[], None).await?;
    let tools = [
        (
            "test_input_required_result_multiple_inputs",
            "All inputs received.",
        ),
        (
            "test_input_required_result_multi_round",
            "elicited here likes None.",
        ),
        ("test_input_required_result_sampling", "Model said: sampled here"),
        ("test_input_required_result_request_state", "state-ok: confirmed"),
    ];
    for kind in [Kind::Sdk2Auto, Kind::Sdk2Modern, Kind::Mcp2Auto, Kind::Mcp2Modern] {
        let mut client = scene.client(kind, &gateway.url(), true).await?;
        for (tool, text) in tools {
            let answer = client.call(tool, &json!({})).await?;
            assert_eq!(
                answer["result"]["content"][0]["text"], text,
                "{kind:?} {tool}: {answer}"
            );
        }
        client.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_gives_up_is_heard_by_the_server() {
    let scene = Scene::new().unwrap();
    let server = Server::python(&scene.peers, scene.dir()).await.unwrap();
    let gateway = scene.gateway(&[behind(&server)], &[], None).await.unwrap();
    let kinds = [
        Kind::Sdk1,
        Kind::Sdk2Legacy,
        Kind::Sdk2Auto,
        Kind::Mcp2Legacy,
        Kind::Mcp2Auto,
        Kind::Sdk2Modern,
        Kind::Mcp2Modern,
    ];
    for mut client in scene.clients(&kinds, &gateway.url()).await.unwrap() {
        let name = format!("{:?}", client.kind);
        let order = json!({"do": "cancel", "tool": "wait", "arguments": {"name": name}});
        assert_eq!(
            client.ask(order).await.unwrap(),
            json!({"cancelled": true}),
            "{name}"
        );
        has_written(&server, &format!("cancelled wait {name}")).await;
        // The session goes on.
        let answer = client.call("quick", &json!({"text": name})).await.unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], format!("quick {name}"));
        client.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_webhook_call_that_is_given_up_ends_by_webhook() {
    let scene = Scene::new().unwrap();
    let server = Server::python(&scene.peers, scene.dir()).await.unwrap();
    let gateway = scene.gateway(&[behind(&server)], &["slow"], None).await.unwrap();
    let mut client = scene.client(Kind::Asyncmcp, &gateway.url(), false).await.unwrap();
    let arguments = json!({"text": "given up", "seconds": 600});
    let order = json!({"do": "begin", "tool": "slow", "arguments": arguments});
    client.ask(order).await.unwrap();
    has_written(&server, "begun slow given up").await;
    let answer = client.ask(json!({"do": "give_up"})).await.unwrap();
    assert_eq!(answer["code"], -31006, "{answer}");
    has_written(&server, "cancelled slow given up").await;
    all_delivered(&gateway, 1).await;
    client.close().await.unwrap();
}

fn behind(server: &Server) -> Behind<'_> {
    Behind {
        name: "behind",
        url: &server.url,
        prefix: "",
    }
}

async fn has_written(server: &Server, line: &str) {
    eventually(Duration::from_secs(30), || async {
        let output = server.process.output();
        if output.lines().any(|written| written == line) {
            Ok(())
        } else {
            Err(format!("no line {line:?} in: {output}"))
        }
    })
    .await;
}
