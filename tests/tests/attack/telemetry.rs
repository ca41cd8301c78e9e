//! A collector that sends spans, and the token beside them, on to somebody else.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::receiver::{Answer, Receiver, following};
use asyncmcp_tests::session::Session;

use crate::route;

/// The exporter sends every five seconds.
const SOON: Duration = Duration::from_secs(30);

/// Where nobody should ever come.
async fn trap() -> Result<Receiver> {
    Ok(Receiver::start(following([Answer::status(200)])).await?)
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
    Session::open(&gateway.url(), None).await?;
    let exports = collector.answered(1, SOON).await;
    assert_eq!(exports[0].header("x-api-key"), "token");
    // The second export: what the first one's redirect led to has happened by then.
    Session::open(&gateway.url(), None).await?;
    collector.answered(2, SOON).await;
    assert_eq!((elsewhere.connections(), proxy.connections()), (0, 0));
    Ok(())
}
