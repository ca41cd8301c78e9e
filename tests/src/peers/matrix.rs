//! README's table of stock clients and servers, made of what the tour walks and of the versions that are pinned.
//!
//! Used by `tests/tests/peers/tour.rs`. Invariant: a row says what [`Kind::ALL`] has of the program, no more and no less.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::kind::{Mode, Program};
use super::{Kind, source};
use crate::command::root;
use crate::modern;

/// The variable that lets the test write the table, where it would else find it stale.
pub const WRITE: &str = "WRITE_README";
/// The lines around the table.
const BEGIN: &str = "<!-- made by: WRITE_README=1 cargo test -p asyncmcp-tests --test peers matrix -->\n";
const END: &str = "<!-- end -->\n";

/// A server that the tour walks through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// The example server, on the Rust SDK.
    Example,
    /// `server-everything` of the MCP project.
    Everything,
    /// A server on the Python SDK.
    Python,
    /// A server on `FastMCP`.
    Fast,
}

impl Stock {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Example, Self::Everything, Self::Python, Self::Fast];

    fn label(self) -> Result<String> {
        Ok(match self {
            Self::Example => format!("rmcp {}", crate_version("rmcp")?),
            Self::Everything => {
                let name = "@modelcontextprotocol/server-everything";
                format!("server-everything {}", npm_version(name)?)
            }
            Self::Python => format!("the Python SDK {}", pypi_version("mcp.txt", "mcp")?),
            Self::Fast => format!("FastMCP {}", pypi_version("fastmcp.txt", "fastmcp")?),
        })
    }
}

impl Program {
    fn label(self) -> Result<String> {
        let npm = |name: &str| npm_version(&format!("@modelcontextprotocol/{name}"));
        Ok(match self {
            Self::Sdk1 => format!("TypeScript SDK {}", npm("sdk")?),
            Self::Sdk2 => format!("TypeScript SDK {}", npm("client")?),
            Self::Mcp1 => format!("Python SDK {}", pypi_version("asyncmcp.txt", "mcp")?),
            Self::Mcp2 => format!("Python SDK {}", pypi_version("mcp.txt", "mcp")?),
            Self::Fast => format!("FastMCP {}", pypi_version("fastmcp.txt", "fastmcp")?),
            Self::Rmcp => format!("Rust SDK {}", crate_version("rmcp")?),
            Self::Inspector => format!("Inspector CLI {}", npm("inspector")?),
            Self::Asyncmcp => format!("asyncmcp {}", pypi_version("asyncmcp.txt", "asyncmcp")?),
        })
    }
}

/// The table, and the servers below it.
pub fn table() -> Result<String> {
    let mut text = format!("| client | 2025-11-25 | {} |\n|---|---|---|\n", modern::VERSION);
    let mut done: Vec<Program> = Vec::new();
    for program in Kind::ALL.map(Kind::program) {
        if done.contains(&program) {
            continue;
        }
        done.push(program);
        let has = |mode| {
            Kind::ALL
                .iter()
                .any(|kind| kind.program() == program && kind.mode() == mode)
        };
        let legacy = if has(Mode::Legacy) { "yes" } else { "" };
        let modern = match (has(Mode::Auto), has(Mode::Pinned)) {
            (true, true) => "found out by itself, and pinned",
            (true, false) => "found out by itself",
            (false, true) => "pinned",
            (false, false) => "",
        };
        writeln!(text, "| {} | {legacy} | {modern} |", program.label()?)?;
    }
    let servers: Vec<_> = Stock::ALL
        .iter()
        .map(|server| server.label())
        .collect::<Result<_>>()?;
    writeln!(text, "\nServers: {}.", servers.join(", "))?;
    Ok(text)
}

/// README, and what it should be.
pub fn readme() -> Result<(String, String)> {
    let text = std::fs::read_to_string(root().join("README.md"))?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("README has no beginning of the table")?;
    let (_, after) = rest.split_once(END).context("README has no end of the table")?;
    let fresh = format!("{before}{BEGIN}{}{END}{after}", table()?);
    Ok((text, fresh))
}

/// Writes README.
pub fn write(text: &str) -> Result<()> {
    Ok(std::fs::write(root().join("README.md"), text)?)
}

fn npm_version(name: &str) -> Result<String> {
    let pins = std::fs::read_to_string(source().join("peers/package.json"))?;
    let pins: Value = serde_json::from_str(&pins)?;
    let version = pins["dependencies"][name].as_str();
    Ok(version
        .with_context(|| format!("no {name} in package.json"))?
        .to_owned())
}

fn pypi_version(file: &str, name: &str) -> Result<String> {
    let pins = std::fs::read_to_string(source().join("peers").join(file))?;
    let pins = pins.lines().filter_map(|line| line.split_once("=="));
    let mut versions = pins
        .filter(|(pinned, _)| *pinned == name)
        .map(|(_, version)| version);
    Ok(versions
        .next()
        .with_context(|| format!("no {name} in {file}"))?
        .to_owned())
}

fn crate_version(name: &str) -> Result<String> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock"))?)?;
    let packages = lock["package"].as_array().context("no packages in Cargo.lock")?;
    let mut named = packages
        .iter()
        .filter(|package| package["name"].as_str() == Some(name));
    let version = named.next().and_then(|package| package["version"].as_str());
    Ok(version
        .with_context(|| format!("no {name} in Cargo.lock"))?
        .to_owned())
}
