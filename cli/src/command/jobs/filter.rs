//! The flags that select jobs.
//!
//! Invariant: values are passed on unchanged; the API validates them.

use serde_json::Value;

/// Criteria that a job must meet; all of those that are set.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only jobs in this state: queued, running, due, sending, delivered, dead, stopped or ended.
    #[arg(long)]
    state: Option<String>,
    /// Only jobs of this tool, by its name as clients see it.
    #[arg(long)]
    tool: Option<String>,
    /// Only jobs of this server, by its name in the route.
    #[arg(long)]
    server: Option<String>,
    /// Only jobs of this client, as shown in the field client of a job.
    #[arg(long)]
    client: Option<String>,
    /// Only jobs for this receiver: its host, or its whole URL.
    #[arg(long, value_name = "HOST|URL")]
    receiver: Option<String>,
    /// Only dead letters with this reason, such as `http_4xx`.
    #[arg(long, value_name = "CATEGORY")]
    dead_reason: Option<String>,
    /// Only jobs accepted at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only jobs accepted before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the job whose attempts have this webhook-id.
    #[arg(long, value_name = "ID")]
    webhook_id: Option<String>,
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
            ("webhookId", &self.webhook_id),
        ];
        let given = fields.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    /// The same with a state, if none is set.
    pub(super) fn pairs_of(&self, state: &str) -> Vec<(&'static str, String)> {
        let state = self.state.is_none().then(|| ("state", state.to_owned()));
        self.pairs().into_iter().chain(state).collect()
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
