//! One trace, from the caller's `traceparent` to the receiver's, complete at a real collector.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_client::Attempt;
use asyncmcp_tests::collector::{Collector, Span};
use asyncmcp_tests::eventually;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};

use crate::world::{World, receiver};

/// The exporter sends every 5 s.
const SOON: Duration = Duration::from_secs(30);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

pub(crate) fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// A POST as a client makes it, with these headers more.
pub(crate) async fn post(world: &World, headers: HeaderMap, body: &Value) -> Result<HeaderMap> {
    let request = reqwest::Client::new()
        .post(world.dataplane.url())
        .headers(headers)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let response = request.body(body.to_string()).send().await?.error_for_status()?;
    Ok(response.headers().clone())
}

/// Opens a session whose results go to `receiver`; the headers that belong to it.
pub(crate) async fn session(world: &World, receiver: &str) -> Result<HeaderMap> {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        "_meta": {"webhookUrl": receiver},
    }});
    let answer = post(world, HeaderMap::new(), &initialize).await?;
    let id = answer.get("mcp-session-id").context("no session id")?;
    Ok(HeaderMap::from_iter([(
        HeaderName::from_static("mcp-session-id"),
        id.clone(),
    )]))
}

pub(crate) fn call(meta: &Value) -> Value {
    let arguments = json!({"seconds": 0.05, "items": 1});
    let params = json!({"name": "process_batch", "arguments": arguments, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
}

/// Trace and span id of the `traceparent` that came with an attempt.
fn context(attempt: &Attempt) -> Result<(String, String)> {
    let header = attempt.header("traceparent").context("no traceparent")?;
    match header.split('-').collect::<Vec<_>>()[..] {
        ["00", trace, span, "01"] => Ok((trace.to_owned(), span.to_owned())),
        _ => anyhow::bail!("{header}"),
    }
}

/// The only span of which `is` holds, as soon as the collector has it.
pub(crate) async fn span(collector: &Collector, what: &str, is: impl Fn(&Span) -> bool) -> Span {
    eventually(SOON, || async {
        let spans = collector.spans();
        match spans.iter().filter(|span| is(span)).collect::<Vec<_>>()[..] {
            [span] => Ok(span.clone()),
            ref found => Err(format!("{} spans {what} among {spans:#?}", found.len())),
        }
    })
    .await
}

/// The accepting span continues the caller's trace; the execution is linked to it and holds the server's call.
pub(crate) async fn assert_executed(collector: &Collector) -> Span {
    let accepted = span(collector, "of the accepted call", |span| span.parent == CALLER).await;
    assert_eq!(
        (accepted.trace.as_str(), accepted.kind.as_str()),
        (TRACE, "SPAN_KIND_SERVER")
    );
    assert_eq!(accepted.name, "tools/call process_batch");
    let executed = span(collector, "of the execution", |span| {
        span.name == "execute process_batch"
    })
    .await;
    assert_eq!(executed.links, [accepted.context()]);
    let at_server = span(collector, "of the server's call", |span| {
        span.kind == "SPAN_KIND_CLIENT" && span.name == "tools/call process_batch"
    })
    .await;
    assert_eq!(
        (&at_server.trace, &at_server.parent),
        (&executed.trace, &executed.id)
    );
    accepted
}

/// The span that the receiver was told of is an attempt, linked to the accepting one.
async fn assert_attempted(
    collector: &Collector,
    accepted: &Span,
    attempt: &Attempt,
    resent: u32,
) -> Result<()> {
    let here = context(attempt)?;
    let attempted = span(collector, "of the attempt", |span| span.context() == here).await;
    assert_eq!(attempted.links, [accepted.context()]);
    let status = attempt.status.as_u16();
    for attribute in [
        format!("http.request.resend_count: Int({resent})"),
        format!("http.response.status_code: Int({status})"),
    ] {
        assert!(attempted.has(&attribute), "{attribute} of {attempted:?}");
    }
    Ok(())
}

/// Calls with the caller's context in `headers` or in `meta`, and follows it to the second attempt.
async fn follow(otlp: impl Fn(&Collector) -> String, headers: HeaderMap, meta: Value) -> Result<()> {
    let files = tempfile::tempdir()?;
    let collector = Collector::start(files.path()).await?;
    // What is exported does not depend on what is logged.
    let telemetry = format!("{{logLevel: warn, otlp: {}}}", otlp(&collector));
    let world = World::start(&telemetry).await?;
    let mut receiver = receiver(1, StatusCode::SERVICE_UNAVAILABLE).await?;
    let mut all = session(&world, &receiver.url()).await?;
    all.extend(headers);
    post(&world, all, &call(&meta)).await?;
    let first = receiver.next().await.context("no attempt")?;
    let second = receiver.next().await.context("no second attempt")?;
    let accepted = assert_executed(&collector).await;
    assert_attempted(&collector, &accepted, &first, 0).await?;
    assert_attempted(&collector, &accepted, &second, 1).await
}

#[tokio::test]
async fn a_callers_trace_reaches_the_receiver_over_http() -> Result<()> {
    let header = (HeaderName::from_static("traceparent"), traceparent().parse()?);
    let otlp = |collector: &Collector| format!("{{endpoint: \"{}\"}}", collector.http);
    follow(otlp, HeaderMap::from_iter([header]), json!({})).await
}

#[tokio::test]
async fn a_trace_named_in_the_call_itself_is_taken_and_exported_over_grpc() -> Result<()> {
    let otlp = |collector: &Collector| format!("{{endpoint: \"{}\", protocol: grpc}}", collector.grpc);
    follow(otlp, HeaderMap::new(), json!({"traceparent": traceparent()})).await
}
