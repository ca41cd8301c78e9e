//! The operator's idle connections are dropped without a word, as some load balancers do.
//!
//! As root on the local cluster: the connections are those of the pod's own network namespace, which goes with the pod.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::kill::process;
use asyncmcp_tests::cluster::space::condition;
use asyncmcp_tests::cluster::{Release, space};
use asyncmcp_tests::command::run;
use asyncmcp_tests::eventually;
use serde_json::json;

use crate::KEY;

/// A watch lasts 40 s; the watcher gives it up 5 s later, and the next request has 15 s.
const NOTICED: Duration = Duration::from_secs(70);

/// In the network namespace of a process.
fn inside(process: &str, command: &[&str]) -> Result<String> {
    let network = format!("--net=/proc/{process}/ns/net");
    run("nsenter", &[&[&network, "--"], command].concat())
}

/// The local ports of the process's connections, and what was sent on each.
fn sent(process: &str) -> Result<BTreeMap<String, String>> {
    let text = inside(
        process,
        &[
            "ss",
            "--tcp",
            "--numeric",
            "--info",
            "--no-header",
            "--oneline",
            "state",
            "established",
        ],
    )?;
    let connection = |line: &str| {
        let local = line.split_whitespace().nth(2)?;
        let sent = line
            .split_whitespace()
            .find(|word| word.starts_with("bytes_sent:"))?;
        Some((local.rsplit(':').next()?.to_owned(), sent.to_owned()))
    };
    Ok(text
        .lines()
        .filter(|line| line.contains(":443 "))
        .filter_map(connection)
        .collect())
}

#[tokio::test]
async fn an_operator_whose_idle_watches_are_dropped_notices_within_a_minute() -> Result<()> {
    let release = Release::own("silence", &[]).await?;
    let space = release.space("silence").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let pods = release.pods(&space.cluster).await?;
    let process = process(pods.first().context("no operator")?, "asyncmcp-operator")?;

    // The Lease's connection is used every 2 s.
    let before = sent(&process)?;
    release.renewals(&space.cluster, 3).await?;
    let idle: Vec<String> = sent(&process)?
        .into_iter()
        .filter(|(port, sent)| before.get(port) == Some(sent))
        .map(|(port, _)| port)
        .collect();
    assert!(idle.len() >= 5, "{idle:?}");
    let ports = idle.join(", ");
    let rules = format!(
        "add table inet silence; add chain inet silence out {{ type filter hook output priority 0; }}; \
         add chain inet silence in {{ type filter hook input priority 0; }}; \
         add rule inet silence out tcp sport {{ {ports} }} drop; add rule inet silence in tcp dport {{ {ports} }} drop"
    );
    inside(&process, &["nft", &rules])?;

    space.apply(&space::route(|route| {
        route["spec"]["webhook"]["retry"]["max"] = json!(9);
    })?)?;
    eventually(NOTICED, || async {
        let route = space
            .get("mcpwebhookroutes", "analytics")
            .await
            .map_err(|error| error.to_string())?;
        let programmed = condition(&route, "Programmed").map(|condition| condition["status"] == "True");
        (programmed == Some(true))
            .then_some(())
            .ok_or_else(|| route["status"].to_string())
    })
    .await;
    let pods = release.pods(&space.cluster).await?;
    assert_eq!(
        pods[0]["status"]["containerStatuses"][0]["restartCount"], 0,
        "it did not need a restart"
    );
    space.done()
}
