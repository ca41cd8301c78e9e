//! Nothing waits in silence: the jobs API, the log and `/status` name what a job waits for.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, SECRET, Scene};

/// The job as the command shows it, once it waits for this.
async fn once_it_waits_for(scene: &Scene, id: &str, reason: &str) -> Value {
    eventually(PATIENCE, || async {
        let said = scene.jobs(&["show", id, "-o", "json"]).await;
        let job = said
            .and_then(|said| said.json())
            .map_err(|error| error.to_string())?;
        if job["waitingFor"]["reason"] == reason {
            Ok(job)
        } else {
            Err(format!("it waits for {}", job["waitingFor"]))
        }
    })
    .await
}

/// The first line of the log with this text.
async fn logged(scene: &Scene, text: &str) -> Value {
    eventually(PATIENCE, || async {
        let lines = scene.gateway.process.json_lines();
        let found = lines.into_iter().find(|line| line.to_string().contains(text));
        found.ok_or_else(|| format!("no line has {text:?}"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_waits_for_its_key_says_so_until_the_key_is_there() -> Result<()> {
    let scene = Scene::open_without_key("{max: 1}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    let job = once_it_waits_for(&scene, &id, "signing_key").await;
    assert_eq!(job["state"], "due", "{job}");
    let table = scene.jobs(&["show", &id]).await?.out;
    assert!(
        table.contains("waiting for") && table.contains("webhook.signing"),
        "{table}"
    );
    let list = scene.jobs(&["list"]).await?.out;
    assert!(list.contains("signing_key"), "{list}");

    let status = scene.gateway.status().await?;
    assert_eq!(
        status["waiting"],
        json!([{"reason": "signing_key", "receivers": 1}]),
        "{status}"
    );
    let line = logged(&scene, "secrets/signing/secret: cannot be read").await;
    assert_eq!(line["level"], "WARN", "{line}");

    DataPlane::write_secret(scene.dir.path(), "signing", "secret", "whsec_c2hvcnQ=")?;
    let line = logged(&scene, "24 to 64 bytes").await;
    assert_eq!(line["level"], "WARN", "{line}");
    DataPlane::write_secret(scene.dir.path(), "signing", "secret", SECRET)?;
    let job = scene.once(&id, "delivered").await;
    assert_eq!(job["waitingFor"], Value::Null, "{job}");
    assert_eq!(logged(&scene, "no longer needs attention").await["level"], "INFO");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_breaker_or_a_retry_names_its_time_and_dead_letters_are_warnings() -> Result<()> {
    let scene = Scene::open(503, "{max: 1, exponential: {initial: 50ms, jitterPercent: 0}}").await?;
    let session = scene.session().await?;
    // Two attempts each: ten samples open the breaker, and the rest waits for it.
    let mut ids = Vec::new();
    for id in 0..5 {
        ids.push(scene.call(&session, id, 0.0).await?);
    }
    scene.dead(5).await;
    let id = scene.call(&session, 9, 0.0).await?;
    let job = once_it_waits_for(&scene, &id, "breaker").await;
    assert!(job["waitingFor"]["until"].is_string(), "{job}");
    let status = scene.gateway.status().await?;
    assert_eq!(
        status["waiting"],
        json!([{"reason": "breaker", "receivers": 1}]),
        "{status}"
    );
    let opened = logged(&scene, "circuit breaker of a receiver opened").await;
    assert_eq!(
        (&opened["host"], &opened["level"]),
        (&json!("127.0.0.1"), &json!("WARN"))
    );
    let dead = logged(&scene, r#""outcome":"dead""#).await;
    assert_eq!(
        (&dead["level"], &dead["host"]),
        (&json!("WARN"), &json!("127.0.0.1")),
        "{dead}"
    );
    let secret = scene.receiver.url("/hook?key=hidden");
    let lines = scene.gateway.process.json_lines();
    assert!(
        lines.iter().all(|line| !line.to_string().contains("hidden")),
        "{secret}"
    );

    let slow = Scene::open(503, "{max: 1, exponential: {initial: 30s, max: 30s}}").await?;
    let session = slow.session().await?;
    let id = slow.call(&session, 1, 0.0).await?;
    let job = once_it_waits_for(&slow, &id, "retry").await;
    assert_eq!(job["waitingFor"]["until"], job["nextAttemptAt"], "{job}");
    let until = job["nextAttemptAt"].as_str().context("no time")?;
    let listed = slow.jobs(&["list"]).await?.out;
    assert!(listed.contains("retry") && !until.is_empty(), "{listed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_server_is_away_says_so_and_the_log_warns() -> Result<()> {
    let mut scene = Scene::open(200, "{max: 1}").await?;
    let session = scene.session().await?;
    scene.stop_server();
    let id = scene.call(&session, 1, 0.0).await?;
    let job = once_it_waits_for(&scene, &id, "server").await;
    assert_eq!(job["state"], "queued", "{job}");
    let line = logged(&scene, "Unreachable").await;
    assert_eq!(line["level"], "WARN", "{line}");
    assert!(
        scene.gateway.process.json_lines().len() < 500,
        "no line for each attempt to reach it"
    );
    scene.answer(200, Duration::ZERO);
    Ok(())
}
