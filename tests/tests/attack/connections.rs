//! One address opens as many connections as it can, and sends nothing or half a request on them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const ROUTE: &str = "
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: attacked}
spec:
  servers:
  - {name: away, url: 'http://127.0.0.1:9/mcp'}
  store: {memory: {}}
";
/// What the process may have of descriptors, and what the attacker would like to.
const DESCRIPTORS: u64 = 256;
const CONNECTIONS: usize = 300;
const HALF: &[u8] = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-";
const SOON: Duration = Duration::from_secs(20);

/// Who initializes a session from `address`; each request on a connection of its own.
async fn initialize(gateway: &DataPlane, address: Ipv4Addr) -> Result<StatusCode> {
    let client = Client::builder()
        .local_address(IpAddr::V4(address))
        .no_proxy()
        .timeout(SOON)
        .build()?;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let request = client
        .post(gateway.url())
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(message.to_string());
    Ok(request.send().await?.status())
}

#[tokio::test]
async fn whoever_fills_the_mcp_port_leaves_the_admin_port_and_other_addresses_theirs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let launch = Launch {
        around: vec![
            "prlimit".to_owned(),
            format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}"),
        ],
        ..Launch::default()
    };
    let gateway = DataPlane::start_as(dir.path(), ROUTE, launch).await?;
    let host = gateway.url().replace("http://", "").replace("/mcp", "");
    let mut held = Vec::new();
    for number in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&host).await?;
        if number % 2 == 0 {
            // One that is refused already may be closed.
            let _closed = stream.write_all(HALF).await;
        }
        held.push(stream);
    }
    eventually(SOON, || async {
        let refused = gateway.metric("asyncmcp_connections_refused_total", &[r#"port="mcp""#]);
        let refused = refused.await.map_err(|error| error.to_string())?;
        if refused >= 204.0 {
            Ok(())
        } else {
            Err(format!("{refused} were refused"))
        }
    })
    .await;
    let open = gateway.metric("asyncmcp_connections", &[r#"port="mcp""#]).await?;
    assert!((1.0..=96.0).contains(&open), "{open} are open");
    let live = reqwest::get(gateway.admin("/livez")).await?;
    assert_eq!(live.status(), StatusCode::OK);
    let other = initialize(&gateway, Ipv4Addr::new(127, 0, 0, 2)).await?;
    assert_eq!(other, StatusCode::OK, "another address gets in");
    // Not everybody who is refused is told why: that takes descriptors, too.
    let refused = initialize(&gateway, Ipv4Addr::LOCALHOST).await;
    assert!(
        !matches!(refused, Ok(status) if status != StatusCode::SERVICE_UNAVAILABLE),
        "{refused:?}"
    );

    drop(held);
    eventually(SOON, || async {
        let again = initialize(&gateway, Ipv4Addr::LOCALHOST).await;
        let again = again.context("no answer").map_err(|error| format!("{error:#}"))?;
        if again == StatusCode::OK {
            Ok(())
        } else {
            Err(again.to_string())
        }
    })
    .await;
    Ok(())
}
