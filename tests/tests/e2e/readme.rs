//! README's section on clusters, typed as it stands there.

use std::process::Command;

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::release::VALUES;
use asyncmcp_tests::cluster::{Cluster, PATIENCE, Release, Space};
use asyncmcp_tests::command::root;
use asyncmcp_tests::{eventually, readme};

const SECTION: &str = "On a cluster";

#[tokio::test]
async fn the_commands_of_readme_bring_a_route_up() -> Result<()> {
    let commands = readme::commands(&readme::block(SECTION, "sh")?);
    let name = commands
        .iter()
        .find_map(|command| command.strip_prefix("kubectl create namespace "));
    let name = name.context("README makes no namespace")?;
    let _release = Release::none().await?;
    let space = Space::of(Cluster::connect().await?, name);
    for command in &commands {
        type_in(command)?;
        if command.ends_with(&format!("create namespace {name}")) {
            space.restrict()?;
        }
    }
    let pod = space.get("pods", "analytics-dataplane-0").await?;
    assert_eq!(pod["status"]["phase"], "Running");
    let set = space.get("statefulsets", "analytics-dataplane").await?;
    assert_eq!(set["status"]["readyReplicas"], 1);

    let shown = readme::block(SECTION, "text")?;
    // The route may be up before its server is.
    eventually(PATIENCE, || async {
        let table = space
            .kubectl(&["get", "mwr"])
            .map_err(|error| error.to_string())?;
        if but_age(&shown) == but_age(&table) {
            Ok(())
        } else {
            Err(format!("README shows\n{shown}\nand kubectl\n{table}"))
        }
    })
    .await;
    space.done()
}

/// A reader has our images from a registry; here they lie on the nodes.
fn type_in(command: &str) -> Result<()> {
    let images = if command.starts_with("helm install") {
        format!(" --values {VALUES}")
    } else {
        String::new()
    };
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{command}{images}")])
        .current_dir(root())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command}: {said}");
    Ok(())
}

/// The words of each line of `kubectl get mwr`, without the last: the age differs. Lines of other commands are left out.
fn but_age(table: &str) -> Vec<Vec<&str>> {
    let lines = table
        .lines()
        .filter(|line| line.starts_with("NAME") || line.starts_with("analytics"));
    lines
        .map(|line| line.split_whitespace().rev().skip(1).collect())
        .collect()
}
