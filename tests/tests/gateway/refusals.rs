//! Modern messages that are refused, with which status and code; and what still works after them.

use anyhow::{Context as _, Result};
use asyncmcp_tests::modern::{VERSION, call, meta, request};
use asyncmcp_tests::session::{Reply, answer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::Scene;

const V: (&str, &str) = ("mcp-protocol-version", VERSION);
const LIST: (&str, &str) = ("mcp-method", "tools/list");
const CALL: (&str, &str) = ("mcp-method", "tools/call");

fn code(reply: &Reply) -> i64 {
    reply.json()["error"]["code"].as_i64().unwrap_or_default()
}

/// The message with another version in its `_meta`, or with none.
fn with_version(mut message: Value, version: Option<&str>) -> Value {
    let meta = message["params"]["_meta"].as_object_mut().expect("an object");
    match version {
        Some(version) => meta.insert("io.modelcontextprotocol/protocolVersion".into(), version.into()),
        None => meta.remove("io.modelcontextprotocol/protocolVersion"),
    };
    message
}

fn without_capabilities(mut message: Value) -> Value {
    let meta = message["params"]["_meta"].as_object_mut().expect("an object");
    meta.remove("io.modelcontextprotocol/clientCapabilities");
    message
}

/// Headers, a message, and the status and code that it is refused with.
type Row = (Vec<(&'static str, &'static str)>, Value, u16, i64);

fn envelopes() -> Vec<Row> {
    let list = || request(7, "tools/list");
    let later = ("mcp-protocol-version", "2027-01-01");
    let older = ("mcp-protocol-version", "2025-11-25");
    let of_later = with_version(list(), Some("2027-01-01"));
    let method = |name| ("mcp-method", name);
    vec![
        (vec![V, LIST], with_version(list(), None), 400, -32602),
        (vec![V, LIST], without_capabilities(list()), 400, -32602),
        (vec![LIST], list(), 400, -32020),
        (vec![older, LIST], list(), 400, -32020),
        (vec![V, V, LIST], list(), 400, -32020),
        (vec![later, LIST], list(), 400, -32020),
        (vec![later, LIST], of_later, 400, -32022),
        (vec![V, method("ping")], request(7, "ping"), 404, -32601),
        (
            vec![V, method("tasks/list")],
            request(7, "tasks/list"),
            404,
            -32601,
        ),
        (
            vec![V, method("initialize")],
            request(7, "initialize"),
            404,
            -32601,
        ),
        (vec![V], json!([list()]), 400, -32600),
        (
            vec![V],
            json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
            400,
            -32600,
        ),
    ]
}

fn mirrors() -> Vec<Row> {
    let (list, quick) = (request(7, "tools/list"), call(7, "quick", &json!({})));
    let name = |value| ("mcp-name", value);
    let wrong = [
        (vec![V], &list),
        (vec![V, CALL], &list),
        (vec![V, LIST, LIST], &list),
        (vec![V, CALL], &quick),
        (vec![V, CALL, name("slow")], &quick),
        (vec![V, CALL, name("=?base64?c2xvdw==?=")], &quick),
        (vec![V, CALL, name("=?base64?cXVpY2?=")], &quick),
        (vec![V, CALL, name("quick"), name("slow")], &quick),
    ];
    let rows = wrong.map(|(headers, message)| (headers, message.clone(), 400, -32020));
    rows.into()
}

#[tokio::test]
async fn headers_and_envelopes_that_are_wrong() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    for (headers, message, status, expected) in envelopes().into_iter().chain(mirrors()) {
        let reply = answer(client.bare(&headers, &message.to_string())).await?;
        let told = (reply.status, code(&reply));
        assert_eq!(
            told,
            (status, expected),
            "{headers:?} {message}: {}",
            reply.json()
        );
        let is_request = message["method"].is_string();
        let id = if is_request { json!(7) } else { Value::Null };
        assert_eq!(reply.json()["id"], id, "{message}");
    }
    assert!(scene.calls().is_empty(), "the server saw none of them");
    Ok(())
}

#[tokio::test]
async fn what_looks_odd_and_is_right() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    let encoded = [V, CALL, ("mcp-name", "=?base64?cXVpY2s=?=")];
    let quick = call(7, "quick", &json!({})).to_string();
    assert_eq!(answer(client.bare(&encoded, &quick)).await?.status, 200);
    let ignored = [("mcp-session-id", "nonsense"), ("last-event-id", "nonsense")];
    let reply = answer(client.bare(&[&encoded[..], &ignored].concat(), &quick)).await?;
    assert_eq!(reply.status, 200, "a session id means nothing");
    assert!(!reply.headers.contains_key("mcp-session-id"));
    for notification in [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
        json!({"jsonrpc": "2.0", "method": "notifications/unheard", "params": {"_meta": meta(&json!({}))}}),
    ] {
        let reply = answer(client.bare(&[V], &notification.to_string())).await?;
        assert_eq!((reply.status, reply.body.len()), (202, 0), "{notification}");
    }
    assert!(scene.server.seen("notifications/cancelled").is_empty());
    Ok(())
}

#[tokio::test]
async fn there_is_nothing_to_get_and_nothing_to_delete() -> Result<()> {
    let scene = Scene::open("").await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = scene.gateway.url();
    for request in [http.get(&url), http.delete(&url)] {
        let request = request.header("accept", "text/event-stream");
        let modern = request.try_clone().context("no body")?.header(V.0, V.1);
        assert_eq!(answer(modern).await?.status, 405);
        assert_eq!(
            answer(request).await?.status,
            400,
            "an older client lacks its session"
        );
    }
    Ok(())
}

/// A dual-era client probes first, wrongly or not, and goes on in the connection that it has.
#[tokio::test]
async fn initialize_works_in_a_connection_whose_first_messages_were_refused() -> Result<()> {
    let scene = Scene::open("").await?;
    let address = scene.gateway.url();
    let address = address
        .trim_start_matches("http://")
        .trim_end_matches("/mcp")
        .to_owned();
    let mut connection = TcpStream::connect(&address).await?;
    let discover = request(1, "server/discover");
    let refused = exchange(&mut connection, &address, &[], &discover).await?;
    assert_eq!((refused.0, &refused.1["error"]["code"]), (400, &json!(-32020)));
    let refused = exchange(&mut connection, &address, &[V, LIST], &discover).await?;
    assert_eq!((refused.0, &refused.1["error"]["code"]), (400, &json!(-32020)));
    let found = exchange(
        &mut connection,
        &address,
        &[V, ("mcp-method", "server/discover")],
        &discover,
    )
    .await?;
    assert_eq!(
        (found.0, &found.1["result"]["resultType"]),
        (200, &json!("complete"))
    );
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let initialize = json!({"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": params});
    let opened = exchange(&mut connection, &address, &[], &initialize).await?;
    assert_eq!(
        (opened.0, &opened.1["result"]["protocolVersion"]),
        (200, &json!("2025-11-25"))
    );
    Ok(())
}

/// Sends a POST on this very connection and reads a body of a known length.
async fn exchange(
    connection: &mut TcpStream,
    host: &str,
    headers: &[(&str, &str)],
    message: &Value,
) -> Result<(u16, Value)> {
    let body = message.to_string();
    let more = headers.iter().fold(String::new(), |more, (name, value)| {
        more + name + ": " + value + "\r\n"
    });
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut read = String::new();
    loop {
        let mut chunk = [0; 4096];
        let count = connection.read(&mut chunk).await?;
        anyhow::ensure!(count > 0, "the connection was closed after {read:?}");
        read.push_str(std::str::from_utf8(&chunk[..count])?);
        let Some((head, body)) = read.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.context("no length")?.parse::<usize>()? {
            let status = head.split(' ').nth(1).context("no status")?.parse()?;
            return Ok((status, serde_json::from_str(body)?));
        }
    }
}
