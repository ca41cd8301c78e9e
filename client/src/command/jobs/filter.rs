//! Which jobs, as flags.
//!
//! Invariant: a flag is passed on as it was written; what is wrong with it the API says.

use serde_json::Value;

/// The flags that choose jobs.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// queued, running, due, sending, delivered, dead, stopped or ended.
    #[arg(long)]
    state: Option<String>,
    /// Their tool as clients see it.
    #[arg(long)]
    tool: Option<String>,
    /// Their server's name in the route.
    #[arg(long)]
    server: Option<String>,
    /// Their client, as `client` of a job names it.
    #[arg(long)]
    client: Option<String>,
    /// The host of their receiver, or its whole URL.
    #[arg(long, value_name = "HOST|URL")]
    receiver: Option<String>,
    /// Why they are dead letters, such as `http_4xx`.
    #[arg(long, value_name = "CATEGORY")]
    dead_reason: Option<String>,
    /// Accepted at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Accepted before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filter {
    /// As query parameters.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("state", &self.state),
            ("tool", &self.tool),
            ("server", &self.server),
            ("client", &self.client),
            ("receiver", &self.receiver),
            ("deadReason", &self.dead_reason),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let given = fields.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    /// As a JSON object.
    pub(super) fn object(&self) -> Value {
        let pairs = self.pairs().into_iter();
        Value::Object(
            pairs
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs().is_empty()
    }
}
