//! Which call a delivery belongs to: the acknowledgement names the `webhook-id` that the receiver will see.

use anyhow::{Context as _, Result};
use asyncmcp_tests::receiver::Post;
use asyncmcp_tests::session::Session;
use serde_json::json;

use crate::scene::{PATIENCE, Scene, TOOL};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledgement_names_the_webhook_id_and_either_id_finds_the_job() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let arguments = json!({"seconds": 0, "items": 1});

    let other = scene.session().await?.call(1, TOOL, &arguments).await?.json();
    let job = &other["result"]["_meta"]["dev.asyncmcp/job"];
    let named = job["webhookId"].as_str().context("no webhookId")?.to_owned();
    let id = job["id"].as_str().context("no id")?.to_owned();

    let receiver = scene.receiver.url("/own");
    let session = Session::open(&scene.gateway.url(), Some(&receiver)).await?;
    let reply = session.call(2, TOOL, &arguments).await?;
    assert_eq!(reply.status, 202);
    let header = reply
        .headers
        .get("webhook-id")
        .context("no webhook-id")?
        .to_str()?;
    // The same call once more is acknowledged with the same id.
    let again = session.call(2, TOOL, &arguments).await?;
    assert_eq!(
        again.headers.get("webhook-id").map(http::HeaderValue::as_bytes),
        Some(header.as_bytes())
    );

    let posts = scene.receiver.answered(2, PATIENCE).await;
    let mut seen: Vec<_> = posts.iter().map(Post::webhook_id).collect();
    let mut named_ids = [named.clone(), header.to_owned()];
    seen.sort_unstable();
    named_ids.sort();
    assert_eq!(seen, named_ids);

    for (webhook_id, expected) in [(named.as_str(), Some(&id)), (header, None)] {
        scene.once(webhook_id, "delivered").await;
        let shown = scene.jobs(&["show", webhook_id, "-o", "json"]).await?.json()?;
        assert_eq!(shown["webhookId"], webhook_id);
        let found = shown["id"].as_str().context("no id")?;
        assert!(expected.is_none_or(|id| id == found), "{shown}");
        let listed = scene
            .jobs(&["list", "--webhook-id", webhook_id, "-o", "json"])
            .await?
            .json()?;
        assert_eq!(listed["jobs"][0]["id"], found, "{listed}");
        assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(1), "{listed}");
        // Whoever has the job's id may read its result, so no receiver gets it.
        for post in &posts {
            let text = format!("{:?}{}", post.headers, String::from_utf8_lossy(&post.body));
            assert!(!text.contains(found), "{text}");
        }
    }

    let unknown = format!("msg_{}", "0".repeat(32));
    let said = scene.jobs(&["show", &unknown]).await?;
    assert!(!said.succeeded && said.err.contains(&unknown), "{said:?}");
    let said = scene.jobs(&["list", "--webhook-id", "msg_1"]).await?;
    assert!(said.err.contains("webhookId: not a webhook-id"), "{said:?}");
    Ok(())
}
