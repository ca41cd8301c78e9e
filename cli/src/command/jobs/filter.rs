//! The flags that select jobs.
//!
//! Invariant: values are passed on as they are and the API validates them, but for times, which may be spans before now.

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

/// Criteria that a job must meet; all of those that are set.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only jobs in this state: queued, running, due, sending, delivered, dead, stopped or ended. `list` takes several,
    /// separated by commas.
    #[arg(long, value_delimiter = ',')]
    state: Vec<String>,
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
    /// Only jobs whose last attempt failed with this reason, such as `http_5xx`.
    #[arg(long, value_name = "CATEGORY")]
    last_failure: Option<String>,
    /// Only jobs accepted at or after this time (RFC 3339), or in this span before now, such as 30m, 1h or 7d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only jobs accepted before this time (RFC 3339), or longer ago than this span.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// Only the job whose attempts have this webhook-id.
    #[arg(long, value_name = "ID")]
    webhook_id: Option<String>,
}

impl Filter {
    /// As query parameters, but for the state.
    fn others(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("tool", &self.tool),
            ("server", &self.server),
            ("client", &self.client),
            ("receiver", &self.receiver),
            ("deadReason", &self.dead_reason),
            ("lastFailure", &self.last_failure),
            ("since", &self.since),
            ("until", &self.until),
            ("webhookId", &self.webhook_id),
        ];
        let given = fields.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    /// As query parameters, one set for each state that is asked for.
    pub(super) fn of_each_state(&self) -> Vec<Vec<(&'static str, String)>> {
        let with = |state: &String| [vec![("state", state.clone())], self.others()].concat();
        match self.state.as_slice() {
            [] => vec![self.others()],
            states => states.iter().map(with).collect(),
        }
    }

    /// As query parameters, with one state at most, and this one if none is set.
    pub(super) fn pairs_of(&self, state: &str) -> Result<Vec<(&'static str, String)>> {
        let state = self.state()?.unwrap_or(state).to_owned();
        Ok([vec![("state", state)], self.others()].concat())
    }

    /// As a JSON object, with one state at most.
    pub(super) fn object(&self) -> Result<Value> {
        let state = self.state()?.map(|state| ("state", state.to_owned()));
        let pairs = state.into_iter().chain(self.others());
        Ok(Value::Object(
            pairs
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        ))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.others().is_empty()
    }

    fn state(&self) -> Result<Option<&str>> {
        ensure!(
            self.state.len() < 2,
            "--state: replay and delete take one state at a time"
        );
        Ok(self.state.first().map(String::as_str))
    }
}

/// A time as the API reads it. A span is counted back from now.
fn time(text: &str) -> Result<String, &'static str> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let hours = days.map(|days| format!("{}h", days.saturating_mul(24)));
    let Ok(span) = hours
        .as_deref()
        .unwrap_or(text)
        .parse::<asyncmcp_crds::Duration>()
    else {
        let time = text.parse::<Timestamp>().map(|_| text.to_owned());
        return time
            .map_err(|_| "expected a time such as 2026-11-22T08:30:00Z, or a span such as 30m, 1h or 7d");
    };
    let then = Timestamp::now() - span.as_std();
    Ok(then.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_counted_back_and_a_time_stays() {
        let ago = |text: &str| {
            let then = time(text).unwrap().parse().unwrap();
            Timestamp::now().duration_since(then).as_secs()
        };
        assert!((3600..3660).contains(&ago("1h")) && (90..150).contains(&ago("1m30s")));
        assert!((7 * 86_400..7 * 86_400 + 60).contains(&ago("7d")));
        let text = "2026-11-22T08:30:00Z";
        assert_eq!(time(text).unwrap(), text);
        assert!(time("yesterday").is_err());
    }
}
