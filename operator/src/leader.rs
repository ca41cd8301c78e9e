//! Leader election over a `coordination.k8s.io/v1` Lease. Called by `ruling`; reconciles ask [`Leadership`].
//!
//! No crate for this supports our kube version, and the rules are short (`election`).
//!
//! Invariant: [`Leader::run`] returns only when leadership is lost; the process then exits, so no reconcile of
//! an old leader can meet one of the new leader.

pub(crate) mod election;
mod lease;
pub(crate) mod lock;
pub(crate) mod neighbours;

use election::{Election, Record, Step, Timing};
pub(crate) use lease::{Leases, Named};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// Why this replica stopped leading.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The renew deadline passed.
    #[error("failed to renew the lease in time; exiting so that another replica can lead")]
    NotRenewed,
    /// Another replica holds the lease.
    #[error("another replica holds the lease; exiting")]
    TakenOver,
}

/// Where a candidate stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The lease could not be read or written yet.
    #[default]
    Unknown,
    /// Another one holds the lease.
    StandsBy(String),
    Leads,
}

impl Standing {
    fn leads(&self) -> bool {
        *self == Self::Leads
    }
}

/// Whether this replica leads in every election that counts, for code that must not act on standby.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(Vec<watch::Receiver<Standing>>);

impl Leadership {
    /// Without an election: always leads.
    pub(crate) fn always() -> Self {
        Self(Vec::new())
    }

    /// This one and another.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self([&self.0[..], &other.0[..]].concat())
    }

    /// Whether this replica leads now.
    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(|standing| standing.borrow().leads())
    }

    /// Waits until this replica leads.
    pub(crate) async fn gained(&mut self) {
        while !self.holds() {
            for standing in &mut self.0 {
                if standing.wait_for(Standing::leads).await.is_err() {
                    // The election has ended and the process is about to exit; nothing may act in between.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Default for Leadership {
    fn default() -> Self {
        Self::always()
    }
}

/// This process as a candidate.
#[derive(Debug)]
pub(crate) struct Leader<L> {
    leases: L,
    me: String,
    timing: Timing,
    standing: watch::Sender<Standing>,
}

impl<L: Leases> Leader<L> {
    /// A candidate named `me`; names must differ between replicas.
    pub(crate) fn new(leases: L, me: String, timing: Timing) -> (Self, Leadership) {
        let (standing, receiver) = watch::channel(Standing::Unknown);
        (
            Self {
                leases,
                me,
                timing,
                standing,
            },
            Leadership(vec![receiver]),
        )
    }

    /// Where this candidate stands, as it changes.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Waits for the lease, leads, renews. Returns when leadership is lost.
    pub(crate) async fn run(&self) -> Error {
        let mut election = Election::new(self.me.clone(), self.timing);
        loop {
            if let Err(lost) = self.attempt(&mut election).await {
                self.standing.send_replace(Standing::Unknown);
                return lost;
            }
            self.announce(&election.standing(Instant::now()));
            let next = Instant::now() + self.timing.retry;
            sleep(
                next.min(election.deadline().unwrap_or(next))
                    .duration_since(Instant::now()),
            )
            .await;
        }
    }

    /// Releases the lease, so that the next leader need not wait until it expires.
    pub(crate) async fn release(&self) {
        if !self.standing.borrow().leads() {
            return;
        }
        self.standing.send_replace(Standing::Unknown);
        let until = Instant::now() + self.timing.retry;
        match timeout_at(until, self.leases.release(&self.me)).await {
            Ok(Ok(())) => tracing::info!("released the lease"),
            Ok(Err(error)) => tracing::warn!(%error, "failed to release the lease"),
            Err(_) => tracing::warn!("timed out releasing the lease"),
        }
    }

    /// Reads the lease once and writes it if due. Errors, and answers that do not come, are retried until the renew
    /// deadline.
    async fn attempt(&self, election: &mut Election) -> Result<(), Error> {
        let sent_at = Instant::now();
        let deadline = election.deadline();
        let left = deadline.map_or(self.timing.renew_deadline, |deadline| deadline - sent_at);
        // A connection that was dropped without a word costs half of the time, and the next attempt opens another one.
        let until = sent_at + left / 2;
        match timeout_at(until, self.read_and_write(election, sent_at)).await {
            Ok(Ok(())) => {}
            Ok(Err(AttemptError::TakenOver)) => return Err(Error::TakenOver),
            Ok(Err(AttemptError::Api(error))) => {
                tracing::warn!(lease = %self.leases, %error, "failed to read or write the lease");
            }
            Err(_) => tracing::warn!(lease = %self.leases, "timed out reading or writing the lease"),
        }
        if election.lost(Instant::now()) {
            Err(Error::NotRenewed)
        } else {
            Ok(())
        }
    }

    async fn read_and_write(
        &self,
        election: &mut Election,
        sent_at: Instant,
    ) -> Result<(), AttemptError<L::Error>> {
        let found = self.leases.get().await.map_err(AttemptError::Api)?;
        let record = found.as_ref().map(L::record);
        let step = election.step(record, sent_at);
        if election.is_taken_over(&step) {
            return Err(AttemptError::TakenOver);
        }
        let Step::Hold { transitions } = step else {
            return Ok(());
        };
        let record = Record {
            holder: self.me.clone(),
            transitions,
            renewed: String::new(),
            duration: self.timing.lease,
        };
        if self.leases.put(found, record).await.map_err(AttemptError::Api)? {
            election.held(sent_at);
        }
        Ok(())
    }

    fn announce(&self, standing: &Standing) {
        let changed = self
            .standing
            .send_if_modified(|before| std::mem::replace(before, standing.clone()) != *standing);
        if changed {
            tracing::info!(lease = %self.leases, ?standing, "leadership changed");
        }
    }
}

enum AttemptError<E> {
    TakenOver,
    Api(E),
}

#[cfg(test)]
mod tests;
