//! The conformance suite of the MCP project judges both of the gateway's sides.
//!
//! Invariant: what is known to fail is listed in `tests/peers/conformance*.yaml`, and a stale line there fails too.

use std::process::{Command, Output};

use anyhow::Result;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Scene, Server};
use asyncmcp_tests::process::binary;

#[tokio::test]
async fn the_gateway_is_a_conformant_server_of_tools() -> Result<()> {
    let passed = "✓ tools-call-sampling: 2 passed, 0 failed";
    judges_the_server("2025-11-25", "conformance.yaml", passed).await
}

#[tokio::test]
async fn the_gateway_is_a_conformant_server_of_tools_in_the_modern_era() -> Result<()> {
    let passed = "✓ http-header-validation: 14 passed, 0 failed";
    judges_the_server("2026-07-28", "conformance-modern.yaml", passed).await
}

/// What is listed in `expected` may fail; beside it, the suite found something to do, such as `passed`.
async fn judges_the_server(version: &str, expected: &str, passed: &str) -> Result<()> {
    let scene = Scene::new()?;
    let fixtures = Server::fixtures(&scene.peers, scene.dir()).await?;
    let behind = Behind {
        name: "fixtures",
        url: &fixtures.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], &[], None).await?;
    let mut suite = scene.peers.conformance()?;
    suite.args(["server", "--url", &gateway.url(), "--requirements", version]);
    suite.arg("--expected-failures").arg(scene.peers.script(expected));
    let output = run(suite, &scene).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", summary(&said));
    assert!(said.contains(passed), "{}", summary(&said));
    Ok(())
}

/// The suite plays the server; `through.mjs` puts a data plane in front of it and calls a tool there.
#[tokio::test]
async fn the_gateway_is_a_conformant_client_of_servers() {
    let scene = Scene::new().unwrap();
    let dataplane = binary("asyncmcp-dataplane").unwrap();
    let through = scene.peers.script("through.mjs");
    let command = format!("node {} {}", through.display(), dataplane.display());
    for scenario in ["initialize", "tools_call", "sse-retry"] {
        let mut suite = scene.peers.conformance().unwrap();
        suite.args(["client", "--command", &command, "--scenario", scenario]);
        suite.args(["--spec-version", "2025-11-25", "--timeout", "120000"]);
        let output = run(suite, &scene).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("OVERALL: PASSED"), "{said}");
    }
}

async fn run(mut suite: Command, scene: &Scene) -> Result<Output> {
    suite.arg("--output-dir").arg(scene.dir().join("conformance"));
    Ok(tokio::task::spawn_blocking(move || suite.output()).await??)
}

fn summary(said: &str) -> &str {
    said.find("=== SUMMARY ===").map_or(said, |at| &said[at..])
}
