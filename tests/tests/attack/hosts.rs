//! A page in a browser whose own name leads to this machine (DNS rebinding): its requests carry that name as their Host.

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::session::Session;
use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::route;

const AWAY: (&str, &str) = ("away", "http://127.0.0.1:9/mcp");

async fn status(gateway: &DataPlane, path: &str, host: &str) -> Result<StatusCode> {
    let client = Client::builder().no_proxy().build()?;
    let request = client.get(gateway.admin(path)).header("host", host);
    Ok(request.send().await?.status())
}

#[tokio::test]
async fn the_admin_port_answers_to_addresses_and_to_names_that_the_route_lists() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let rest = "  transport: {hostnames: [admin.example.com]}\n  store: {memory: {}}";
    let gateway = DataPlane::start(dir.path(), &route(&[AWAY], rest), &[]).await?;
    for path in ["/status", "/metrics", "/openapi.json", "/livez", "/jobs"] {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:9464",
            "localhost:9464@evil.example",
            "localhost.evil.example",
        ] {
            assert_eq!(
                status(&gateway, path, host).await?,
                StatusCode::FORBIDDEN,
                "{host} {path}"
            );
        }
    }
    // The kubelet, Prometheus and the operator name a pod's address; people forward the port.
    for host in [
        "10.1.2.3:9464",
        "[fd00::12]:9464",
        "localhost:1234",
        "127.0.0.1",
        "admin.example.com",
    ] {
        for path in ["/livez", "/readyz", "/metrics", "/status"] {
            assert_eq!(
                status(&gateway, path, host).await?,
                StatusCode::OK,
                "{host} {path}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_api_server_with_a_name_reads_a_pods_port_and_a_page_in_a_browser_does_not() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let launch = Launch {
        everywhere: true,
        ..Launch::default()
    };
    let gateway = DataPlane::start_as(dir.path(), &route(&[AWAY], "  store: {memory: {}}"), launch).await?;
    let named = "kubernetes.example.com:6443";
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        assert_eq!(status(&gateway, path, named).await?, StatusCode::OK, "{path}");
        for (header, value) in [
            ("accept-language", "en"),
            ("sec-fetch-site", "same-origin"),
            ("user-agent", "Mozilla/5.0"),
            ("referer", "http://evil.example/"),
        ] {
            let client = Client::builder().no_proxy().build()?;
            let request = client.get(gateway.admin(path)).header("host", "evil.example");
            let answer = request.header(header, value).send().await?;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{header} {path}");
        }
    }
    // What has a token is asked for by an address or a name of ours.
    for path in ["/jobs", "/openapi.json"] {
        assert_eq!(
            status(&gateway, path, named).await?,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn user_info_before_a_foreign_host_does_not_pass_for_loopback() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let gateway = DataPlane::start(dir.path(), &route(&[AWAY], "  store: {memory: {}}"), &[]).await?;
    let nobody = Session::nowhere(&gateway.url())?;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    for (host, expected) in [("localhost:80@evil.example", 403), ("localhost:80", 400)] {
        let response = nobody.request(ping.clone()).header("host", host).send().await?;
        assert_eq!(response.status(), expected, "{host}");
    }
    Ok(())
}
