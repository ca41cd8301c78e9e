//! The data plane as a process, with the route that a test gives it.
//!
//! Invariant: ports, state and route stay the same over [`DataPlane::restart`], as in a pod.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::attempt::Attempt;
use crate::eventually;
use crate::process::{Process, binary, free_port};

/// A running data plane.
pub struct DataPlane {
    /// Its process.
    pub process: Process,
    /// Its directory: `route.yaml`, `refs/`, `state/`, `dataplane.log`.
    pub dir: PathBuf,
    port: u16,
    admin_port: u16,
    launch: Launch,
}

/// How the process is started, beside what every test gives it.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// More flags.
    pub flags: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// A command that starts the rest of its line in its own place, such as `unshare`.
    pub around: Vec<String>,
    /// Whether its ports listen on every address, as in a pod.
    pub everywhere: bool,
}

impl DataPlane {
    /// Starts one in `dir` with `route` (YAML) and more `flags`, and waits until it is ready.
    pub async fn start(dir: &Path, route: &str, flags: &[&str]) -> Result<Self> {
        let launch = Launch {
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            ..Launch::default()
        };
        Self::start_as(dir, route, launch).await
    }

    /// The same with everything that can be said about the start.
    pub async fn start_as(dir: &Path, route: &str, launch: Launch) -> Result<Self> {
        // An error means that it is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        std::fs::write(dir.join("route.yaml"), route)?;
        let (port, admin_port) = (free_port()?, free_port()?);
        let this = Self {
            process: start(dir, port, admin_port, &launch)?,
            dir: dir.to_owned(),
            port,
            admin_port,
            launch,
        };
        this.ready().await;
        Ok(this)
    }

    /// Puts a Secret's key where the route's references are looked up.
    pub fn write_secret(dir: &Path, name: &str, key: &str, value: &str) -> Result<()> {
        let place = dir.join("refs/secrets").join(name);
        std::fs::create_dir_all(&place)?;
        Ok(std::fs::write(place.join(key), value)?)
    }

    /// Puts keys of a Secret where the route's references are looked up, all at once, as the kubelet does.
    pub fn write_secrets(dir: &Path, name: &str, keys: &[(&str, &str)]) -> Result<()> {
        replace(&dir.join("refs/secrets"), name, keys)
    }

    /// The same of a ConfigMap.
    pub fn write_config_map(dir: &Path, name: &str, keys: &[(&str, &str)]) -> Result<()> {
        replace(&dir.join("refs/configmaps"), name, keys)
    }

    /// The MCP endpoint.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The same where it speaks TLS.
    pub fn url_over_tls(&self) -> String {
        format!("https://localhost:{}/mcp", self.port)
    }

    /// The port of the MCP endpoint.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the admin port.
    pub fn admin(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin_port)
    }

    /// Changes the route while it is served: renamed into its place, as editors do, so that nobody reads half of it.
    pub fn edit(&self, route: &str) -> Result<()> {
        let draft = self.dir.join("draft.yaml");
        std::fs::write(&draft, route)?;
        Ok(std::fs::rename(draft, self.dir.join("route.yaml"))?)
    }

    /// SIGKILL, then the same again; `flags` stand in place of those before.
    pub async fn restart(&mut self, flags: &[&str]) -> Result<()> {
        self.process.kill()?;
        self.relaunch(flags)?;
        self.ready().await;
        Ok(())
    }

    /// Starts it again without waiting for it.
    pub fn relaunch(&mut self, flags: &[&str]) -> Result<()> {
        self.launch.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.process = start(&self.dir, self.port, self.admin_port, &self.launch)?;
        Ok(())
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        eventually(Duration::from_secs(20), || async {
            let answer = reqwest::get(self.admin("/readyz"))
                .await
                .map_err(|error| error.to_string())?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(answer.status().to_string())
            }
        })
        .await;
    }

    /// What `/status` says.
    pub async fn status(&self) -> Result<Value> {
        let text = reqwest::get(self.admin("/status"))
            .await?
            .error_for_status()?
            .text()
            .await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> Result<String> {
        Ok(reqwest::get(self.admin("/metrics"))
            .await?
            .error_for_status()?
            .text()
            .await?)
    }

    /// The log's lines about attempts, in their order.
    pub fn attempts(&self) -> Vec<Attempt> {
        Attempt::all(&self.process.json_lines())
    }

    /// Waits until nothing is left to happen to any job; then there are no more attempts.
    pub async fn at_rest(&self, deadline: Duration) {
        eventually(deadline, || async {
            let status = self.status().await.map_err(|error| error.to_string())?;
            match status["delivery"]["pending"].as_u64() {
                Some(0) => Ok(()),
                pending => Err(format!("pending: {pending:?}")),
            }
        })
        .await;
    }

    /// The sum of a metric's samples whose labels contain all of `labels` (`name="value"`).
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        let text = self.metrics().await?;
        let of_name = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let samples = text
            .lines()
            .filter(of_name)
            .filter(|line| labels.iter().all(|label| line.contains(label)));
        Ok(samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }
}

/// Puts a directory with these files at `name`, in one step: the name is a link.
fn replace(place: &Path, name: &str, files: &[(&str, &str)]) -> Result<()> {
    let version = format!("..{name}.{:016x}", rand::random::<u64>());
    std::fs::create_dir_all(place.join(&version))?;
    for (file, contents) in files {
        std::fs::write(place.join(&version).join(file), contents)?;
    }
    let link = place.join(format!("..{name}.link"));
    std::os::unix::fs::symlink(&version, &link)?;
    Ok(std::fs::rename(link, place.join(name))?)
}

fn start(dir: &Path, port: u16, admin_port: u16, launch: &Launch) -> Result<Process> {
    let binary = binary("asyncmcp-dataplane")?;
    let mut line = launch.around.iter().map(OsStr::new).chain([binary.as_os_str()]);
    let mut command = Command::new(line.next().context("an empty line")?);
    command.args(line).envs(launch.env.iter().cloned());
    command
        .arg("--route")
        .arg(dir.join("route.yaml"))
        .arg("--refs-dir")
        .arg(dir.join("refs"));
    let address = if launch.everywhere { "0.0.0.0" } else { "127.0.0.1" };
    command.args([
        "--listen",
        &format!("{address}:{port}"),
        "--admin-listen",
        &format!("{address}:{admin_port}"),
    ]);
    command
        .arg("--state-dir")
        .arg(dir.join("state"))
        .args(&launch.flags);
    Process::start(&mut command, &dir.join("dataplane.log"))
}

/// Runs `asyncmcp-dataplane store ACTION` on a state directory, with `input` as its standard input.
pub fn store(action: &str, dir: &Path, input: Option<&Path>) -> Result<Output> {
    let mut command = Command::new(binary("asyncmcp-dataplane")?);
    command.args(["store", action, "--state-dir"]).arg(dir);
    command.stdin(match input {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    });
    Ok(command.output()?)
}
