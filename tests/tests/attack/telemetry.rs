//! A collector that sends spans, and the token beside them, on to somebody else; and a caller that asks for all of its traces
//! to be recorded.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::{Answer, Receiver, following};
use asyncmcp_tests::session::{Session, answer};
use serde_json::json;

use crate::route;

/// The exporter sends every five seconds.
const SOON: Duration = Duration::from_secs(30);

/// Where nobody should ever come.
async fn trap() -> Result<Receiver> {
    Ok(Receiver::start(following([Answer::status(200)])).await?)
}

/// Opens sessions, which are traced, until the collector was sent spans so many times.
async fn exported(gateway: &DataPlane, collector: &Receiver, times: usize) {
    eventually(SOON, || async {
        let opened = Session::open(&gateway.url(), None).await;
        opened.map_err(|error| error.to_string())?;
        let exports = collector.count();
        if exports >= times {
            Ok(())
        } else {
            Err(format!("{exports} exports"))
        }
    })
    .await;
}

fn traced(endpoint: &str) -> String {
    let otlp = format!("{{endpoint: '{endpoint}', headers: [{{name: x-api-key, value: token}}]}}");
    route(
        &[("away", "http://127.0.0.1:9/mcp")],
        &format!("  telemetry: {{otlp: {otlp}}}\n  store: {{memory: {{}}}}"),
    )
}

#[tokio::test]
async fn spans_follow_no_redirect_and_use_no_proxy() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (elsewhere, proxy) = (trap().await?, trap().await?);
    let redirect = Answer::with(307, &format!("Location: {}", elsewhere.url("/v1/traces")));
    let collector = Receiver::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), following([redirect])).await?;
    let env = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name.to_owned(), proxy.url("")));
    let launch = Launch {
        env: env.into(),
        ..Launch::default()
    };
    let gateway = DataPlane::start_as(dir.path(), &traced(&collector.url("")), launch).await?;
    // The second export: what the first one's redirect led to has happened by then.
    exported(&gateway, &collector, 2).await;
    assert_eq!(collector.posts()[0].header("x-api-key"), "token");
    assert_eq!((elsewhere.connections(), proxy.connections()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn a_caller_cannot_have_its_traces_recorded_where_the_route_records_none() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let collector = trap().await?;
    let text = |percent: u8| {
        let telemetry = format!(
            "{{otlp: {{endpoint: '{}'}}, samplingPercent: {percent}}}",
            collector.url("")
        );
        let rest = format!("  telemetry: {telemetry}\n  store: {{memory: {{}}}}");
        route(&[("away", "http://127.0.0.1:9/mcp")], &rest)
    };
    let gateway = DataPlane::start(dir.path(), &text(0), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let asking = |flags: &str| {
        let header = format!("00-{trace}-00f067aa0ba902b7-{flags}");
        session.request(ping.clone()).header("traceparent", header)
    };
    for _ in 0..20 {
        assert_eq!(answer(asking("01")).await?.status, 200);
    }
    // What was recorded before is sent before anything that is recorded after this.
    gateway.edit(&text(100))?;
    exported(&gateway, &collector, 1).await;
    let bytes = u128::from_str_radix(trace, 16)?.to_be_bytes();
    let recorded = collector.posts();
    let mut bodies = recorded.iter().map(|post| &post.body);
    assert!(!bodies.any(|body| body.windows(16).any(|part| part == bytes)));
    Ok(())
}
