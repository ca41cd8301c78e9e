//! What the pages show of a route, and to whom.

use anyhow::Result;
use reqwest::StatusCode;

use crate::scene::{Scene, TOOL};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_shows_counts_servers_and_what_is_wrong() -> Result<()> {
    let scene = Scene::open(400).await?;
    scene.job("dead").await?;
    let browser = scene.browser("viewToken").await?;
    let page = browser.page("/console").await?;
    assert!(page.contains("default/shown"), "the route's name: {page}");
    assert!(
        page.contains(r#"<strong>1</strong><span class="name">dead</span>"#),
        "{page}"
    );
    assert!(page.contains(r#"class="badge server-Ready""#), "{page}");
    assert!(page.contains("deliveries are not signed"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_the_filter_of_its_url() -> Result<()> {
    let scene = Scene::open(400).await?;
    let dead = scene.job("dead").await?;
    scene.answer(200);
    let delivered = scene.job("delivered").await?;
    let browser = scene.browser("viewToken").await?;
    for (query, shows, hides) in [
        ("?state=dead", Some(&dead), Some(&delivered)),
        ("?state=delivered", Some(&delivered), Some(&dead)),
        ("?deadReason=http_4xx", Some(&dead), Some(&delivered)),
        ("?receiver=127.0.0.1", Some(&dead), None),
        ("?tool=other", None, Some(&dead)),
        ("", Some(&delivered), None),
    ] {
        let page = browser.page(&format!("/console/jobs{query}")).await?;
        assert!(shows.is_none_or(|id| page.contains(id.as_str())), "{query} shows");
        assert!(
            hides.is_none_or(|id| !page.contains(id.as_str())),
            "{query} hides"
        );
        assert!(!page.contains("key=hidden"), "the receiver's query is not shown");
    }
    let empty = browser.get("/console/jobs?state=dead&tool=&since=").await?;
    assert_eq!(
        empty.headers()["location"],
        "/console/jobs?state=dead",
        "a link has nothing empty"
    );
    let by_id = browser.get(&format!("/console/jobs?id={dead}")).await?;
    assert_eq!(
        by_id.headers()["location"],
        format!("/console/jobs/{dead}").as_str()
    );
    let webhook = scene.shown(&dead).await?["webhookId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let by_webhook = browser.get(&format!("/console/jobs?id={webhook}")).await?;
    let to = by_webhook.headers()["location"].to_str()?.to_owned();
    assert!(browser.page(&to).await?.contains(&dead));
    let wrong = browser.page("/console/jobs?state=dying").await?;
    assert!(wrong.contains("state: must be one of queued, running"), "{wrong}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jobs_page_tells_its_life_and_who_only_views_sees_no_payload() -> Result<()> {
    let scene = Scene::open(400).await?;
    let id = scene.job("dead").await?;
    let path = format!("/console/jobs/{id}");
    let viewer = scene.browser("viewToken").await?;
    let page = viewer.page(&path).await?;
    for part in [
        TOOL,
        "accepted",
        "the call ended: result",
        "attempt 1 failed for good: status 400",
        "HTTP 4xx",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("/act/") && !page.contains("/result"),
        "nothing to do for who only views"
    );
    for forbidden in [
        format!("{path}/result"),
        format!("{path}/act/replay"),
        "/console/bulk/replay?state=dead".to_owned(),
    ] {
        let answer = viewer.get(&forbidden).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{forbidden}");
        assert!(!answer.text().await?.contains("onerror"), "{forbidden}");
    }
    let admin = scene.browser("adminToken").await?;
    assert!(admin.page(&format!("{path}/result")).await?.contains("onerror"));
    for (path, status) in [
        ("/console/jobs/0000000000000000000000000a", StatusCode::NOT_FOUND),
        ("/console/jobs/nonsense", StatusCode::BAD_REQUEST),
        (
            "/console/jobs/0000000000000000000000000a/act/explode",
            StatusCode::NOT_FOUND,
        ),
    ] {
        assert_eq!(admin.get(path).await?.status(), status, "{path}");
    }
    Ok(())
}
