//! `asyncmcp jobs` where something is wrong, and where there is much.

use std::collections::HashSet;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::process::binary;
use futures::future::try_join_all;

use crate::scene::{PATIENCE, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_in_one_line_with_the_flag_to_use() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let unknown = "0000000000000000000000000a";
    for (args, said) in [
        (vec!["list", "--state", "dying"], "state: must be one of queued"),
        (vec!["show", unknown], "there is no such job"),
        (
            vec!["show", "../status"],
            "is neither the id of a job nor a webhook-id",
        ),
        (vec!["replay", unknown], "there is no such job"),
        (vec!["replay", unknown, "--state", "dead"], "--all"),
        (vec!["stop"], "required"),
        (
            vec!["list", "--token-file", "/nonexistent"],
            "--token-file /nonexistent",
        ),
        (vec!["list", "--admin", "localhost:1"], "must start with http://"),
        (
            vec!["list", "--token-file", "/dev/null"],
            "--token-file /dev/null: the file is empty",
        ),
        (vec!["list", "--admin", "http://127.0.0.1:1"], "see --admin"),
        (
            vec!["list", "--admin", "http://127.0.0.1:1/jobs"],
            "--admin http://127.0.0.1:1/jobs: leave out the path /jobs",
        ),
    ] {
        let mut args = args;
        // The scene's own flags come last, and a flag may be there once.
        let mine = args.contains(&"--admin") || args.contains(&"--token-file");
        let answer = if mine {
            args.insert(0, "jobs");
            run(&scene, &args).await?
        } else {
            scene.jobs(&args).await?.err
        };
        assert!(answer.contains(said), "{args:?}: {answer}");
    }
    Ok(())
}

/// Runs the command with nothing but these arguments and a token; gives what it said about its failure.
async fn run(scene: &Scene, args: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(asyncmcp_tests::process::binary("asyncmcp")?)
        .args(args)
        .env("ASYNCMCP_ADMIN_TOKEN", scene.token()?)
        .output()
        .await?;
    assert!(!output.status.success(), "{args:?}");
    Ok(String::from_utf8(output.stderr)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_over_pages_and_filters() -> Result<()> {
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    try_join_all((0..60).map(|id| scene.call(&session, id, 0.0))).await?;
    scene.dead(60).await;
    let count = async |args: &[&str]| -> Result<usize> {
        let said = scene.jobs(&[&["list", "-o", "json"], args].concat()).await?;
        let found = said.json()?;
        Ok(found["jobs"].as_array().map_or(0, Vec::len))
    };

    assert_eq!(count(&[]).await?, 50, "as many as there are by default");
    assert_eq!(count(&["--limit", "55"]).await?, 55);
    assert_eq!(count(&["--limit", "600"]).await?, 60, "more than a page may have");
    assert_eq!(count(&["--receiver", "127.0.0.1", "--limit", "7"]).await?, 7);
    assert_eq!(count(&["--receiver", "elsewhere.example"]).await?, 0);
    let whole = scene.receiver.url("/hook?key=hidden");
    assert_eq!(count(&["--receiver", &whole, "--limit", "9"]).await?, 9);
    a_cursor_continues(&scene).await?;
    assert_eq!(count(&["--tool", "other"]).await?, 0);
    assert_eq!(count(&["--until", "2020-01-01T00:00:00Z"]).await?, 0);
    assert_eq!(count(&["--state", "delivered"]).await?, 0);
    Ok(())
}

/// Three lists of 25, 25 and 10: each job once, and the last one says that nothing follows.
async fn a_cursor_continues(scene: &Scene) -> Result<()> {
    let mut ids = HashSet::new();
    let mut cursor = String::new();
    for expected in [25, 25, 10] {
        let mut args = vec!["list", "-o", "name", "--state", "dead", "--limit", "25"];
        if !cursor.is_empty() {
            args.extend(["--cursor", &cursor]);
        }
        let said = scene.jobs(&args).await?;
        let page: Vec<_> = said.out.lines().map(str::to_owned).collect();
        assert_eq!(page.len(), expected, "{said:?}");
        ids.extend(page);
        let rest = said.err.split_once("--cursor ").map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split('`').next())
            .unwrap_or_default()
            .clone_into(&mut cursor);
        assert_eq!(cursor.is_empty(), expected == 10, "{said:?}");
    }
    assert_eq!(ids.len(), 60);

    let several = scene
        .jobs(&["list", "--state", "dead,due", "--limit", "25"])
        .await?;
    assert!(several.err.contains("raise --limit"), "{several:?}");
    let both = scene
        .jobs(&["list", "--state", "dead,due", "--cursor", "x"])
        .await?;
    assert!(!both.succeeded && both.err.contains("one --state"), "{both:?}");
    let wrong = scene.jobs(&["list", "--cursor", "nonsense"]).await?;
    assert!(!wrong.succeeded && wrong.err.contains("cursor"), "{wrong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_wait_runs_out_says_how_to_follow_it() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let output = tokio::process::Command::new(asyncmcp_tests::process::binary("asyncmcp")?)
        .args(["call", "process_batch", "--arg", "seconds=20", "--arg", "items=1"])
        .args(["--url", &scene.gateway.url(), "--wait", "--wait-timeout", "1s"])
        .output()
        .await?;
    let err = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(output.stdout.is_empty(), "nothing came");
    assert!(
        err.contains("no result within 1 s: wait longer with --wait-timeout"),
        "{err}"
    );
    let id = err
        .split("jobs show ")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let id = id.unwrap_or_default();
    assert!(id.starts_with("msg_"), "{err}");
    // What it names works as it stands.
    let job = scene.jobs(&["show", id, "-o", "json"]).await?.json()?;
    assert_eq!(
        (&job["webhookId"], &job["state"]),
        (&id.into(), &"running".into())
    );
    let cancelled = scene.jobs(&["cancel", id]).await?;
    assert!(cancelled.succeeded, "{cancelled:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_refuses_the_receiver_of_wait_is_explained() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let route = std::fs::read_to_string(scene.gateway.dir.join("route.yaml"))?;
    scene
        .gateway
        .edit(&route.replace("schemes: [http]", "schemes: [https]"))?;
    let err = eventually(PATIENCE, || async {
        let mut command =
            tokio::process::Command::new(binary("asyncmcp").map_err(|error| error.to_string())?);
        command.args([
            "call",
            "process_batch",
            "--arg",
            "items=1",
            "--wait",
            "--wait-timeout",
            "5s",
        ]);
        let output = command.args(["--url", &scene.gateway.url()]).output().await;
        let output = output.map_err(|error| error.to_string())?;
        if matches!(output.status.code(), Some(0 | 4)) {
            return Err("the edit is not live: it was accepted".to_owned());
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    })
    .await;
    assert!(
        err.contains("{allowedCidrs: [127.0.0.0/8], schemes: [http]}"),
        "{err}"
    );
    assert!(
        err.contains("-31005") && err.contains("fromClients.schemes"),
        "{err}"
    );
    Ok(())
}
