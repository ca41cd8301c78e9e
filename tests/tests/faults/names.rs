//! Names that lead where no webhook may go, in a process with an `/etc/hosts` of its own; and name servers that fail.
//!
//! The names are this test's; what is judged is the address behind them. [`crate::table`] has a row for each.

use std::path::Path;

use anyhow::Result;
use asyncmcp_tests::attempt::Attempt;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::namespace;
use asyncmcp_tests::receiver::Receiver;

use crate::ending::{Setting, Stage, TIGHT};

/// Addresses and the names that lead to them. Each name has addresses of both families, so that no name
/// server is asked.
const HOSTS: &str = "127.0.0.1 localhost here.example.com
::1 localhost here.example.com here6.example.com
10.1.2.3 private.example.com
169.254.169.254 metadata.example.com
192.168.0.1 both.example.com
93.184.215.14 both.example.com here6.example.com mapped.example.com compatible.example.com
93.184.215.14 nat64.example.com 6to4.example.com link.example.com
2606:4700::1111 private.example.com metadata.example.com both.example.com
::ffff:127.0.0.1 mapped.example.com
::127.0.0.1 compatible.example.com
64:ff9b::7f00:1 nat64.example.com
2002:7f00:1:: 6to4.example.com
fe80::1 link.example.com
";
/// Somebody may answer there, in a network of the test's own; else nobody does.
const RESOLV: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
/// Names and addresses that pass as such, and two kinds of tunnel; what is at a tunnel's end is judged by itself.
pub(crate) const FROM_CLIENTS: &str = "fromClients: {allowedHosts: [\"*.example.com\", \"127.0.0.1\"], allowedCidrs: [\"64:ff9b::/96\", \"2002::/16\"], schemes: [http]}";
const OPENED: &str = "fromClients: {allowedHosts: [\"*.example.com\"], allowedCidrs: [127.0.0.0/8, \"::1/128\"], schemes: [http]}";

/// A process that knows these names.
pub(crate) fn launch(dir: &Path) -> Result<Launch> {
    let (hosts, resolv) = (dir.join("hosts"), dir.join("resolv.conf"));
    std::fs::write(&hosts, HOSTS)?;
    std::fs::write(&resolv, RESOLV)?;
    Ok(Launch {
        around: namespace::with_names(&hosts, &resolv),
        ..Launch::default()
    })
}

#[tokio::test]
async fn a_name_is_reached_where_its_address_is_allowed() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let url = receiver.url("/hook");
    let setting = Setting {
        from_clients: OPENED,
        ..Setting::of(&url)
    };
    let stage = Stage::open_as(setting, launch).await?;
    stage.call(Some(&receiver.url_as("here.example.com"))).await?;
    stage.ends_as(&["delivered 200"]).await?;
    assert_eq!(receiver.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_dead_name_server_costs_a_delivery_nothing() -> Result<()> {
    let setting = Setting {
        timeout: TIGHT, // shorter than the resolver's own
        ..Setting::of("http://elsewhere.example.com/hook")
    };
    is_our_fault(&Stage::open_as(setting, launch).await?).await
}

/// Makes one more attempt than the budget has, and gives up none.
pub(crate) async fn is_our_fault(stage: &Stage) -> Result<()> {
    stage.call(None).await?;
    let attempts = stage.attempts(4).await;
    let told: Vec<_> = attempts[..4].iter().map(Attempt::summary).collect();
    assert_eq!(told, ["retry resolver"; 4]);
    let status = stage.gateway.status().await?;
    assert_eq!(status["delivery"]["pending"], 1, "{status}");
    Ok(())
}
