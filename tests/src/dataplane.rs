//! The data plane as a process, with the route that a test gives it.
//!
//! Invariant: ports, state and route stay the same over [`DataPlane::restart`], as in a pod.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

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
    flags: Vec<String>,
}

impl DataPlane {
    /// Starts one in `dir` with `route` (YAML) and more `flags`, and waits until it is ready.
    pub async fn start(dir: &Path, route: &str, flags: &[&str]) -> Result<Self> {
        std::fs::write(dir.join("route.yaml"), route)?;
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (port, admin_port) = (free_port()?, free_port()?);
        let process = launch(dir, port, admin_port, &flags)?;
        let this = Self {
            process,
            dir: dir.to_owned(),
            port,
            admin_port,
            flags,
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

    /// The MCP endpoint.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// A URL of the admin port.
    pub fn admin(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin_port)
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
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.process = launch(&self.dir, self.port, self.admin_port, &self.flags)?;
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

fn launch(dir: &Path, port: u16, admin_port: u16, flags: &[String]) -> Result<Process> {
    let mut command = Command::new(binary("asyncmcp-dataplane")?);
    command
        .arg("--route")
        .arg(dir.join("route.yaml"))
        .arg("--refs-dir")
        .arg(dir.join("refs"));
    command.args([
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--admin-listen",
        &format!("127.0.0.1:{admin_port}"),
    ]);
    command.arg("--state-dir").arg(dir.join("state")).args(flags);
    Process::start(&mut command, &dir.join("dataplane.log"))
}
