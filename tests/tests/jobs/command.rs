//! `asyncmcp jobs` where something is wrong, and where there is much.

use std::collections::HashSet;

use anyhow::Result;
use futures::future::try_join_all;

use crate::scene::Scene;

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
        (vec!["list", "--admin", "http://127.0.0.1:1"], "see --admin"),
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
        cursor = rest
            .and_then(|rest| rest.split('`').next())
            .unwrap_or_default()
            .to_owned();
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
