//! What changes while the process runs: the route, and the Secrets that it names.
//!
//! Invariant: a change takes effect without a restart, and nobody who is connected notices more of it
//! than it says.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use futures::{Stream, StreamExt as _};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::TempDir;
use tokio::time::timeout;

/// How soon a change is live.
const SOON: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(20);
const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3";
const NEWER: &str = "whsec_bmV3ZXJuZXdlcm5ld2VybmV3ZXJuZXdlcm5l";

struct Stage {
    gateway: DataPlane,
    example: Example,
    receiver: Receiver,
    _dir: TempDir,
}

impl Stage {
    async fn open(webhook_tools: &str, signing: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let example = Example::start(dir.path()).await?;
        let receiver = Receiver::willing().await?;
        let route = route(&example, &receiver, webhook_tools, signing);
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route, &[]).await?,
            example,
            receiver,
            _dir: dir,
        })
    }

    /// Writes the route anew, as an editor does: a file in its place, not a part of one.
    fn edit(&self, webhook_tools: &str, signing: &str) -> Result<()> {
        let route = route(&self.example, &self.receiver, webhook_tools, signing);
        replace(&self.gateway.dir, &route)
    }

    async fn session(&self) -> Result<Session> {
        Session::open(&self.gateway.url(), None).await
    }

    /// A delivery of a call made now.
    async fn delivery(&self, session: &Session, id: u64) -> Result<Post> {
        let before = self.receiver.count();
        session.call(id, "process_batch", &batch(0.0)).await?;
        let posts = self.receiver.answered(before + 1, PATIENCE).await;
        Ok(posts[before].clone())
    }
}

fn replace(dir: &Path, route: &str) -> Result<()> {
    let draft = dir.join("draft.yaml");
    std::fs::write(&draft, route)?;
    Ok(std::fs::rename(draft, dir.join("route.yaml"))?)
}

fn batch(seconds: f64) -> Value {
    json!({"seconds": seconds, "items": 1})
}

/// Two names for one server, so that a tool can be called in both ways.
fn route(example: &Example, receiver: &Receiver, webhook_tools: &str, signing: &str) -> String {
    let (server, receiver) = (&example.url, receiver.url("/hook"));
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: live}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  - {{name: plain, url: "{server}", toolPrefix: plain_}}
  webhookTools: [{webhook_tools}]
  webhook:
    receivers: {{default: {{url: "{receiver}"}}}}
    {signing}
"#
    )
}

async fn next_change(stream: &mut (impl Stream<Item = Value> + Unpin)) -> Option<String> {
    let message = timeout(SOON, stream.next()).await.ok()??;
    message["method"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn changed_webhook_tools_are_live_without_a_dropped_stream_or_call() -> Result<()> {
    let mut stage = Stage::open("{name: process_batch}", "").await?;
    let session = stage.session().await?;
    let mut stream = Box::pin(session.stream().await?);
    let caller = session.clone();
    let ordinary = tokio::spawn(async move { caller.call(1, "plain_process_batch", &batch(4.0)).await });
    let job = session.call(2, "process_batch", &batch(4.0)).await?;
    assert!(job.is_acknowledgement());
    eventually(PATIENCE, || async {
        let text = std::fs::read_to_string(&stage.example.journal).unwrap_or_default();
        if text.lines().count() == 2 {
            Ok(())
        } else {
            Err("not both run")
        }
    })
    .await;
    stage.edit("{name: echo}", "")?;
    eventually(SOON, || async {
        let reply = session.call(rand::random(), "echo", &json!({"text": "x"})).await;
        let reply = reply.map_err(|error| error.to_string())?;
        if reply.is_acknowledgement() {
            Ok(())
        } else {
            Err("still an ordinary tool".to_owned())
        }
    })
    .await;
    let changed = Some("notifications/tools/list_changed".to_owned());
    assert_eq!(next_change(&mut stream).await, changed);
    let now_ordinary = session.call(4, "process_batch", &batch(0.0)).await?.json();
    assert_eq!(now_ordinary["result"]["structuredContent"]["processed"], 1);
    assert!(!ordinary.is_finished(), "the call did not last over the edit");
    stage.edit("{name: process_batch}", "")?;
    assert_eq!(next_change(&mut stream).await, changed, "the stream was dropped");
    let kept = ordinary.await??.json();
    assert_eq!(kept["result"]["structuredContent"]["seconds"], 4.0, "{kept}");
    stage.gateway.at_rest(PATIENCE).await;
    let delivered = stage
        .receiver
        .posts()
        .into_iter()
        .find(|post| post.response()["id"] == 2);
    let delivered = delivered.map(|post| post.response()["result"]["structuredContent"]["seconds"].clone());
    assert_eq!(delivered, Some(json!(4.0)));
    assert!(stage.gateway.process.is_running()?);
    Ok(())
}

#[tokio::test]
async fn a_broken_edit_is_reported_and_changes_nothing() -> Result<()> {
    let stage = Stage::open("{name: process_batch}", "").await?;
    let session = stage.session().await?;
    let before = stage.gateway.status().await?;
    assert!(before["refused"].is_null(), "{before}");
    stage.edit("{name: process_batch}, {name: echo, timeout: soon}", "")?;
    let refused = eventually(SOON, || async {
        let status = stage.gateway.status().await.map_err(|error| error.to_string())?;
        let message = status["refused"]["message"].as_str().map(str::to_owned);
        message
            .map(|message| (message, status.clone()))
            .ok_or(status.to_string())
    })
    .await;
    assert!(
        refused.0.contains("spec.webhookTools[1].timeout"),
        "{}",
        refused.0
    );
    assert_eq!(refused.1["configHash"], before["configHash"]);
    let reloads = "asyncmcp_config_reloads_total";
    assert!(stage.gateway.metric(reloads, &["outcome=\"refused\""]).await? > 0.5);
    let echo = session.call(1, "echo", &json!({"text": "as before"})).await?;
    assert_eq!(echo.json()["result"]["content"][0]["text"], "as before");
    assert!(
        session
            .call(2, "process_batch", &batch(0.0))
            .await?
            .is_acknowledgement()
    );
    stage.edit("{name: process_batch}, {name: echo}", "")?;
    eventually(SOON, || async {
        let status = stage.gateway.status().await.map_err(|error| error.to_string())?;
        if status["refused"].is_null() && status["configHash"] != before["configHash"] {
            return Ok(());
        }
        Err(status.to_string())
    })
    .await;
    Ok(())
}

fn signing(keys: &[&str]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| format!("{{name: hooks, key: {key}}}"))
        .collect();
    format!("signing: {{secretRefs: [{}]}}", keys.join(", "))
}

/// Which of the three keys the signatures of a delivery hold under.
fn holding(post: &Post) -> Vec<&'static str> {
    let keys = [("old", OLD), ("new", NEW), ("newer", NEWER)];
    let holds = |secret| {
        let webhook = Webhook::new(secret);
        webhook.is_ok_and(|webhook| webhook.verify(&post.body, &post.headers).is_ok())
    };
    keys.into_iter()
        .filter(|(_, secret)| holds(secret))
        .map(|(name, _)| name)
        .collect()
}

/// Makes calls until their deliveries are signed with exactly these keys.
async fn signed_with(stage: &Stage, session: &Session, keys: &[&str]) {
    eventually(SOON, || async {
        let post = stage.delivery(session, rand::random()).await;
        let post = post.map_err(|error| error.to_string())?;
        if holding(&post) == keys {
            Ok(())
        } else {
            Err(format!("{:?}", holding(&post)))
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_rotated_without_a_delivery_that_a_receiver_could_not_verify() -> Result<()> {
    let stage = Stage::open("{name: process_batch}", &signing(&["old"])).await?;
    let (dir, session) = (stage.gateway.dir.clone(), stage.session().await?);
    // The Secret comes late: what is delivered waits for it, unsigned it never goes out.
    assert!(
        session
            .call(1, "process_batch", &batch(0.0))
            .await?
            .is_acknowledgement()
    );
    eventually(PATIENCE, || async {
        let status = stage.gateway.status().await.map_err(|error| error.to_string())?;
        let oldest = &status["delivery"]["oldestPendingTime"];
        if oldest.is_string() && status["missingKeys"] == json!(["secrets/hooks/old"]) {
            return Ok(());
        }
        Err(status.to_string())
    })
    .await;
    assert_eq!(stage.receiver.count(), 0);
    DataPlane::write_secret(&dir, "hooks", "old", OLD)?;
    let first = stage.receiver.answered(1, PATIENCE).await;
    assert_eq!(holding(&first[0]), ["old"]);
    DataPlane::write_secret(&dir, "hooks", "new", NEW)?;
    stage.edit("{name: process_batch}", &signing(&["old", "new"]))?;
    signed_with(&stage, &session, &["old", "new"]).await;
    stage.edit("{name: process_batch}", &signing(&["new"]))?;
    signed_with(&stage, &session, &["new"]).await;
    // The same reference, another value: no edit of the route.
    DataPlane::write_secret(&dir, "hooks", "new", NEWER)?;
    signed_with(&stage, &session, &["newer"]).await;
    assert!(
        stage
            .receiver
            .posts()
            .iter()
            .all(|post| !holding(post).is_empty())
    );
    Ok(())
}
