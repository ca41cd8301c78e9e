//! The formats of `asyncmcp jobs`, spans of time, several states, `status`, `tools`, completions, and routes in a cluster.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use asyncmcp_tests::process::binary;
use futures::future::try_join_all;
use serde_json::Value;
use tokio::process::Command;

use crate::scene::{Scene, TOOL};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_written_for_people_and_for_other_commands() -> Result<()> {
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    let mut ids = try_join_all((0..3).map(|id| scene.call(&session, id, 0.0))).await?;
    scene.dead(3).await;
    let running = scene.call(&session, 9, 600.0).await?;
    scene.once(&running, "running").await;

    let out = async |args: &[&str]| anyhow::Ok(scene.jobs(args).await?.out);
    let names = out(&["list", "--state", "dead", "-o", "name"]).await?;
    let mut lines: Vec<_> = names.lines().collect();
    lines.sort_unstable();
    ids.sort();
    assert_eq!(lines, ids);
    let both = out(&["ls", "--state", "dead,running", "-o", "name"]).await?;
    assert_eq!(both.lines().count(), 4, "{both}");
    assert_eq!(both.lines().next(), Some(running.as_str()), "the newest first");
    let yaml: Value = serde_yaml::from_str(&out(&["list", "-o", "yaml"]).await?)?;
    assert_eq!(yaml["jobs"].as_array().map(Vec::len), Some(4), "{yaml}");
    let wide = out(&["list", "-o", "wide"]).await?;
    assert!(
        wide.contains("WEBHOOK-ID") && wide.contains("msg_") && wide.contains("example"),
        "{wide}"
    );

    assert_eq!(
        out(&["list", "--since", "1h", "-o", "name"])
            .await?
            .lines()
            .count(),
        4
    );
    assert_eq!(out(&["list", "--until", "1h", "-o", "name"]).await?, "");
    let none = scene.jobs(&["list", "--until", "7d"]).await?;
    assert!(
        none.out.is_empty() && none.err.contains("no jobs found"),
        "{none:?}"
    );

    let counted = out(&["replay", "--all", "--dry-run"]).await?;
    assert_eq!(counted.trim(), "3 would be queued for replay");
    scene.dead(3).await;
    let two = scene
        .jobs(&["replay", "--all", "--state", "dead,stopped"])
        .await?;
    assert!(
        !two.succeeded && two.err.contains("one state at a time"),
        "{two:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_tools_are_shown_and_completions_are_written() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let run = async |args: &[&str]| -> Result<String> {
        let output = Command::new(binary("asyncmcp")?).args(args).output().await?;
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    };
    let status = run(&["status", "--admin", &scene.gateway.admin("")]).await?;
    assert!(
        status.contains("example  Ready") && status.contains("0 pending"),
        "{status}"
    );
    let tools = run(&["tools", "--url", &scene.gateway.url()]).await?;
    let of = |name: &str| {
        tools
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        of(TOOL).contains("by webhook") && of("echo").contains("in the answer"),
        "{tools}"
    );
    assert!(run(&["completion", "bash"]).await?.contains("complete -F"));
    let pages = tempfile::tempdir()?;
    run(&["man", &pages.path().display().to_string()]).await?;
    assert!(pages.path().join("asyncmcp-jobs.1").exists());
    Ok(())
}

/// A kubectl that knows one route, and forwards nothing because its data plane is on this machine.
const KUBECTL: &str = r#"#!/bin/sh
echo "$*" >>"$DIR/calls"
case "$*" in
  "-n tools get secret analytics-keys -o jsonpath={.data.adminToken}") base64 <"$DIR/state/adminToken" | tr -d '\n' ;;
  "-n tools get pods -l app.kubernetes.io/name=asyncmcp-dataplane,app.kubernetes.io/instance=analytics"*) echo pod/analytics-0 ;;
  "-n tools port-forward pod/analytics-0 :9464") echo "Forwarding from 127.0.0.1:$PORT -> 9464"; exec sleep 600 ;;
  *) echo 'Error from server (NotFound): secrets "other-keys" not found' >&2; exit 1 ;;
esac
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_in_a_cluster_is_reached_through_kubectl() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let id = scene.call(&scene.session().await?, 1, 0.0).await?;
    scene.once(&id, "delivered").await;
    let bin = tempfile::tempdir()?;
    let kubectl = bin.path().join("kubectl");
    std::fs::write(&kubectl, KUBECTL)?;
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755))?;
    // As a plugin of kubectl it has another name.
    let plugin = bin.path().join("kubectl-asyncmcp");
    std::os::unix::fs::symlink(binary("asyncmcp")?, &plugin)?;
    let admin = scene.gateway.admin("");
    let port = admin.rsplit(':').next().unwrap_or_default().to_owned();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH")?);
    let run = async |route: &str| -> Result<std::process::Output> {
        let output = Command::new(&plugin)
            .args(["jobs", "-n", "tools", "--route", route, "list", "-o", "name"])
            .env("PATH", &path)
            .env("DIR", scene.dir.path())
            .env("PORT", &port)
            .output();
        Ok(output.await?)
    };
    let output = run("analytics").await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8(output.stdout)?.trim(), id, "{said}");
    let calls = std::fs::read_to_string(scene.dir.path().join("calls"))?;
    assert!(
        !calls.contains(&scene.token()?),
        "the token is in no argument: {calls}"
    );

    let output = run("other").await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(
        !output.status.success() && said.contains("other-keys") && said.contains("NotFound"),
        "{said}"
    );
    Ok(())
}
