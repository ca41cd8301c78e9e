//! Addresses that no webhook, no server and no collector may be at: written out, and behind a name.
//!
//! What is behind a name is tried in a network namespace in which such an address is on loopback, so that what is dialled
//! answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use asyncmcp_tests::attempt::Attempt;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::dns::{Answer, NameServer};
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::process::binary;
use asyncmcp_tests::receiver::{Receiver, following};
use asyncmcp_tests::session::Session;
use asyncmcp_tests::{eventually, namespace, receiver};
use serde_json::json;

use crate::{SOON, route};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const MEMORY: &str = "  store: {memory: {}}";
/// Names that lead to a public address, and to one that is neither public nor in a row of the usual tables.
const HOSTS: &str = "127.0.0.1 localhost
93.184.215.14 siit.example.com dummy.example.com unassigned.example.com as112.example.com
::ffff:0:127.0.0.1 siit.example.com
100:0:0:1::1 dummy.example.com
4000::1 unassigned.example.com
2620:4f:8000::1 as112.example.com
";

fn launch(dir: &Path) -> Result<Launch> {
    let (hosts, resolv) = (dir.join("hosts"), dir.join("resolv.conf"));
    std::fs::write(&hosts, HOSTS)?;
    std::fs::write(&resolv, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
    Ok(Launch {
        around: namespace::with_names(&hosts, &resolv),
        ..Launch::default()
    })
}

#[tokio::test]
async fn a_name_with_an_address_outside_the_public_internet_is_not_dialled() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["work"]).await;
    let rest = format!(
        "  webhookTools: [{{name: work}}]\n  webhook: {{receivers: {{fromClients: {{allowedHosts: ['*.example.com'], schemes: [http]}}}}}}\n{MEMORY}"
    );
    let text = route(&[("a", &server.url())], &rest);
    let gateway = DataPlane::start_as(dir.path(), &text, launch(dir.path())?).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let names = ["siit", "dummy", "unassigned", "as112"];
    for (id, name) in names.iter().enumerate() {
        let webhook = json!({"url": format!("http://{name}.example.com/hook")});
        let params = json!({"name": "work", "arguments": {}, "_meta": {"dev.asyncmcp/webhook": webhook}});
        let call = json!({"jsonrpc": "2.0", "id": id + 1, "method": "tools/call", "params": params});
        assert!(session.post(call.to_string()).await?.is_acknowledgement());
    }
    let told = eventually(SOON, || async {
        let told: Vec<_> = gateway.attempts().iter().map(Attempt::summary).collect();
        if told.len() == names.len() {
            Ok(told)
        } else {
            Err(told)
        }
    })
    .await;
    assert_eq!(told, ["dead blocked"; 4]);
    Ok(())
}

#[test]
fn a_route_that_names_a_metadata_service_is_invalid() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("route.yaml");
    let checked = |text: &str| -> Result<(Option<i32>, String)> {
        std::fs::write(&path, text)?;
        let mut command = Command::new(binary("asyncmcp-dataplane")?);
        let output = command.arg("--route").arg(&path).arg("--check").output()?;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    };
    let hosts = [
        "169.254.169.254",
        "0xa9fea9fe",
        "metadata.google.internal",
        "[fd00:ec2::254]",
        "168.63.129.16",
    ];
    for host in hosts {
        let url = format!("http://{host}/latest");
        let otlp = format!("  telemetry: {{otlp: {{endpoint: '{url}'}}}}");
        for (text, field) in [
            (route(&[("a", &url)], MEMORY), "spec.servers[0].url"),
            (
                route(&[("a", "http://127.0.0.1:9/mcp")], &otlp),
                "spec.telemetry.otlp.endpoint",
            ),
        ] {
            let (code, said) = checked(&text)?;
            assert_eq!(code, Some(78), "{text}");
            assert!(said.contains(field) && said.contains("always refused"), "{said}");
        }
    }
    Ok(())
}

/// The metadata service, and a name server that leads every name there.
struct Cloud {
    dns: NameServer,
    metadata: Receiver,
}

impl Cloud {
    /// `None` outside the test's own network.
    async fn open(test: &str) -> Result<Option<Self>> {
        if !namespace::in_own_network(&format!("addresses::{test}"), &[&METADATA.to_string()])? {
            return Ok(None);
        }
        let answers = vec![Answer::Addresses(vec![METADATA])];
        let dns = NameServer::start(SocketAddr::from(([127, 0, 0, 1], 53)), answers).await?;
        let place = SocketAddr::new(IpAddr::V4(METADATA), 0);
        let metadata = Receiver::start_at(place, following([receiver::Answer::status(200)])).await?;
        Ok(Some(Self { dns, metadata }))
    }

    fn url(&self) -> String {
        self.metadata.url_as("innocent.example.com")
    }

    /// Opens sessions, which are traced, until the name is asked for once more: what followed from the last answer is over.
    async fn asked_again(&self, gateway: &DataPlane) {
        let before = self.dns.asked();
        eventually(SOON * 3, || async {
            let opened = Session::open(&gateway.url(), None).await;
            opened.map_err(|error| error.to_string())?;
            let asked = self.dns.asked();
            if asked > before {
                Ok(())
            } else {
                Err(format!("asked {asked} times"))
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_whose_name_leads_to_a_metadata_service_is_never_dialled() -> Result<()> {
    let Some(cloud) = Cloud::open("a_server_whose_name_leads_to_a_metadata_service_is_never_dialled").await?
    else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let text = route(&[("a", &cloud.url())], MEMORY);
    let gateway = DataPlane::start_as(dir.path(), &text, launch(dir.path())?).await?;
    let server = eventually(SOON * 3, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        let server = status["servers"][0].clone();
        if server["state"] == "Unreachable" {
            Ok(server)
        } else {
            Err(server.to_string())
        }
    })
    .await;
    assert!(server["message"].to_string().contains("link_local"), "{server}");
    assert_eq!(cloud.metadata.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn a_collector_whose_name_leads_to_a_metadata_service_is_never_dialled() -> Result<()> {
    let Some(cloud) =
        Cloud::open("a_collector_whose_name_leads_to_a_metadata_service_is_never_dialled").await?
    else {
        return Ok(());
    };
    for protocol in ["http/protobuf", "grpc"] {
        let dir = tempfile::tempdir()?;
        let otlp = format!("{{endpoint: '{}', protocol: {protocol}}}", cloud.url());
        let text = route(
            &[("a", "http://127.0.0.1:9/mcp")],
            &format!("  telemetry: {{otlp: {otlp}}}\n{MEMORY}"),
        );
        let gateway = DataPlane::start_as(dir.path(), &text, launch(dir.path())?).await?;
        for _ in 0..2 {
            cloud.asked_again(&gateway).await;
        }
        assert_eq!(cloud.metadata.connections(), 0, "{protocol}");
    }
    Ok(())
}
