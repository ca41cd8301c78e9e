//! The command line. Nothing but clap's types, and what a flag means.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand};

use asyncmcp_crds::Overrides;

use crate::config::Source;
use crate::store_command::StoreCommand;
use crate::telemetry::LogFormat;

/// What is done instead of serving a route.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Maintain an offline store.
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

    /// The McpWebhookRoute to serve, as YAML or JSON; edits take effect without a restart.
    #[arg(long, value_name = "FILE", group = "document")]
    pub route: Option<PathBuf>,

    /// The directory that the operator mounts, instead of --route.
    #[arg(long, value_name = "DIR", group = "document")]
    pub config_dir: Option<PathBuf>,

    /// URL to use for a server in place of its Service or url (repeatable).
    #[arg(long = "server", value_name = "NAME=URL", value_parser = asyncmcp_crds::overrides::name_and_url, requires = "route")]
    pub servers: Vec<(String, String)>,

    /// URL to use for the default receiver in place of its Service or url.
    #[arg(long, value_name = "URL", requires = "route")]
    pub receiver: Option<String>,

    /// The directory with `secrets/<name>/<key>` and `configmaps/<name>/<key>`.
    #[arg(long, value_name = "DIR", default_value = "refs", requires = "route")]
    pub refs_dir: PathBuf,

    /// Directory for jobs and keys. Without it, everything is kept in memory and lost on exit.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Address for MCP clients.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,

    /// Admin address. /livez, /readyz, /metrics and /status are open; /jobs requires the admin token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464", value_parser = address)]
    pub admin_listen: SocketAddr,

    /// File with the admin token. Default: `keys/adminToken` in --config-dir, or `adminToken` in --state-dir, which is
    /// created if missing.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// File with the view token, which reads jobs without payloads and changes nothing. Default: `viewToken` beside the
    /// default admin token.
    #[arg(long, value_name = "FILE", requires = "admin_token_file")]
    pub view_token_file: Option<PathBuf>,

    /// Format of log lines. auto: text on a terminal, else JSON.
    #[arg(long, value_enum, default_value = "auto")]
    pub log_format: LogFormat,

    /// Validate the route, print what it says and what to look at, and exit: 0 if it is valid, 78 if not.
    #[arg(long, conflicts_with = "openapi")]
    pub check: bool,

    /// With --check: exit with 1 if there is a warning.
    #[arg(long, requires = "check")]
    pub strict: bool,

    /// Print the `OpenAPI` document of /jobs and exit.
    #[arg(long, group = "document")]
    pub openapi: bool,

    /// For crash tests: abort at the Nth commit of a kind, `KIND:before|after:N`.
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

/// An address to listen on; `localhost` is the loopback address.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let numeric = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let numeric = numeric.as_deref().unwrap_or(text);
    numeric
        .parse()
        .map_err(|_| "expected ADDRESS:PORT, for example 127.0.0.1:8080, or 0.0.0.0:8080 for all addresses")
}
