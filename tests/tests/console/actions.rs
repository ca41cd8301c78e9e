//! Actions on one job and on many, through the pages that ask first.

use anyhow::Result;
use reqwest::StatusCode;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_replayed_and_deleted_from_its_page() -> Result<()> {
    let scene = Scene::open(400).await?;
    let id = scene.job("dead").await?;
    let browser = scene.browser("adminToken").await?;
    let path = format!("/console/jobs/{id}");
    let page = browser.page(&path).await?;
    for (action, offered) in [
        ("replay", true),
        ("delete", true),
        ("stop", false),
        ("cancel", false),
    ] {
        assert_eq!(page.contains(&format!("/act/{action}")), offered, "{action}");
    }
    scene.answer(200);
    let replay = format!("{path}/act/replay");
    let answer = browser.submit(&replay, &replay).await?;
    let to = answer.headers()["location"].to_str()?.to_owned();
    assert_eq!(to, format!("{path}?done=replay"));
    assert!(browser.page(&to).await?.contains("The delivery is due again."));
    scene.once(&id, "delivered").await;
    let late = browser.submit(&path, &replay).await?;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    let said = late.text().await?;
    assert!(
        said.contains("the job is delivered: replay needs a job that is dead or stopped"),
        "{said}"
    );
    let delete = format!("{path}/act/delete");
    let answer = browser.submit(&delete, &delete).await?;
    assert_eq!(answer.headers()["location"], "/console/jobs?done=delete");
    assert!(scene.shown(&id).await?.is_null());
    assert_eq!(browser.get(&path).await?.status(), StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_counted_before_anything_is_done_to_them() -> Result<()> {
    let scene = Scene::open(400).await?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(scene.job("dead").await?);
    }
    scene.answer(200);
    let kept = scene.job("delivered").await?;
    let browser = scene.browser("adminToken").await?;
    let list = browser.page("/console/jobs?state=dead").await?;
    assert!(list.contains("/console/bulk/replay?state=dead"), "{list}");
    assert!(
        !browser.page("/console/jobs").await?.contains("/console/bulk/"),
        "not for all states at once"
    );
    let replay = "/console/bulk/replay?state=dead&receiver=127.0.0.1";
    assert!(browser.page(replay).await?.contains("Replay 3 jobs?"));
    let none = browser
        .page("/console/bulk/replay?state=dead&receiver=other.example")
        .await?;
    assert!(
        none.contains("No job matches") && !none.contains(r#"<button class="primary""#),
        "{none}"
    );
    let answer = browser.submit(replay, replay).await?.text().await?;
    assert!(answer.contains("3 jobs due again"), "{answer}");
    for id in &ids {
        scene.once(id, "delivered").await;
    }
    let delete = "/console/bulk/delete?state=delivered";
    assert!(browser.page(delete).await?.contains("Delete 4 jobs?"));
    assert!(
        !scene.shown(&kept).await?.is_null(),
        "a page that asks changes nothing"
    );
    let answer = browser.submit(delete, delete).await?.text().await?;
    assert!(answer.contains("4 jobs deleted"), "{answer}");
    assert!(scene.shown(&kept).await?.is_null());
    for wrong in ["/console/bulk/delete", "/console/bulk/replay?state=delivered"] {
        assert_eq!(
            browser.get(wrong).await?.status(),
            StatusCode::CONFLICT,
            "{wrong}"
        );
    }
    assert_eq!(
        browser.get("/console/bulk/stop?state=due").await?.status(),
        StatusCode::NOT_FOUND
    );
    Ok(())
}
