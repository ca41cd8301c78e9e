//! The binary that goes into the image, in a root that holds it, the certificates it trusts, and what a pod has.
//!
//! `ASYNCMCP_IMAGE_BINARY` names it; `make test ONLY=image` builds it and says so. Invariant: what is missing
//! here is missing in the image, too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::{Process, free_port};
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use asyncmcp_tests::{eventually, namespace};
use http::StatusCode;
use serde_json::json;
use standardwebhooks::Webhook;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";
/// Resolves without a file that says so.
const NAME: &str = "localhost";

fn binary() -> Result<PathBuf> {
    let named = std::env::var_os("ASYNCMCP_IMAGE_BINARY");
    named
        .map(PathBuf::from)
        .context("ASYNCMCP_IMAGE_BINARY is not set: run `make test ONLY=image`, which builds the binary")
}

/// What the image holds, and what a pod mounts into it.
fn furnish(root: &Path, route: &str, authority: &Authority) -> Result<()> {
    let binary = binary()?;
    std::fs::copy(&binary, root.join("asyncmcp-dataplane"))
        .with_context(|| format!("ASYNCMCP_IMAGE_BINARY={}", binary.display()))?;
    let certificates = root.join("etc/ssl/certs");
    std::fs::create_dir_all(&certificates)?;
    authority.write(&certificates.join("ca-certificates.crt"))?;
    let keys = root.join("refs/secrets/hooks");
    std::fs::create_dir_all(&keys)?;
    std::fs::write(keys.join("key"), SECRET)?;
    std::fs::create_dir(root.join("dev"))?;
    std::fs::create_dir(root.join("state"))?;
    Ok(std::fs::write(root.join("route.yaml"), route)?)
}

fn start(root: &Path, port: u16, log: &Path) -> Result<Process> {
    let line = namespace::within(root);
    let (program, arguments) = line.split_first().context("a program")?;
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.args(arguments).arg("/asyncmcp-dataplane");
    command.args([
        "--route",
        "/route.yaml",
        "--refs-dir",
        "/refs",
        "--state-dir",
        "/state",
    ]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--admin-listen", &format!("127.0.0.1:{}", free_port()?)]);
    Process::start(&mut command, log)
}

#[tokio::test]
async fn it_delivers_over_tls_and_writes_nowhere_but_to_its_state() -> Result<()> {
    let (root, outside) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let authority = Authority::new()?;
    let receiver = Receiver::start_at(authority.server(NAME)?, |_| async { StatusCode::OK }).await?;
    let example = Example::start(outside.path()).await?;
    furnish(
        root.path(),
        &route(&example.url, &receiver.url_as(NAME)),
        &authority,
    )?;
    let port = free_port()?;
    let mut process = start(root.path(), port, &outside.path().join("dataplane.log"))?;
    eventually(PATIENCE, || TcpStream::connect(("127.0.0.1", port))).await;
    let session = Session::open(&format!("http://127.0.0.1:{port}/mcp"), None).await?;
    let reply = session
        .call(1, "process_batch", &json!({"seconds": 0, "items": 1}))
        .await?;
    assert!(reply.is_acknowledgement(), "{}", reply.json());
    let seen = eventually(PATIENCE, || async {
        receiver.posts().pop().ok_or("nothing came")
    })
    .await;
    is_signed(&seen)?;
    process.terminate()?;
    assert_eq!(process.ended(PATIENCE).await.code(), Some(0));
    let left: std::io::Result<Vec<_>> = root
        .path()
        .read_dir()?
        .map(|entry| Ok(entry?.file_name()))
        .collect();
    let mut left = left?;
    left.sort();
    assert_eq!(
        left,
        ["asyncmcp-dataplane", "dev", "etc", "refs", "route.yaml", "state"]
    );
    Ok(())
}

fn is_signed(seen: &Post) -> Result<()> {
    let verified = Webhook::new(SECRET).and_then(|webhook| webhook.verify(&seen.body, &seen.headers));
    verified.map_err(|error| anyhow::anyhow!("{error}"))
}

fn route(server: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: image}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: process_batch}}
  webhook:
    retry: {{max: 8}}
    signing: {{secretRefs: [{{name: hooks, key: key}}]}}
    receivers: {{default: {{url: "{receiver}"}}}}
"#
    )
}
