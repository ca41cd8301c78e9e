//! Servers, receivers and clients in trouble, and their neighbours, who notice nothing of it.
//!
//! Invariant: what is in trouble stays so for longer than any neighbour here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::process::free_port;
use asyncmcp_tests::receiver::{Answer, Post, Receiver};
use asyncmcp_tests::session::{Reply, Session};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::{SOON, answers, jobs};
use crate::town::{PROMPT, Town, call};

/// The default of `maxConcurrentJobs`.
const JOBS: usize = 16;
/// Almost as many bytes as a request may have.
const LARGE: usize = 3_900_000;
/// The default of `perReceiver.maxInFlight`.
const IN_FLIGHT: usize = 8;
/// URLs of one host: more than there are attempts in progress to all receivers together.
const URLS: usize = 1_100;
/// The JSON-RPC code of a call of which nobody knows whether it ran.
const UNKNOWN: i64 = -31003;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_answers_of_one_server_hold_up_no_result_of_another() -> Result<()> {
    let broken = McpServer::start(&["report"]).await;
    broken.on("report", [Reaction::Half(70 << 10)]);
    let sound = McpServer::start(&["small", "large"]).await;
    let (bytes, stream) = (1 << 20, false);
    sound.on("large", [Reaction::Big { bytes, stream }]);
    let servers = [("broken", &*broken.url(), JOBS), ("sound", &*sound.url(), JOBS)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let client = town.client().await?;
    for id in 0..6 {
        call(&client, "broken_report", id, &json!({})).await?;
    }
    eventually(PROMPT, || async { broken.nature().halves == 6 }).await;
    let neighbour = town.client().await?;
    for id in 100..103 {
        town.is_prompt(&neighbour, "sound_small", id).await?;
        town.is_prompt(&neighbour, "sound_large", 100 + id).await?;
    }
    Ok(())
}

/// Several clients together have more arguments than there is memory for; each call takes as long as the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_arguments_take_no_memory_once_they_are_sent() -> Result<()> {
    let slow = McpServer::start(&["import"]).await;
    slow.on("import", [Reaction::Hangs]);
    let sound = McpServer::start(&["quick"]).await;
    let servers = [("slow", &*slow.url(), JOBS), ("sound", &*sound.url(), JOBS)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let large = json!({"text": "x".repeat(LARGE)});
    for client in 0..3 {
        let hoarder = town.client().await?;
        for id in 0..4 {
            call(&hoarder, "slow_import", 10 * client + id, &large).await?;
        }
    }
    eventually(SOON, || async { slow.ran("import") == 12 }).await;
    let neighbour = town.client().await?;
    let medium = json!({"text": "x".repeat(100 << 10)});
    for id in 100..103 {
        town.is_prompt_with(&neighbour, "sound_quick", id, &medium)
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_holds_no_capacity_and_gets_its_calls_when_it_is_back() -> Result<()> {
    let (dir, port) = (tempfile::tempdir()?, free_port()?);
    let mut away = Example::start_at(dir.path(), port).await?;
    let here = McpServer::start(&["quick"]).await;
    let servers = [("away", &*away.url, JOBS), ("here", &*here.url(), JOBS)];
    let town = Town::open(&servers, Receiver::willing().await?, "    maxRunning: 16").await?;
    let clients = [town.client().await?, town.client().await?];
    clients[0].tools().await?;
    away.process.kill()?;
    let keys: Vec<String> = (0..16).map(|id| format!("key-{id:02}")).collect();
    for (id, key) in (0..).zip(&keys) {
        let client = &clients[usize::from(id >= 8)];
        let arguments = json!({"seconds": 0, "items": 1, "key": key});
        call(client, "away_process_batch", id, &arguments).await?;
    }
    eventually(PROMPT, || async {
        town.gateway.process.output().contains("unreachable")
    })
    .await;
    for id in 100..103 {
        town.is_prompt(&clients[0], "here_quick", id).await?;
    }

    away = Example::start_at(dir.path(), port).await?;
    for id in 0..16 {
        let answer = town.answer(id, SOON).await;
        ensure!(answer.get("result").is_some(), "{answer}");
    }
    town.gateway.at_rest(SOON).await;
    let mut ran = away.ran();
    ran.sort();
    assert_eq!(ran, keys);
    let posts = town.receiver.posts();
    let twice = (0..16).find(|id| answers(&posts, *id).len() != 1);
    assert_eq!(twice, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_slow_calls_leaves_a_part_of_the_server_to_others() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = Example::start(dir.path()).await?;
    let servers = [("server", &*server.url, JOBS)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let busy = town.client().await?;
    for id in 0..40 {
        let slow = json!({"seconds": 30, "items": 1});
        call(&busy, "server_process_batch", id, &slow).await?;
    }
    eventually(PROMPT, || async {
        let running = jobs(&town.gateway, "/jobs?state=running").await;
        let running = running.map_err(|error| error.to_string())?;
        match running["jobs"].as_array().map_or(0, Vec::len) {
            12.. => Ok(()),
            running => Err(format!("{running} running")),
        }
    })
    .await;
    let quick = json!({"seconds": 0, "items": 1});
    call(&town.client().await?, "server_process_batch", 100, &quick).await?;
    let answer = town.answer(100, PROMPT).await;
    ensure!(answer.get("result").is_some(), "{answer}");
    Ok(())
}

/// The requests that a receiver has open.
#[derive(Default)]
struct Open {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One of them.
struct Entry(Arc<Open>);

impl Entry {
    fn new(open: &Arc<Open>) -> Self {
        let now = open.now.fetch_add(1, Ordering::SeqCst) + 1;
        open.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_urls_of_a_host_that_hangs_share_its_connections_and_delay_no_other_receiver() -> Result<()> {
    let open = Arc::<Open>::default();
    let count = Arc::clone(&open);
    let hanging = Receiver::start(move |_| {
        let entry = Entry::new(&count);
        async move {
            let _open = entry;
            std::future::pending::<Answer>().await
        }
    })
    .await?;
    let server = McpServer::start(&["quick"]).await;
    let servers = [("server", &*server.url(), JOBS)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let client = town.client().await?;
    let calls = futures::stream::iter(0_u64..)
        .take(URLS)
        .map(|id| name(&client, id, hanging.url(&format!("/hook/{id}"))));
    calls.buffer_unordered(8).try_collect::<Vec<_>>().await?;
    eventually(SOON, || async { server.ran("quick") == URLS }).await;
    eventually(PROMPT, || async { open.now.load(Ordering::SeqCst) >= IN_FLIGHT }).await;

    try_join_all((0..20).map(|_| is_prompt_at_a_receiver_of_its_own(&town))).await?;
    assert_eq!(open.most.load(Ordering::SeqCst), IN_FLIGHT, "connections at once");
    Ok(())
}

/// A call that names its receiver.
async fn name(client: &Session, id: u64, url: String) -> Result<Reply> {
    with_meta(client, id, &json!({"dev.asyncmcp/webhook": {"url": url}})).await
}

async fn with_meta(client: &Session, id: u64, meta: &Value) -> Result<Reply> {
    let params = json!({"name": "server_quick", "_meta": meta});
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    let reply = client.post(call.to_string()).await?;
    ensure!(reply.is_acknowledgement(), "{}", reply.json());
    Ok(reply)
}

async fn is_prompt_at_a_receiver_of_its_own(town: &Town) -> Result<()> {
    let receiver = Receiver::willing().await?;
    let client = town.client().await?;
    name(&client, 1, receiver.url("/hook")).await?;
    receiver.answered(1, PROMPT).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_large_arguments_ends_the_call_and_is_not_asked_again() -> Result<()> {
    let server = McpServer::start(&["large", "small"]).await;
    server.on("large", [Reaction::Status(413, "too large")]);
    let servers = [("server", &*server.url(), 4)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let client = town.client().await?;
    let arguments = json!({"text": "x".repeat(150 << 10)});
    for id in 0..8 {
        call(&client, "server_large", id, &arguments).await?;
    }
    town.is_prompt(&client, "server_small", 100).await?;
    for id in 0..8 {
        let told = town.answer(id, PROMPT).await;
        assert_eq!(told["error"]["code"], UNKNOWN, "{told}");
    }
    town.gateway.at_rest(PROMPT).await;
    assert_eq!(server.ran("large"), 8, "once each");
    Ok(())
}

/// A receiver that gets it refuses the delivery, whose breaker then holds up everybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_header_that_is_too_long_reaches_no_receiver() -> Result<()> {
    let receiver = Receiver::start(|post| async move {
        let longest = post.headers.values().map(http::HeaderValue::len).max();
        if longest > Some(8 << 10) {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else {
            StatusCode::OK
        }
    })
    .await?;
    let server = McpServer::start(&["quick"]).await;
    let servers = [("server", &*server.url(), JOBS)];
    let town = Town::open(&servers, receiver, "").await?;
    let (client, long) = (town.client().await?, "0".repeat(70 << 10));
    for id in 0..14 {
        with_meta(&client, id, &json!({"traceparent": long, "tracestate": long})).await?;
    }
    town.is_prompt(&town.client().await?, "server_quick", 100).await?;
    let posts = town.receiver.answered(15, PROMPT).await;
    assert!(posts.iter().all(Post::is_taken), "none was refused");
    Ok(())
}
