//! Which data plane a command is about: one at a URL, or a route's in a cluster.
//!
//! Used by `jobs`, `status` and `console`. Invariant: flags for one way are refused beside the other.

use std::path::PathBuf;

use anyhow::Result;

use super::admin::Admin;
use super::cluster::{Forwarded, Place};
use super::http_url;

/// The flags.
#[derive(clap::Args)]
pub(crate) struct Connection {
    /// URL of a data plane's admin port.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN",
        default_value = "http://127.0.0.1:9464",
        value_name = "URL",
        value_parser = http_url,
        help_heading = "Connection"
    )]
    admin: String,
    /// File that contains the admin token: `adminToken` in the data plane's --state-dir. Takes precedence over --token and
    /// `ASYNCMCP_ADMIN_TOKEN`.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// Admin token: the key `adminToken` of the Secret `<route>-keys`. Visible in the process list; prefer the variable.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Connection"
    )]
    token: Option<String>,
    /// Route in a cluster: finds its pod, forwards its admin port and reads its token with the kubectl on PATH.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    route: Option<String>,
    /// Namespace of --route; the current one of kubectl if absent.
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAMESPACE",
        requires = "route",
        help_heading = "Connection"
    )]
    namespace: Option<String>,
}

/// An admin port, and what keeps it open.
pub(crate) struct Open {
    pub(crate) admin: Admin,
    /// What forwards it, where it is in a cluster.
    pub(crate) forwarded: Option<Forwarded>,
}

impl Connection {
    /// An admin port whose token is known.
    pub(crate) async fn open(self) -> Result<Open> {
        let Some(route) = self.route else {
            let admin = Admin::new(&self.admin, self.token, self.token_file.as_deref())?;
            return Ok(Open {
                admin,
                forwarded: None,
            });
        };
        let namespace = self.namespace;
        let forwarded = Place { namespace, route }.forward().await?;
        let admin = Admin::new(&forwarded.url, Some(forwarded.token.clone()), None)?;
        Ok(Open {
            admin,
            forwarded: Some(forwarded),
        })
    }

    /// The same for what needs no token.
    pub(crate) async fn open_reader(mut self) -> Result<Open> {
        self.token.get_or_insert_default();
        self.open().await
    }
}
