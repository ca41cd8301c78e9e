//! Ordinary calls of modern clients on a server with sessions: each side sees its own protocol.

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::modern::{Modern, VERSION, call, meta, request};
use asyncmcp_tests::process::free_port;
use asyncmcp_tests::session::answer;
use serde_json::{Value, json};

use crate::scene::{AUTH, ONE, Scene, TWO, events, session};

#[tokio::test]
async fn discovery_and_lists_are_of_the_modern_era() -> Result<()> {
    let scene = Scene::open("").await?;
    let task =
        json!({"name": "t", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "optional"}});
    scene.server.nature().tools.push(task);
    let client = scene.client()?;
    let found = client.send(&request(1, "server/discover")).await?.json();
    let found = &found["result"];
    assert_eq!(found["resultType"], "complete", "{found}");
    let versions = [VERSION, "2025-11-25", "2025-06-18", "2025-03-26"];
    assert_eq!(found["supportedVersions"], json!(versions));
    let changes = json!({"listChanged": true});
    let resources = json!({"subscribe": true, "listChanged": true});
    let extensions = json!({"io.modelcontextprotocol/tasks": {}});
    let offered = json!({"tools": changes, "prompts": changes, "resources": resources, "completions": {}, "logging": {},
        "extensions": extensions});
    assert_eq!(found["capabilities"], offered);
    assert_eq!(found["cacheScope"], "public");
    assert!(found["ttlMs"].as_u64() > Some(0));
    assert_eq!(found["instructions"], "# a\nBe kind.");
    assert_eq!(
        found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "asyncmcp"
    );

    let list = client.send(&request(2, "tools/list")).await?.json();
    let list = &list["result"];
    assert_eq!(
        (&list["resultType"], &list["cacheScope"]),
        (&json!("complete"), &json!("public"))
    );
    assert!(list["ttlMs"].as_u64() > Some(0), "{list}");
    let tools = list["tools"].as_array().context("no tools")?;
    assert_eq!(tools.len(), 3);
    assert!(tools.iter().all(|tool| tool.get("execution").is_none()));
    assert!(tools[0].get("outputSchema").is_some());
    assert_eq!(tools[1]["_meta"]["dev.asyncmcp/delivery"], "webhook");
    Ok(())
}

#[tokio::test]
async fn a_list_without_one_of_its_servers_is_not_to_be_kept() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let nobody = free_port()?;
    let route = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
         servers: [{{name: a, url: '{}'}}, {{name: b, url: 'http://127.0.0.1:{nobody}/mcp'}}]\n  store: {{memory: {{}}}}\n",
        example.url
    );
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let client = Modern::at(&gateway.url())?;
    let list = client.send(&request(1, "tools/list")).await?.json();
    assert_eq!(list["result"]["ttlMs"], 0, "{list}");
    assert!(
        list["result"]["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty())
    );
    assert_eq!(client.send(&request(2, "server/discover")).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_example_server_answers_with_progress() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let route = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
         servers: [{{name: a, url: '{}'}}]\n  store: {{memory: {{}}}}\n",
        example.url
    );
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let params = json!({"name": "echo", "arguments": {"text": "hello"}, "_meta": meta(&json!({"progressToken": "mine"}))});
    let echo = json!({"jsonrpc": "2.0", "id": "e", "method": "tools/call", "params": params});
    let reply = Modern::at(&gateway.url())?.send(&echo).await?;
    let messages: Vec<Value> = events(&reply)
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let (last, progress) = messages.split_last().context("no messages")?;
    assert_eq!(last["id"], "e");
    assert_eq!(last["result"]["content"][0]["text"], "hello");
    assert_eq!(last["result"]["resultType"], "complete");
    let steps: Vec<_> = progress.iter().map(|message| &message["params"]).collect();
    assert_eq!(steps.len(), 3, "{messages:?}");
    assert!(
        steps.iter().all(|step| step["progressToken"] == "mine"),
        "{steps:?}"
    );
    Ok(())
}

#[tokio::test]
async fn payloads_keep_every_byte_both_ways() -> Result<()> {
    let scene = Scene::open("").await?;
    let result = r#"{ "content":[ ], "n":123456789012345678901234567890, "f":1e400, "s":"\u00e9é天" }"#;
    scene.server.on("quick", [Reaction::Result(result)]);
    let arguments = r#"{ "n":-0.10e-7, "big":10000000000000000000001, "s":"\u00e9é天", "z":{ } }"#;
    let meta = meta(&json!({"vendor/x": 1, "dev.asyncmcp/idempotencyKey": "k"}));
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"tools/call","params":{{"name":"quick","arguments":{arguments},"_meta":{meta}}}}}"#
    );
    let headers = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", "quick"),
    ];
    let reply = answer(scene.client()?.bare(&headers, &body)).await?;
    let expected = format!(
        r#"{{"jsonrpc":"2.0","id":123456789012345678901234567890,"result":{{"resultType":"complete",{}}}"#,
        &result[1..]
    );
    assert_eq!(String::from_utf8_lossy(&reply.body), expected);
    let [seen] = &scene.calls()[..] else {
        panic!("{:?}", scene.calls())
    };
    assert!(
        seen.raw.contains(&format!(r#""arguments":{arguments}"#)),
        "{}",
        seen.raw
    );
    assert_eq!(seen.body["params"]["_meta"]["vendor/x"], 1);
    assert!(!seen.raw.contains("io.modelcontextprotocol/") && !seen.raw.contains("dev.asyncmcp/"));
    let id = seen.body["id"].as_str().context("an id of the gateway's own")?;
    assert!(id.starts_with("asyncmcp:"), "{id}");
    assert_eq!(seen.headers["mcp-protocol-version"], "2025-11-25");
    Ok(())
}

#[tokio::test]
async fn only_what_the_call_asked_for_comes_before_its_response() -> Result<()> {
    let scene = Scene::open("").await?;
    let said = [
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":TOKEN,"progress":0.10,"x":{ }}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"low"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"high"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    ];
    let said = said.map(str::to_owned).to_vec();
    scene
        .server
        .on("quick", [Reaction::Stream(said, r#"{"content":[]}"#)]);
    let client = scene.client()?;
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":0.10,"x":{ }}}"#;
    let high =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"high"}}"#;
    let response = r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[]}}"#;
    let level = "io.modelcontextprotocol/logLevel";
    for (asked, expected) in [
        (json!({}), vec![response]),
        (json!({"progressToken": 7}), vec![progress, response]),
        (json!({level: "warning"}), vec![high, response]),
        (
            json!({"progressToken": 7, level: "error"}),
            vec![progress, high, response],
        ),
    ] {
        let reply = client.send(&call(7, "quick", &asked)).await?;
        assert_eq!(events(&reply), expected, "{asked}");
        assert!(
            !String::from_utf8_lossy(&reply.body).contains("\nid:"),
            "nothing can be resumed"
        );
        assert_eq!(reply.headers["x-accel-buffering"], "no");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_asks_hears_that_nobody_can_answer() -> Result<()> {
    let scene = Scene::open("").await?;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#;
    scene.server.on("quick", [Reaction::Asks(question)]);
    let reply = scene.client()?.send(&call(7, "quick", &json!({}))).await?;
    assert_eq!(
        reply.json()["result"]["answer"]["error"]["code"],
        -32601,
        "{}",
        reply.json()
    );
    assert_eq!(events(&reply).len(), 1, "the question did not reach the client");
    let introduced = scene.server.seen("initialize");
    let declared = introduced.iter().map(|seen| &seen.body["params"]["capabilities"]);
    assert!(
        declared.clone().any(|declared| *declared == json!({})),
        "{introduced:?}"
    );
    Ok(())
}

#[tokio::test]
async fn errors_are_those_of_the_modern_era() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    let gone = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32002,"message":"gone","data":{ }}}"#;
    scene.server.on(
        "quick",
        [Reaction::Status(200, gone), Reaction::Http(500, vec![], "no")],
    );
    let reply = client.send(&call(7, "quick", &json!({}))).await?;
    let expected = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"gone","data":{ }}}"#;
    assert_eq!((reply.status, &reply.body[..]), (200, expected.as_bytes()));
    let reply = client.send(&call(8, "quick", &json!({}))).await?;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (200, &json!(-31003))
    );
    let reply = client.send(&call(9, "nowhere", &json!({}))).await?;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (200, &json!(-32602))
    );
    Ok(())
}

/// One client's calls use a session one after another; what a server keeps in it is not another client's.
#[tokio::test]
async fn sessions_with_the_server_are_used_again_and_by_one_client_only() -> Result<()> {
    let scene = Scene::open(AUTH).await?;
    let (one, two) = (scene.client()?.with_token(ONE), scene.client()?.with_token(TWO));
    assert_eq!(
        scene.client()?.send(&call(1, "quick", &json!({}))).await?.status,
        401
    );
    for client in [&one, &one, &two] {
        assert_eq!(client.send(&call(1, "quick", &json!({}))).await?.status, 200);
    }
    let calls = scene.calls();
    let sessions: Vec<_> = calls.iter().map(session).collect();
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[0], sessions[2]);
    assert!(!sessions.contains(&""));
    let ids: Vec<_> = calls.iter().map(|seen| &seen.body["id"]).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    scene.server.forget_sessions();
    let reply = one.send(&call(1, "quick", &json!({}))).await?;
    assert_eq!(
        reply.json()["result"]["resultType"],
        "complete",
        "a restart of the server costs nothing"
    );
    let list = two.send(&request(2, "tools/list")).await?.json();
    assert_eq!(list["result"]["cacheScope"], "private");
    Ok(())
}

#[tokio::test]
async fn calls_at_the_same_time_never_share_a_session() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#;
    scene.server.on("quick", [Reaction::Asks(question)]);
    let calls = (0..8).map(|_| async { client.send(&call(1, "quick", &json!({}))).await });
    for reply in futures::future::try_join_all(calls).await? {
        assert_eq!(reply.json()["id"], 1);
        assert!(reply.json()["result"].is_object(), "{}", reply.json());
    }
    let mut ids: Vec<String> = scene
        .calls()
        .iter()
        .map(|seen| seen.body["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    Ok(())
}
