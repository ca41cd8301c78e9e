//! Data-plane pods that are killed or told to go while they hold calls.

use std::process::Command;

use anyhow::Result;
use asyncmcp_tests::cluster::kill::sigkill;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space};
use asyncmcp_tests::eventually;
use asyncmcp_tests::process::Process;
use serde_json::json;

use crate::KEY;

#[tokio::test]
async fn a_killed_pod_loses_nothing_that_was_acknowledged() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("killed").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    space.stop_receiver()?;
    for items in 31..35 {
        let arguments = json!({"seconds": 0.1, "items": items}).to_string();
        let said = space.call("process_batch", &arguments)?;
        assert!(said.contains("acknowledged"), "{said}");
    }
    // And one that cannot end: its server call is cut.
    space.call("process_batch", r#"{"seconds": 3000, "items": 35}"#)?;
    kill(&space).await?;
    space.start_receiver()?;
    for items in 31..35 {
        space.receives(&format!("processed {items} items")).await;
    }
    let received = space.receives("error -").await;
    assert!(received.contains("interrupted"), "{received}");
    assert_eq!(space.status().await?["delivery"]["deadLettered"], 0);
    space.done()
}

/// SIGKILL; returns when the container runs again.
async fn kill(space: &Space) -> Result<()> {
    let pod = space.get("pods", "analytics-dataplane-0").await?;
    sigkill(&pod, "asyncmcp-dataplane")?;
    eventually(PATIENCE, || async {
        let pod = space
            .get("pods", "analytics-dataplane-0")
            .await
            .map_err(|error| error.to_string())?;
        let container = &pod["status"]["containerStatuses"][0];
        let is_back = container["restartCount"] == 1 && container["ready"] == true;
        is_back.then_some(()).ok_or_else(|| container.to_string())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_pod_that_is_told_to_go_finishes_the_call_it_holds() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("going").await?;
    space.example(KEY)?;
    space
        .route(|route| route["spec"]["webhookTools"] = json!([]))
        .await?;
    let logs = tempfile::tempdir()?;
    let mut command = Command::new("kubectl");
    command.args([
        "--namespace",
        &space.name,
        "exec",
        "client",
        "--",
        "/asyncmcp",
        "call",
        "process_batch",
    ]);
    command.args([
        "--url",
        "http://analytics-dataplane:8080/mcp",
        "--json",
        r#"{"seconds": 6, "items": 6}"#,
    ]);
    let mut call = Process::start(&mut command, &logs.path().join("call.log"))?;
    eventually(PATIENCE, || async {
        let output = call.output();
        if output.contains("progress 1 of 6") {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await;

    space.kubectl(&["delete", "pod", "analytics-dataplane-0"])?;
    let status = call.ended(PATIENCE).await;
    assert!(status.success(), "{}", call.output());
    assert!(call.output().contains("processed 6 items"), "{}", call.output());
    space
        .route(|route| route["spec"]["webhookTools"] = json!([]))
        .await?;
    space.done()
}
