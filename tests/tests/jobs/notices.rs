//! `webhook.deadLetter.notify`: an event per dead letter, as its receiver and an administrator see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::{Post, Receiver};
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, SECRET, Scene};

const NO_RETRY: &str = "{max: 0}";
const OFTEN: &str = "{max: 50, exponential: {initial: 50ms, max: 200ms}}";

/// A receiver of events that answers what the test says.
struct Ops {
    receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl Ops {
    async fn start(status: u16) -> Result<Self> {
        let status = Arc::new(AtomicU16::new(status));
        let answers = Arc::clone(&status);
        let receiver = Receiver::start(move |_| {
            let status = answers.load(Ordering::Relaxed);
            async move { StatusCode::from_u16(status).unwrap_or(StatusCode::OK) }
        });
        Ok(Self {
            receiver: receiver.await?,
            status,
        })
    }

    /// What the route says to have events sent here.
    fn notify(&self) -> String {
        notify(&self.receiver.url("/dead?token=hunter2"))
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The events that it took, once there are so many.
    async fn taken(&self, count: usize) -> Vec<Post> {
        eventually(PATIENCE, || async {
            let posts = self.receiver.posts().into_iter();
            let taken: Vec<Post> = posts.filter(Post::is_taken).collect();
            if taken.len() == count {
                Ok(taken)
            } else {
                Err(format!("{} events", taken.len()))
            }
        })
        .await
    }
}

fn notify(url: &str) -> String {
    format!("    deadLetter: {{notify: {{url: \"{url}\", headers: [{{name: x-team, value: tools}}]}}}}\n")
}

/// The jobs of a kind, as the command lists them.
async fn of_kind(scene: &Scene, kind: &str) -> Result<Vec<Value>> {
    let found = scene
        .jobs(&["list", "--kind", kind, "-o", "json"])
        .await?
        .json()?;
    Ok(found["jobs"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_of_a_dead_letter_is_signed_and_says_what_happened() -> Result<()> {
    let ops = Ops::start(200).await?;
    let scene = Scene::open_with(410, NO_RETRY, &ops.notify()).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    let post = ops.taken(1).await.remove(0);
    let job = scene.once(&id, "dead").await;

    standardwebhooks::Webhook::new(SECRET)?.verify(&post.body, &post.headers)?;
    let expected = format!(
        "{{\"type\":\"dev.asyncmcp.job.dead.v1\",\"timestamp\":{},\"data\":{{\"namespace\":\"default\",\
         \"route\":\"jobs\",\"webhookId\":{},\"tool\":\"process_batch\",\"server\":\"example\",\
         \"reason\":\"http_4xx\",\"attempts\":1,\"replays\":0,\"acceptedAt\":{},\"endedAt\":{},\"receiver\":{}}}}}",
        post.response()["timestamp"],
        job["webhookId"],
        job["acceptedAt"],
        job["endedAt"],
        json!(scene.receiver.url("/hook")),
    );
    assert_eq!(std::str::from_utf8(&post.body)?, expected);
    let time = |value: &Value| value.as_str().unwrap_or_default().parse::<jiff::Timestamp>();
    let (died, settled) = (time(&post.response()["timestamp"])?, time(&job["settledAt"])?);
    assert!(died.duration_since(settled).abs() < jiff::SignedDuration::from_secs(1));
    assert_eq!(post.header("ce-type"), "dev.asyncmcp.job.dead.v1");
    assert_eq!(post.header("ce-id"), post.webhook_id());
    assert_eq!(
        (post.header("x-team"), post.path.as_str()),
        ("tools", "/dead?token=hunter2")
    );
    assert_ne!(json!(post.webhook_id()), job["webhookId"]);
    assert!(
        !String::from_utf8_lossy(&post.body).contains(&id),
        "the id gives access"
    );

    eventually(PATIENCE, || async {
        let left = of_kind(&scene, "notification")
            .await
            .map_err(|error| error.to_string())?;
        if left.is_empty() {
            Ok(())
        } else {
            Err(json!(left).to_string())
        }
    })
    .await;
    let stored = ["outcome=\"stored\""];
    let metric = "asyncmcp_dead_letter_notifications_total";
    assert!((scene.gateway.metric(metric, &stored).await? - 1.0).abs() < f64::EPSILON);
    assert_eq!(of_kind(&scene, "call").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_outlives_a_kill_and_is_shown_as_its_own_kind() -> Result<()> {
    let ops = Ops::start(503).await?;
    let more = ops.notify();
    let mut scene = Scene::open_with(410, OFTEN, &more).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.dead(1).await;
    let events = of_kind(&scene, "notification").await?;
    let event = &events[0];
    assert_eq!((events.len(), &event["kind"]), (1, &json!("notification")));
    assert_eq!(event["receiver"]["namedBy"], "notify");
    assert_eq!(event["receiver"]["url"], json!(ops.receiver.url("/dead")));
    let calls = of_kind(&scene, "call").await?;
    assert_eq!((calls.len(), &calls[0]["id"]), (1, &json!(id)));
    let shown = scene
        .jobs(&["show", event["id"].as_str().unwrap_or_default()])
        .await?;
    assert!(
        shown.out.contains("notification") && shown.out.contains("webhook.deadLetter.notify"),
        "{shown:?}"
    );
    let wrong = scene.jobs(&["list", "--kind", "events"]).await?;
    assert!(
        !wrong.succeeded && wrong.err.contains("must be one of call, notification"),
        "{wrong:?}"
    );

    scene.gateway.restart(&[]).await?;
    ops.answer(200);
    let taken = ops.taken(1).await;
    let ids: Vec<String> = ops
        .receiver
        .posts()
        .iter()
        .map(|post| post.webhook_id().to_owned())
        .collect();
    assert!(ids.iter().all(|id| id == taken[0].webhook_id()), "{ids:?}");
    scene.gateway.at_rest(PATIENCE).await;
    assert_eq!(
        scene.jobs(&["list", "-o", "json"]).await?.json()?["jobs"][0]["id"],
        json!(id)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_death_is_announced_and_an_event_that_dies_is_not() -> Result<()> {
    let ops = Ops::start(200).await?;
    let scene = Scene::open_with(410, NO_RETRY, &ops.notify()).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    ops.taken(1).await;
    assert!(scene.jobs(&["replay", &id]).await?.succeeded);
    let events = ops.taken(2).await;
    assert_ne!(events[0].webhook_id(), events[1].webhook_id());
    let replays: Vec<Value> = events
        .iter()
        .map(|post| post.response()["data"]["replays"].clone())
        .collect();
    assert_eq!(replays, [0, 1]);

    // From here on the dead receiver itself gets the events.
    let route = std::fs::read_to_string(scene.gateway.dir.join("route.yaml"))?;
    let own = notify(&scene.receiver.url("/dead"));
    let hash = scene.gateway.status().await?["configHash"].clone();
    scene.gateway.edit(&route.replace(&ops.notify(), &own))?;
    eventually(PATIENCE, || async {
        let now = scene.gateway.status().await.map_err(|error| error.to_string())?;
        (now["configHash"] != hash)
            .then_some(())
            .ok_or("the same configuration".to_owned())
    })
    .await;
    assert!(scene.jobs(&["replay", &id]).await?.succeeded);
    scene.dead(2).await;
    let dead = of_kind(&scene, "notification").await?;
    assert_eq!((dead.len(), &dead[0]["deadReason"]), (1, &json!("http_4xx")));
    scene.gateway.at_rest(PATIENCE).await;
    let posts = scene.receiver.count();

    scene.answer(200, Duration::ZERO);
    let said = scene.jobs(&["replay", "--all", "--kind", "notification"]).await?;
    assert!(said.succeeded, "{said:?}");
    let last = scene
        .receiver
        .answered(posts + 1, PATIENCE)
        .await
        .pop()
        .expect("it was answered");
    assert_eq!(
        (last.path.as_str(), last.header("asyncmcp-replay")),
        ("/dead", "1")
    );
    standardwebhooks::Webhook::new(SECRET)?.verify(&last.body, &last.headers)?;
    scene.dead(1).await;
    assert_eq!(ops.receiver.count(), 2, "the receiver of before gets no more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_of_events_that_hangs_holds_up_no_result() -> Result<()> {
    let hanging = Receiver::start(|_| async {
        std::future::pending::<()>().await;
        StatusCode::OK
    })
    .await?;
    let scene = Scene::open_with(410, NO_RETRY, &notify(&hanging.url("/dead"))).await?;
    let session = scene.session().await?;
    for number in 0..40 {
        scene.call(&session, number, 0.0).await?;
    }
    scene.dead(40).await;
    scene.answer(200, Duration::ZERO);
    let id = scene.call(&session, 50, 0.0).await?;
    scene.once(&id, "delivered").await;
    let events = of_kind(&scene, "notification").await?;
    assert_eq!(events.len(), 40);
    assert!(
        events
            .iter()
            .all(|event| event["state"] == "due" || event["state"] == "sending")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_dead_letters_drops_events_and_neither_dead_letters_nor_calls() -> Result<()> {
    const CALLS: u64 = 300;
    let ops = Ops::start(503).await?;
    let small = "  store: {embedded: {size: 8Mi}}\n";
    let scene = Scene::open_with(410, OFTEN, &(ops.notify() + small)).await?;
    let session = scene.session().await?;
    for number in 0..CALLS {
        scene.call(&session, number, 0.0).await?;
    }
    scene.dead(CALLS).await;
    let metric = "asyncmcp_dead_letter_notifications_total";
    let stored = scene.gateway.metric(metric, &["outcome=\"stored\""]).await?;
    let dropped = scene.gateway.metric(metric, &["outcome=\"dropped\""]).await?;
    assert!(
        (stored + dropped - 300.0).abs() < 0.5 && dropped > 50.0 && stored > 50.0,
        "{stored} {dropped}"
    );

    scene.answer(200, Duration::ZERO);
    let id = scene.call(&session, CALLS, 0.0).await?;
    scene.once(&id, "delivered").await;
    ops.answer(200);
    scene.gateway.at_rest(PATIENCE).await;
    scene.answer(410, Duration::ZERO);
    scene.call(&session, CALLS + 1, 0.0).await?;
    eventually(PATIENCE, || async {
        let now = scene.gateway.metric(metric, &["outcome=\"stored\""]).await;
        let now = now.map_err(|error| error.to_string())?;
        if now > stored {
            Ok(())
        } else {
            Err(format!("{now}"))
        }
    })
    .await;
    Ok(())
}
