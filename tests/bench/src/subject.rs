//! What is measured: a server as a process of its own, in its own directory.
//!
//! Invariant: it does not outlive its [`Subject`]; a restart keeps ports and state.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::client::Acknowledgement;
use crate::receivers::SECRET;
use crate::tool;
use crate::wire::Wire;

/// How long a process may take until it listens.
const START: Duration = Duration::from_mins(1);

/// The route: what differs from the defaults is what the million parked jobs and 2 cores' full load ask for.
const ROUTE: &str = r#"apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: bench}
spec:
  servers: [{name: bench, url: "http://127.0.0.1:TOOL/mcp", maxConcurrentJobs: 256}]
  webhookTools: [{name: work}]
  webhook:
    signing: {secretRefs: [{name: signing, key: secret}]}
    perClient: {maxPending: 2000000}
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
  store: {embedded: {size: 32Gi}}
"#;

/// One process, so that its figures are those of one process; one worker suffices where its server and its client take the
/// other core. HTTP/1.1 and connections that stay open towards the server are no defaults.
const NGINX: &str = "\
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 100000000;
  upstream server { server 127.0.0.1:UPSTREAM; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:PORT;
    location / { proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }
  }
}
";

/// A running server.
pub(crate) struct Subject {
    /// Where it listens for clients.
    pub(crate) port: u16,
    /// Where it tells its metrics, if it does.
    admin: Option<u16>,
    /// What its answers to calls look like.
    pub(crate) acknowledgement: Acknowledgement,
    command: Command,
    log: PathBuf,
    child: Child,
}

impl Subject {
    /// The data plane `binary`, with its route and its state in `dir`.
    pub(crate) async fn data_plane(binary: &Path, dir: &Path) -> Result<Self> {
        let tool = tool::start().await?.to_string();
        Self::with_route(binary, dir, &ROUTE.replace("TOOL", &tool)).await
    }

    /// The same with a route of the caller's.
    pub(crate) async fn with_route(binary: &Path, dir: &Path, route: &str) -> Result<Self> {
        fs::create_dir_all(dir.join("refs/secrets/signing"))?;
        fs::write(dir.join("refs/secrets/signing/secret"), SECRET)?;
        fs::write(dir.join("route.yaml"), route)?;
        let (port, admin) = (free_port()?, free_port()?);
        let mut command = Command::new(binary);
        command.arg("--route").arg(dir.join("route.yaml"));
        command.arg("--refs-dir").arg(dir.join("refs"));
        command.arg("--state-dir").arg(state(dir));
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--admin-listen").arg(format!("127.0.0.1:{admin}"));
        Self::start(command, dir, (port, Some(admin)), Acknowledgement::Whole).await
    }

    /// asyncmcp, run by `python`, which is that of an environment that has it.
    pub(crate) async fn asyncmcp(python: &Path, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncmcp_server.py");
        command.arg(script).arg(port.to_string());
        Self::start(command, dir, (port, None), Acknowledgement::Head).await
    }

    /// The same with a tool that answers on the call's connection, in this form.
    pub(crate) async fn asyncmcp_answering(python: &Path, dir: &Path, form: &str) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("asyncmcp_server.py");
        command.arg(script).arg(port.to_string()).arg(form);
        Self::start(command, dir, (port, None), Acknowledgement::Whole).await
    }

    /// nginx in front of the server at `upstream`, with two workers and connections that stay open.
    pub(crate) async fn nginx(dir: &Path, upstream: u16) -> Result<Self> {
        let port = free_port()?;
        let conf = NGINX.replace("UPSTREAM", &upstream.to_string());
        let conf = conf.replace("PORT", &port.to_string());
        fs::write(dir.join("nginx.conf"), conf)?;
        let mut command = Command::new("nginx");
        command.arg("-e").arg(dir.join("error.log"));
        command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
        Self::start(command, dir, (port, None), Acknowledgement::Whole).await
    }

    async fn start(
        mut command: Command,
        dir: &Path,
        (port, admin): (u16, Option<u16>),
        acknowledgement: Acknowledgement,
    ) -> Result<Self> {
        let log = dir.join("log");
        let child = spawn(&mut command, &log)?;
        let this = Self {
            port,
            admin,
            acknowledgement,
            command,
            log,
            child,
        };
        this.listens().await?;
        Ok(this)
    }

    /// SIGKILL, then the same again; does not wait for it.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&mut self.command, &self.log)?;
        Ok(())
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The value of a metric without labels of its own; 0 where there are no metrics.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let Some(admin) = self.admin else {
            return Ok(0.0);
        };
        let mut wire = Wire::connect(admin).await?;
        wire.send(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            .await?;
        let answer = wire.rest().await?;
        let text = std::str::from_utf8(&answer)?;
        let sample = text.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let value = sample.and_then(|line| line.rsplit(' ').next());
        Ok(value.with_context(|| format!("no metric {name}"))?.parse()?)
    }

    /// Waits until something listens on its ports.
    async fn listens(&self) -> Result<()> {
        let listening = async {
            for port in [Some(self.port), self.admin].into_iter().flatten() {
                while Wire::connect(port).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        let in_time = tokio::time::timeout(START, listening).await;
        in_time.with_context(|| format!("does not listen; see {}", self.log.display()))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Errors mean that it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a data plane in `dir` has its store.
pub(crate) fn state(dir: &Path) -> PathBuf {
    dir.join("state")
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    let output = log.try_clone()?;
    let child = command.stdin(Stdio::null()).stdout(output).stderr(log).spawn();
    child.with_context(|| format!("{command:?}"))
}

/// A loopback port that is free now, below those that the kernel gives to outgoing connections.
fn free_port() -> Result<u16> {
    let mut tries = (0..100).map(|_| rand::random_range(20_000..32_000));
    tries
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free")
}
