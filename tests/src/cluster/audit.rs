//! What the operator wrote, by the API server's own account. Only the local cluster keeps one where tests can read it.
//!
//! Invariant: nothing that the operator asked for is left out, also what was refused.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use super::Release;

/// The writes since a moment.
pub struct Writes {
    log: PathBuf,
    from: usize,
}

impl Writes {
    /// From now on; nothing where there is no audit log.
    pub fn from_now() -> Option<Self> {
        let log = PathBuf::from(std::env::var_os("ASYNCMCP_CLUSTER_AUDIT_LOG")?);
        let from = std::fs::read_to_string(&log).ok()?.lines().count();
        Some(Self { log, from })
    }

    /// Every write of a release's operator that was not to a Lease.
    pub fn beside_leases(&self, release: &Release) -> Result<Vec<String>> {
        let account = release.account();
        let text = std::fs::read_to_string(&self.log)?;
        let events = text
            .lines()
            .skip(self.from)
            .filter_map(|line| serde_json::from_str(line).ok());
        let by_operator = |event: &Value| event["user"]["username"] == account.as_str();
        let of_lease = |event: &Value| event["objectRef"]["resource"] == "leases";
        let writes = events.filter(|event| by_operator(event) && !of_lease(event));
        Ok(writes
            .map(|event| format!("{} {}", event["verb"], event["objectRef"]))
            .collect())
    }
}
