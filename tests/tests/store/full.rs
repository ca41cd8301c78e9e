//! A volume of 32 MiB, filled to its last byte by somebody else while calls are under way.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;

use super::{call, call_with, route};

const PATIENCE: Duration = Duration::from_mins(1);
const CALLS: usize = 40;

/// In a mount namespace of its own, with a small file system for the state.
fn launch(dir: &Path) -> Launch {
    let state = dir.join("state");
    let mount = format!(
        "mkdir -p {0} && mount -t tmpfs -o size=32m,mode=700 tmpfs {0} && exec \"$@\"",
        state.display()
    );
    let around = ["unshare", "-m", "sh", "-c", &mount, "sh"];
    Launch {
        around: around.map(str::to_owned).into(),
        ..Launch::default()
    }
}

/// The state as the process sees it.
fn volume(gateway: &DataPlane) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", gateway.process.pid()));
    let state = gateway.dir.join("state");
    root.join(state.strip_prefix("/").unwrap_or(&state))
}

fn fill(volume: &Path) -> Result<()> {
    let mut file = File::create(volume.join("somebody-elses"))?;
    while file.write_all(&[7; 4096]).is_ok() {}
    Ok(())
}

/// A receiver that takes nothing until it is told to.
async fn unwilling() -> Result<(Receiver, Arc<AtomicBool>)> {
    let willing = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&willing);
    let receiver = Receiver::start(move |_| {
        let willing = told.load(Ordering::Relaxed);
        async move {
            if willing {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    });
    Ok((receiver.await?, willing))
}

async fn delivered(receiver: &Receiver, enough: usize) {
    eventually(PATIENCE, || async {
        let posts = receiver.posts();
        let taken = posts.iter().filter(|post| post.is_taken());
        let ids: HashSet<_> = taken.map(asyncmcp_tests::receiver::Post::webhook_id).collect();
        if ids.len() >= enough {
            Ok(())
        } else {
            Err(format!("{} of {enough} delivered", ids.len()))
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_volume_refuses_new_calls_and_delivers_all_it_acknowledged() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let (receiver, willing) = unwilling().await?;
    let route = route(&example, &receiver);
    let mut gateway = DataPlane::start_as(dir.path(), &route, launch(dir.path())).await?;
    let volume = volume(&gateway);
    assert!(volume.join("ballast").exists());
    let session = Session::open(&gateway.url(), None).await?;
    for id in 0..CALLS {
        let reply = call(&session, id as u64, 1.0).await?;
        assert!(reply.is_acknowledgement(), "{:?}", reply.json());
    }
    fill(&volume)?;

    // What the file has of free pages is still taken; then the disk refuses, and so does the data plane.
    let (mut accepted, item) = (CALLS, "x".repeat(100_000));
    let refused = loop {
        let reply = call_with(&session, accepted as u64, 0.0, &item).await?;
        if !reply.is_acknowledgement() {
            break reply.json()["error"].clone();
        }
        accepted += 1;
        assert!(
            accepted < CALLS + 400,
            "the volume holds no more than 320 of them"
        );
    };
    assert_eq!(refused["code"], -31004, "{refused}");
    assert!(refused["data"]["retryAfterMs"].as_u64() > Some(0), "{refused}");
    let problem = gateway.status().await?["storeProblem"].clone();
    assert_eq!(problem["reason"], "StoreFull", "{problem}");

    willing.store(true, Ordering::Relaxed);
    delivered(&receiver, accepted).await;
    assert!(gateway.process.is_running()?, "it never had to start again");

    std::fs::remove_file(volume.join("somebody-elses"))?;
    eventually(PATIENCE, || async {
        let reply = call(&session, 2000, 0.0)
            .await
            .map_err(|error| error.to_string())?;
        if reply.is_acknowledgement() {
            Ok(())
        } else {
            Err(format!("{:?}", reply.json()))
        }
    })
    .await;
    let status = gateway.status().await?;
    assert!(status["storeProblem"].is_null(), "{status}");
    delivered(&receiver, accepted + 1).await;
    eventually(PATIENCE, || async {
        let there = volume.join("ballast").exists();
        there.then_some(()).ok_or("no ballast again")
    })
    .await;
    Ok(())
}
