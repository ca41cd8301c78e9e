//! A dead letter is found, understood and replayed.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::receiver::Post;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, SECRET, Scene};

/// So far apart that no two attempts have the same `webhook-timestamp`.
const ONE_RETRY: &str = "{max: 1, exponential: {initial: 1100ms, jitterPercent: 0}}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_found_understood_and_replayed() -> Result<()> {
    let scene = Scene::open(503, ONE_RETRY).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.dead(1).await;

    let found = scene
        .jobs(&["list", "--state", "dead", "-o", "json"])
        .await?
        .json()?;
    assert_eq!(found["jobs"][0]["id"], json!(id), "{found}");
    understand(&scene, &id).await?;

    scene.answer(200, Duration::ZERO);
    let said = scene.jobs(&["replay", &id]).await?;
    assert!(
        said.succeeded && said.out.contains("queued for replay"),
        "{said:?}"
    );
    let posts = scene.receiver.answered(3, PATIENCE).await;
    replayed(&posts)?;
    let job = scene.once(&id, "delivered").await;
    assert_eq!(job["replays"], 1);
    let outcomes = column(&job, "outcome");
    assert_eq!(outcomes, ["retry", "dead", "delivered"]);
    assert_eq!(column(&job, "replay"), [0, 0, 1]);

    let again = scene.jobs(&["replay", &id]).await?;
    assert!(!again.succeeded, "{again:?}");
    assert!(again.err.contains("the job is delivered"), "{again:?}");
    Ok(())
}

/// What was wrong, and when.
async fn understand(scene: &Scene, id: &str) -> Result<()> {
    let job = scene.jobs(&["show", id, "-o", "json"]).await?.json()?;
    assert_eq!(job["deadReason"], "http_5xx");
    assert_eq!(job["outcome"], "result");
    assert_eq!(column(&job, "outcome"), ["retry", "dead"]);
    assert_eq!(column(&job, "category"), ["http_5xx", "http_5xx"]);
    assert_eq!(column(&job, "status"), [503, 503]);
    assert_eq!(column(&job, "number"), [1, 2]);
    let history = &job["history"];
    let time = |text: &Value| text.as_str().unwrap_or_default().parse::<Timestamp>();
    let (told, began) = (
        time(&history[0]["nextAttemptAt"])?,
        time(&history[1]["startedAt"])?,
    );
    assert!(told <= began, "{history}");
    assert!(history[0]["durationMs"].is_u64(), "{history}");
    assert_eq!(
        job["receiver"]["url"],
        json!(scene.receiver.url("/hook")),
        "no query"
    );
    assert!(!job.to_string().contains("hidden"), "{job}");

    let table = scene.jobs(&["show", id]).await?.out;
    assert!(
        table.contains("dead (http_5xx)") && table.contains("503"),
        "{table}"
    );
    let result = scene.jobs(&["show", id, "--result"]).await?.json()?;
    assert!(result["result"]["content"].is_array(), "{result}");
    Ok(())
}

fn column(job: &Value, name: &str) -> Vec<Value> {
    let history = job["history"].as_array().cloned().unwrap_or_default();
    history.iter().map(|attempt| attempt[name].clone()).collect()
}

/// The same delivery, signed anew.
fn replayed(posts: &[Post]) -> Result<()> {
    let (first, last) = (&posts[0], &posts[2]);
    assert_eq!(first.webhook_id(), last.webhook_id());
    assert_eq!(first.body, last.body);
    let replays = [0, 1, 2].map(|place| posts[place].header("asyncmcp-replay"));
    assert_eq!(replays, ["", "", "1"]);
    assert!(last.header("webhook-timestamp") > first.header("webhook-timestamp"));
    assert_ne!(
        last.header("webhook-signature"),
        first.header("webhook-signature")
    );
    let verifier = standardwebhooks::Webhook::new(SECRET)?;
    verifier.verify(&last.body, &last.headers)?;
    Ok(())
}
