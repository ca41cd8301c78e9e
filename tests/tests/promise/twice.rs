//! A proxy that runs the tool and then answers a status: the tool runs once, and its receiver is told the truth.
//!
//! A row of the table is a status, the moment of it, and what may be concluded. Invariant: the tool's executions
//! are counted where it runs, not where its answer is seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::scene::{SOON, answers, route};

/// A status, its body, and what the receiver is to be told: the code of the JSON-RPC error.
const ROWS: &[(u16, &str, i64)] = &[
    (400, "no", UNKNOWN),
    (400, "the database session broke", UNKNOWN),
    (400, CHARGED, 1),
    (403, "no", UNKNOWN),
    (404, CHARGED, 1),
    (408, "", UNKNOWN),
    (409, "", UNKNOWN),
    (413, "", UNKNOWN),
    (422, "", UNKNOWN),
    (429, "", UNKNOWN),
    (500, "", UNKNOWN),
    (502, "", UNKNOWN),
    (503, "upstream connect error", UNKNOWN),
    (503, CHARGED, 1),
    (504, "", UNKNOWN),
];
const UNKNOWN: i64 = -31003;
/// A call that finds the server at capacity once, and is not run then.
const FULL: usize = 1000;
const CHARGED: &str =
    r#"{"jsonrpc":"2.0","id":ID,"error":{"code":1,"message":"charged, but the session broke"}}"#;
/// Two rounds of any back-off: what is sent again is sent again by then.
const A_WHILE: Duration = Duration::from_secs(4);

type Runs = Arc<Mutex<HashMap<usize, usize>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_run_once_runs_once_whatever_a_proxy_answers() -> Result<()> {
    let (server, runs, _serving) = proxy().await?;
    let receiver = Receiver::willing().await?;
    let dir = tempfile::tempdir()?;
    let route = route(&server, "charge", &receiver.url("/hook"), "{max: 0}");
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    for row in 0..ROWS.len() {
        let reply = session.call(row as u64, "charge", &json!({"row": row})).await?;
        reply
            .job()
            .with_context(|| format!("row {row}: {}", reply.json()))?;
    }
    let posts = receiver.answered(ROWS.len(), SOON).await;
    tokio::time::sleep(A_WHILE).await; // nothing is to happen, and only time shows it
    for (row, (status, body, code)) in ROWS.iter().enumerate() {
        let told = answers(&posts, row as u64);
        let [told] = &told[..] else {
            anyhow::bail!("{status} {body}: {told:?}")
        };
        assert_eq!(told["error"]["code"], *code, "{status} {body}: {told}");
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.contains("did not run"), "{status} {body}: {message}");
        let ran = runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&row)
            .copied();
        assert_eq!(ran, Some(1), "{status} {body}");
    }
    Ok(())
}

/// The route may vouch for a server that answers 503 only before it runs anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_the_route_vouches_for_lets_the_call_be_sent_again() -> Result<()> {
    let (server, runs, _serving) = proxy().await?;
    let receiver = Receiver::willing().await?;
    let dir = tempfile::tempdir()?;
    let route = route(&server, "charge", &receiver.url("/hook"), "{max: 0}");
    let listed = route.replace(
        &format!("url: \"{server}\""),
        &format!("url: \"{server}\", notDispatched: [503]"),
    );
    let gateway = DataPlane::start(dir.path(), &listed, &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let reply = session.call(1, "charge", &json!({"row": FULL})).await?;
    reply.job().with_context(|| reply.json().to_string())?;
    let posts = receiver.answered(1, SOON).await;
    let told = answers(&posts, 1);
    assert_eq!(told[0]["result"], json!({"content": []}), "{told:?}");
    let asked = runs.lock().unwrap_or_else(PoisonError::into_inner)[&FULL];
    assert_eq!(asked, 2, "refused once, then run");
    Ok(())
}

/// A server that runs the tool and answers as the row says.
async fn proxy() -> Result<(String, Runs, JoinSet<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let runs = Runs::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&runs));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        // axum retries what can be retried; there is no error left to report.
        let _ = axum::serve(listener, app).await;
    });
    eventually(SOON, || {
        tokio::net::TcpStream::connect(
            url.trim_start_matches("http://")
                .trim_end_matches("/mcp")
                .to_owned(),
        )
    })
    .await;
    Ok((url, runs, serving))
}

async fn answer(State(runs): State<Runs>, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "0"}})
        }
        "tools/list" => json!({"tools": [{"name": "charge", "inputSchema": {"type": "object"}}]}),
        "tools/call" => return ran(&runs, &message),
        _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => json!({}),
    };
    let session = [("content-type", "application/json"), ("mcp-session-id", "one")];
    (
        session,
        json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string(),
    )
        .into_response()
}

fn ran(runs: &Runs, message: &Value) -> Response {
    let row = message["params"]["arguments"]["row"].as_u64().unwrap_or_default();
    let row = usize::try_from(row).unwrap_or_default();
    let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    let count = runs.entry(row).or_default();
    *count += 1;
    let (status, body) = match (row, *count) {
        (FULL, 1) => (503, "at capacity"),
        (FULL, _) => (200, r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}"#),
        _ => (ROWS[row].0, ROWS[row].1),
    };
    let body = body.replace("ID", &message["id"].to_string());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    (status, [("content-type", "application/json")], body).into_response()
}
