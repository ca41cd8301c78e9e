//! MCP clients, servers and webhook verifiers that nobody here wrote, as processes.
//!
//! `tests/setup/peers` installs them from the registries; the few lines that drive each are in
//! `tests/peers/`. Used by `tests/tests/peers/`. Invariant: all of it listens on loopback only.

pub mod client;
pub mod kind;
pub mod matrix;
pub mod receiver;
pub mod scene;
pub mod server;
pub mod suite;

pub use client::Client;
pub use kind::Kind;
pub use receiver::Receiver;
pub use scene::Scene;
pub use server::Server;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};

/// The installed peers, and the scripts that drive them.
#[derive(Clone, Debug)]
pub struct Peers {
    installed: &'static Path,
    scripts: PathBuf,
}

impl Peers {
    /// Installs what is missing, and lays the scripts out in `dir` so that Node finds its modules.
    pub fn in_dir(dir: &Path) -> Result<Self> {
        let installed = installed()?;
        let scripts = dir.join("scripts");
        std::fs::create_dir(&scripts)?;
        for entry in std::fs::read_dir(source().join("peers"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), scripts.join(entry.file_name()))?;
            }
        }
        symlink(installed.join("node_modules"), scripts.join("node_modules"))?;
        Ok(Self { installed, scripts })
    }

    /// Python of the virtual environment `venv`, about to run `script`.
    pub fn python(&self, venv: &str, script: &str) -> Command {
        let mut command = Command::new(self.installed.join(venv).join("bin/python"));
        command.arg(self.scripts.join(script));
        command
    }

    /// Node, about to run `script`.
    pub fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(self.scripts.join(script));
        command
    }

    /// The conformance suite of the MCP project, about to run; it wants a newer Node than Debian has.
    pub fn conformance(&self) -> Result<Command> {
        let mut command = self.newer_node()?;
        command.arg("--import").arg(self.script("bind-loopback.mjs"));
        command.arg(self.module("@modelcontextprotocol/conformance/dist/index.js"));
        Ok(command)
    }

    /// The authorization server, about to listen on `port`; it wants a newer Node as well.
    pub fn authorization(&self, port: u16) -> Result<Command> {
        let mut command = self.newer_node()?;
        command
            .arg(self.script("authorization.mjs"))
            .arg(port.to_string());
        Ok(command)
    }

    /// The Inspector's command line, about to be driven; it wants a newer Node as well.
    pub fn inspector(&self) -> Result<Command> {
        let mut command = self.newer_node()?;
        command.arg(self.script("inspector.mjs"));
        Ok(command)
    }

    fn newer_node(&self) -> Result<Command> {
        let node = ["x64", "arm64"]
            .map(|machine| self.module(&format!("node-linux-{machine}/bin/node")))
            .into_iter()
            .find(|node| node.exists());
        Ok(Command::new(node.context("no node-linux package was installed")?))
    }

    /// A file of an installed Node module.
    pub fn module(&self, path: &str) -> PathBuf {
        self.installed.join("node_modules").join(path)
    }

    /// A file of `tests/peers/`.
    pub fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }
}

fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where everything is installed: `ASYNCMCP_PEERS`, else what the script says that installs it.
fn installed() -> Result<&'static Path> {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    if let Some(place) = PLACE.get() {
        return Ok(place);
    }
    if let Some(place) = std::env::var_os("ASYNCMCP_PEERS") {
        return Ok(PLACE.get_or_init(|| place.into()));
    }
    let output = Command::new(source().join("setup/peers")).output()?;
    anyhow::ensure!(
        output.status.success(),
        "tests/setup/peers: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let place = String::from_utf8(output.stdout)?;
    Ok(PLACE.get_or_init(|| PathBuf::from(place.trim())))
}
