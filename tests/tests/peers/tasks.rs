//! Webhook tools as tasks of stock clients, in front of a stock server that knows no tasks of the modern era.
//!
//! Invariant: there is no receiver, so whatever a client gets it gets by its task.

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Kind, Scene, Server};
use serde_json::{Value, json};

/// Those of the suite's scenarios about tasks in which no tool asks its client anything. Of the others `tasks-mrtr-input` is in
/// [`crate::background`]; for `tasks-mrtr-composition` no stock server has a tool that asks before it becomes a task, and
/// `tasks-status-notifications` checks nothing yet.
const SCENARIOS: [&str; 7] = [
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
];
/// The fixture's slow tools.
const SLOW: [&str; 6] = [
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
];

async fn gateway(scene: &Scene) -> Result<(Server, DataPlane)> {
    let server = Server::tasks(&scene.peers, scene.dir()).await?;
    let behind = Behind {
        name: "tasks",
        url: &server.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], &SLOW, None).await?;
    Ok((server, gateway))
}

#[tokio::test]
async fn the_suite_finds_nothing_wrong_with_the_gateways_tasks() -> Result<()> {
    let scene = Scene::new()?;
    let (_server, gateway) = gateway(&scene).await?;
    let mut failed = Vec::new();
    for scenario in SCENARIOS {
        failed.extend(failure(&scene, &gateway.url(), scenario).await?);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// What the suite finds wrong with the endpoint `url` in this scenario.
pub(crate) async fn failure(scene: &Scene, url: &str, scenario: &str) -> Result<Option<String>> {
    let mut suite = scene.peers.conformance()?;
    suite.args(["server", "--url", url, "--scenario", scenario]);
    suite.arg("--output-dir").arg(scene.dir().join(scenario));
    let output = tokio::task::spawn_blocking(move || suite.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_whole = output.status.success() && said.contains("Passed: ") && !said.contains("SKIPPED");
    let also = String::from_utf8_lossy(&output.stderr);
    Ok((!is_whole).then(|| format!("{scenario}: {said}{also}")))
}

/// The experimental tasks of the TypeScript SDK 1.x (2025-11-25).
#[tokio::test]
async fn a_stock_client_of_2025_runs_webhook_tools_as_tasks() -> Result<()> {
    let scene = Scene::new()?;
    let (_server, gateway) = gateway(&scene).await?;
    let mut client = scene.client(Kind::Sdk1, &gateway.url(), false).await?;
    let task = json!({"do": "task", "tool": "slow_compute", "arguments": {"seconds": 1, "label": "sdk1"}});
    let done = client.ask(task.clone()).await?;
    assert_eq!(done["heard"][0], "working", "{done}");
    assert_eq!(done["result"]["content"][0]["text"], "computed sdk1", "{done}");
    let failing = json!({"do": "task", "tool": "failing_job", "arguments": {}});
    let done = client.ask(failing).await?;
    let heard = done["heard"].as_array().context("nothing was heard")?;
    assert!(heard.contains(&json!("failed")), "{done}");
    let mut cancelled: Value = task;
    cancelled["arguments"]["seconds"] = 60.into();
    cancelled["cancel"] = true.into();
    let done = client.ask(cancelled).await?;
    let heard = done["heard"].as_array().context("nothing was heard")?;
    assert!(heard.contains(&json!("cancelled")), "{done}");
    client.close().await
}
