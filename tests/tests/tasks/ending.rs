//! How tasks end, and what is said of each end: results, failures, cancellations, and the end of their time.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::Reaction;
use serde_json::{Value, json};

use crate::scene::{Client, RESULT, SOON, Scene, code, is_about};

const FAILED: &str = r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#;
const ERROR: &str = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32099,"message":"broken","data":{"n":1}}}"#;

/// What the client reads as the outcome of its task.
async fn outcome(client: &Client, id: &Value) -> Result<Value> {
    if client.is_modern() {
        return Ok(client.about("tasks/get", id).await?["result"].clone());
    }
    client.about("tasks/result", id).await
}

#[tokio::test]
async fn a_tool_that_reports_an_error_has_failed_in_the_legacy_era_and_completed_in_the_modern_one()
-> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Result(FAILED)]);
    for client in scene.both().await? {
        let id = client.begin().await?["taskId"].clone();
        let status = if client.is_modern() { "completed" } else { "failed" };
        client.once(&id, status).await;
        let outcome = outcome(&client, &id).await?;
        assert_eq!(outcome["result"]["isError"], true, "{outcome}");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_server_is_the_tasks_error_in_both_eras() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Status(200, ERROR)]);
    for client in scene.both().await? {
        let id = client.begin().await?["taskId"].clone();
        client.once(&id, "failed").await;
        let outcome = outcome(&client, &id).await?;
        let expected = json!({"code": -32099, "message": "broken", "data": {"n": 1}});
        assert_eq!(outcome["error"], expected, "{outcome}");
        assert!(
            outcome["result"].is_null() && outcome["error"]["_meta"].is_null(),
            "{outcome}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_tool_that_takes_too_long_has_failed() -> Result<()> {
    let scene = Scene::open("  webhookTools: [{name: slow, timeout: 1s}]\n").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    for client in scene.both().await? {
        let id = client.begin().await?["taskId"].clone();
        let task = client.once(&id, "failed").await;
        assert_eq!(task["statusMessage"], "The call did not end in time.", "{task}");
        assert_eq!(code(&outcome(&client, &id).await?), -31002);
    }
    Ok(())
}

#[tokio::test]
async fn a_running_task_is_cancelled_before_the_answer_and_its_server_told() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    for (so_far, client) in scene.both().await?.into_iter().enumerate() {
        let id = client.begin().await?["taskId"].clone();
        eventually(SOON, async || scene.server.ran("slow") == so_far + 1).await;
        let answer = client.about("tasks/cancel", &id).await?;
        if client.is_modern() {
            assert_eq!(
                answer["result"],
                json!({"resultType": "complete"}),
                "an acknowledgement alone"
            );
        } else {
            assert_eq!(answer["result"]["status"], "cancelled", "{answer}");
            assert_eq!(answer["result"]["taskId"], id);
        }
        let task = client.about("tasks/get", &id).await?["result"].clone();
        assert_eq!(task["status"], "cancelled", "{task}");
        assert!(task["error"].is_null() && task["result"].is_null(), "{task}");
        eventually(SOON, async || {
            scene.server.seen("notifications/cancelled").len() == so_far + 1
        })
        .await;
    }
    Ok(())
}

#[tokio::test]
async fn a_task_that_waits_for_execution_is_cancelled_and_never_runs() -> Result<()> {
    let scene = Scene::open("  webhookTools: [{name: slow, maxConcurrent: 1}]\n").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let [legacy, modern] = scene.both().await?;
    let running = legacy.begin().await?["taskId"].clone();
    eventually(SOON, async || scene.server.ran("slow") == 1).await;
    for client in [&legacy, &modern] {
        let waiting = client.begin().await?["taskId"].clone();
        assert!(client.about("tasks/cancel", &waiting).await?["error"].is_null());
        client.once(&waiting, "cancelled").await;
    }
    assert_eq!(scene.server.ran("slow"), 1);
    assert_eq!(
        legacy.about("tasks/get", &running).await?["result"]["status"],
        "working"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_over_cannot_be_cancelled_and_stays_as_it_is() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    for client in scene.both().await? {
        let id = client.begin().await?["taskId"].clone();
        client.once(&id, "completed").await;
        for _ in 0..2 {
            let answer = client.about("tasks/cancel", &id).await?;
            if client.is_modern() {
                assert_eq!(answer["result"], json!({"resultType": "complete"}));
            } else {
                assert_eq!(code(&answer), -32602, "{answer}");
            }
        }
        client.once(&id, "completed").await;
        let update = client.send("tasks/update", json!({"taskId": id, "inputResponses": {"x": {}}}));
        let update = update.await?.json();
        if client.is_modern() {
            assert_eq!(update["result"], json!({"resultType": "complete"}));
        }
    }
    Ok(())
}

#[tokio::test]
async fn ids_that_are_none_and_params_that_are_none_are_invalid() -> Result<()> {
    let scene = Scene::open("").await?;
    for client in scene.both().await? {
        let mut methods = vec!["tasks/get", "tasks/cancel"];
        methods.push(if client.is_modern() {
            "tasks/update"
        } else {
            "tasks/result"
        });
        for method in methods {
            for id in [
                json!("tasks-nonexistent"),
                json!("01234567890123456789012345"),
                json!(""),
            ] {
                let answer = client.about(method, &id).await?;
                assert_eq!(code(&answer), -32602, "{method} {id}: {answer}");
            }
        }
    }
    let legacy = scene.legacy().await?;
    for params in [json!({}), json!({"taskId": 7}), json!({"taskId": null})] {
        assert_eq!(code(&legacy.ask("tasks/get", params).await?), -32602);
    }
    let modern = scene.modern()?;
    let id = modern.begin().await?["taskId"].clone();
    assert_eq!(
        code(&modern.ask("tasks/update", json!({"taskId": id})).await?),
        -32602
    );
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_waited_for_comes_as_soon_as_it_is_there() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on(
        "slow",
        [Reaction::Stalls("text/event-stream"), Reaction::Result(RESULT)],
    );
    let client = scene.legacy().await?;
    let (first, second) = (client.begin().await?, client.begin().await?);
    let answer = client.about("tasks/result", &second["taskId"]).await?;
    assert_eq!(answer["result"]["n"], 1.0, "{answer}");
    let waiting = client.send("tasks/result", json!({"taskId": first["taskId"]}));
    let cancelling = async {
        // Longer than an answer keeps the form of one JSON body.
        eventually(SOON, async || {
            let task = client
                .about("tasks/get", &first["taskId"])
                .await
                .map_err(|error| error.to_string())?;
            let interval = task["result"]["pollInterval"].as_u64().unwrap_or_default();
            if interval > 600 {
                Ok(())
            } else {
                Err(task.to_string())
            }
        })
        .await;
        client.about("tasks/cancel", &first["taskId"]).await
    };
    let (waited, cancelled) = tokio::join!(waiting, cancelling);
    assert_eq!(cancelled?["result"]["status"], "cancelled");
    let waited = waited?;
    assert_eq!(waited.headers["content-type"], "text/event-stream");
    assert_eq!(code(&waited.json()), -31006, "{}", waited.json());
    Ok(())
}

/// A client that wants its task kept for longer gets that, up to `deadLetter.retention`; nobody gets less than
/// `resultRetention`.
#[tokio::test]
async fn a_task_is_kept_as_long_as_is_said_and_then_it_is_unknown() -> Result<()> {
    let scene = Scene::open("  webhook: {resultRetention: 2s, deadLetter: {retention: 1h}}\n").await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let [legacy, modern] = scene.both().await?;
    for (ttl, granted) in [(1, 2_000), (60_000, 60_000), (86_400_000_u64, 3_600_000)] {
        let task = legacy.begin_with(json!({"task": {"ttl": ttl}})).await?;
        assert!(is_about(&task["ttl"], granted), "{task}");
    }
    let long = legacy.begin_with(json!({"task": {"ttl": 60_000}})).await?;
    let short = legacy.begin().await?;
    let modern_one = modern.begin().await?;
    assert!(is_about(&modern_one["ttlMs"], 2_000), "{modern_one}");
    let ended = legacy.once(&short["taskId"], "completed").await;
    assert!(ended["ttl"].as_u64() >= Some(2_000), "{ended}");
    for (client, task) in [(&legacy, &short), (&modern, &modern_one)] {
        eventually(Duration::from_secs(10), async || {
            let answer = client.about("tasks/get", &task["taskId"]).await;
            answer.is_ok_and(|answer| code(&answer) == -32602)
        })
        .await;
    }
    assert_eq!(
        code(&legacy.about("tasks/result", &short["taskId"]).await?),
        -32602
    );
    legacy.once(&long["taskId"], "completed").await;
    Ok(())
}
