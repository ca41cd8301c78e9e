//! The conformance suite of the MCP project judges both of the gateway's sides.
//!
//! As a server: the suite runs against a fixture of a stock SDK, and against the gateway in front of it. Invariant:
//! what passes there passes here, except what `tests/peers/conformance*.yaml` lists, and a stale line there fails too.

use std::process::{Command, Output};

use anyhow::Result;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::suite::{self, Expected, Found};
use asyncmcp_tests::peers::{Scene, Server};
use asyncmcp_tests::process::binary;

/// How many checks the fixture passes at least in the two sets; fewer would say that the suite found nothing to do.
const CHECKS: [(&str, &str, usize); 2] = [
    ("2025-11-25", "conformance.yaml", 80),
    ("2026-07-28", "conformance-modern.yaml", 140),
];

#[tokio::test]
async fn the_gateway_is_as_conformant_a_server_as_what_is_behind_it() -> Result<()> {
    let scene = Scene::new()?;
    let fixture = Server::fixture(&scene.peers, scene.dir()).await?;
    let behind = Behind {
        name: "fixture",
        url: &fixture.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], &[], None).await?;
    let mut surprises = Vec::new();
    for (version, expected, checks) in CHECKS {
        let directly = judged(&scene, &fixture.url, version, "directly").await?;
        assert!(directly.conformant, "{version}: {}", directly.summary);
        let alone = std::env::var_os(suite::ALONE).is_some();
        assert!(
            alone || directly.passed() >= checks,
            "{version}: {}",
            directly.summary
        );
        let through = judged(&scene, &gateway.url(), version, "through").await?;
        let expected = Expected::read(&scene.peers.script(expected))?;
        let lost = directly.surprises(&through, &expected);
        surprises.extend(lost.into_iter().map(|lost| format!("{version} {lost}")));
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    Ok(())
}

async fn judged(scene: &Scene, url: &str, version: &str, way: &str) -> Result<Found> {
    let dir = scene.dir().join(format!("{version}-{way}"));
    Found::at(url, version, &scene.peers, &dir).await
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
