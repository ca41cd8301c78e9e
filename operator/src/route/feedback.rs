//! The pods' reports: each pod's `/status`, polled by the leader. Second half of `resolve`.
//!
//! Invariant: a single failed poll changes nothing; a pod's last report is used until [`MAX_FAILURES`] polls in a row
//! failed. A pod can make the operator neither wait longer than a second nor read without limit.

mod pod;

use asyncmcp_crds::StatusReport;
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
pub(crate) use pod::View;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

use super::build::ADMIN_PORT;
use crate::cause;

/// Timeout of one poll.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Polls in flight at a time, over all routes: enough for each reconcile that runs at the same time.
const IN_FLIGHT: usize = 128;
/// Polls in flight at a time for one route. Anyone may label pods like those of a route of their namespace, and let them
/// never answer; they must not keep the operator from other routes.
const OF_A_ROUTE: usize = 4;
/// Pods of a route that are polled. It has one, or two while they are replaced.
const POLLED: usize = 8;
/// Failures in a row after which a pod's last report is no longer used.
pub(crate) const MAX_FAILURES: u32 = 3;
/// The largest report that is read.
const MAX_REPORT_BYTES: usize = 1 << 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to reach the pod's admin port")]
    Unreachable(#[source] reqwest::Error),
    /// An answer that is not 200.
    #[error("the pod answered /status with {0}")]
    Status(reqwest::StatusCode),
    #[error("the pod's report is larger than {MAX_REPORT_BYTES} bytes")]
    TooLarge,
    #[error("failed to parse the pod's report")]
    Unreadable(#[source] serde_json::Error),
}

/// A pod, and what is known about what it serves.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The pod, from the API server.
    pub(crate) pod: View,
    /// The pod's report; the last one if the latest poll failed.
    pub(crate) report: Option<Arc<StatusReport>>,
    /// Fewer than [`MAX_FAILURES`] polls in a row have failed.
    pub(crate) trusted: bool,
}

/// Each pod's last report, by the pod's uid.
#[derive(Debug, Default)]
pub(crate) struct Reports(HashMap<String, LastReport>);

#[derive(Debug, Default)]
struct LastReport {
    report: Option<Arc<StatusReport>>,
    failures: u32,
}

impl Reports {
    /// Takes one round of answers; drops pods that no longer exist.
    pub(crate) fn update(
        &mut self,
        answers: Vec<(View, Option<Result<StatusReport, Error>>)>,
    ) -> Vec<Observed> {
        let mut before = std::mem::take(&mut self.0);
        let observed = answers.into_iter().map(|(pod, answer)| {
            let mut last = before.remove(&pod.uid).unwrap_or_default();
            match answer {
                Some(Ok(report)) => {
                    last = LastReport {
                        report: Some(Arc::new(report)),
                        failures: 0,
                    }
                }
                Some(Err(error)) => {
                    last.failures = last.failures.saturating_add(1);
                    tracing::debug!(pod = pod.name, cause = cause::line(&error), "no report");
                }
                None => {}
            }
            let observed = Observed {
                report: last.report.clone(),
                trusted: last.failures < MAX_FAILURES,
                pod: pod.clone(),
            };
            self.0.insert(pod.uid, last);
            observed
        });
        observed.collect()
    }
}

/// Polls pods for their reports.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    http: reqwest::Client,
    permits: Arc<Semaphore>,
}

impl Poller {
    /// A client that never uses a proxy and never follows a redirect.
    pub(crate) fn try_new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self {
            http,
            permits: Arc::new(Semaphore::new(IN_FLIGHT)),
        })
    }

    /// Polls the pods of a route that have an address, the newest ones if there are too many.
    pub(crate) async fn poll(&self, pods: &[Arc<Pod>]) -> Vec<(View, Option<Result<StatusReport, Error>>)> {
        let mut pods = pods.to_vec();
        pods.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.clone()));
        let polls = pods.into_iter().enumerate().map(|(index, pod)| async move {
            let view = View::of(&pod);
            let answer = match view.address.filter(|_| index < POLLED) {
                Some(ip) => Some(self.report(ip).await),
                None => None,
            };
            (view, answer)
        });
        stream::iter(polls).buffered(OF_A_ROUTE).collect().await
    }

    async fn report(&self, ip: IpAddr) -> Result<StatusReport, Error> {
        let port = u16::try_from(ADMIN_PORT.1).expect("a port is 16 bits");
        self.fetch(SocketAddr::new(ip, port)).await
    }

    async fn fetch(&self, address: SocketAddr) -> Result<StatusReport, Error> {
        let _permit = self
            .permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let url = format!("http://{address}/status");
        let mut response = self.http.get(url).send().await.map_err(Error::Unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Error::Unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_REPORT_BYTES {
                return Err(Error::TooLarge);
            }
        }
        serde_json::from_slice(&body).map_err(Error::Unreadable)
    }
}

#[cfg(test)]
mod tests;
