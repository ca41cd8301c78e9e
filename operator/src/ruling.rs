//! Whether this process may act: one Lease among the replicas of an installation, then one lock per scope among
//! installations of the same class. Made and run by `run`.
//!
//! An operator of the whole cluster leaves the namespaces of narrower ones to them.
//!
//! Invariant: nothing acts on a scope without both; whoever loses one ends the process.

use crate::args::Run;
use crate::controller::Scope;
use crate::leader::election::Timing;
use crate::leader::lock::{Held, Lock, Place};
use crate::leader::neighbours::{Left, Neighbours};
use crate::leader::{Error, Leader, Leadership, Named};
use futures::future::{pending, select_all};
use kube::api::Api;

/// The elections of this process.
#[derive(Debug)]
pub(crate) struct Ruling {
    /// Among replicas; `None` without `--leader-elect`, and then there are no locks either.
    lease: Option<Leader<Named>>,
    leads: Leadership,
    locks: Vec<(Lock, Leadership)>,
    /// Of an operator that watches the whole cluster.
    neighbours: Option<Neighbours>,
}

impl Ruling {
    /// The elections for these scopes.
    pub(crate) fn new(args: &Run, client: &kube::Client, identity: &str, scopes: &[Scope]) -> Self {
        if !args.leader_elect {
            return Self {
                lease: None,
                leads: Leadership::always(),
                locks: Vec::new(),
                neighbours: None,
            };
        }
        let namespace = args.lease_namespace.as_deref();
        let namespace = namespace.unwrap_or_else(|| client.default_namespace());
        let lease = Named::new(Api::namespaced(client.clone(), namespace), &args.lease_name);
        let (lease, leads) = Leader::new(lease, identity.to_owned(), Timing::default());
        let installation = format!("{namespace}/{}", args.lease_name);
        let class = args.operator_class.as_deref();
        let lock = |scope: &Scope| {
            let wide = Place::Cluster(&args.lock_namespace);
            let place = scope.namespace().map_or(wide, Place::Namespace);
            Lock::new(client, &place, class, &installation)
        };
        let is_wide = scopes.contains(&Scope::Cluster);
        Self {
            lease: Some(lease),
            leads,
            locks: scopes.iter().map(lock).collect(),
            neighbours: is_wide.then(|| Neighbours::new(client, class, &args.lock_namespace)),
        }
    }

    /// Whether this process may act on the scope at this position.
    pub(crate) fn of_scope(&self, index: usize) -> Leadership {
        match self.locks.get(index) {
            Some((_, lock)) => self.leads.and(lock),
            None => self.leads.clone(),
        }
    }

    /// What the admin port shows of it.
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            leads: self.leads.clone(),
            locks: self.locks.iter().map(|(lock, _)| lock.standing.clone()).collect(),
        }
    }

    /// Returns when the lease or a lock is lost.
    pub(crate) async fn run(&self) -> Error {
        let Some(lease) = &self.lease else {
            return pending().await;
        };
        let locks = async {
            self.leads.clone().gained().await;
            self.keep().await
        };
        tokio::select! {
            lost = lease.run() => lost,
            lost = locks => lost,
        }
    }

    async fn keep(&self) -> Error {
        let locks = || select_all(self.locks.iter().map(|(lock, _)| Box::pin(lock.run())));
        let Some(neighbours) = &self.neighbours else {
            return locks().await.0;
        };
        let seen = neighbours.first().await;
        tokio::select! {
            (lost, ..) = locks() => lost,
            () = neighbours.follow(seen) => pending().await,
        }
    }

    /// The namespaces that this operator leaves to others.
    pub(crate) fn left(&self) -> Left {
        self.neighbours
            .as_ref()
            .map(|neighbours| neighbours.left.clone())
            .unwrap_or_default()
    }

    /// Releases the lease, so that another replica need not wait. The locks stay this installation's.
    pub(crate) async fn release(&self) {
        if let Some(lease) = &self.lease {
            lease.release().await;
        }
    }
}

/// Whether this replica rules, for readiness and metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    leads: Leadership,
    locks: Vec<Held>,
}

impl Shown {
    /// Why this replica does nothing although it leads its installation.
    pub(crate) fn missing(&self) -> Vec<String> {
        let locks = self.locks.iter().filter(|_| self.leads.holds());
        locks.filter_map(Held::missing).collect()
    }

    /// Another installation rules where this one should.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.leads.holds() && self.locks.iter().any(Held::is_lost_to_another)
    }
}
