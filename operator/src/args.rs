//! The command line. Called by `main`; the chart sets these flags.
//!
//! Invariant: a bad value is refused before anything is opened, with the flag's name.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;

/// Turns `McpWebhookRoute` objects into data-plane pods.
#[derive(Debug, Parser)]
#[command(name = "asyncmcp-operator", version, about)]
pub struct Cli {
    /// Something else to do than to run the operator.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: Run,
}

/// What the program can do besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints the permissions that the operator needs, as the chart's `files/rbac.yaml`.
    Rbac,
}

/// How the operator runs.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Image of the data-plane pods of routes that name none themselves.
    #[arg(long, env = "ASYNCMCP_DATAPLANE_IMAGE", default_value = DEFAULT_IMAGE)]
    pub dataplane_image: String,
    /// Namespaces to watch, repeated or separated by commas. None: all namespaces.
    #[arg(long = "namespace", env = "ASYNCMCP_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Watch the metadata of Secrets, so that a changed key is live in seconds; their contents are never read. `false`:
    /// Secrets are neither listed nor watched, and the kubelet's own refresh brings a changed key in about a minute.
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    pub watch_secrets: bool,
    /// Elect one leader among several replicas. Without it this process acts at once and must be alone.
    #[arg(long, env = "ASYNCMCP_LEADER_ELECT")]
    pub leader_elect: bool,
    /// Namespace of the Lease. Default: the one of the kubeconfig or of the service account.
    #[arg(long, env = "POD_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease.
    #[arg(long, default_value = "asyncmcp-operator")]
    pub lease_name: String,
    /// This replica's name in the Lease and in Events. It must differ between replicas. Default: a random one.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    #[arg(long, default_value = "0.0.0.0:9464")]
    pub admin_listen: SocketAddr,
    /// What to log: a level, or directives such as `info,asyncmcp_operator=debug`.
    #[arg(long, env = "ASYNCMCP_LOG", default_value = "info")]
    pub log_level: String,
    /// How a log line looks.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// Whom the data planes' processes run as.
    #[command(flatten)]
    pub user: PodUser,
}

/// Ids of the data planes' processes. An empty value leaves the id out, for clusters that assign their own.
#[derive(Clone, Debug, Args)]
pub struct PodUser {
    /// User id of data-plane processes; empty: the platform's choice.
    #[arg(long = "dataplane-run-as-user", default_value = "65532", value_parser = id)]
    pub user: Id,
    /// Group id of data-plane processes; empty: the platform's choice.
    #[arg(long = "dataplane-run-as-group", default_value = "65532", value_parser = id)]
    pub group: Id,
    /// Group that owns data-plane volumes; empty: the platform's choice.
    #[arg(long = "dataplane-fs-group", default_value = "65532", value_parser = id)]
    pub fs_group: Id,
}

/// A user or group id, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub Option<i64>);

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The data plane of this version.
const DEFAULT_IMAGE: &str = concat!("asyncmcp-dataplane:", env!("CARGO_PKG_VERSION"));

fn id(text: &str) -> Result<Id, String> {
    if text.is_empty() {
        return Ok(Id(None));
    }
    match text.parse::<i64>() {
        Ok(number) if number > 0 => Ok(Id(Some(number))),
        _ => Err("must be a number above 0 (root is refused), or empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_id_can_be_cleared_but_is_never_root() {
        let parse = |value: &str| {
            let flag = format!("--dataplane-run-as-user={value}");
            Cli::try_parse_from(["asyncmcp-operator", &flag]).map(|cli| cli.run.user.user)
        };
        assert_eq!(parse("").unwrap(), Id(None));
        assert_eq!(parse("1000").unwrap(), Id(Some(1000)));
        assert!(parse("0").is_err() && parse("-1").is_err() && parse("x").is_err());
    }

    #[test]
    fn namespaces_are_repeated_or_separated_by_commas() {
        let cli = Cli::try_parse_from(["asyncmcp-operator", "--namespace=a,b", "--namespace=c"]).unwrap();
        assert_eq!(cli.run.namespaces, ["a", "b", "c"]);
    }
}
