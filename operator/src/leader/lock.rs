//! The lock that keeps two operators of one class apart: a second election, between installations instead of replicas.
//! Run by `ruling` while this replica leads its own installation.
//!
//! Its Lease is where every operator of the class finds it: in one namespace of the cluster for those that watch all
//! namespaces, in each watched namespace for the others. Its holder is an installation (the namespace and name of its
//! Lease), so it passes between replicas of one installation without a pause, and is not released when a replica stops:
//! during an upgrade no other installation takes over.
//!
//! Invariant: an operator acts on a scope only while it holds its lock.

use super::election::Timing;
use super::{Error, Leader, Leadership, Named, Standing};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;
use std::time::Duration;
use tokio::sync::watch;

/// Slower than the election between replicas: an installation that is restarted keeps its lock.
pub(crate) const TIMING: Timing = Timing {
    lease: Duration::from_mins(1),
    renew_deadline: Duration::from_secs(40),
    retry: Duration::from_secs(10),
    settle: Duration::ZERO,
};

/// How long an operator that watches some namespaces waits after it got a lock: one that watches the whole cluster lists the
/// locks more often.
pub(super) const SETTLE: Duration = Duration::from_secs(30);

/// Label of every lock: the class, empty if there is none.
pub(crate) const LABEL: &str = "asyncmcp.dev/operator-lock";

/// The name of the lock's Lease.
pub(crate) fn name(class: Option<&str>) -> String {
    let class = class.map(|class| format!(".{class}")).unwrap_or_default();
    format!("asyncmcp-operator-lock{class}")
}

/// Where a lock is, and what it covers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// In this namespace, for the whole cluster.
    Cluster(&'a str),
    /// In this namespace, for it alone.
    Namespace(&'a str),
}

/// The lock of one scope.
#[derive(Debug)]
pub(crate) struct Lock {
    leader: Leader<Named>,
    pub(crate) standing: Held,
}

/// Who holds a lock, for readiness and metrics.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// `namespace/name` of the Lease.
    place: String,
    standing: watch::Receiver<Standing>,
}

impl Lock {
    /// The lock in this namespace, for the installation `me`.
    pub(crate) fn new(
        client: &kube::Client,
        at: &Place<'_>,
        class: Option<&str>,
        me: &str,
    ) -> (Self, Leadership) {
        let (namespace, settle) = match at {
            Place::Cluster(namespace) => (namespace, Duration::ZERO),
            Place::Namespace(namespace) => (namespace, SETTLE),
        };
        let timing = Timing { settle, ..TIMING };
        let name = name(class);
        let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
        let lease = Named::new(api, &name).labelled(LABEL, class.unwrap_or_default());
        let (leader, leadership) = Leader::new(lease, me.to_owned(), timing);
        let standing = Held {
            place: format!("{namespace}/{name}"),
            standing: leader.standing(),
        };
        (Self { leader, standing }, leadership)
    }

    /// Waits for the lock and keeps it. Returns when it is lost.
    pub(crate) async fn run(&self) -> Error {
        tokio::select! {
            lost = self.leader.run() => lost,
            () = self.standing.report() => std::future::pending().await,
        }
    }
}

impl Held {
    /// Why the lock is not held; `None` if it is.
    pub(crate) fn missing(&self) -> Option<String> {
        match &*self.standing.borrow() {
            Standing::Leads => None,
            Standing::StandsBy(holder) => Some(self.refusal(holder)),
            Standing::Unknown => Some(format!("waiting for the lock, Lease {}", self.place)),
        }
    }

    /// Another installation holds the lock.
    pub(crate) fn is_lost_to_another(&self) -> bool {
        matches!(&*self.standing.borrow(), Standing::StandsBy(_))
    }

    fn refusal(&self, holder: &str) -> String {
        format!(
            "the operator {holder} serves the routes of this class (Lease {}), so this one does nothing: give one of them a \
             class of its own (--operator-class), or uninstall it",
            self.place
        )
    }

    /// Logs every other installation that holds the lock.
    async fn report(&self) {
        let mut standing = self.standing.clone();
        while standing.changed().await.is_ok() {
            if let Standing::StandsBy(holder) = &*standing.borrow_and_update() {
                tracing::warn!("{}", self.refusal(holder));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_lock_of_its_own() {
        assert_eq!(name(None), "asyncmcp-operator-lock");
        assert_eq!(name(Some("team-a")), "asyncmcp-operator-lock.team-a");
    }

    #[test]
    fn a_refusal_names_who_rules_and_the_way_out() {
        let (set, standing) = watch::channel(Standing::Unknown);
        let held = Held {
            place: "kube-system/lock".to_owned(),
            standing,
        };
        assert!(held.missing().is_some() && !held.is_lost_to_another());
        set.send_replace(Standing::StandsBy("first/asyncmcp".to_owned()));
        let text = held.missing().unwrap();
        for word in ["first/asyncmcp", "kube-system/lock", "--operator-class"] {
            assert!(text.contains(word), "{text}");
        }
        set.send_replace(Standing::Leads);
        assert_eq!(held.missing(), None);
    }
}
