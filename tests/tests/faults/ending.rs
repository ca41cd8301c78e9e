//! One call whose receiver is faulty, from its acknowledgement to its end, as everyone tells it.
//!
//! Invariant: what the log says of attempts is what the metrics counted.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use asyncmcp_tests::attempt::Attempt;
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::Post;
use asyncmcp_tests::session::Session;
use asyncmcp_tests::usage::Usage;
use serde_json::json;
use tempfile::TempDir;

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// `webhook.timeout` where nobody is to run into it.
const AMPLE: Duration = Duration::from_secs(10);
/// `webhook.timeout` where somebody is.
pub(crate) const TIGHT: Duration = Duration::from_millis(500);
/// `webhook.retry.retryAfterMax`.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// What differs between routes.
pub(crate) struct Setting<'a> {
    /// The default receiver.
    pub(crate) url: &'a str,
    /// `webhook.receivers.fromClients`, as a line of YAML, or nothing.
    pub(crate) from_clients: &'a str,
    /// `webhook.timeout`.
    pub(crate) timeout: Duration,
}

impl<'a> Setting<'a> {
    pub(crate) fn of(url: &'a str) -> Self {
        Self {
            url,
            from_clients: "",
            timeout: AMPLE,
        }
    }
}

/// A data plane in front of an example server. Dropped in this order.
pub(crate) struct Stage {
    pub(crate) gateway: DataPlane,
    _example: Example,
    _dir: TempDir,
}

impl Stage {
    /// Starts a data plane whose default receiver is `url`.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        Self::open_as(Setting::of(url), |_| Ok(Launch::default())).await
    }

    /// The same as everything in `setting` says, with a start that may need files in its directory.
    pub(crate) async fn open_as(
        setting: Setting<'_>,
        launch: impl FnOnce(&Path) -> Result<Launch>,
    ) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let launch = trusting_nobody(dir.path(), launch(dir.path())?)?;
        let example = Example::start(dir.path()).await?;
        let route = route(&example.url, &setting);
        Ok(Self {
            gateway: DataPlane::start_as(dir.path(), &route, launch).await?,
            _example: example,
            _dir: dir,
        })
    }

    /// Makes a call that is accepted.
    pub(crate) async fn call(&self, named: Option<&str>) -> Result<Session> {
        let session = Session::open(&self.gateway.url(), named).await?;
        let reply = session
            .call(1, "process_batch", &json!({"seconds": 0, "items": 1}))
            .await?;
        ensure!(
            reply.is_acknowledgement(),
            "HTTP {} {}",
            reply.status,
            reply.json()
        );
        Ok(session)
    }

    /// The most memory that the process has used, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        Ok(Usage::of(self.gateway.process.pid())?.peak)
    }

    /// What the log says of all attempts, once so many were made.
    pub(crate) async fn attempts(&self, enough: usize) -> Vec<Attempt> {
        eventually(PATIENCE, || async {
            let attempts = self.gateway.attempts();
            if attempts.len() >= enough {
                Ok(attempts)
            } else {
                Err(format!("{attempts:?}"))
            }
        })
        .await
    }

    /// Waits for the end and checks that everyone tells the same story: the log's lines, as
    /// [`Attempt::summary`] has them, are `expected`.
    pub(crate) async fn ends_as(&self, expected: &[&str]) -> Result<()> {
        self.gateway.at_rest(PATIENCE).await;
        let attempts = self.attempts(expected.len()).await;
        let told: Vec<_> = attempts.iter().map(Attempt::summary).collect();
        ensure!(told == expected, "the log tells {told:?}");
        let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
        ensure!(
            numbers.iter().copied().eq(1..=attempts.len() as u64),
            "numbers {numbers:?}"
        );
        let ids: HashSet<_> = attempts.iter().map(|attempt| &attempt.webhook_id).collect();
        ensure!(ids.len() == 1, "more than one delivery: {ids:?}");
        self.metrics_agree(&attempts).await?;
        let dead = attempts
            .iter()
            .filter(|attempt| attempt.outcome == "dead")
            .count();
        let status = self.gateway.status().await?;
        ensure!(status["delivery"]["deadLettered"] == dead, "{status}");
        Ok(())
    }

    async fn metrics_agree(&self, attempts: &[Attempt]) -> Result<()> {
        for outcome in ["delivered", "retry", "dead", "interrupted"] {
            for class in ["1xx", "2xx", "3xx", "4xx", "5xx", "none"] {
                let labels = [("outcome", outcome), ("status_class", class)];
                let of = |attempt: &&Attempt| attempt.outcome == outcome && class_of(attempt) == class;
                let expected = attempts.iter().filter(of).count();
                self.counts("asyncmcp_delivery_attempts_total", &labels, expected)
                    .await?;
            }
        }
        for (metric, outcome) in [
            ("asyncmcp_delivery_retries_total", "retry"),
            ("asyncmcp_dead_letters_total", "dead"),
        ] {
            let those: Vec<_> = attempts
                .iter()
                .filter(|attempt| attempt.outcome == outcome)
                .collect();
            self.counts(metric, &[], those.len()).await?;
            for attempt in &those {
                let same = those.iter().filter(|other| other.category == attempt.category);
                let labels = [("reason", attempt.category.as_str())];
                self.counts(metric, &labels, same.count()).await?;
            }
        }
        let delivered = attempts
            .iter()
            .filter(|attempt| attempt.outcome == "delivered")
            .count();
        self.counts("asyncmcp_time_to_delivery_seconds_count", &[], delivered)
            .await
    }

    /// Checks a counter.
    pub(crate) async fn counts(&self, metric: &str, labels: &[(&str, &str)], expected: usize) -> Result<()> {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        let found = self.gateway.metric(metric, &labels).await?;
        let expected = f64::from(u32::try_from(expected)?);
        ensure!(
            (found - expected).abs() < 0.5,
            "{metric}{labels:?} is {found}, not {expected}"
        );
        Ok(())
    }
}

/// Checks that every request was the same delivery: one id, one body.
pub(crate) fn are_one_delivery(seen: &[Post]) -> Result<()> {
    let distinct: HashSet<_> = seen
        .iter()
        .map(|seen| (seen.header("webhook-id"), &seen.body))
        .collect();
    ensure!(distinct.len() <= 1, "{distinct:?}");
    Ok(())
}

fn class_of(attempt: &Attempt) -> String {
    attempt
        .status
        .map_or_else(|| "none".to_owned(), |status| format!("{}xx", status / 100))
}

/// Unless a test says whom to trust, it is an authority that issues nothing: the machine's are many and
/// slow to read.
fn trusting_nobody(dir: &Path, mut launch: Launch) -> Result<Launch> {
    if launch.env.is_empty() {
        let roots = dir.join("nobody.pem");
        Authority::new()?.write(&roots)?;
        launch.env = vec![("SSL_CERT_FILE".to_owned(), roots.display().to_string())];
    }
    Ok(launch)
}

fn route(server: &str, setting: &Setting<'_>) -> String {
    let Setting {
        url, from_clients, ..
    } = setting;
    let (timeout, retry_after) = (setting.timeout.as_millis(), RETRY_AFTER_MAX.as_secs());
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: faults}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: process_batch}}
  webhook:
    timeout: {timeout}ms
    retry: {{max: 2, exponential: {{initial: 100ms}}, retryAfterMax: {retry_after}s}}
    receivers:
      default: {{url: "{url}"}}
      {from_clients}
"#
    )
}
