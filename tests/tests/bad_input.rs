//! Bad input from everybody who gives some: clients, whoever writes a route, whoever writes a command line.
//!
//! Invariant: each gets a clear error that says what is wrong, and a process that served still serves.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Result, ensure};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::{Process, binary, free_port};
use asyncmcp_tests::session::{Reply, Session, answer};
use reqwest::Body;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A route that cannot be served (`EX_CONFIG`).
const BAD_ROUTE: i32 = 78;
/// A command line that cannot be read.
const BAD_FLAGS: i32 = 2;
const PATIENCE: Duration = Duration::from_secs(20);
const TOO_MUCH: usize = 5 << 20;
const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

const HEAD: &str = "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {name: bad}\n";

fn route(server: &str) -> String {
    format!("{HEAD}spec:\n  servers:\n  - {{name: example, url: \"{server}\"}}\n")
}

/// A call of a tool, with these `params`.
fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#)
}

/// Checks an answer: its status, the error's code, and a part of what it says.
fn says(reply: &Reply, status: u16, code: i64, words: &str) -> Result<()> {
    let error = reply.json()["error"].clone();
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(
        reply.status == status && error["code"] == code && message.contains(words),
        "HTTP {} {}, not HTTP {status} {code} {words:?}",
        reply.status,
        reply.json()
    );
    Ok(())
}

#[tokio::test]
async fn clients_that_send_nonsense_are_told_so_and_others_are_served() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let mut gateway = DataPlane::start(dir.path(), &route(&example.url), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    bodies(&session).await?;
    headers(&session).await?;
    sizes(&session).await?;
    no_http(&gateway.url()).await?;
    let reply = session.call(8, "echo", &json!({"text": "still here"})).await?;
    assert_eq!(reply.json()["result"]["content"][0]["text"], "still here");
    assert!(gateway.process.is_running()?);
    let log = gateway.process.output();
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}

async fn bodies(session: &Session) -> Result<()> {
    let twice = call(r#"{"name":"echo","name":"process_batch"}"#);
    for (body, status, code, words) in [
        ("{".to_owned(), 400, -32700, "not valid JSON"),
        (String::new(), 400, -32700, "not valid JSON"),
        ("5".to_owned(), 400, -32600, "not a JSON-RPC message"),
        (
            r#"{"id":7,"method":"ping"}"#.to_owned(),
            400,
            -32600,
            "`jsonrpc` must be",
        ),
        (twice, 400, -32600, "name"),
        (format!("[{PING}]"), 400, -32600, "2025-03-26"),
        ("[".repeat(100_000), 400, -32600, "nested deeper"),
        (call("{}"), 200, -32602, "params.name"),
        (
            call(r#"{"name":"misspelt"}"#),
            200,
            -32602,
            "unknown tool: \"misspelt\"",
        ),
        (
            PING.replace("ping", "pong"),
            200,
            -32601,
            "\"pong\" is not offered",
        ),
    ] {
        says(&session.post(body).await?, status, code, words)?;
    }
    Ok(())
}

async fn headers(session: &Session) -> Result<()> {
    for (name, value, status, words) in [
        ("content-type", "text/plain", 415, "application/json"),
        ("accept", "text/html", 406, "text/event-stream"),
        (
            "origin",
            "http://evil.example.com",
            403,
            "transport.allowedOrigins",
        ),
        ("host", "evil.example.com", 403, "transport.hostnames"),
    ] {
        let request = session.request(PING).header(name, value);
        let mut request = request.build()?;
        request.headers_mut().remove(name);
        request.headers_mut().insert(name, value.parse()?);
        let reply = answer(reqwest::RequestBuilder::from_parts(
            reqwest::Client::new(),
            request,
        ))
        .await?;
        says(&reply, status, -32600, words)?;
    }
    let nobody = session.with_id("v1.nobody");
    says(&nobody.post(PING).await?, 404, -32600, "session")?;
    says(
        &session.with_id("").post(PING).await?,
        400,
        -32600,
        "missing session",
    )
}

/// With and without an announced length: both are told, and neither is cut before it could read it.
async fn sizes(session: &Session) -> Result<()> {
    let body = vec![b' '; TOO_MUCH];
    says(
        &session.post(body.clone()).await?,
        413,
        -32600,
        "transport.maxRequestSize",
    )?;
    let chunks: Vec<Result<_, std::io::Error>> =
        body.chunks(64 * 1024).map(|chunk| Ok(chunk.to_vec())).collect();
    let chunked = Body::wrap_stream(futures::stream::iter(chunks));
    says(
        &session.post(chunked).await?,
        413,
        -32600,
        "transport.maxRequestSize",
    )
}

async fn no_http(url: &str) -> Result<()> {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"EHLO mail.example.com\r\n\r\n").await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    ensure!(said.starts_with("HTTP/1.1 400 "), "{said:?}");
    Ok(())
}

/// Runs the data plane to its end; its exit status and what it wrote.
async fn refused(dir: &Path, arguments: &[&str]) -> Result<(ExitStatus, String)> {
    let log = tempfile::NamedTempFile::new_in(dir)?;
    let mut command = Command::new(binary("asyncmcp-dataplane")?);
    let mut process = Process::start(command.current_dir(dir).args(arguments), log.path())?;
    Ok((process.ended(PATIENCE).await, process.output()))
}

#[tokio::test]
async fn a_bad_route_is_refused_with_the_place_of_the_mistake() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let good = route("http://127.0.0.1:1/mcp");
    for (name, document, words) in [
        (
            "broken YAML",
            format!("{HEAD}spec:\n  servers: [\n  - a\n"),
            "line 6",
        ),
        ("a tab", format!("{good}\twebhook: {{}}\n"), "line 7"),
        (
            "a key twice",
            format!("{good}  servers: []\n"),
            "duplicate key \"servers\"",
        ),
        ("no route", "kind: Pod\n".to_owned(), "no McpWebhookRoute found"),
        (
            "a wrong type",
            format!("{good}  webhook: {{retry: {{max: many}}}}\n"),
            "spec.webhook.retry.max",
        ),
        (
            "a misspelt field",
            format!("{good}  webhok: {{}}\n"),
            "spec.webhok: unknown field; did you mean webhook?",
        ),
        (
            "a broken rule",
            format!("{good}  webhook: {{retry: {{max: 51}}}}\n"),
            "spec.webhook.retry.max",
        ),
        ("a bad URL", route("ftp://example.com"), "spec.servers[0].url"),
        (
            "a Service on a laptop",
            format!("{HEAD}spec:\n  servers:\n  - {{name: tools, service: {{name: tools, port: 80}}}}\n"),
            "pass --server tools=URL",
        ),
    ] {
        let file = dir.path().join("bad.yaml");
        std::fs::write(&file, document)?;
        for mode in [&["--check"][..], &[]] {
            let arguments = [&["--route", "bad.yaml"], mode].concat();
            let (status, said) = refused(dir.path(), &arguments).await?;
            assert_eq!(status.code(), Some(BAD_ROUTE), "{name}: {said}");
            assert!(said.contains(words), "{name}: {words:?} is not in {said:?}");
        }
    }
    let (status, said) = refused(dir.path(), &["--route", "none.yaml"]).await?;
    assert_eq!(status.code(), Some(BAD_ROUTE));
    assert!(said.contains("none.yaml"), "{said}");
    Ok(())
}

#[tokio::test]
async fn bad_flags_are_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("good.yaml"), route("http://127.0.0.1:1/mcp"))?;
    let good = ["--route", "good.yaml"];
    for (arguments, words) in [
        (&[][..], "--route"),
        (&["--config-dir", "here"], "--config-dir"),
        (&["--listen", "here"], "--listen"),
        (&["--server", "example"], "NAME=URL"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let line = if arguments.is_empty() {
            Vec::new()
        } else {
            [&good[..], arguments].concat()
        };
        let (status, said) = refused(dir.path(), &line).await?;
        assert_eq!(status.code(), Some(BAD_FLAGS), "{arguments:?}: {said}");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
    let unknown = [&good[..], &["--server", "nobody=http://127.0.0.1:1/mcp"]].concat();
    let (status, said) = refused(dir.path(), &unknown).await?;
    assert_eq!(status.code(), Some(BAD_ROUTE), "{said}");
    assert!(said.contains("no server of that name"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_a_start_needs_and_does_not_get_is_named_by_its_flag() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("good.yaml"), route("http://127.0.0.1:1/mcp"))?;
    std::fs::write(dir.path().join("file"), "no directory")?;
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_port()?))?;
    let taken = taken.local_addr()?.to_string();
    let free = format!("127.0.0.1:{}", free_port()?);
    for (listen, admin, state, words) in [
        (&taken, &free, "state", "--listen"),
        (&free, &taken, "state", "--admin-listen"),
        (
            &"127.0.0.1:0".to_owned(),
            &"127.0.0.1:0".to_owned(),
            "file",
            "--state-dir",
        ),
    ] {
        let line = [
            "--route",
            "good.yaml",
            "--listen",
            listen,
            "--admin-listen",
            admin,
            "--state-dir",
            state,
        ];
        let (status, said) = refused(dir.path(), &line).await?;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
    Ok(())
}
