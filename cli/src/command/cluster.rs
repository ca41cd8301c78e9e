//! A data plane in a cluster, reached through the `kubectl` on PATH: the token from the route's Secret, the admin port of
//! its pod through a port-forward that lives as long as the command.
//!
//! Used by [`super::connection`]. Invariant: the token goes into no argument and no environment; what kubectl says about a
//! failure is in the error.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long kubectl may take to forward the port.
const PATIENCE: Duration = Duration::from_secs(30);
/// The admin port of a pod.
const PORT: u16 = 9464;

/// A forwarded admin port. Dropping it ends the forwarding.
pub(crate) struct Forwarded {
    /// Its URL here.
    pub(crate) url: String,
    /// The admin token of the route.
    pub(crate) token: String,
    kubectl: Child,
}

impl Forwarded {
    /// Waits until kubectl ends, and gives its status.
    pub(crate) async fn ended(&mut self) -> String {
        match self.kubectl.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// Where a route is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its namespace; kubectl's own if absent.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) route: String,
}

impl Place {
    /// Reads the token, and forwards the admin port of the route's pod.
    pub(crate) async fn forward(&self) -> Result<Forwarded> {
        let token = self.token().await?;
        let pod = self.pod().await?;
        let target = format!(":{PORT}");
        let mut kubectl = self.kubectl(&["port-forward", &pod, &target]);
        let mut kubectl = kubectl
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("failed to run kubectl; is it installed and on PATH?")?;
        let url = tokio::time::timeout(PATIENCE, forwarded_to(&mut kubectl));
        let url = url
            .await
            .context("kubectl port-forward did not start within 30 s; does the cluster respond?")??;
        Ok(Forwarded { url, token, kubectl })
    }

    async fn token(&self) -> Result<String> {
        let secret = format!("{}-keys", self.route);
        let encoded = self
            .output(&["get", "secret", &secret, "-o", "jsonpath={.data.adminToken}"])
            .await
            .with_context(|| format!("failed to read the admin token from the Secret {secret}"))?;
        let token = BASE64_STANDARD.decode(encoded.trim()).unwrap_or_default();
        let token = String::from_utf8(token).unwrap_or_default();
        ensure!(
            !token.trim().is_empty(),
            "the Secret {secret} has no key adminToken; restore the Secret, or see `kubectl describe mwr`"
        );
        Ok(token)
    }

    async fn pod(&self) -> Result<String> {
        let labels = format!(
            "app.kubernetes.io/name=asyncmcp-dataplane,app.kubernetes.io/instance={}",
            self.route
        );
        let running = "--field-selector=status.phase=Running";
        let names = self
            .output(&["get", "pods", "-l", &labels, running, "-o", "name"])
            .await?;
        match names.lines().next() {
            Some(pod) => Ok(pod.to_owned()),
            None => bail!(
                "no pod of route {} is running{}; `kubectl describe mwr` says why",
                self.route,
                self.namespace
                    .as_ref()
                    .map(|name| format!(" in namespace {name}"))
                    .unwrap_or_default()
            ),
        }
    }

    async fn output(&self, args: &[&str]) -> Result<String> {
        let output = self
            .kubectl(args)
            .output()
            .await
            .context("failed to run kubectl; is it installed and on PATH?")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl: {}", reason(&said));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn kubectl(&self, args: &[&str]) -> Command {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(self.namespace.iter().flat_map(|name| ["-n", name]));
        kubectl.args(args).stdin(Stdio::null());
        kubectl
    }
}

/// The URL in kubectl's first line.
async fn forwarded_to(kubectl: &mut Child) -> Result<String> {
    let out = kubectl.stdout.take().context("kubectl has no output")?;
    let mut lines = BufReader::new(out).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(port) = port_of(&line) {
            // kubectl writes a line for each connection. Nobody reads them, but a closed or full pipe would stop it.
            tokio::spawn(drain(lines.into_inner()));
            if let Some(err) = kubectl.stderr.take() {
                tokio::spawn(drain(err));
            }
            return Ok(format!("http://127.0.0.1:{port}"));
        }
    }
    let mut said = String::new();
    if let Some(mut err) = kubectl.stderr.take() {
        err.read_to_string(&mut said).await?;
    }
    bail!("kubectl port-forward ended: {}", reason(&said))
}

/// kubectl's last line is its reason; what comes before are log lines of its libraries.
fn reason(said: &str) -> &str {
    said.trim().lines().next_back().unwrap_or("it gave no reason")
}

/// Reads until the end.
async fn drain(mut pipe: impl AsyncRead + Unpin) {
    // What kubectl says after it began is of no use; that it ended is seen otherwise.
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
}

/// `Forwarding from 127.0.0.1:41234 -> 9464`.
fn port_of(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("Forwarding from 127.0.0.1:")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_kubectls_last_line() {
        let said = "E1128 memcache.go:265] \"Unhandled Error\"\nerror: the connection was refused\n\n";
        assert_eq!(reason(said), "error: the connection was refused");
        assert_eq!(reason("\n"), "it gave no reason");
    }

    #[test]
    fn the_port_is_read_from_kubectls_line() {
        assert_eq!(port_of("Forwarding from 127.0.0.1:41234 -> 9464"), Some(41234));
        assert_eq!(port_of("Forwarding from [::1]:41234 -> 9464"), None);
        assert_eq!(port_of("Handling connection for 41234"), None);
    }
}
