//! Names that lead where no webhook may go, in a process with an `/etc/hosts` and a name server of its own.
//!
//! The names are this test's; what is judged is the address behind them.

use std::path::Path;

use anyhow::Result;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::fault::{Fault, FaultyReceiver};
use asyncmcp_tests::namespace;

use crate::ending::{Setting, Stage, TIGHT};

/// Addresses and the names that lead to them. Each name has addresses of both families, so that no name
/// server is asked.
const HOSTS: &str = "127.0.0.1 localhost here.example.com
::1 localhost here.example.com
10.1.2.3 private.example.com
169.254.169.254 metadata.example.com
93.184.215.14 both.example.com
192.168.0.1 both.example.com
2606:4700::1111 private.example.com metadata.example.com both.example.com
";
/// Nobody listens there.
const RESOLV: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
const FROM_CLIENTS: &str = "fromClients: {allowedHosts: [\"*.example.com\"], schemes: [http]}";
const OPENED: &str = "fromClients: {allowedHosts: [\"*.example.com\"], allowedCidrs: [127.0.0.0/8, \"::1/128\"], schemes: [http]}";

fn launch(dir: &Path) -> Result<Launch> {
    let (hosts, resolv) = (dir.join("hosts"), dir.join("resolv.conf"));
    std::fs::write(&hosts, HOSTS)?;
    std::fs::write(&resolv, RESOLV)?;
    Ok(Launch {
        around: namespace::with_names(&hosts, &resolv),
        ..Launch::default()
    })
}

async fn stage(url: &str, from_clients: &str) -> Result<Stage> {
    let setting = Setting {
        from_clients,
        ..Setting::of(url)
    };
    Stage::open_as(setting, launch).await
}

/// A client's receiver of this name is allowed as a name and refused by its address, under `rule`.
async fn is_blocked(host: &str, rule: &str) -> Result<()> {
    let receiver = FaultyReceiver::start([Fault::status(200)]).await?;
    let stage = stage(&receiver.url("127.0.0.1"), FROM_CLIENTS).await?;
    stage.call(Some(&receiver.url(host))).await?;
    stage.ends_as(&["dead blocked"]).await?;
    stage
        .counts("asyncmcp_egress_blocked_total", &[("rule", rule)], 1)
        .await?;
    assert_eq!(receiver.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_blocked() -> Result<()> {
    is_blocked("private.example.com", "private_10").await
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_blocked() -> Result<()> {
    is_blocked("here.example.com", "loopback").await
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_enough() -> Result<()> {
    is_blocked("both.example.com", "private_192").await
}

#[tokio::test]
async fn the_same_name_is_reached_where_its_address_is_allowed() -> Result<()> {
    let receiver = FaultyReceiver::start([Fault::status(200)]).await?;
    let stage = stage(&receiver.url("127.0.0.1"), OPENED).await?;
    stage.call(Some(&receiver.url("here.example.com"))).await?;
    stage.ends_as(&["delivered 200"]).await?;
    assert_eq!(receiver.seen().len(), 1);
    Ok(())
}

#[tokio::test]
async fn not_even_the_route_may_name_a_metadata_address() -> Result<()> {
    let stage = stage("http://metadata.example.com/hook", "").await?;
    stage.call(None).await?;
    stage.ends_as(&["dead blocked"]).await?;
    stage
        .counts("asyncmcp_egress_blocked_total", &[("rule", "link_local")], 1)
        .await
}

#[tokio::test]
async fn a_dead_name_server_costs_a_delivery_nothing() -> Result<()> {
    let setting = Setting {
        timeout: TIGHT, // shorter than the resolver's own
        ..Setting::of("http://elsewhere.example.com/hook")
    };
    let stage = Stage::open_as(setting, launch).await?;
    stage.call(None).await?;
    let attempts = stage.attempts(4).await; // one more than its budget
    let told: Vec<_> = attempts[..4]
        .iter()
        .map(asyncmcp_tests::attempt::Attempt::summary)
        .collect();
    assert_eq!(told, ["retry resolver"; 4]);
    let status = stage.gateway.status().await?;
    assert_eq!(status["delivery"]["pending"], 1, "{status}");
    Ok(())
}
