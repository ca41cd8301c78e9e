//! Tasks whose results go to a receiver as well: both ways bring the same outcome, and neither depends on the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::{eventually, session::Reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::{Client, RESULT, SOON, Scene};

fn default(receiver: &Receiver) -> String {
    format!(
        "  webhook: {{retry: {{max: 0}}, receivers: {{default: {{url: '{}'}}}}}}\n",
        receiver.url("/hook")
    )
}

async fn outcome(client: &Client, id: &Value) -> Result<Value> {
    let method = if client.is_modern() {
        "tasks/get"
    } else {
        "tasks/result"
    };
    let answer = client.about(method, id).await?["result"].clone();
    Ok(if client.is_modern() {
        answer["result"].clone()
    } else {
        answer
    })
}

/// What both ways have in common.
fn payload(result: &Value) -> Value {
    json!({"content": result["content"], "big": result["big"].to_string(), "n": result["n"]})
}

#[tokio::test]
async fn the_receiver_and_the_client_get_the_same_result() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let scene = Scene::open(&default(&receiver)).await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    for (so_far, client) in scene.both().await?.into_iter().enumerate() {
        let answer = client
            .ask("tools/call", json!({"name": "slow", "task": {}}))
            .await?;
        let id = client.created(&answer)?["taskId"].clone();
        client.once(&id, "completed").await;
        let posts = receiver.answered(so_far + 1, SOON).await;
        let delivered = posts[so_far].response();
        let named = &answer["result"]["_meta"]["dev.asyncmcp/job"];
        assert_eq!(
            (&named["id"], named["webhookId"].as_str()),
            (&id, Some(posts[so_far].webhook_id()))
        );
        assert_eq!(delivered["id"], answer["id"], "{delivered}");
        assert_eq!(
            payload(&delivered["result"]),
            payload(&outcome(&client, &id).await?)
        );
        // It is there after the delivery, too.
        scene.gateway.at_rest(SOON).await;
        assert_eq!(
            payload(&delivered["result"]),
            payload(&outcome(&client, &id).await?)
        );
    }
    assert_eq!(scene.server.ran("slow"), 2);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_task_is_told_to_its_receiver() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let scene = Scene::open(&default(&receiver)).await?;
    scene.server.on("slow", [Reaction::Hangs]);
    for (so_far, client) in scene.both().await?.into_iter().enumerate() {
        let id = client.begin().await?["taskId"].clone();
        client.about("tasks/cancel", &id).await?;
        let posts = receiver.answered(so_far + 1, SOON).await;
        assert_eq!(posts[so_far].response()["error"]["code"], -31006);
    }
    Ok(())
}

/// A command of the jobs API.
async fn act(scene: &Scene, path: &str) -> Result<Value> {
    let token = std::fs::read_to_string(scene.dir.path().join("state/adminToken"))?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(scene.gateway.admin(path)).bearer_auth(token.trim());
    Ok(serde_json::from_str(&request.send().await?.text().await?)?)
}

#[tokio::test]
async fn a_dead_letter_is_polled_and_a_replay_brings_the_same() -> Result<()> {
    let willing = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&willing);
    let receiver = Receiver::start(move |_| {
        let willing = told.load(Ordering::Relaxed);
        async move {
            if willing {
                StatusCode::OK
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    })
    .await?;
    let scene = Scene::open(&default(&receiver)).await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let [legacy, modern] = scene.both().await?;
    let (one, two) = (legacy.begin().await?, modern.begin().await?);
    receiver.answered(2, SOON).await;
    scene.gateway.at_rest(SOON).await;
    let mut polled = Vec::new();
    for (client, task) in [(&legacy, &one), (&modern, &two)] {
        let ended = client.once(&task["taskId"], "completed").await;
        let ttl = if client.is_modern() { "ttlMs" } else { "ttl" };
        assert!(
            ended[ttl].as_u64() > Some(160 * 3_600_000),
            "deadLetter.retention: {ended}"
        );
        polled.push(payload(&outcome(client, &task["taskId"]).await?));
    }
    willing.store(true, Ordering::Relaxed);
    for task in [&one, &two] {
        let id = task["taskId"].as_str().unwrap_or_default();
        let job = act(&scene, &format!("/jobs/{id}/replay")).await?;
        assert_eq!(job["id"], task["taskId"], "{job}");
    }
    let posts = receiver.answered(4, SOON).await;
    let replayed = posts.iter().filter(|post| post.is_taken());
    for post in replayed {
        assert_eq!(payload(&post.response()["result"]), polled[0]);
    }
    assert_eq!(polled[0], polled[1]);
    Ok(())
}

/// A client that names a receiver and knows tasks gets both; without the extension, the acknowledgement alone.
#[tokio::test]
async fn a_call_names_its_receiver_and_becomes_a_task() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let from_clients = "  webhook: {receivers: {fromClients: {allowedHosts: ['127.0.0.1'], allowedCidrs: [127.0.0.0/8], \
                        schemes: [http]}}}\n";
    let scene = Scene::open(from_clients).await?;
    let named = json!({"_meta": {"dev.asyncmcp/webhook": {"url": receiver.url("/own")}}});
    for client in scene.both().await? {
        let task = client.begin_with(named.clone()).await?;
        client.once(&task["taskId"], "completed").await;
        let refused = json!({"name": "slow", "task": {},
            "_meta": {"dev.asyncmcp/webhook": {"url": "http://10.0.0.1/"}}});
        let answer = client.ask("tools/call", refused).await?;
        assert_eq!(answer["error"]["code"], -31005, "{answer}");
    }
    receiver.answered(2, SOON).await;
    Ok(())
}

/// The same call under the same key is the same task, also for a client that asks in another way the next time.
#[tokio::test]
async fn a_repeated_call_is_the_same_task() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let scene = Scene::open(&default(&receiver)).await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let key = json!({"_meta": {"dev.asyncmcp/idempotencyKey": "k"}});
    for client in scene.both().await? {
        let first = client.begin_with(key.clone()).await?;
        client.once(&first["taskId"], "completed").await;
        let again = client.begin_with(key.clone()).await?;
        assert_eq!(
            (&again["taskId"], &again["status"]),
            (&first["taskId"], &json!("completed"))
        );
        if let Client::Legacy(session) = &client {
            let params = json!({"name": "slow", "_meta": key["_meta"]});
            let plain = json!({"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": params});
            let reply: Reply = session.post(plain.to_string()).await?;
            assert_eq!(reply.job().as_deref(), first["taskId"].as_str());
        }
    }
    assert_eq!(scene.server.ran("slow"), 2);
    eventually(SOON, async || receiver.count() == 2).await;
    Ok(())
}
