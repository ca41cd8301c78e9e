//! Stores with a job in every state: one that is made now, and those of earlier versions.
//!
//! Needs `unshare` and `ip`. Invariant: a store is the one of a process that was killed, as after a power cut.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_tests::command::{root, run};
use asyncmcp_tests::dataplane::store;
use asyncmcp_tests::eventually;
use asyncmcp_tests::namespace::in_own_network;
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};

use crate::town::{PATIENCE, SECRET, TOOL, Town, at};

/// The directory that a new store is written to, by `release/golden`.
const WRITE: &str = "WRITE_GOLDEN";
const STORE: &str = "state.tar.gz";
const JOBS: &str = "jobs.json";
const STATES: [&str; 8] = [
    "dead",
    "delivered",
    "due",
    "ended",
    "queued",
    "running",
    "sending",
    "stopped",
];
/// A body that is a file of its own in the store.
const LARGE: usize = 300 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_a_job_in_every_state_is_made_and_resumed() -> Result<()> {
    if !in_own_network(
        "store::a_store_with_a_job_in_every_state_is_made_and_resumed",
        &[],
    )? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let made = dir.path().join("made");
    std::fs::create_dir(&made)?;
    let (running, files) = (dir.path().join("running"), dir.path().join("files"));
    std::fs::create_dir(&running)?;
    std::fs::create_dir(&files)?;
    make(&running, &made).await?;
    if let Some(version) = std::env::var_os(WRITE) {
        let version = root().join(version);
        std::fs::create_dir_all(&version)?;
        for file in [STORE, JOBS] {
            std::fs::copy(made.join(file), version.join(file))?;
        }
        crate::routes::write(&version)?;
    }
    is_resumed(&made, &files).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_every_version_is_opened_and_its_jobs_are_delivered() -> Result<()> {
    let name = "store::the_store_of_every_version_is_opened_and_its_jobs_are_delivered";
    if !in_own_network(name, &[])? {
        return Ok(());
    }
    for version in crate::versions()? {
        let dir = tempfile::tempdir()?;
        let why = "a store that no released version wrote may be made anew by release/golden; one of a released version must open";
        is_resumed(&version, dir.path())
            .await
            .with_context(|| format!("{}: {why}", version.display()))?;
    }
    Ok(())
}

/// Runs a data plane in `dir` until it has a job in every state, kills it, and packs what it left into `made`.
async fn make(dir: &Path, made: &Path) -> Result<()> {
    let mut town = Town::open(dir, false).await?;
    let call = async |path: &str, seconds: f64, bytes: usize| -> Result<String> {
        let session = Session::open(&town.gateway.url(), Some(&at(path))).await?;
        let arguments = json!({"seconds": seconds, "items": 1, "note": "x".repeat(bytes)});
        let reply = session.call(1, TOOL, &arguments).await?;
        // A client that names its receiver at initialize gets the webhook-id, not the job's id.
        let webhook_id = reply.headers.get("webhook-id").and_then(|id| id.to_str().ok());
        let webhook_id = webhook_id.with_context(|| reply.json().to_string())?;
        let jobs = town.list().await?;
        let job = jobs.iter().find(|job| job["webhookId"] == webhook_id);
        let id = job.and_then(|job| job["id"].as_str());
        id.map(str::to_owned).context("the job is not listed")
    };
    town.once(&call("/taken", 0.0, 1).await?, "delivered").await;
    town.once(&call("/gone", 0.0, 1).await?, "dead").await;
    town.once(&task(&town).await?, "ended").await;
    let stopped = call("/busy", 0.0, 1).await?;
    town.once(&stopped, "due").await;
    town.jobs(&["stop", &stopped]).await?;
    town.once(&call("/busy", 0.0, 1).await?, "due").await;
    town.once(&call("/silent", 0.0, 1).await?, "sending").await;
    town.once(&call("/taken", 3600.0, 1).await?, "running").await;
    town.once(&call("/taken", 0.0, LARGE).await?, "queued").await;

    let jobs = town.list().await?;
    let mut states: Vec<_> = jobs.iter().filter_map(|job| job["state"].as_str()).collect();
    states.sort_unstable();
    ensure!(states == STATES, "{states:?}");
    town.gateway.process.kill()?;
    std::fs::write(made.join(JOBS), serde_json::to_string_pretty(&jobs)?)?;
    pack(dir, &made.join(STORE))
}

/// A call as a task: it has no receiver.
async fn task(town: &Town) -> Result<String> {
    let session = Session::open(&town.gateway.url(), None).await?;
    let params = json!({"name": TOOL, "arguments": {"seconds": 0, "items": 1}, "task": {}});
    let answer = session.ask(1, "tools/call", &params).await?;
    let id = answer["result"]["task"]["taskId"].as_str();
    id.map(str::to_owned).with_context(|| answer.to_string())
}

/// Without the reserve file, which is large and holds nothing.
fn pack(dir: &Path, archive: &Path) -> Result<()> {
    let (dir, archive) = (dir.to_string_lossy(), archive.to_string_lossy());
    let flags = [
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--exclude=ballast",
    ];
    let what = ["-C", &dir, "-czf", &archive, "state"];
    run("tar", &[&flags[..], &what].concat()).map(drop)
}

/// Opens a version's store in `dir`: the jobs are those that were written down, what was settled stays as it was, and everything
/// else is delivered; what was stopped or dead is delivered when it is replayed.
async fn is_resumed(version: &Path, dir: &Path) -> Result<()> {
    let archive = version.join(STORE);
    run(
        "tar",
        &["-C", &dir.to_string_lossy(), "-xzf", &archive.to_string_lossy()],
    )?;
    let checked = store("check", &dir.join("state"), None)?;
    let said = String::from_utf8_lossy(&checked.stdout);
    ensure!(
        checked.status.success(),
        "store check: {said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );

    let written: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(version.join(JOBS))?)?;
    let town = Town::open(dir, true).await?;
    let listed = town.list().await?;
    for field in [
        "id",
        "webhookId",
        "tool",
        "server",
        "client",
        "receiver",
        "acceptedAt",
    ] {
        let of = |jobs: &[Value]| -> Vec<Value> { jobs.iter().map(|job| job[field].clone()).collect() };
        ensure!(
            of(&listed) == of(&written),
            "{field}: {:?}, not {:?}",
            of(&listed),
            of(&written)
        );
    }
    for (before, now) in written.iter().zip(&listed) {
        let state = before["state"].as_str().unwrap_or_default();
        let id = before["id"].as_str().context("no id")?;
        match state {
            "delivered" | "ended" => ensure!(now["state"] == state, "{id}, {state}, is {now}"),
            "dead" | "stopped" => {
                ensure!(now["state"] == state, "{id}, {state}, is {now}");
                town.jobs(&["replay", id]).await?;
                town.once(id, "delivered").await;
            }
            _ => town.once(id, "delivered").await,
        }
    }
    its_results_came(&town, &written).await
}

/// Each once, with a signature of the route's key for this origin, and with what the call ended with.
async fn its_results_came(town: &Town, written: &[Value]) -> Result<()> {
    let awaited: BTreeMap<&str, &str> = written
        .iter()
        .filter_map(|job| Some((job["webhookId"].as_str()?, job["state"].as_str()?)))
        .filter(|(_, state)| !["delivered", "ended"].contains(state))
        .collect();
    eventually(PATIENCE, || async {
        let count = town.receiver.posts().len();
        if count >= awaited.len() {
            Ok(())
        } else {
            Err(format!("{count} posts"))
        }
    })
    .await;
    let posts = town.receiver.posts();
    let key = asyncmcp_client::signature::Key::parse(SECRET)?.for_receiver(&at("/").parse()?);
    let webhook = standardwebhooks::Webhook::new(&key.whsec())?;
    for (webhook_id, state) in &awaited {
        let of_job: Vec<_> = posts
            .iter()
            .filter(|post| post.webhook_id() == *webhook_id)
            .collect();
        ensure!(of_job.len() == 1, "{state}: {} posts", of_job.len());
        webhook
            .verify(&of_job[0].body, &of_job[0].headers)
            .context("the signature")?;
        let response = of_job[0].response();
        // Only the call that ran was interrupted; all others ended with their result.
        let is_interrupted = *state == "running";
        ensure!(
            response["result"].is_object() != is_interrupted,
            "{state}: {response}"
        );
    }
    ensure!(
        awaited.len() == 6 && posts.len() == 6,
        "{awaited:?}, {} posts",
        posts.len()
    );
    Ok(())
}
