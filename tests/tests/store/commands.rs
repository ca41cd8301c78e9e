//! `asyncmcp-dataplane store`: on the store of a process that was killed, and where there is none.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, store};
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::binary;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use serde_json::{Value, json};

use super::{call, route};

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[tokio::test]
async fn a_killed_store_is_checked_exported_and_made_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let receiver = Receiver::start(|_| async { StatusCode::SERVICE_UNAVAILABLE }).await?;
    let mut gateway = DataPlane::start(dir.path(), &route(&example, &receiver), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    for id in 0..5 {
        assert!(call(&session, id, 0.0).await?.is_acknowledgement());
    }
    let state = dir.path().join("state");
    let busy = store("check", &state, None)?;
    assert_eq!(busy.status.code(), Some(1));
    assert!(
        words(&busy).contains("another process has this store open"),
        "{}",
        words(&busy)
    );
    gateway.process.kill()?;

    let checked = store("check", &state, None)?;
    assert!(checked.status.success(), "{}", words(&checked));
    for line in ["delivered 0", "dead 0", "jobs 5", "findings 0"] {
        let is_there = words(&checked).lines().any(|found| found == line);
        assert!(is_there, "{}", words(&checked));
    }
    the_command_of_people_says_the_same(&state)?;
    let exported = store("export", &state, None)?;
    assert!(exported.status.success(), "{}", words(&exported));
    assert!(
        words(&exported).contains("exported 5 jobs"),
        "{}",
        words(&exported)
    );
    let lines = dir.path().join("jobs.jsonl");
    fs::write(&lines, &exported.stdout)?;

    let over = store("import", &state, Some(&lines))?;
    assert!(
        !over.status.success() && words(&over).contains("already"),
        "{}",
        words(&over)
    );
    fs::rename(&state, dir.path().join("old"))?;
    let imported = store("import", &state, Some(&lines))?;
    assert!(imported.status.success(), "{}", words(&imported));
    assert!(
        words(&imported).contains("now copy store.json"),
        "{}",
        words(&imported)
    );
    refused_without_its_keys(&mut gateway, &state).await?;
    assert!(store("compact", &state, None)?.status.success());
    for keys in ["store.json", "sessions.json"] {
        fs::copy(dir.path().join("old").join(keys), state.join(keys))?;
    }
    gateway.relaunch(&[])?;
    gateway.ready().await;
    assert_eq!(gateway.status().await?["delivery"]["pending"], 5);
    Ok(())
}

/// `asyncmcp store`: the same answers, with exit codes of its own.
fn the_command_of_people_says_the_same(state: &Path) -> Result<()> {
    let command = |action: &str, more: &[&str], dir: &Path| -> Result<Output> {
        let mut command = Command::new(binary("asyncmcp")?);
        command.args(["store", action, "--state-dir"]).arg(dir).args(more);
        Ok(command.stdin(Stdio::null()).output()?)
    };
    for action in ["check", "export"] {
        let (theirs, ours) = (command(action, &[], state)?, store(action, state, None)?);
        assert_eq!(words(&theirs), words(&ours));
        assert!(theirs.status.success(), "{}", words(&theirs));
    }
    let found: Value = serde_json::from_slice(&command("check", &["-o", "json"], state)?.stdout)?;
    assert_eq!(found["findings"], json!([]), "{found}");
    let counts = found["jobs"]
        .as_object()
        .map(|jobs| jobs.values().filter_map(Value::as_u64).sum());
    assert_eq!(counts, Some(5), "{found}");
    let elsewhere = tempfile::tempdir()?;
    let missing = command("check", &[], elsewhere.path())?;
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        words(&missing).contains("error: there is no store in"),
        "{}",
        words(&missing)
    );
    Ok(())
}

/// New keys would open nothing of it, and the old ones nothing of what comes meanwhile.
async fn refused_without_its_keys(gateway: &mut DataPlane, state: &Path) -> Result<()> {
    gateway.relaunch(&[])?;
    let status = gateway.process.ended(Duration::from_secs(30)).await;
    let said = gateway.process.output();
    assert!(
        !status.success() && said.contains("state/store.json is missing"),
        "{said}"
    );
    assert!(!state.join("store.json").exists(), "no new keys");
    Ok(())
}

#[test]
fn a_directory_without_a_store_is_said() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for action in ["check", "export", "compact"] {
        let output = store(action, dir.path(), None)?;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            words(&output).contains("there is no store in"),
            "{}",
            words(&output)
        );
    }
    assert_eq!(fs::read_dir(dir.path())?.count(), 0, "nothing was made there");
    Ok(())
}

/// As a volume that is half mounted, or a restore in the wrong order.
#[tokio::test]
async fn a_store_without_its_file_is_not_a_new_store() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let receiver = Receiver::start(|_| async { StatusCode::SERVICE_UNAVAILABLE }).await?;
    let mut gateway = DataPlane::start(dir.path(), &route(&example, &receiver), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let large = json!({"seconds": 0.0, "items": 1, "note": "x".repeat(300 << 10)});
    let reply = session.call(1, "process_batch", &large).await?;
    assert!(reply.is_acknowledgement(), "{}", reply.json());
    gateway.process.kill()?;
    let state = dir.path().join("state");
    let bodies = || fs::read_dir(state.join("blobs")).map(Iterator::count);
    let before = bodies()?;
    assert!(before > 0, "a large body is a file");
    let (file, away) = (state.join("jobs.redb"), dir.path().join("away"));
    fs::rename(&file, &away)?;
    gateway.relaunch(&[])?;
    let status = gateway.process.ended(Duration::from_secs(30)).await;
    assert!(!status.success());
    let said = gateway.process.output();
    assert!(
        said.contains("jobs.redb is missing") && said.contains("blobs"),
        "{said}"
    );
    assert_eq!(bodies()?, before, "nothing was deleted");
    fs::rename(&away, &file)?;
    gateway.restart(&[]).await?;
    assert_eq!(gateway.status().await?["delivery"]["pending"], 1);
    Ok(())
}
