//! The API keeps to its `OpenAPI` document: schemathesis makes up requests from it, right ones and wrong ones,
//! and judges the answers.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_tests::command::root;
use futures::future::try_join_all;
use tokio::process::Command;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_one_that_the_document_promises() -> Result<()> {
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    try_join_all((0..20).map(|id| scene.call(&session, id, 0.0))).await?;
    scene.dead(20).await;
    // What runs can be cancelled.
    try_join_all((20..40).map(|id| scene.call(&session, id, 600.0))).await?;
    let output = Command::new(schemathesis().await?)
        .arg("--config-file")
        .arg(root().join("tests/schemathesis/schemathesis.toml"))
        .args(["run", &scene.gateway.admin("/openapi.json"), "--no-color"])
        .env("ADMIN_TOKEN", scene.token()?)
        .current_dir(scene.dir.path())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(said.contains("Tested: 14\n"), "{said}");
    ensure!(!said.contains("Unresolvable references"), "{said}");
    Ok(())
}

/// The installed command.
async fn schemathesis() -> Result<PathBuf> {
    if let Some(place) = std::env::var_os("ASYNCMCP_SCHEMATHESIS") {
        return Ok(PathBuf::from(place).join("bin/schemathesis"));
    }
    let output = Command::new(root().join("tests/setup/schemathesis"))
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let place = String::from_utf8(output.stdout)?;
    let place = place
        .lines()
        .last()
        .context("tests/setup/schemathesis printed nothing")?;
    Ok(PathBuf::from(place).join("bin/schemathesis"))
}
