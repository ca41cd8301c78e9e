//! How clients of both eras find out what the gateway speaks, also on one connection and in the wrong order.
//!
//! Invariant: each message has the answer of its own era, whatever came before it on the connection.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::modern::{Modern, VERSION};
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{SOON, Scene};

/// One HTTP/1.1 connection, on which requests follow each other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(scene: &Scene) -> Result<Self> {
        let url = scene.gateway.url();
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches("/mcp")
            .to_owned();
        Ok(Self(BufReader::new(TcpStream::connect(address).await?)))
    }

    /// POSTs `body`; returns the status and the JSON of the answer, which comes before [`SOON`] is over.
    async fn post(&mut self, headers: &[(&str, &str)], body: &Value) -> Result<(u16, Value)> {
        let body = body.to_string();
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        self.0.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
        timeout(SOON, self.read()).await.context("no answer")?
    }

    async fn read(&mut self) -> Result<(u16, Value)> {
        let (mut status, mut length) = (0, 0);
        for at in 0.. {
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if at == 0 {
                status = line.split(' ').nth(1).context("a status line")?.parse()?;
            }
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}})
}

#[tokio::test]
async fn a_client_of_both_eras_finds_each_on_one_connection() {
    let server = McpServer::start(&["t"]).await;
    let scene = Scene::of(&server, "").await.unwrap();
    let modern = Modern::new(&scene.gateway.url()).unwrap();
    let discover = modern.body(1, "server/discover", json!({}));
    let headers = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "server/discover"),
    ];
    let bare = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"});
    let list = modern.body(3, "tools/list", json!({}));
    let listing = [("mcp-protocol-version", VERSION), ("mcp-method", "tools/list")];
    let mut connection = Connection::open(&scene).await.unwrap();
    // A probe without modern headers is one of the legacy era without a session; with a body of one era only, a mismatch.
    for (headers, body, status, code) in [
        (&[][..], &bare, 400, -32600),
        (&[], &discover, 400, -32020),
        (&headers[..1], &bare, 400, -32602),
        (&listing, &discover, 400, -32020),
        (&headers, &list, 400, -32020),
        (&[], &initialize(), 200, 0),
        (&headers, &discover, 200, 0),
        (&listing, &list, 200, 0),
        (&[], &initialize(), 200, 0),
    ] {
        let (got, answer) = connection.post(headers, body).await.unwrap();
        let error = answer["error"]["code"].as_i64().unwrap_or(0);
        assert_eq!((got, error), (status, code), "{headers:?} {body}: {answer}");
        // Without a session nothing of a legacy message is looked at, not even its id.
        let id = if code == -32600 { &Value::Null } else { &body["id"] };
        assert_eq!(&answer["id"], id, "{headers:?} {body}: {answer}");
    }
}

#[tokio::test]
async fn two_eras_at_once_do_not_touch_each_other() {
    let server = McpServer::start(&["t"]).await;
    let scene = Scene::of(&server, "").await.unwrap();
    let modern = Modern::new(&scene.gateway.url()).unwrap();
    let legacy = Session::open(&scene.gateway.url(), None).await.unwrap();
    let none = json!({});
    for id in 0..5 {
        let (one, other) = tokio::join!(modern.call(id, "t", json!({})), legacy.call(id, "t", &none));
        let (one, other) = (one.unwrap().json(), other.unwrap().json());
        assert_eq!((&one["id"], &other["id"]), (&id.into(), &id.into()));
        assert_eq!(one["result"]["resultType"], "complete");
        assert!(other["result"].get("resultType").is_none(), "{other}");
    }
    let calls = server.seen("tools/call");
    let sessions: std::collections::BTreeSet<_> = calls
        .iter()
        .map(|call| call.headers["mcp-session-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!((calls.len(), sessions.len()), (10, 2));
}
