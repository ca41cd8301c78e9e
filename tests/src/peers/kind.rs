//! Which stock client, and how it finds out what its server speaks.
//!
//! Used by [`super::client`] and the tests. Invariant: what README says of clients is made from [`Kind::ALL`].

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::Peers;
use crate::key;
use crate::modern;
use crate::process::{binary, free_port};

/// Which client, and how it finds out what the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TypeScript SDK 1.x.
    Sdk1,
    /// TypeScript SDK 2.x that begins with `initialize`.
    Sdk2Legacy,
    /// TypeScript SDK 2.x that asks for the modern era first.
    Sdk2Auto,
    /// TypeScript SDK 2.x that speaks nothing but the modern era.
    Sdk2Modern,
    /// Python SDK 1.x.
    Mcp1,
    /// Python SDK 2.x that begins with `initialize`.
    Mcp2Legacy,
    /// Python SDK 2.x that asks for the modern era first.
    Mcp2Auto,
    /// Python SDK 2.x that speaks nothing but the modern era, and does not ask before.
    Mcp2Modern,
    /// `FastMCP` that begins with `initialize`.
    FastLegacy,
    /// `FastMCP` that asks for the modern era first.
    FastAuto,
    /// `FastMCP` that speaks nothing but the modern era, and does not ask before.
    FastModern,
    /// Rust SDK that begins with `initialize`.
    RmcpLegacy,
    /// Rust SDK that asks for the modern era first.
    RmcpAuto,
    /// Rust SDK that speaks nothing but the modern era.
    RmcpModern,
    /// The Inspector's command line, which begins with `initialize`.
    InspectorLegacy,
    /// The same that asks for the modern era first.
    InspectorAuto,
    /// The same that speaks nothing but the modern era.
    InspectorModern,
    /// The asyncmcp client on the Python SDK 1.x, with its own receiver.
    Asyncmcp,
}

/// The program that a kind is a mode of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// TypeScript SDK 1.x.
    Sdk1,
    /// TypeScript SDK 2.x.
    Sdk2,
    /// Python SDK 1.x.
    Mcp1,
    /// Python SDK 2.x.
    Mcp2,
    /// `FastMCP`.
    Fast,
    /// Rust SDK.
    Rmcp,
    /// The Inspector's command line.
    Inspector,
    /// asyncmcp.
    Asyncmcp,
}

/// How a client finds out what the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It begins with `initialize`.
    Legacy,
    /// It asks for the modern era first.
    Auto,
    /// It speaks nothing but the modern era.
    Pinned,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Sdk1,
        Self::Sdk2Legacy,
        Self::Sdk2Auto,
        Self::Sdk2Modern,
        Self::Mcp1,
        Self::Mcp2Legacy,
        Self::Mcp2Auto,
        Self::Mcp2Modern,
        Self::FastLegacy,
        Self::FastAuto,
        Self::FastModern,
        Self::RmcpLegacy,
        Self::RmcpAuto,
        Self::RmcpModern,
        Self::InspectorLegacy,
        Self::InspectorAuto,
        Self::InspectorModern,
        Self::Asyncmcp,
    ];

    /// What it is a mode of.
    pub fn program(self) -> Program {
        match self {
            Self::Sdk1 => Program::Sdk1,
            Self::Sdk2Legacy | Self::Sdk2Auto | Self::Sdk2Modern => Program::Sdk2,
            Self::Mcp1 => Program::Mcp1,
            Self::Mcp2Legacy | Self::Mcp2Auto | Self::Mcp2Modern => Program::Mcp2,
            Self::FastLegacy | Self::FastAuto | Self::FastModern => Program::Fast,
            Self::RmcpLegacy | Self::RmcpAuto | Self::RmcpModern => Program::Rmcp,
            Self::InspectorLegacy | Self::InspectorAuto | Self::InspectorModern => Program::Inspector,
            Self::Asyncmcp => Program::Asyncmcp,
        }
    }

    /// How it finds out what the server speaks.
    pub fn mode(self) -> Mode {
        match self {
            Self::Sdk2Auto | Self::Mcp2Auto | Self::FastAuto | Self::RmcpAuto | Self::InspectorAuto => {
                Mode::Auto
            }
            Self::Sdk2Modern
            | Self::Mcp2Modern
            | Self::FastModern
            | Self::RmcpModern
            | Self::InspectorModern => Mode::Pinned,
            _ => Mode::Legacy,
        }
    }

    /// The version that it speaks with the gateway.
    pub fn version(self) -> &'static str {
        match self.mode() {
            Mode::Legacy => "2025-11-25",
            Mode::Auto | Mode::Pinned => modern::VERSION,
        }
    }

    /// Whether it has a session with the gateway, and so a stream, pings, and questions that servers may ask.
    pub fn has_session(self) -> bool {
        self.mode() == Mode::Legacy && !self.is_new_each_time()
    }

    /// Whether it connects anew for each order, so that it hears nothing between two, and tells nothing of the gateway.
    pub fn is_new_each_time(self) -> bool {
        self.program() == Program::Inspector
    }

    /// Whether its calls become tasks by its own wish, so that it polls until it has the result of a webhook tool.
    pub fn polls_tasks(self) -> bool {
        self.program() == Program::Inspector && self.mode() != Mode::Legacy
    }

    /// The command that starts it.
    pub(super) fn command(self, peers: &Peers, url: &str, capable: bool, secret: &str) -> Result<Command> {
        let mut options = json!({"url": url, "mode": self.mode_option()});
        let mut command = match self.program() {
            Program::Sdk1 => peers.node("sdk1.mjs"),
            Program::Sdk2 => peers.node("sdk2.mjs"),
            Program::Mcp1 | Program::Asyncmcp => peers.python("asyncmcp", "mcp1.py"),
            Program::Mcp2 => peers.python("mcp", "mcp2.py"),
            Program::Fast => peers.python("fastmcp", "fast.py"),
            Program::Rmcp => Command::new(binary("asyncmcp-rmcp-peer")?),
            Program::Inspector => peers.inspector()?,
        };
        match self.program() {
            Program::Sdk1 | Program::Sdk2 | Program::Mcp2 => options["capable"] = capable.into(),
            Program::Mcp1 => options = json!({"url": url, "webhook": null}),
            Program::Asyncmcp => options = json!({"url": url, "webhook": receiver(secret)?}),
            Program::Inspector => {
                options["inspector"] = peers.module(INSPECTOR).to_string_lossy().into();
            }
            Program::Fast | Program::Rmcp => {}
        }
        command.arg(options.to_string());
        Ok(command)
    }

    /// The mode as the scripts know it.
    pub(super) fn mode_option(self) -> &'static str {
        match self.mode() {
            Mode::Legacy => "legacy",
            Mode::Auto => "auto",
            Mode::Pinned if self.program() == Program::Inspector => "modern",
            Mode::Pinned => modern::VERSION,
        }
    }
}

/// The Inspector's program.
const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// Where a client receives by itself, and what it verifies with.
fn receiver(secret: &str) -> Result<serde_json::Value> {
    let port = free_port()?;
    let secret = key::derived(secret, &format!("http://127.0.0.1:{port}"))?;
    Ok(json!({"port": port, "secret": secret}))
}
