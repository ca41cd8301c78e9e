//! `asyncmcp receivers` and `asyncmcp why`: nobody has to guess why nothing has arrived.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, SECRET, Scene};

/// The answer about a receiver or a job.
async fn why(scene: &Scene, what: &str) -> Result<Value> {
    let said = scene.command(&["why", what, "-o", "json"]).await?;
    assert!(
        !said.out.contains("hidden") && !said.err.contains("hidden"),
        "{said:?}"
    );
    said.json()
}

/// The answer, once its reason is this.
async fn once(scene: &Scene, what: &str, reason: &str) -> Value {
    eventually(PATIENCE, || async {
        let why = why(scene, what).await.map_err(|error| error.to_string())?;
        if why["reason"] == reason {
            Ok(why)
        } else {
            Err(format!("it says {why}"))
        }
    })
    .await
}

async fn receivers(scene: &Scene) -> Result<Vec<Value>> {
    let said = scene.command(&["receivers", "-o", "json"]).await?;
    assert!(!said.out.contains("hidden"), "{said:?}");
    Ok(said.json()?["receivers"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrived_and_what_never_will_is_said_in_one_sentence() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let url = scene.receiver.url("/hook");
    let nothing = why(&scene, &url).await?;
    assert_eq!(
        (&nothing["reason"], &nothing["job"]),
        (&json!("nothing_due"), &Value::Null)
    );
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.once(&id, "delivered").await;
    // By its URL without the query, with it, and by its id.
    let listed = receivers(&scene).await?;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let named = listed[0]["id"].as_str().unwrap_or_default().to_owned();
    for what in [url.clone(), scene.receiver.url("/hook?key=hidden"), named] {
        let there = why(&scene, &what).await?;
        assert_eq!(
            (
                &there["reason"],
                &there["status"],
                &there["job"],
                &there["receiver"]
            ),
            (&json!("delivered"), &json!(200), &json!(id), &json!(url)),
            "{there}"
        );
    }
    assert_eq!(listed[0]["url"], json!(url));
    assert_eq!(
        (&listed[0]["state"], &listed[0]["namedBy"]),
        (&json!("idle"), &json!("route"))
    );
    assert_eq!(listed[0]["lastAttempt"]["status"], 200);
    assert_eq!(listed[0]["lastDeliveredAt"], listed[0]["lastAttempt"]["at"]);
    let refused = why(&scene, "http://elsewhere.example/").await?;
    assert_eq!(refused["reason"], "refused");
    assert!(
        refused["sentence"].to_string().contains("allowedHosts"),
        "{refused}"
    );
    let table = scene.command(&["why", &id]).await?.out;
    assert!(table.starts_with("It was delivered at 2"), "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_a_breaker_and_a_dead_letter_are_named() -> Result<()> {
    let scene = Scene::open_without_key("{max: 1, exponential: {initial: 50ms, jitterPercent: 0}}").await?;
    scene.answer(503, std::time::Duration::ZERO);
    let url = scene.receiver.url("/hook");
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.once(&id, "due").await;
    let waits = once(&scene, &url, "signing_key").await;
    assert!(
        waits["sentence"].to_string().contains("webhook.signing"),
        "{waits}"
    );
    assert!(
        waits["sentence"].to_string().contains("1 delivery is due"),
        "{waits}"
    );
    assert_eq!(why(&scene, &id).await?["reason"], "signing_key");

    DataPlane::write_secret(scene.dir.path(), "signing", "secret", SECRET)?;
    let dead = once(&scene, &id, "dead").await;
    assert_eq!(
        (&dead["status"], &dead["category"]),
        (&json!(503), &json!("http_5xx")),
        "{dead}"
    );
    assert!(dead["sentence"].to_string().contains("replay it"), "{dead}");
    assert_eq!(once(&scene, &url, "dead").await["job"], json!(id));

    // Ten samples open the breaker.
    for id in 2..7 {
        scene.call(&session, id, 0.0).await?;
    }
    let open = once(&scene, &url, "breaker").await;
    assert!(open["until"].is_string() && open["status"] == 503, "{open}");
    let listed = receivers(&scene).await?;
    assert_eq!(listed[0]["state"], "breaker_open", "{listed:?}");
    assert_eq!(listed[0]["until"], open["until"]);
    let table = scene.command(&["receivers"]).await?.out;
    assert!(table.contains("breaker_open") && table.contains(&url), "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_process_still_knows_where_a_result_is() -> Result<()> {
    let mut scene = Scene::open(200, "{max: 1}").await?;
    let url = scene.receiver.url("/hook");
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    let job = scene.once(&id, "delivered").await;
    scene.gateway.restart(&[]).await?;
    assert_eq!(
        receivers(&scene).await?,
        Vec::<Value>::new(),
        "nothing was sent since"
    );
    let there = why(&scene, &url).await?;
    assert_eq!(
        (&there["reason"], &there["job"]),
        (&json!("delivered"), &json!(id)),
        "{there}"
    );
    let webhook_id = job["webhookId"].as_str().unwrap_or_default();
    assert_eq!(why(&scene, webhook_id).await?["reason"], "delivered");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_is_an_error_that_names_the_parameter() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let token = scene.token()?;
    for (query, field) in [
        ("", "receiver"),
        ("receiver=http%3A%2F%2Fx%2F&job=1", "receiver"),
        ("receiver=x", "receiver"),
        ("job=x", "job"),
        ("job=msg_x", "job"),
        ("job=a&job=b", "job"),
        ("tool=x", "tool"),
    ] {
        let asked = reqwest::Client::new().get(scene.gateway.admin(&format!("/why?{query}")));
        let answer = asked.bearer_auth(&token).send().await?;
        assert_eq!(answer.status(), 400, "{query}");
        let problem: Value = serde_json::from_str(&answer.text().await?)?;
        assert_eq!(problem["field"], field, "{query}: {problem}");
    }
    let said = scene.command(&["why", "0000000000000000000000000a"]).await?;
    assert!(
        !said.succeeded && said.err.contains("there is no such job"),
        "{said:?}"
    );
    Ok(())
}
