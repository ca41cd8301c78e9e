//! Every stock client walks through what a route offers, in front of one server after another.
//!
//! Invariant: all clients see the same, however they negotiate and whatever era they speak.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::peers::kind::Program;
use asyncmcp_tests::peers::matrix::{self, Stock};
use asyncmcp_tests::peers::scene::{Behind, all_delivered};
use asyncmcp_tests::peers::{Client, Kind, Receiver, Scene, Server};
use futures::future::try_join_all;
use serde_json::{Value, json};

/// What one server offers.
struct Offer<'a> {
    server: Behind<'a>,
    quick: Tool,
    /// The steps that the quick tool reports.
    steps: Value,
    slow: Tool,
}

/// A tool, a call of it, and the text that comes back.
struct Tool {
    name: &'static str,
    arguments: Value,
    text: &'static str,
}

#[tokio::test]
async fn every_client_calls_both_tools_of_the_example_server() {
    let scene = Scene::new().unwrap();
    let receiver = scene.pypi_receiver().await.unwrap();
    walked(&scene, Stock::Example, &receiver).await.unwrap();
    read_as_events(&receiver, &["echo", "process_batch"]).unwrap();
}

#[tokio::test]
async fn every_client_calls_both_tools_of_server_everything() {
    let scene = Scene::new().unwrap();
    let receiver = scene.npm_receiver().await.unwrap();
    walked(&scene, Stock::Everything, &receiver).await.unwrap();
}

#[tokio::test]
async fn every_client_calls_both_tools_of_a_python_server() {
    let scene = Scene::new().unwrap();
    let receiver = scene.npm_receiver().await.unwrap();
    walked(&scene, Stock::Python, &receiver).await.unwrap();
}

#[tokio::test]
async fn every_client_calls_both_tools_of_fastmcp() {
    let scene = Scene::new().unwrap();
    let receiver = scene.npm_receiver().await.unwrap();
    walked(&scene, Stock::Fast, &receiver).await.unwrap();
}

/// The tests above walk all that it lists.
#[test]
fn the_matrix_in_readme_is_what_is_walked() -> Result<()> {
    let (readme, fresh) = matrix::readme()?;
    if std::env::var_os(matrix::WRITE).is_some() {
        return matrix::write(&fresh);
    }
    assert_eq!(readme, fresh, "stale: set {} to write it", matrix::WRITE);
    Ok(())
}

/// Walks through what one server offers.
async fn walked(scene: &Scene, stock: Stock, receiver: &Receiver) -> Result<()> {
    let (peers, dir) = (&scene.peers, scene.dir());
    if stock == Stock::Example {
        let example = Example::start(dir).await?;
        return tour(scene, &offered(stock, &example.url), receiver).await;
    }
    let server = match stock {
        Stock::Everything => Server::everything(peers, dir).await?,
        Stock::Fast => Server::fast(peers, dir).await?,
        Stock::Python | Stock::Example => Server::python(peers, dir).await?,
    };
    tour(scene, &offered(stock, &server.url), receiver).await
}

fn offered(stock: Stock, url: &str) -> Offer<'_> {
    let tool = |name, arguments, text| Tool {
        name,
        arguments,
        text,
    };
    let (quick, steps, slow) = match stock {
        Stock::Example => (
            tool("echo", json!({"text": "hello"}), "hello"),
            json!([[1, 3], [2, 3], [3, 3]]),
            tool(
                "process_batch",
                json!({"seconds": 0.2, "items": 2}),
                "processed 2 items in 0.2 s",
            ),
        ),
        Stock::Everything => (
            tool("echo", json!({"message": "hello"}), "Echo: hello"),
            json!([]),
            tool(
                "trigger-long-running-operation",
                json!({"duration": 0.2, "steps": 2}),
                "Long running operation completed. Duration: 0.2 seconds, Steps: 2.",
            ),
        ),
        Stock::Python | Stock::Fast => (
            tool("quick", json!({"text": "hello"}), "quick hello"),
            json!([[1, 2], [2, 2]]),
            tool("slow", json!({"text": "hello"}), "slow hello"),
        ),
    };
    let server = behind(url);
    Offer {
        server,
        quick,
        steps,
        slow,
    }
}

fn behind(url: &str) -> Behind<'_> {
    Behind {
        name: "behind",
        url,
        prefix: "",
    }
}

async fn tour(scene: &Scene, offer: &Offer<'_>, receiver: &Receiver) -> Result<()> {
    let servers = [offer.server];
    let gateway = scene
        .gateway(&servers, &[offer.slow.name], Some(receiver))
        .await?;
    let mut clients = scene.clients(&Kind::ALL, &gateway.url()).await?;
    try_join_all(clients.iter_mut().map(|client| meets(client, offer))).await?;
    let both = [offer.slow.name, offer.quick.name];
    scene.edit(&servers, &both, Some(receiver))?;
    try_join_all(clients.iter_mut().map(|client| hears_of_the_edit(client, offer))).await?;
    // Each client made two webhook calls; asyncmcp's came to its own receiver.
    all_delivered(&gateway, 2 * u32::try_from(Kind::ALL.len())?).await;
    believed(receiver, offer, Kind::ALL.len() - 1)?;
    try_join_all(clients.into_iter().map(|client| leaves(client, &gateway))).await?;
    Ok(())
}

/// Before the edit: the quick tool answers on the spot, the slow one by webhook.
async fn meets(client: &mut Client, offer: &Offer<'_>) -> Result<()> {
    let kind = client.kind;
    if !kind.is_new_each_time() {
        let about = client.ask(json!({"do": "about"})).await?;
        assert_eq!(about, introduction(kind), "{kind:?}");
    }
    let tools = client.tools().await?;
    assert!(!goes_by_webhook(&tools, &offer.quick)?, "{kind:?}: {tools:?}");
    assert!(goes_by_webhook(&tools, &offer.slow)?, "{kind:?}: {tools:?}");
    if kind.has_session() {
        assert_eq!(client.ask(json!({"do": "ping"})).await?, json!({}), "{kind:?}");
    }

    let answer = client.call(offer.quick.name, &offer.quick.arguments).await?;
    assert_eq!(text(&answer), offer.quick.text, "{kind:?}");
    is_acknowledged(client, &offer.slow).await?;
    if kind.is_new_each_time() {
        return Ok(()); // it shows no progress, and looks a tool up before it calls it
    }
    let steps = as_floats(&answer["progress"]);
    assert_eq!(steps, as_floats(&offer.steps), "{kind:?}");
    let unknown = json!({"do": "call", "tool": "no-such-tool", "arguments": {}});
    let error = client.fail(unknown).await?;
    assert_eq!(error["code"], -32602, "{kind:?}: {error}");
    Ok(())
}

/// What the client knows of the gateway. The pinned Python clients do not ask before their first call.
fn introduction(kind: Kind) -> Value {
    let asks = !matches!(kind, Kind::Mcp2Modern | Kind::FastModern);
    json!({"version": kind.version(), "server": asks.then_some("asyncmcp")})
}

/// After the edit the quick tool is one more webhook tool. A client with a session is told to list again on its GET stream;
/// the others list again when what they have is not fresh any more.
async fn hears_of_the_edit(client: &mut Client, offer: &Offer<'_>) -> Result<()> {
    let asking = tokio::sync::Mutex::new(client);
    eventually(Duration::from_secs(30), || async {
        let mut client = asking.lock().await;
        has_heard(&mut client, offer)
            .await
            .map_err(|error| format!("{:?}: {error}", client.kind))
    })
    .await;
    is_acknowledged(asking.into_inner(), &offer.quick).await
}

async fn has_heard(client: &mut Client, offer: &Offer<'_>) -> Result<()> {
    if client.kind.has_session() {
        let heard = client.heard().await?;
        anyhow::ensure!(heard["listChanged"].as_u64() > Some(0), "heard {heard}");
    }
    let tools = client.tools().await?;
    anyhow::ensure!(goes_by_webhook(&tools, &offer.quick)?, "{tools:?}");
    Ok(())
}

/// asyncmcp's client waits for its webhook and hands out the result, and one that knows tasks polls for it; every other gets an
/// acknowledgement to act on.
async fn is_acknowledged(client: &mut Client, tool: &Tool) -> Result<()> {
    let kind = client.kind;
    let answer = client.call(tool.name, &tool.arguments).await?;
    if kind == Kind::Asyncmcp || kind.polls_tasks() {
        assert!(text(&answer).contains(tool.text), "{answer}");
        return Ok(());
    }
    let job = &answer["result"]["_meta"]["dev.asyncmcp/job"];
    assert_eq!(job["status"], "working", "{kind:?}: {answer}");
    let id = job["id"].as_str().context("a job without an id")?;
    assert!(text(&answer).contains(id), "{kind:?}: {answer}");
    assert_eq!(answer["progress"], json!([]), "{kind:?}");
    Ok(())
}

/// Everything that came was believed, and is what the tools say.
fn believed(receiver: &Receiver, offer: &Offer<'_>, clients: usize) -> Result<()> {
    let posts = receiver.deliveries()?;
    assert_eq!(posts.len(), 2 * clients);
    for tool in [&offer.quick, &offer.slow] {
        let of_tool = posts
            .iter()
            .filter(|post| post["headers"]["ce-subject"] == tool.name);
        let said: Vec<_> = of_tool
            .filter_map(|post| post["body"]["result"]["content"][0]["text"].as_str())
            .collect();
        assert_eq!(said.len(), clients, "{said:?}");
        assert!(said.iter().all(|said| said.contains(tool.text)), "{said:?}");
    }
    Ok(())
}

/// The CloudEvents SDK read every delivery as the event that it is (HTTP binding, binary mode).
fn read_as_events(receiver: &Receiver, tools: &[&str]) -> Result<()> {
    for post in receiver.deliveries()? {
        let (event, headers) = (&post["event"]["attributes"], &post["headers"]);
        let tool = event["subject"].as_str().context("no subject")?;
        assert!(tools.contains(&tool), "{event}");
        for (attribute, expected) in [
            ("specversion", "1.0"),
            ("source", "/namespaces/default/mcpwebhookroutes/peers"),
            ("type", "dev.asyncmcp.tool.result.v1"),
            ("datacontenttype", "application/json"),
        ] {
            assert_eq!(event[attribute], expected, "{event}");
        }
        assert_eq!(event["id"], headers["webhook-id"]);
        // The SDK makes a date of it; another text than a date it would have refused.
        let time = event["time"].as_str().context("no time")?;
        assert_eq!(
            time.get(..10),
            headers["ce-time"].as_str().and_then(|time| time.get(..10))
        );
        assert_eq!(post["event"]["data"], post["body"], "{post}");
    }
    Ok(())
}

/// The client ends its session, if it has one, by DELETE; nobody can use it any more.
async fn leaves(mut client: Client, gateway: &DataPlane) -> Result<()> {
    let kind = client.kind;
    if kind == Kind::Asyncmcp {
        let delivered = client.ask(json!({"do": "delivered"})).await?;
        assert_eq!(delivered, json!({"refused": [], "ids": 2}));
    }
    if !kind.has_session() || kind.program() == Program::Rmcp {
        return client.close().await; // that SDK shows no session
    }
    let session = client.session().await?;
    client.close().await?;
    let answer = reqwest::Client::new()
        .post(gateway.url())
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-session-id", session)
        .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        .send()
        .await?;
    assert_eq!(answer.status(), 404, "{kind:?}");
    Ok(())
}

/// Whether `tool` is listed as a webhook tool, which then promises no structured content.
fn goes_by_webhook(tools: &[Value], tool: &Tool) -> Result<bool> {
    let listed = tools.iter().find(|listed| listed["name"] == tool.name);
    let listed = listed.with_context(|| format!("{} is not listed", tool.name))?;
    let by_webhook = listed["_meta"]["dev.asyncmcp/delivery"] == "webhook";
    anyhow::ensure!(!by_webhook || listed["outputSchema"].is_null(), "{listed}");
    Ok(by_webhook)
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}

/// One SDK says 1 where another says 1.0.
fn as_floats(steps: &Value) -> Vec<Vec<f64>> {
    let steps = steps.as_array().into_iter().flatten();
    let numbers = |step: &Value| {
        let numbers = step.as_array().into_iter().flatten();
        numbers.filter_map(Value::as_f64).collect()
    };
    steps.map(numbers).collect()
}
