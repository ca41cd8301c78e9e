//! A directory in which stock peers meet a data plane.
//!
//! Invariant: everything in it verifies webhooks with the one secret that the route signs with.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use tempfile::TempDir;

use super::client::{Client, Options};
use super::{Kind, Peers, Receiver};
use crate::dataplane::DataPlane;
use crate::eventually;

/// A key as the Standard Webhooks specification writes it: 32 bytes in base64.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The directory, and what is installed for it.
pub struct Scene {
    dir: TempDir,
    /// What is installed.
    pub peers: Peers,
}

/// A server behind the route.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its MCP endpoint.
    pub url: &'a str,
    /// Its tools' prefix; empty for none.
    pub prefix: &'a str,
}

impl Scene {
    /// An empty one.
    pub fn new() -> Result<Self> {
        // An error means that it is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir()?;
        let peers = Peers::in_dir(dir.path())?;
        Ok(Self { dir, peers })
    }

    /// Where everything of it lies.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A receiver that verifies with the library of the Python registry.
    pub async fn pypi_receiver(&self) -> Result<Receiver> {
        Receiver::pypi(&self.peers, self.dir(), SECRET).await
    }

    /// A receiver that verifies with the library of npm.
    pub async fn npm_receiver(&self) -> Result<Receiver> {
        Receiver::npm(&self.peers, self.dir(), SECRET).await
    }

    /// A data plane in front of `servers`; the results of `webhook_tools` go to `receiver`.
    pub async fn gateway(
        &self,
        servers: &[Behind<'_>],
        webhook_tools: &[&str],
        receiver: Option<&Receiver>,
    ) -> Result<DataPlane> {
        DataPlane::write_secret(self.dir(), "signing", "secret", SECRET)?;
        let route = route(servers, webhook_tools, receiver);
        DataPlane::start(self.dir(), &route, &[]).await
    }

    /// Changes the route while it is served.
    pub fn edit(
        &self,
        servers: &[Behind<'_>],
        webhook_tools: &[&str],
        receiver: Option<&Receiver>,
    ) -> Result<()> {
        // Renamed into place, as editors do: nobody reads half a route.
        let (new, place) = (self.dir().join("route.new"), self.dir().join("route.yaml"));
        std::fs::write(&new, route(servers, webhook_tools, receiver))?;
        Ok(std::fs::rename(new, place)?)
    }

    /// A client of `url`; `capable` ones declare sampling, elicitation and roots.
    pub async fn client(&self, kind: Kind, url: &str, capable: bool) -> Result<Client> {
        let options = Options {
            url,
            capable,
            secret: SECRET,
        };
        Client::connect(kind, &self.peers, self.dir(), options).await
    }

    /// Clients of these kinds, none of which can be asked anything.
    pub async fn clients(&self, kinds: &[Kind], url: &str) -> Result<Vec<Client>> {
        try_join_all(kinds.iter().map(|kind| self.client(*kind, url, false))).await
    }
}

/// Waits until as many calls were accepted as `expected`, and every one was delivered.
pub async fn all_delivered(gateway: &DataPlane, expected: u32) {
    eventually(Duration::from_mins(1), || async {
        let count = async |name: &str, labels: &[&str]| {
            gateway
                .metric(name, labels)
                .await
                .map_err(|error| error.to_string())
        };
        let accepted = count("asyncmcp_jobs_accepted_total", &[]).await?;
        let delivered = count("asyncmcp_delivery_attempts_total", &[r#"outcome="delivered""#]).await?;
        let expected = f64::from(expected);
        if [accepted, delivered]
            .iter()
            .all(|count| (count - expected).abs() < 0.5)
        {
            Ok(())
        } else {
            Err(format!(
                "expected {expected}: {accepted} accepted, {delivered} delivered; {:?}",
                gateway.attempts().iter().rev().take(3).collect::<Vec<_>>()
            ))
        }
    })
    .await;
}

fn route(servers: &[Behind<'_>], webhook_tools: &[&str], receiver: Option<&Receiver>) -> String {
    let mut route = String::from(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {name: peers}\nspec:\n  servers:\n",
    );
    let writing = "writing to a string cannot fail";
    for Behind { name, url, prefix } in servers {
        let prefix = match *prefix {
            "" => String::new(),
            prefix => format!(", toolPrefix: {prefix}"),
        };
        writeln!(route, "  - {{name: {name}, url: \"{url}\"{prefix}}}").expect(writing);
    }
    if !webhook_tools.is_empty() {
        route.push_str("  webhookTools:\n");
    }
    for tool in webhook_tools {
        writeln!(route, "  - {{name: \"{tool}\"}}").expect(writing);
    }
    route.push_str(
        "  webhook:\n    signing: {secretRefs: [{name: signing, key: secret}]}\n    receivers:\n      fromClients: \
         {policy: Allowlist, allowedHosts: [\"127.0.0.1\"], allowedCidrs: [127.0.0.0/8], schemes: [http]}\n",
    );
    if let Some(receiver) = receiver {
        writeln!(route, "      default: {{url: \"{}\"}}", receiver.url).expect(writing);
    }
    route
}
