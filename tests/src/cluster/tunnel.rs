//! A way from the test to a Service's pod, for what a pod of ours cannot do: hold a stream open and look at it.
//!
//! Invariant: it leads to one pod, and ends with that pod.

use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{PATIENCE, Space};
use crate::eventually;
use crate::process::Process;

/// A running `kubectl port-forward`.
pub struct Tunnel {
    /// The MCP endpoint at this end.
    pub url: String,
    _process: Process,
    _logs: TempDir,
}

impl Tunnel {
    /// Opens one to port 8080 of the Service of `route`.
    pub async fn open(space: &Space, route: &str) -> Result<Self> {
        let logs = tempfile::tempdir()?;
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &space.name, "port-forward"]);
        command.args([&format!("service/{route}-dataplane"), ":8080"]);
        let process = Process::start(&mut command, &logs.path().join("port-forward.log"))?;
        let port = eventually(PATIENCE, || async { port(&process.output()) }).await;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}/mcp"),
            _process: process,
            _logs: logs,
        })
    }
}

/// From "Forwarding from 127.0.0.1:41237 -> 8080".
fn port(output: &str) -> Result<u16, String> {
    let mark = "Forwarding from 127.0.0.1:";
    let rest = output.split(mark).nth(1).and_then(|rest| rest.split(' ').next());
    rest.and_then(|port| port.parse().ok())
        .ok_or_else(|| output.to_owned())
}
