//! The example MCP server as a process.
//!
//! Invariant: it keeps its port, so that it can be killed and started again where clients expect it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::eventually;
use crate::process::{Process, binary, free_port};

/// A running example server.
pub struct Example {
    /// Its process.
    pub process: Process,
    /// Its MCP endpoint.
    pub url: String,
    /// A line of JSON `{"tool","key"}` for each execution, written before it ran.
    pub journal: PathBuf,
}

impl Example {
    /// Starts one; its files go to `dir`.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_at(dir, free_port()?).await
    }

    /// Starts one at a port that was used before.
    pub async fn start_at(dir: &Path, port: u16) -> Result<Self> {
        let journal = dir.join("journal");
        let mut command = Command::new(binary("asyncmcp-example-server")?);
        command
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--journal")
            .arg(&journal);
        let process = Process::start(&mut command, &dir.join("example.log"))?;
        eventually(Duration::from_secs(10), || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
        })
        .await;
        Ok(Self {
            process,
            url: format!("http://127.0.0.1:{port}/mcp"),
            journal,
        })
    }

    /// The keys of the executions so far, in their order; of those that were given one.
    pub fn ran(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        let key = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["key"].as_str().map(str::to_owned)
        };
        text.lines().filter_map(key).collect()
    }
}
