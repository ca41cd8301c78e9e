//! Legacy clients whose modern server needs something of them: they are asked on the stream of their call.
//!
//! The faults are in [`crate::unanswered`]. Invariant: what the client was asked, and what the server got of its answers,
//! is asserted byte for byte where it matters.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use asyncmcp_tests::mcp::{McpServer, Reaction, Seen, Speaks};
use asyncmcp_tests::session::{Session, answer};
use futures::{Stream, StreamExt as _};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{SOON, Scene};

/// Asks for a name and for roots; its state is spelt as no serializer would.
pub(crate) const NEEDS_BOTH: &str = r#"{"resultType":"input_required","requestState":"st\u0061te/ ","inputRequests":{"name":{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{"n":{"type":"number","maximum":1.0}}}}},"where":{"method":"roots/list"}}}"#;
/// Asks for roots alone.
pub(crate) const NEEDS_ROOTS: &str =
    r#"{"resultType":"input_required","requestState":"s","inputRequests":{"where":{"method":"roots/list"}}}"#;
const NEEDS_A_VISIT: &str = r#"{"resultType":"input_required","inputRequests":{"pay":{"method":"elicitation/create","params":{"mode":"url","message":"Pay","url":"https://pay.example"}}}}"#;
pub(crate) const DONE: &str = r#"{"resultType":"complete","content":[ ]}"#;

/// A scene whose server is modern, and does this when `quick` is called.
pub(crate) async fn scene(reactions: &[&'static str], more: &str) -> Result<Scene> {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().speaks = Speaks::Modern;
    let reactions: Vec<_> = reactions.iter().map(|result| Reaction::Result(result)).collect();
    server.on("quick", reactions);
    Scene::before(server, more).await
}

/// A client that can be asked for everything.
pub(crate) async fn capable(scene: &Scene) -> Result<Session> {
    let capabilities =
        json!({"roots": {"listChanged": true}, "sampling": {}, "elicitation": {"form": {}, "url": {}}});
    Session::open_capable(&scene.gateway.url(), &capabilities).await
}

/// A call of `quick` whose answer is read as it comes.
pub(crate) struct Calling {
    messages: Pin<Box<dyn Stream<Item = Value> + Send>>,
    client: Session,
}

impl Calling {
    pub(crate) async fn begin(client: &Session, id: u64) -> Result<Self> {
        Ok(Self {
            messages: Box::pin(client.follow(&call(id)).await?),
            client: client.clone(),
        })
    }

    /// The next message; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        let next = timeout(SOON, self.messages.next()).await;
        next.context("nothing came")
    }

    /// The next message, which is a question of this method.
    pub(crate) async fn question(&mut self, method: &str) -> Result<Value> {
        let asked = self.next().await?.context("the stream ended")?;
        anyhow::ensure!(asked["method"] == method, "{asked}");
        Ok(asked)
    }

    pub(crate) async fn answer(&self, question: &Value, result: &str) -> Result<()> {
        let id = &question["id"];
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        anyhow::ensure!(self.client.post(answer).await?.status == 202);
        Ok(())
    }
}

pub(crate) fn call(id: u64) -> Value {
    let params = json!({"name": "quick", "arguments": {"a": 1}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn declared(seen: &Seen) -> &Value {
    &seen.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
}

#[tokio::test]
async fn a_legacy_client_is_asked_on_its_stream_and_the_call_sent_again_with_its_bytes() -> Result<()> {
    let scene = scene(&[NEEDS_BOTH, DONE], "").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 7).await?;
    let name = calling.question("elicitation/create").await?;
    let roots = calling.question("roots/list").await?;
    assert_ne!(name["id"], roots["id"]);
    assert_eq!(
        name["params"]["requestedSchema"]["properties"]["n"]["maximum"],
        1.0
    );
    assert!(roots.get("params").is_none(), "{roots}");
    // In the other order, and not as a serializer would write it.
    calling.answer(&roots, r#"{ "roots":[] }"#).await?;
    calling
        .answer(&name, r#"{"action":"accept","content":{"n":1.00}}"#)
        .await?;
    let last = calling.next().await?.context("no response")?;
    assert_eq!(
        last,
        json!({"jsonrpc": "2.0", "id": 7, "result": {"content": []}})
    );
    assert_eq!(calling.next().await?, None);

    let [first, second] = &scene.calls()[..] else {
        panic!("{} calls", scene.calls().len())
    };
    let expected = r#""inputResponses":{"name":{"action":"accept","content":{"n":1.00}},"where":{ "roots":[] }},"requestState":"st\u0061te/ ""#;
    assert!(second.raw.contains(expected), "{}", second.raw);
    assert_ne!(
        first.body["id"], second.body["id"],
        "each round is a request of its own"
    );
    assert_eq!(first.body["params"].get("inputResponses"), None);
    assert_eq!(second.body["params"]["arguments"], json!({"a": 1}));
    let asked_for = json!({"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}});
    assert_eq!((declared(first), declared(second)), (&asked_for, &asked_for));
    Ok(())
}

#[tokio::test]
async fn a_state_alone_is_sent_back_at_once_and_a_page_to_visit_gets_an_id() -> Result<()> {
    let state = r#"{"resultType":"input_required","requestState":"later"}"#;
    let scene = scene(&[state, NEEDS_A_VISIT, DONE], "").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 7).await?;
    let visit = calling.question("elicitation/create").await?;
    assert!(visit["params"]["elicitationId"].is_string(), "{visit}");
    assert_eq!(visit["params"]["url"], "https://pay.example");
    calling.answer(&visit, r#"{"action":"decline"}"#).await?;
    assert_eq!(calling.next().await?.context("no response")?["id"], 7);
    let params: Vec<_> = scene
        .calls()
        .iter()
        .map(|seen| seen.body["params"].clone())
        .collect();
    assert_eq!(params[1]["requestState"], "later");
    assert_eq!(params[1].get("inputResponses"), None);
    assert_eq!(params[2].get("requestState"), None, "the last result had none");
    assert_eq!(params[2]["inputResponses"], json!({"pay": {"action": "decline"}}));
    Ok(())
}

#[tokio::test]
async fn two_calls_at_once_each_get_their_own_answers() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS, NEEDS_ROOTS, DONE], "").await?;
    let client = capable(&scene).await?;
    let (mut one, mut two) = (
        Calling::begin(&client, 1).await?,
        Calling::begin(&client, 2).await?,
    );
    let (first, second) = (
        one.question("roots/list").await?,
        two.question("roots/list").await?,
    );
    two.answer(&second, r#"{"roots":["two"]}"#).await?;
    assert_eq!(two.next().await?.context("no response")?["id"], 2);
    one.answer(&first, r#"{"roots":["one"]}"#).await?;
    assert_eq!(one.next().await?.context("no response")?["id"], 1);
    let answers: Vec<_> = scene.calls()[2..]
        .iter()
        .map(|seen| seen.body["params"]["inputResponses"]["where"]["roots"][0].clone())
        .collect();
    assert_eq!(answers, ["two", "one"]);
    Ok(())
}

#[tokio::test]
async fn a_client_that_refuses_answers_its_own_call() -> Result<()> {
    let scene = scene(&[NEEDS_BOTH, DONE], "").await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    let name = calling.question("elicitation/create").await?;
    let roots = calling.question("roots/list").await?;
    let error = json!({"code": -1, "message": "the user said no", "data": {"why": 1}});
    let refusal = json!({"jsonrpc": "2.0", "id": roots["id"], "error": error});
    assert_eq!(client.post(refusal.to_string()).await?.status, 202);
    let withdrawn = calling.next().await?.context("no message")?;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], name["id"]);
    let last = calling.next().await?.context("no response")?;
    assert_eq!((&last["id"], &last["error"]), (&json!(7), &error));
    assert_eq!(scene.calls().len(), 1);
    Ok(())
}

/// A server that keeps to the specification would not ask these.
#[tokio::test]
async fn a_client_that_cannot_be_asked_gets_an_error_that_says_why() -> Result<()> {
    let scene = scene(&[NEEDS_BOTH], "").await?;
    let lacking = Session::open_capable(&scene.gateway.url(), &json!({"roots": {}})).await?;
    let reply = lacking.post(call(7).to_string()).await?.json();
    let needed = json!({"requiredCapabilities": {"elicitation": {}}});
    assert_eq!(
        (&reply["error"]["code"], &reply["error"]["data"]),
        (&json!(-32021), &needed)
    );
    assert_eq!(declared(&scene.calls()[0]), &json!({"roots": {}}));

    let json = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let client = capable(&scene).await?;
    let reply = answer(client.request(call(8).to_string()).headers(json))
        .await?
        .json();
    let error = &reply["error"];
    assert_eq!((&reply["id"], &error["code"]), (&json!(8), &json!(-32021)));
    assert!(
        error["message"]
            .to_string()
            .contains("Accept: application/json, text/event-stream")
    );
    assert_eq!(
        declared(&scene.calls()[1]),
        &json!({}),
        "a server should know before"
    );
    Ok(())
}
