//! The command line. Called by `main`; the chart sets these flags.
//!
//! Invariant: a bad value is refused before anything is opened, with the flag's name.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;

/// The command line of `asyncmcp-operator`.
#[derive(Debug, Parser)]
#[command(
    name = "asyncmcp-operator",
    version,
    about = "Run data-plane pods for McpWebhookRoute objects"
)]
pub struct Cli {
    /// A command other than running the operator.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of the operator itself.
    #[command(flatten)]
    pub run: Run,
}

/// Commands other than running the operator.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the permissions that the operator needs, in the format of the chart's files/rbac.yaml
    Rbac,
}

/// Flags of the operator.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Image of the data-plane pods of routes without an image of their own
    #[arg(long, env = "ASYNCMCP_DATAPLANE_IMAGE", default_value = DEFAULT_IMAGE)]
    pub dataplane_image: String,
    /// Namespaces to watch, repeatable or separated by commas. Without it, all namespaces are watched
    #[arg(long = "namespace", env = "ASYNCMCP_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Routes whose pods are replaced at the same time when a new version of the operator or of its default image changes
    /// them. The first one is tried alone
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_rolling_routes: u16,
    /// Watch the metadata of Secrets, so that a changed key takes effect within seconds; their contents are never read.
    /// With "false", Secrets are neither listed nor watched, and a changed key takes effect when the kubelet refreshes
    /// the pod's volume, in about a minute
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    pub watch_secrets: bool,
    /// Elect a leader among several replicas. Without it there must be only one replica
    #[arg(long, env = "ASYNCMCP_LEADER_ELECT")]
    pub leader_elect: bool,
    /// Namespace of the Lease. Default: the namespace of the kubeconfig or of the service account
    #[arg(long, env = "POD_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease
    #[arg(long, default_value = "asyncmcp-operator")]
    pub lease_name: String,
    /// Serve the routes with this operatorClass. Without it, those without a class
    #[arg(long, env = "ASYNCMCP_OPERATOR_CLASS", value_parser = class)]
    pub operator_class: Option<String>,
    /// Namespace of the lock that keeps two operators of one class apart, a Lease; the same for all of them. With
    /// --namespace, the lock is in each watched namespace instead. Without --leader-elect there is no lock
    #[arg(long, env = "ASYNCMCP_LOCK_NAMESPACE", default_value = "kube-system")]
    pub lock_namespace: String,
    /// This replica's name in the Lease and in Events; must be unique among replicas. Default: a random name
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,
    /// Address to serve /livez, /readyz and /metrics on
    #[arg(long, default_value = "0.0.0.0:9464")]
    pub admin_listen: SocketAddr,
    /// Log level, or a filter such as info,kube=debug
    #[arg(long, env = "ASYNCMCP_LOG", default_value = "info")]
    pub log_level: String,
    /// Log format
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// User and groups of the data planes' processes.
    #[command(flatten)]
    pub user: PodUser,
}

/// User and group ids of the data planes' processes. An empty value leaves the id out, for clusters that assign ids.
#[derive(Clone, Debug, Args)]
pub struct PodUser {
    /// User id of data-plane processes; leave empty to let the platform choose
    #[arg(long = "dataplane-run-as-user", default_value = "65532", value_parser = id)]
    pub user: Id,
    /// Group id of data-plane processes; leave empty to let the platform choose
    #[arg(long = "dataplane-run-as-group", default_value = "65532", value_parser = id)]
    pub group: Id,
    /// Group that owns data-plane volumes; leave empty to let the platform choose
    #[arg(long = "dataplane-fs-group", default_value = "65532", value_parser = id)]
    pub fs_group: Id,
}

/// A user or group id, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub Option<i64>);

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line
    Json,
    /// Human-readable
    Text,
}

/// The data plane of this version.
const DEFAULT_IMAGE: &str = concat!("asyncmcp-dataplane:", env!("CARGO_PKG_VERSION"));

fn class(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name =
        text.len() <= 63 && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-');
    if is_name && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err("must contain only lower-case letters, digits and '-', at most 63, for example team-a".to_owned())
    }
}

fn id(text: &str) -> Result<Id, String> {
    if text.is_empty() {
        return Ok(Id(None));
    }
    match text.parse::<i64>() {
        Ok(number) if number > 0 => Ok(Id(Some(number))),
        _ => Err("must be a number above 0 (root is not allowed), or empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_valid() {
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
    fn a_class_is_a_name_as_in_a_route() {
        let parse = |value: &str| {
            let flag = format!("--operator-class={value}");
            Cli::try_parse_from(["asyncmcp-operator", &flag]).map(|cli| cli.run.operator_class)
        };
        assert_eq!(parse("team-a").unwrap().as_deref(), Some("team-a"));
        assert!(parse("").is_err() && parse("Team").is_err() && parse("a-").is_err());
    }

    #[test]
    fn namespaces_are_repeated_or_separated_by_commas() {
        let cli = Cli::try_parse_from(["asyncmcp-operator", "--namespace=a,b", "--namespace=c"]).unwrap();
        assert_eq!(cli.run.namespaces, ["a", "b", "c"]);
    }
}
