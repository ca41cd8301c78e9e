//! The namespaces that a cluster-wide operator leaves to others: those in which an operator of the same class, which watches
//! only some namespaces, holds its lock. Run by `ruling`, asked by reconciles.
//!
//! The narrower operator wins, since nobody watches single namespaces by accident. It acts only [`lock::SETTLE`] after it got its
//! lock, so that the wider one has seen it by then.
//!
//! Invariant: nothing is served before the locks were listed once. A lock counts until it was seen unchanged for its
//! duration. Whoever may write Leases in a namespace can only keep the cluster-wide operator out of that namespace.

use super::Leases as _;
use super::election::Record;
use super::lease::Named;
use super::lock;
use crate::cause;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time between two lists.
const PERIOD: Duration = Duration::from_secs(10);

/// The namespaces that are left to others, and to whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left(Arc<Mutex<BTreeMap<String, String>>>);

impl Left {
    /// The operator that serves this namespace instead of this one.
    pub(crate) fn holder(&self, namespace: &str) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(namespace)
            .cloned()
    }

    fn set(&self, left: BTreeMap<String, String>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (namespace, holder) in left.iter().filter(|(namespace, _)| !now.contains_key(*namespace)) {
            tracing::warn!(
                namespace,
                holder,
                "another operator of this class serves this namespace"
            );
        }
        *now = left;
    }
}

/// Lists the locks of single namespaces.
#[derive(Debug)]
pub(crate) struct Neighbours {
    api: Api<Lease>,
    class: String,
    /// The namespace of the cluster-wide lock.
    own: String,
    pub(crate) left: Left,
}

impl Neighbours {
    pub(crate) fn new(client: &kube::Client, class: Option<&str>, own: &str) -> Self {
        Self {
            api: Api::all(client.clone()),
            class: class.unwrap_or_default().to_owned(),
            own: own.to_owned(),
            left: Left::default(),
        }
    }

    /// The first list. It is tried until it succeeds.
    pub(crate) async fn first(&self) -> Seen {
        let mut seen = Seen::default();
        while !self.look(&mut seen).await {
            sleep(PERIOD).await;
        }
        seen
    }

    /// Lists again and again.
    pub(crate) async fn follow(&self, mut seen: Seen) {
        loop {
            sleep(PERIOD).await;
            self.look(&mut seen).await;
        }
    }

    async fn look(&self, seen: &mut Seen) -> bool {
        let params = ListParams::default().labels(&format!("{}={}", lock::LABEL, self.class));
        match self.api.list(&params).await {
            Ok(leases) => {
                let elsewhere = leases.items.iter().filter_map(|lease| {
                    let namespace = lease.metadata.namespace.clone()?;
                    (namespace != self.own).then(|| (namespace, Named::record(lease)))
                });
                self.left.set(seen.held(elsewhere.collect(), Instant::now()));
                true
            }
            Err(error) => {
                tracing::warn!(
                    cause = cause::line(&error),
                    "failed to list the locks of other operators"
                );
                false
            }
        }
    }
}

/// Each lock as it was last seen, and since when.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<String, (Record, Instant)>);

impl Seen {
    /// Takes the locks that exist; returns the namespaces with a lock that counts, and its holder.
    fn held(&mut self, locks: BTreeMap<String, Record>, now: Instant) -> BTreeMap<String, String> {
        let before = std::mem::take(&mut self.0);
        self.0 = locks
            .into_iter()
            .map(|(namespace, record)| {
                let since = before.get(&namespace).filter(|(seen, _)| *seen == record);
                let since = since.map_or(now, |(_, since)| *since);
                (namespace, (record, since))
            })
            .collect();
        let counts = |(record, since): &(Record, Instant)| {
            !record.holder.is_empty() && now < *since + record.duration.max(lock::TIMING.lease)
        };
        let held = self.0.iter().filter(|(_, seen)| counts(seen));
        held.map(|(namespace, (record, _))| (namespace.clone(), record.holder.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(renewed: &str) -> Record {
        Record {
            holder: "tools/asyncmcp".to_owned(),
            transitions: 0,
            renewed: renewed.to_owned(),
            duration: lock::TIMING.lease,
        }
    }

    #[test]
    fn a_namespace_is_left_to_its_lock_until_that_is_no_longer_renewed() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut held = |second: u64, stamp: Option<&str>| {
            let locks = stamp.map(|stamp| ("tools".to_owned(), record(stamp)));
            let left = seen.held(locks.into_iter().collect(), start + Duration::from_secs(second));
            left.get("tools").is_some_and(|holder| holder == "tools/asyncmcp")
        };
        assert!(held(0, Some("a")));
        assert!(held(50, Some("b")));
        assert!(held(109, Some("b")));
        assert!(!held(110, Some("b")));
        assert!(held(120, Some("c")));
        assert!(!held(121, None));
    }

    #[test]
    fn the_narrower_operator_waits_until_the_wider_one_must_have_seen_it() {
        assert!(lock::SETTLE >= 2 * PERIOD);
    }
}
