//! What a person looks for: the last hour, jobs by any of their properties, and what was asked.

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene};

async fn get(scene: &Scene, path: &str) -> Result<Value> {
    let request = reqwest::Client::new().get(scene.gateway.admin(path));
    let answer = request.bearer_auth(scene.token()?).send().await?;
    Ok(serde_json::from_str(&answer.error_for_status()?.text().await?)?)
}

/// The sum of a field over the last hour.
fn sum(hour: &Value, field: &str) -> u64 {
    let minutes = hour["minutes"].as_array().into_iter().flatten();
    minutes.filter_map(|minute| minute[field].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_hour_counts_what_happened_and_how_long_it_took() -> Result<()> {
    let scene = Scene::open(200, "{max: 1, exponential: {initial: 50ms, jitterPercent: 0}}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.once(&id, "delivered").await;
    scene.answer(503, std::time::Duration::ZERO);
    scene.call(&session, 2, 0.0).await?;
    scene.dead(1).await;
    let hour = get(&scene, "/history").await?;
    let sums = ["accepted", "delivered", "failedAttempts", "dead"].map(|field| sum(&hour, field));
    assert_eq!(sums, [2, 1, 2, 1], "{hour}");
    let minutes = hour["minutes"].as_array().context("no minutes")?;
    let timed = minutes
        .iter()
        .find(|minute| minute["medianMs"].is_u64())
        .context("no time")?;
    assert!(timed["p95Ms"].as_u64() >= timed["medianMs"].as_u64(), "{timed}");
    let last = minutes.last().context("no minute")?;
    assert_eq!(
        last["counts"],
        json!({"queued": 0, "running": 0, "due": 0, "sending": 0, "dead": 1})
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_found_by_either_id_and_by_their_last_failure() -> Result<()> {
    let scene = Scene::open(503, "{max: 3, exponential: {initial: 50ms, jitterPercent: 0}}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    let job = scene.once(&id, "dead").await;
    scene.answer(200, std::time::Duration::ZERO);
    let other = scene.call(&session, 2, 0.0).await?;
    scene.once(&other, "delivered").await;
    let webhook_id = job["webhookId"].as_str().context("no webhook-id")?;
    for query in [
        format!("id={id}"),
        format!("id={webhook_id}"),
        format!("id={id}&state=dead"),
        "lastFailure=http_5xx".to_owned(),
        "lastFailure=http_5xx&state=dead&server=example".to_owned(),
    ] {
        let found = get(&scene, &format!("/jobs?{query}")).await?;
        let ids: Vec<&Value> = found["jobs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|job| &job["id"])
            .collect();
        assert_eq!(ids, [&json!(id)], "{query}");
    }
    let none = get(&scene, &format!("/jobs?id={id}&state=delivered")).await?;
    assert_eq!(none["jobs"], json!([]));
    let said = scene
        .jobs(&["list", "--last-failure", "http_5xx", "-o", "name"])
        .await?;
    assert_eq!(said.out.trim(), id, "{said:?}");
    let said = scene.jobs(&["list", "--last-failure", "bad"]).await?;
    assert!(said.err.contains("lastFailure: must be one of"), "{said:?}");
    let token = scene.token()?;
    let both = format!("/jobs?id={webhook_id}&webhookId={webhook_id}");
    let answer = reqwest::Client::new()
        .get(scene.gateway.admin(&both))
        .bearer_auth(&token);
    assert_eq!(answer.send().await?.status(), 409);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_is_shown_while_the_call_runs_and_its_trace_for_ever() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 600.0).await?;
    scene.once(&id, "running").await;
    let said = scene.jobs(&["show", &id, "--request"]).await?;
    let params: Value = said.json()?;
    assert_eq!(
        params["arguments"],
        json!({"seconds": 600.0, "items": 1}),
        "{said:?}"
    );
    scene.jobs(&["cancel", &id]).await?;
    let job = scene.once(&id, "delivered").await;
    eventually(PATIENCE, || async {
        let said = scene.jobs(&["show", &id, "--request"]).await;
        let said = said.map_err(|error| error.to_string())?;
        let is_gone = !said.succeeded && said.err.contains("its call has ended");
        if is_gone { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await;
    let post = scene.receiver.posts().pop().context("nothing came")?;
    let sent = post.header("traceparent").split('-').nth(1).map(str::to_owned);
    assert_eq!(job["traceId"].as_str().map(str::to_owned), sent, "{job}");
    Ok(())
}
