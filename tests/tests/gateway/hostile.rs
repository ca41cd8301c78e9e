//! A server that answers badly or not at all: its caller gets the right error, and calls of another server are as fast as
//! before.
//!
//! Invariant: while the hostile server is called, it is called by more clients than the sound one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::{McpServer, Reaction, tool};
use asyncmcp_tests::session::{Reply, Session};
use futures::future::try_join_all;
use serde_json::json;
use tempfile::TempDir;

/// Calls of the sound server that are measured together.
const CALLS: usize = 40;
/// Clients that call the hostile server at the same time.
const CALLERS: usize = 6;
/// What a call of the sound server may take beside them, on a machine that has other work: all of them together take some
/// hundred MB and the test's own time.
const PROMPT: Duration = Duration::from_secs(2);

/// Two servers, and a client of the sound one.
struct Scene {
    gateway: DataPlane,
    hostile: McpServer,
    client: Session,
    _dir: TempDir,
}

impl Scene {
    async fn open() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (hostile, sound) = (
            McpServer::start(&["bad"]).await,
            McpServer::start(&["good"]).await,
        );
        let route = format!(
            "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
             servers: [{{name: hostile, url: '{}', timeout: 2s}}, {{name: sound, url: '{}'}}]\n  store: {{memory: {{}}}}\n",
            hostile.url(),
            sound.url()
        );
        let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
        let client = Session::open(&gateway.url(), None).await?;
        Ok(Self {
            gateway,
            hostile,
            client,
            _dir: dir,
        })
    }

    /// How long calls of the sound server take, the longest of them.
    async fn longest(&self) -> Result<Duration> {
        let mut longest = Duration::ZERO;
        for id in 0..CALLS as u64 {
            let began = Instant::now();
            let reply = self.client.call(id, "good", &json!({})).await?;
            anyhow::ensure!(reply.json()["result"].is_object(), "{:?}", reply.body);
            longest = longest.max(began.elapsed());
        }
        Ok(longest)
    }

    /// The answers to calls of the hostile server, each of another client's.
    async fn bad(&self) -> Result<Vec<Reply>> {
        let calls = (0..CALLERS).map(async |_| {
            let client = Session::open(&self.gateway.url(), None).await?;
            Ok(client.call(1, "bad", &json!({})).await?)
        });
        try_join_all(calls).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_badly_gets_the_right_error_and_slows_no_other() -> Result<()> {
    let big = |stream| Reaction::Big {
        bytes: 100 << 20,
        stream,
    };
    let rows = [
        ("hangs", Reaction::Hangs, -31002),
        (
            "answers no more than a head",
            Reaction::Stalls("application/json"),
            -31002,
        ),
        ("drips JSON", Reaction::Drips("application/json"), -31002),
        ("drips an event", Reaction::Drips("text/event-stream"), -31002),
        (
            "answers HTML",
            Reaction::body("text/html", "<html>welcome</html>"),
            -31003,
        ),
        ("answers 100 MB of JSON", big(false), -31007),
        ("answers 100 MB as an event", big(true), -31007),
        ("closes in the middle of an event", Reaction::Cut, -31003),
    ];
    let scene = Scene::open().await?;
    let alone = scene.longest().await?;
    for (what, reaction, code) in rows {
        scene.hostile.on("bad", [reaction]);
        let (replies, beside) = futures::try_join!(scene.bad(), scene.longest())?;
        for reply in replies {
            assert_eq!(reply.status, 200, "{what}");
            assert_eq!(reply.json()["error"]["code"], code, "{what}: {:?}", reply.body);
        }
        println!("{what}: a call of the other server took {beside:?} at most, and {alone:?} before");
        assert!(beside < PROMPT, "{what}: {beside:?}, and {alone:?} alone");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_lists_for_ever_holds_up_no_other() -> Result<()> {
    let scene = Scene::open().await?;
    {
        let mut nature = scene.hostile.nature();
        nature.tools = (0..5000).map(|number| tool(&format!("bad{number}"))).collect();
        nature.page = 1;
    }
    let listing = Session::open(&scene.gateway.url(), None).await?;
    let (tools, beside) = futures::try_join!(listing.tools(), scene.longest())?;
    let bad = tools.iter().filter(|name| name.starts_with("bad")).count();
    assert!(bad <= 100, "{bad} pages of one tool each were read");
    tools
        .iter()
        .find(|name| *name == "good")
        .context("the sound server's tool is missing")?;
    assert!(beside < PROMPT, "{beside:?}");
    Ok(())
}
