//! How a call becomes a task: in which form, for whom, and for whom not.

use anyhow::Result;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::modern::{Modern, call, meta, request};
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Session, answer};
use serde_json::{Value, json};

use crate::scene::{AUTH, ONE, RESULT, SOON, Scene, code, is_about};

fn receiver_of(receiver: &Receiver) -> String {
    format!(
        "  webhook: {{receivers: {{default: {{url: '{}'}}}}}}\n",
        receiver.url("/hook")
    )
}

#[tokio::test]
async fn a_webhook_tool_is_a_task_without_any_receiver() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    for client in scene.both().await? {
        let task = client.begin().await?;
        assert_eq!(task["status"], "working", "{task}");
        let (ttl, interval, others) = if client.is_modern() {
            ("ttlMs", "pollIntervalMs", ["ttl", "pollInterval"])
        } else {
            ("ttl", "pollInterval", ["ttlMs", "pollIntervalMs"])
        };
        assert!(
            is_about(&task[ttl], 24 * 3_600_000),
            "webhook.resultRetention: {task}"
        );
        assert!(is_about(&task[interval], 500), "{task}");
        assert!(others.iter().all(|other| task[other].is_null()), "{task}");
        for time in ["createdAt", "lastUpdatedAt"] {
            assert!(task[time].as_str().is_some_and(|at| at.ends_with('Z')), "{task}");
        }
        let ended = client.once(&task["taskId"], "completed").await;
        assert_eq!(ended["taskId"], task["taskId"]);
        assert_eq!(ended["createdAt"], task["createdAt"]);
    }
    assert_eq!(scene.server.ran("slow"), 2);
    Ok(())
}

#[tokio::test]
async fn the_outcome_keeps_its_bytes_in_both_eras() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let [legacy, modern] = scene.both().await?;
    let task = modern.begin().await?;
    modern.once(&task["taskId"], "completed").await;
    let get = modern
        .send("tasks/get", json!({"taskId": task["taskId"]}))
        .await?;
    let text = String::from_utf8_lossy(&get.body).into_owned();
    let inner = format!(r#""result":{{"resultType":"complete",{}"#, &RESULT[1..]);
    assert!(text.contains(&inner), "{text}");
    assert_eq!(get.json()["result"]["resultType"], "complete");
    let task = legacy.begin().await?;
    let result = legacy
        .send("tasks/result", json!({"taskId": task["taskId"]}))
        .await?;
    let text = String::from_utf8_lossy(&result.body).into_owned();
    assert!(text.contains(&RESULT[1..RESULT.len() - 1]), "{text}");
    let meta = &result.json()["result"]["_meta"];
    let expected = json!({"io.modelcontextprotocol/related-task": {"taskId": task["taskId"]}});
    assert_eq!(*meta, expected, "{text}");
    assert!(!text.contains("resultType"), "{text}");
    Ok(())
}

#[tokio::test]
async fn what_is_offered_is_said_in_the_words_of_each_version() -> Result<()> {
    let scene = Scene::open("").await?;
    let url = scene.gateway.url();
    let capabilities = async |url: &str, version: &str, token: Option<&str>| -> Result<Value> {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let client = Session::nowhere(url)?;
        let client = token.map_or_else(|| client.clone(), |token| client.with_token(token));
        Ok(client.post(body.to_string()).await?.json()["result"]["capabilities"].clone())
    };
    let tasks = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
    assert_eq!(capabilities(&url, "2025-11-25", None).await?["tasks"], tasks);
    assert!(capabilities(&url, "2025-06-18", None).await?["tasks"].is_null());
    let discover = request(1, "server/discover");
    let said = Modern::at(&url)?.send(&discover).await?.json()["result"]["capabilities"].clone();
    assert_eq!(said["extensions"], json!({"io.modelcontextprotocol/tasks": {}}));
    assert!(said["tasks"].is_null());
    let scene = Scene::open(AUTH).await?;
    let with_list = capabilities(&scene.gateway.url(), "2025-11-25", Some(ONE)).await?;
    assert_eq!(with_list["tasks"]["list"], json!({}));
    Ok(())
}

#[tokio::test]
async fn a_list_says_which_tools_are_tasks_to_those_who_can_ask_for_one() -> Result<()> {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().tools[1]["execution"] = json!({"taskSupport": "required"});
    let scene = Scene::before(server, "").await?;
    for client in scene.both().await? {
        let tools = client.ask("tools/list", json!({})).await?["result"]["tools"].clone();
        let expected = if client.is_modern() {
            Value::Null
        } else {
            json!({"taskSupport": "optional"})
        };
        assert_eq!(
            (&tools[0]["name"], &tools[1]["name"]),
            (&json!("quick"), &json!("slow"))
        );
        assert_eq!(tools[1]["execution"], expected, "{tools}");
        assert!(tools[0]["execution"].is_null(), "{tools}");
        assert!(tools[1]["outputSchema"].is_null(), "{tools}");
    }
    Ok(())
}

/// By the request alone: neither the tool nor an earlier request makes a task for one that does not say so.
#[tokio::test]
async fn who_does_not_know_tasks_never_gets_one() -> Result<()> {
    let receiver = Receiver::willing().await?;
    for more in [String::new(), receiver_of(&receiver)] {
        let scene = Scene::open(&more).await?;
        let url = scene.gateway.url();
        let modern = Modern::at(&url)?;
        scene.modern()?.begin().await?;
        let plain = modern.send(&call(1, "slow", &json!({}))).await?;
        let old = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
        let older = Session::nowhere(&url)?;
        let opened = older.post(old).await?;
        let older = older.with_id(opened.headers["mcp-session-id"].to_str()?);
        let asked = json!({"name": "slow", "task": {"ttl": 1}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked});
        let older = older.post(body.to_string()).await?;
        let session = Session::open(&url, None).await?;
        let legacy = session.call(1, "slow", &json!({})).await?;
        for reply in [plain, older, legacy] {
            let result = &reply.json()["result"];
            assert!(result["content"].is_array(), "{result}");
            assert!(result["task"].is_null() && result["taskId"].is_null(), "{result}");
            assert_eq!(reply.job().is_some(), !more.is_empty(), "{result}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn tasks_are_asked_about_by_those_who_declare_them_alone() -> Result<()> {
    let scene = Scene::open("").await?;
    let [legacy, modern] = scene.both().await?;
    let id = modern.begin().await?["taskId"].clone();
    let undeclared = Modern::at(&scene.gateway.url())?;
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let mut message = request(1, method);
        message["params"]["taskId"] = id.clone();
        message["params"]["inputResponses"] = json!({});
        let reply = undeclared.send(&message).await?;
        let body = reply.json();
        assert_eq!((reply.status, code(&body)), (400, -32021), "{method}: {body}");
        let required = &body["error"]["data"]["requiredCapabilities"]["extensions"];
        assert_eq!(*required, json!({"io.modelcontextprotocol/tasks": {}}));
    }
    for method in ["tasks/result", "tasks/list"] {
        let reply = modern.send(method, json!({"taskId": id})).await?;
        assert_eq!((reply.status, code(&reply.json())), (404, -32601), "{method}");
    }
    for method in ["tasks/update", "tasks/list", "tasks/else"] {
        let reply = legacy
            .send(method, json!({"taskId": id, "inputResponses": {}}))
            .await?;
        assert_eq!((reply.status, code(&reply.json())), (200, -32601), "{method}");
    }
    Ok(())
}

#[tokio::test]
async fn the_header_of_a_modern_request_names_its_task() -> Result<()> {
    let scene = Scene::open("").await?;
    let id = scene.modern()?.begin().await?["taskId"].clone();
    let id = id.as_str().unwrap_or_default();
    let params = json!({"taskId": id, "_meta": meta(&json!({}))});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": params}).to_string();
    let modern = Modern::at(&scene.gateway.url())?;
    for (name, expected) in [(None, -32020), (Some("another"), -32020), (Some(id), -32021)] {
        let mut headers = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tasks/get"),
        ];
        headers.extend(name.map(|name| ("mcp-name", name)));
        let reply = answer(modern.bare(&headers, &body)).await?;
        assert_eq!((reply.status, code(&reply.json())), (400, expected), "{name:?}");
    }
    Ok(())
}

/// A job can call it as its server wants it called; its client cannot get the result in any other way than by a task.
#[tokio::test]
async fn a_tool_that_only_tasks_can_call_is_refused_to_others_where_nobody_receives() -> Result<()> {
    let server = McpServer::start(&["slow"]).await;
    server.nature().tools[0]["execution"] = json!({"taskSupport": "required"});
    server.nature().tasks = Some(vec!["completed"]);
    let scene = Scene::before(server, "").await?;
    let reply = Modern::at(&scene.gateway.url())?
        .send(&call(1, "slow", &json!({})))
        .await?;
    assert_eq!((reply.status, code(&reply.json())), (400, -32021));
    let session = Session::open(&scene.gateway.url(), None).await?;
    let reply = session.call(1, "slow", &json!({})).await?;
    assert_eq!((reply.status, code(&reply.json())), (200, -32601));
    assert_eq!(scene.server.ran("slow"), 0);
    for client in scene.both().await? {
        let task = client.begin().await?;
        client.once(&task["taskId"], "completed").await;
    }
    assert_eq!(
        scene.server.seen("tools/call").len(),
        2,
        "as tasks of the server's"
    );
    Ok(())
}

#[tokio::test]
async fn a_wish_that_cannot_be_read_begins_nothing() -> Result<()> {
    let scene = Scene::open("").await?;
    let legacy = scene.legacy().await?;
    for task in [json!(7), json!({"ttl": "long"}), json!({"ttl": -1})] {
        let answer = legacy
            .ask("tools/call", json!({"name": "slow", "task": task}))
            .await?;
        assert_eq!(code(&answer), -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("params.task"), "{message}");
    }
    assert_eq!(scene.server.ran("slow"), 0);
    Ok(())
}

/// asyncmcp's client gets a task where it asks for one, else its 202.
#[tokio::test]
async fn a_session_that_named_a_receiver_may_ask_for_tasks_too() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let from_clients = "  webhook: {receivers: {fromClients: {allowedHosts: ['127.0.0.1'], allowedCidrs: [127.0.0.0/8], \
                        schemes: [http]}}}\n";
    let scene = Scene::open(from_clients).await?;
    let session = Session::open(&scene.gateway.url(), Some(&receiver.url("/own"))).await?;
    assert_eq!(session.call(1, "slow", &json!({})).await?.status, 202);
    let asked =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "slow", "task": {}}});
    let answer = session.post(asked.to_string()).await?;
    assert!(
        answer.json()["result"]["task"]["taskId"].is_string(),
        "{}",
        answer.json()
    );
    let posts = receiver.answered(2, SOON).await;
    let mut ids: Vec<_> = posts
        .iter()
        .filter_map(|post| post.response()["id"].as_u64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    Ok(())
}
