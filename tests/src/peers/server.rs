//! A program that listens on a loopback port and keeps it: a stock MCP server, or a receiver.
//!
//! Invariant: started again it is where its clients expect it, and knows nothing of before.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Peers;
use crate::eventually;
use crate::process::{Process, free_port};

/// A running server.
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Its MCP endpoint, if it is an MCP server.
    pub url: String,
    port: u16,
    command: Command,
    log: PathBuf,
}

impl Server {
    /// The `mcp` 2.x SDK with the tools quick, slow and wait.
    pub async fn python(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.python("mcp", "server.py");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("python.log")).await
    }

    /// `FastMCP` with the tools quick and slow.
    pub async fn fast(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.python("fastmcp", "fast_server.py");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("fast.log")).await
    }

    /// `FastMCP` with the tools crunch, maybe and broken, which run as tasks of 2026-07-28.
    pub async fn fast_tasks(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.python("fastmcp", "fast_tasks_server.py");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("fast-tasks.log")).await
    }

    /// `server-everything` of the MCP project.
    pub async fn everything(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("node");
        command
            .arg("--import")
            .arg(peers.script("bind-loopback.mjs"))
            .arg(peers.module("@modelcontextprotocol/server-everything/dist/index.js"))
            .arg("streamableHttp")
            .env("PORT", port.to_string());
        Self::start(command, port, dir.join("everything.log")).await
    }

    /// What the conformance suite asks of a server, in both eras, on the `mcp` 2.x SDK.
    pub async fn fixture(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.python("mcp", "fixture.py");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("fixture.log")).await
    }

    /// Tools that outlive whoever called them, on the TypeScript SDK 1.x with its event and task stores.
    pub async fn resuming(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.node("resuming.mjs");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("resuming.log")).await
    }

    /// What the conformance suite asks of a server with tasks, on the TypeScript SDK 1.x.
    pub async fn tasks(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = peers.node("tasks.mjs");
        command.arg(port.to_string());
        Self::start(command, port, dir.join("tasks.log")).await
    }

    /// The authorization server `oidc-provider`; its `url` is its issuer.
    pub async fn authorization(peers: &Peers, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let command = peers.authorization(port)?;
        let server = Self::start(command, port, dir.join("authorization.log")).await?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { url, ..server })
    }

    pub(super) async fn start(mut command: Command, port: u16, log: PathBuf) -> Result<Self> {
        let process = Process::start(&mut command, &log)?;
        let this = Self {
            process,
            url: format!("http://127.0.0.1:{port}/mcp"),
            port,
            command,
            log,
        };
        this.listens().await;
        Ok(this)
    }

    /// SIGKILL, then the same again: its sessions are gone.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = Process::start(&mut self.command, &self.log)?;
        self.listens().await;
        Ok(())
    }

    async fn listens(&self) {
        eventually(Duration::from_secs(30), || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port))
        })
        .await;
    }
}
