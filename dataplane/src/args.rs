//! The command line. Nothing but clap's types, and what a flag means.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand};

use crate::config::{Overrides, Source};
use crate::store_command::StoreCommand;
use crate::telemetry::LogFormat;

/// What is done instead of serving a route.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Looks after a store that no data plane has open.
    #[command(subcommand)]
    Store(StoreCommand),
}

/// An MCP endpoint in front of MCP servers that answers calls of webhook tools by webhook.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "asyncmcp-dataplane",
    version,
    group = ArgGroup::new("document").required(true),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    /// Instead of serving a route.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The McpWebhookRoute to serve, as YAML or JSON; an edit is picked up live.
    #[arg(long, value_name = "FILE", group = "document")]
    pub route: Option<PathBuf>,

    /// The directory that the operator mounts, instead of --route.
    #[arg(long, value_name = "DIR", group = "document")]
    pub config_dir: Option<PathBuf>,

    /// Where a server that the route names by Service is on this machine; may be repeated.
    #[arg(long = "server", value_name = "NAME=URL", value_parser = name_and_url, requires = "route")]
    pub servers: Vec<(String, String)>,

    /// Where the default receiver is on this machine, if the route names it by Service.
    #[arg(long, value_name = "URL", requires = "route")]
    pub receiver: Option<String>,

    /// The directory with `secrets/<name>/<key>`.
    #[arg(long, value_name = "DIR", default_value = "refs", requires = "route")]
    pub refs_dir: PathBuf,

    /// Where jobs and keys are kept. Without it they are in memory and end with the process.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Where MCP clients connect to.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where /livez, /readyz, /metrics and /status are, which ask for no token, and /jobs, which does.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    pub admin_listen: SocketAddr,

    /// The token of /jobs. Without this it is `keys/adminToken` in --config-dir or `adminToken` in --state-dir,
    /// which is made where it is not there.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// How log lines are written.
    #[arg(long, value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// Says whether the route can be served, and ends.
    #[arg(long)]
    pub check: bool,

    /// Prints the `OpenAPI` document of /jobs, and ends.
    #[arg(long, group = "document")]
    pub openapi: bool,

    /// For crash tests: ends this process at the Nth commit of a kind, `KIND:before|after:N`.
    #[arg(long, hide = true, value_name = "KIND:WHEN:N")]
    pub failpoint: Option<String>,
}

impl Args {
    /// Where the route document is.
    pub fn source(&self) -> Source {
        match (&self.route, &self.config_dir) {
            (Some(route), _) => Source::File {
                route: route.clone(),
                refs: self.refs_dir.clone(),
                overrides: Overrides {
                    servers: self.servers.clone(),
                    receiver: self.receiver.clone(),
                },
            },
            (None, dir) => Source::Mounted {
                dir: dir.clone().unwrap_or_default(),
            },
        }
    }
}

fn name_and_url(text: &str) -> Result<(String, String), String> {
    let (name, url) = text.split_once('=').ok_or("say NAME=URL")?;
    match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok((name.to_owned(), url.to_owned())),
        _ => Err(format!("{url:?} is no http or https URL")),
    }
}
