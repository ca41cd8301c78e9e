//! README's section on dead letters, typed as it stands there.

use anyhow::{Context as _, Result};
use asyncmcp_tests::process::binary;
use asyncmcp_tests::readme;
use tokio::process::Command;

use crate::scene::Scene;

const SECTION: &str = "Dead letters";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_readme_find_and_replay_a_dead_letter() -> Result<()> {
    let commands = readme::commands(&readme::block(SECTION, "sh")?);
    assert!(commands.len() >= 4, "{commands:?}");
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    let job = scene.call(&session, 1, 0.0).await?;
    scene.dead(1).await;
    scene.answer(200, std::time::Duration::ZERO);
    for command in &commands {
        type_in(&scene, command, &job).await?;
    }
    scene.once(&job, "delivered").await;
    Ok(())
}

/// A reader has the command in the path, the port where it is by default, and saw the job's id.
async fn type_in(scene: &Scene, command: &str, job: &str) -> Result<()> {
    let binary = binary("asyncmcp")?;
    let bin = binary.parent().context("no directory")?;
    let path = std::env::var("PATH")?;
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(scene.dir.path())
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("ASYNCMCP_ADMIN", scene.gateway.admin(""))
        .env("ASYNCMCP_ADMIN_TOKEN", scene.token()?)
        .env("JOB", job)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command}: {said}");
    Ok(())
}
