//! A data plane in front of the example server, with a client and receivers, for one test.
//!
//! Invariant: everything listens on loopback, on ports of its own, and ends with the test.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use asyncmcp_client::{Client, Config, RawValue, Receiver, ReceiverOptions};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::free_port;
use http::StatusCode;
use tempfile::TempDir;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What a test needs to make and see a delivery.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) dataplane: DataPlane,
    _example: Example,
}

impl World {
    /// Starts it; `telemetry` is the route's field of that name, as YAML flow.
    pub(crate) async fn start(telemetry: &str) -> Result<Self> {
        // Somebody else in this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir()?;
        let example = Example::start(dir.path()).await?;
        let route = route(&example.url, telemetry)?;
        let dataplane = DataPlane::start(dir.path(), &route, &[]).await?;
        Ok(Self {
            dir,
            dataplane,
            _example: example,
        })
    }

    /// A session; what it calls goes to `receiver`.
    pub(crate) async fn client(&self, receiver: &str) -> Result<Client> {
        let config = Config {
            server_url: self.dataplane.url(),
            webhook_url: Some(receiver.to_owned()),
            ..Config::default()
        };
        Ok(Client::connect(&config).await?)
    }

    /// Has the client call the webhook tool.
    pub(crate) async fn process_batch(client: &Client) -> Result<()> {
        let arguments = RawValue::from_string(r#"{"seconds": 0.05, "items": 1}"#.to_owned())?;
        client.call_tool("process_batch", arguments, |_| {}).await?;
        Ok(())
    }
}

/// A receiver that refuses the first `fail_first` attempts of each delivery with `status`.
pub(crate) async fn receiver(fail_first: u32, status: StatusCode) -> Result<Receiver> {
    let options = ReceiverOptions {
        fail_first,
        fail_status: status,
        ..ReceiverOptions::default()
    };
    Receiver::bind(LOOPBACK, options).await.context("the receiver")
}

/// One server answers, the other cannot be reached.
fn route(server: &str, telemetry: &str) -> Result<String> {
    let nobody = free_port()?;
    Ok(format!(
        "apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: monitored, namespace: tools}}
spec:
  servers:
  - {{name: example, url: \"{server}\"}}
  - {{name: absent, toolPrefix: absent_, url: \"http://127.0.0.1:{nobody}/mcp\"}}
  webhookTools: [{{name: process_batch}}]
  webhook:
    retry: {{max: 3, exponential: {{initial: 20ms}}}}
    receivers:
      fromClients:
        policy: Allowlist
        allowedHosts: [\"127.0.0.1\"]
        allowedCidrs: [127.0.0.0/8]
        schemes: [http]
  telemetry: {telemetry}
"
    ))
}
