//! Legacy clients whose connection broke in the middle of an answer: they read it on with `Last-Event-ID`.
//!
//! A question of the server holds the call until the test answers it. Invariant: the server sees each call once.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use asyncmcp_protocol::sse;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::session::{Session, answer, events};
use futures::{Stream, StreamExt as _};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{AUTH, ONE, SOON, Scene, TWO};

const ASKS: &str = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;

/// An answer as it comes.
struct Reading(Pin<Box<dyn Stream<Item = sse::Event> + Send>>);

impl Reading {
    async fn begin(request: RequestBuilder) -> Result<Self> {
        let response = request.timeout(2 * SOON).send().await?.error_for_status()?;
        Ok(Self(Box::pin(events(response))))
    }

    async fn next(&mut self) -> Result<Option<sse::Event>> {
        let next = timeout(SOON, self.0.next()).await;
        next.context("nothing came")
    }

    /// The next event, which has to have an id and a message.
    async fn message(&mut self) -> Result<(String, Value)> {
        let event = self.next().await?.context("the stream ended")?;
        let data = event.message().context("no message")?;
        Ok((
            event.id.clone().unwrap_or_default(),
            serde_json::from_slice(data)?,
        ))
    }

    /// The next event, which has to prime the client: its id.
    async fn primed(&mut self) -> Result<String> {
        let event = self.next().await?.context("the stream ended")?;
        anyhow::ensure!(event.data.as_deref() == Some(b""), "{event:?}");
        anyhow::ensure!(event.retry == Some(1000), "{event:?}");
        event.id.context("no id")
    }
}

fn call(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "quick", "arguments": {}}})
}

async fn asking(more: &str) -> Result<Scene> {
    let scene = Scene::open(more).await?;
    scene.server.on("quick", [Reaction::Asks(ASKS)]);
    Ok(scene)
}

fn capable() -> Value {
    json!({"roots": {}})
}

/// The id of its session.
fn id(client: &Session) -> Result<String> {
    let request = client.request("").build()?;
    Ok(request.headers()["mcp-session-id"].to_str()?.to_owned())
}

/// Answers the server's question.
async fn reply(client: &Session, question: &Value) -> Result<()> {
    let body = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}});
    anyhow::ensure!(client.post(body.to_string()).await?.status == 202);
    Ok(())
}

/// The ids of the priming event and of the question, and the question, of a call whose client then hangs up.
async fn broken_off(client: &Session, id: u64) -> Result<(String, String, Value)> {
    let mut reading = Reading::begin(client.request(call(id).to_string())).await?;
    let first = reading.primed().await?;
    let (second, question) = reading.message().await?;
    anyhow::ensure!(question["method"] == "roots/list", "{question}");
    Ok((first, second, question))
}

#[tokio::test]
async fn an_answer_is_fetched_by_whoever_comes_back_and_the_tool_runs_once() -> Result<()> {
    let scene = asking("").await?;
    let client = Session::open_capable(&scene.gateway.url(), &capable()).await?;
    let (primed, asked, question) = broken_off(&client, 7).await?;
    let mut again = Reading::begin(client.resume(&primed)).await?;
    again.primed().await?;
    assert_eq!(
        again.message().await?.1,
        question,
        "what came before is said again"
    );
    drop(again);
    reply(&client, &question).await?;
    eventually(SOON, async || {
        let posted = scene.server.seen("");
        posted.iter().any(|seen| seen.body["id"] == "q").then_some(())
    })
    .await;
    // Twice: the first reader may have lost it.
    for _ in 0..2 {
        let mut rest = Reading::begin(client.resume(&asked)).await?;
        rest.primed().await?;
        let (_, response) = rest.message().await?;
        assert_eq!(response["id"], 7, "{response}");
        assert!(response["result"].is_object(), "{response}");
        assert_eq!(rest.next().await?, None, "the response is the last event");
    }
    assert_eq!(scene.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn of_two_readers_the_newer_one_reads_on() -> Result<()> {
    let scene = asking("").await?;
    let client = Session::open_capable(&scene.gateway.url(), &capable()).await?;
    let mut older = Reading::begin(client.request(call(7).to_string())).await?;
    let primed = older.primed().await?;
    let (_, question) = older.message().await?;
    let mut newer = Reading::begin(client.resume(&primed)).await?;
    assert_eq!(older.next().await?, None);
    newer.primed().await?;
    assert_eq!(newer.message().await?.1, question);
    reply(&client, &question).await?;
    assert_eq!(newer.message().await?.1["id"], 7);
    Ok(())
}

#[tokio::test]
async fn an_event_id_is_of_one_session_and_nobody_makes_one_up() -> Result<()> {
    let scene = asking(AUTH).await?;
    let one = Session::nowhere(&scene.gateway.url())?.with_token(ONE);
    let client = one.clone().begin_capable(&capable()).await?;
    let (primed, asked, question) = broken_off(&client, 7).await?;
    let status = async |client: &Session, id: &str| answer(client.resume(id)).await.map(|reply| reply.status);
    let other = one.begin(None).await?;
    assert_eq!(
        status(&other, &asked).await?,
        400,
        "another session of the same principal"
    );
    let stranger = Session::nowhere(&scene.gateway.url())?.with_token(TWO);
    let stranger = stranger.begin(None).await?;
    assert_eq!(status(&stranger, &asked).await?, 400, "another principal");
    assert_eq!(status(&stranger.with_id(&id(&client)?), &asked).await?, 404);
    for at in 0..asked.len() {
        let mut changed = asked.clone().into_bytes();
        changed[at] ^= if changed[at] == b'A' { 3 } else { 1 };
        let changed = String::from_utf8(changed)?;
        assert_eq!(status(&client, &changed).await?, 400, "{at}");
    }
    for other in ["x", "0", "v1.x", &id(&client)?] {
        assert_eq!(status(&client, other).await?, 400, "{other}");
    }
    reply(&client, &question).await?;
    let mut rest = Reading::begin(client.resume(&primed)).await?;
    rest.primed().await?;
    assert_eq!(rest.message().await?.1, question, "none of that took it away");
    assert_eq!(rest.message().await?.1["id"], 7);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_not_kept_ends_the_call_with_an_error() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    server.on("quick", [Reaction::Asks(ASKS)]);
    let dir = tempfile::tempdir()?;
    let route = format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  \
         servers: [{{name: a, url: '{}'}}]\n",
        server.url()
    );
    let mut gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let client = Session::open_capable(&gateway.url(), &capable()).await?;
    let (_, asked, _) = broken_off(&client, 7).await?;
    gateway.process.kill()?;
    gateway.relaunch(&[])?;
    gateway.ready().await;
    let mut rest = Reading::begin(client.resume(&asked)).await?;
    let (_, response) = rest.message().await?;
    assert_eq!(
        (&response["id"], &response["error"]["code"]),
        (&json!(7), &json!(-31003))
    );
    assert_eq!(rest.next().await?, None);
    assert_eq!(server.seen("tools/call").len(), 1);
    Ok(())
}

#[tokio::test]
async fn older_clients_get_ids_and_no_priming_event_and_asyncmcp_gets_neither() -> Result<()> {
    let scene = Scene::open("").await?;
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
    let stream = Reaction::Stream(vec![progress.to_owned()], r#"{"content":[]}"#);
    scene.server.on("quick", vec![stream; 3]);
    for (version, receiver, has_ids) in [
        ("2025-06-18", None, true),
        ("2025-03-26", None, true),
        ("2025-11-25", Some(scene.receiver.url("/mine")), false),
    ] {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"},
            "_meta": receiver.map(|url| json!({"webhookUrl": url})).unwrap_or(json!({}))});
        let client = Session::nowhere(&scene.gateway.url())?;
        let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let opened = client.post(initialize.to_string()).await?;
        let client = client.with_id(opened.headers["mcp-session-id"].to_str()?);
        let mut reading = Reading::begin(client.request(call(1).to_string())).await?;
        for _ in 0..2 {
            let event = reading.next().await?.context("the stream ended")?;
            assert!(
                event.message().is_some() && event.retry.is_none(),
                "{version} {event:?}"
            );
            assert_eq!(event.id.is_some(), has_ids, "{version} {event:?}");
        }
        assert_eq!(reading.next().await?, None);
    }
    Ok(())
}
