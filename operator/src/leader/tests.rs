//! Elections between replicas over one lease in memory, on a clock the test drives.

use super::election::{Record, Timing};
use super::lock::TIMING;
use super::{Error, Leader, Leadership, Leases, Standing};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, advance, sleep};

#[derive(Clone, Debug, Default)]
struct Stored {
    record: Option<(Record, u64)>,
}

/// The lease as in an API server, with optimistic concurrency; some of a replica's requests get no answer.
#[derive(Clone, Debug, Default)]
struct SharedLease {
    stored: Arc<Mutex<Stored>>,
    unanswered: Arc<Mutex<u32>>,
}

impl SharedLease {
    async fn reachable(&self) {
        let left = self.unanswered.lock().unwrap().checked_sub(1);
        if let Some(left) = left {
            *self.unanswered.lock().unwrap() = left;
            std::future::pending::<()>().await;
        }
    }
}

impl std::fmt::Display for SharedLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("shared")
    }
}

impl Leases for SharedLease {
    type Lease = (Record, u64);
    type Error = String;

    fn record(lease: &Self::Lease) -> Record {
        lease.0.clone()
    }

    async fn get(&self) -> Result<Option<Self::Lease>, String> {
        self.reachable().await;
        Ok(self.stored.lock().unwrap().record.clone())
    }

    async fn put(&self, found: Option<Self::Lease>, mut record: Record) -> Result<bool, String> {
        self.reachable().await;
        let mut stored = self.stored.lock().unwrap();
        let version = stored.record.as_ref().map(|(_, version)| *version);
        if version != found.map(|(_, version)| version) {
            return Ok(false);
        }
        let next = version.unwrap_or_default() + 1;
        record.renewed = next.to_string();
        stored.record = Some((record, next));
        Ok(true)
    }

    async fn release(&self, me: &str) -> Result<(), String> {
        let mut stored = self.stored.lock().unwrap();
        if let Some((record, version)) = stored.record.as_mut()
            && record.holder == me
        {
            record.holder.clear();
            *version += 1;
        }
        Ok(())
    }
}

struct Replica {
    leader: Arc<Leader<SharedLease>>,
    leadership: Leadership,
    run: tokio::task::JoinHandle<Error>,
    lease: SharedLease,
}

fn replica(lease: &SharedLease, name: &str) -> Replica {
    with(lease, name, Timing::default())
}

fn with(lease: &SharedLease, name: &str, timing: Timing) -> Replica {
    let lease = SharedLease {
        stored: lease.stored.clone(),
        ..SharedLease::default()
    };
    let (leader, leadership) = Leader::new(lease.clone(), name.to_owned(), timing);
    let leader = Arc::new(leader);
    let run = tokio::spawn({
        let leader = leader.clone();
        async move { leader.run().await }
    });
    Replica {
        leader,
        leadership,
        run,
        lease,
    }
}

async fn seconds(n: u64) {
    for _ in 0..n * 10 {
        advance(Duration::from_millis(100)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_replica_leads_and_the_other_stands_by() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    let second = replica(&lease, "second");
    seconds(60).await;
    assert!(first.leadership.holds());
    assert!(!second.leadership.holds());
}

#[tokio::test(start_paused = true)]
async fn an_installation_keeps_its_lock_while_its_replica_changes_and_another_one_knows_who_rules() {
    let lease = SharedLease::default();
    let first = with(&lease, "first/asyncmcp", TIMING);
    seconds(1).await;
    let second = with(&lease, "second/asyncmcp", TIMING);
    seconds(30).await;
    first.run.abort();
    seconds(20).await;
    let successor = with(&lease, "first/asyncmcp", TIMING);
    seconds(300).await;
    assert!(successor.leadership.holds() && !second.leadership.holds());
    let standing = second.leader.standing().borrow().clone();
    assert_eq!(standing, Standing::StandsBy("first/asyncmcp".to_owned()));
    successor.run.abort();
    seconds(75).await;
    assert!(second.leadership.holds(), "after the first was uninstalled");
}

#[tokio::test(start_paused = true)]
async fn who_needs_two_elections_leads_only_with_both() {
    let (one, other) = (SharedLease::default(), SharedLease::default());
    let rival = replica(&other, "rival");
    seconds(1).await;
    let (first, second) = (replica(&one, "me"), replica(&other, "me"));
    seconds(1).await;
    let mut both = first.leadership.and(&second.leadership);
    assert!(first.leadership.holds() && !both.holds());
    rival.run.abort();
    both.gained().await;
    assert!(both.holds());
}

#[tokio::test(start_paused = true)]
async fn a_dead_leaders_lease_is_taken_over_after_its_duration() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    let mut second = replica(&lease, "second");
    seconds(5).await;
    first.run.abort();
    let died = Instant::now();
    second.leadership.gained().await;
    let waited = died.elapsed();
    assert!(
        waited >= Duration::from_secs(11) && waited <= Duration::from_secs(18),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_leader_stops_before_the_next_one_leads() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    let mut second = replica(&lease, "second");
    *first.lease.unanswered.lock().unwrap() = u32::MAX;
    let outcome = first.run.await.unwrap();
    assert!(matches!(outcome, Error::NotRenewed));
    assert!(!first.leadership.holds());
    assert!(!second.leadership.holds(), "two leaders at once");
    second.leadership.gained().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_connection_was_dropped_renews_over_another_one() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    for _ in 0..3 {
        *first.lease.unanswered.lock().unwrap() = 1;
        seconds(30).await;
        assert!(first.leadership.holds());
    }
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_check() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    let mut second = replica(&lease, "second");
    seconds(5).await;
    first.run.abort();
    first.leader.release().await;
    let released = Instant::now();
    second.leadership.gained().await;
    assert!(
        released.elapsed() <= Duration::from_secs(3),
        "{:?}",
        released.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_finds_another_holder_stops() {
    let lease = SharedLease::default();
    let first = replica(&lease, "first");
    seconds(1).await;
    let theft = Record {
        holder: "thief".to_owned(),
        transitions: 9,
        renewed: "now".to_owned(),
        duration: Duration::from_secs(15),
    };
    lease.stored.lock().unwrap().record = Some((theft, 99));
    assert!(matches!(first.run.await.unwrap(), Error::TakenOver));
    sleep(Duration::from_secs(1)).await;
    assert!(!first.leadership.holds());
}
