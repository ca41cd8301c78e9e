//! One test for each script: the jobs that it needs, and what happens while it runs.

use anyhow::Result;
use serde_json::json;

use crate::pictures;
use crate::scene::Scene;
use crate::script::Script;

async fn run(scene: &Scene, name: &str, world: &serde_json::Value) -> Result<()> {
    Script::start(scene.path(), name, world)
        .await?
        .ends(scene.path())
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_accessible_in_light_and_dark() -> Result<()> {
    let scene = Scene::open().await?;
    let jobs = json!({
        "dead": scene.job("report", "/400", "dead").await?,
        "delivered": scene.job("report", "/results", "delivered").await?,
        "due": scene.job("report", "/503", "due").await?,
        "running": scene.job("forecast", "/results", "running").await?,
    });
    let mut world = scene.world(&jobs)?;
    let taken = pictures::made_in()?;
    world["pictures"] = json!(taken);
    run(&scene, "tour.mjs", &world).await?;
    pictures::compare(&taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_replayed_with_the_keyboard_alone() -> Result<()> {
    let scene = Scene::open().await?;
    let jobs = json!({"replayable": scene.job("report", "/heals", "dead").await?});
    run(&scene, "keyboard.mjs", &scene.world(&jobs)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_action_does_what_it_says() -> Result<()> {
    let scene = Scene::open().await?;
    for _ in 0..3 {
        scene.job("report", "/400", "dead").await?;
    }
    let jobs = json!({
        "due": scene.job("report", "/503", "due").await?,
        "running": scene.job("forecast", "/results", "running").await?,
        "delivered": scene.job("report", "/results", "delivered").await?,
        "kept": scene.job("report", "/results", "delivered").await?,
    });
    let mut world = scene.world(&jobs)?;
    world["dead"] = json!(3);
    run(&scene, "actions.mjs", &world).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_errors_and_payloads_stay_text() -> Result<()> {
    let scene = Scene::open_hostile().await?;
    let jobs = json!({
        "hostile": scene.job("hostile", "/400", "dead").await?,
        "big": scene.job("big", "/400", "dead").await?,
    });
    run(&scene, "hostile.mjs", &scene.world(&jobs)?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_that_the_data_plane_is_away_and_that_a_session_is_over() -> Result<()> {
    let mut scene = Scene::open().await?;
    let mut script = Script::start(scene.path(), "outage.mjs", &scene.world(&json!({}))?).await?;
    script.says("stop").await?;
    scene.gateway.process.signal("STOP")?;
    script.says("continue").await?;
    scene.gateway.process.signal("CONT")?;
    script.says("restart").await?;
    scene.gateway.restart(&[]).await?;
    script.ends(scene.path()).await
}
