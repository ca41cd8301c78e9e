//! Elections between replicas over one lease in memory, on a clock the test drives.

use super::election::{Record, Timing};
use super::{Error, Leader, Leadership, Leases};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, advance, sleep};

#[derive(Clone, Debug, Default)]
struct Stored {
    record: Option<(Record, u64)>,
}

/// The lease as in an API server, with optimistic concurrency; a replica can be disconnected from it.
#[derive(Clone, Debug, Default)]
struct Board {
    stored: Arc<Mutex<Stored>>,
    cut_off: Arc<Mutex<bool>>,
}

impl Board {
    async fn reachable(&self) {
        let cut_off = *self.cut_off.lock().unwrap();
        if cut_off {
            std::future::pending::<()>().await;
        }
    }
}

impl Leases for Board {
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
    leader: Arc<Leader<Board>>,
    leadership: Leadership,
    run: tokio::task::JoinHandle<Error>,
    board: Board,
}

fn replica(board: &Board, name: &str) -> Replica {
    let board = Board {
        stored: board.stored.clone(),
        ..Board::default()
    };
    let (leader, leadership) = Leader::new(board.clone(), name.to_owned(), Timing::default());
    let leader = Arc::new(leader);
    let run = tokio::spawn({
        let leader = leader.clone();
        async move { leader.run().await }
    });
    Replica {
        leader,
        leadership,
        run,
        board,
    }
}

async fn seconds(n: u64) {
    for _ in 0..n * 10 {
        advance(Duration::from_millis(100)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_replica_leads_and_the_other_stands() {
    let board = Board::default();
    let first = replica(&board, "first");
    seconds(1).await;
    let second = replica(&board, "second");
    seconds(60).await;
    assert!(first.leadership.holds());
    assert!(!second.leadership.holds());
}

#[tokio::test(start_paused = true)]
async fn a_dead_leaders_lease_is_taken_over_after_its_duration() {
    let board = Board::default();
    let first = replica(&board, "first");
    seconds(1).await;
    let mut second = replica(&board, "second");
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
    let board = Board::default();
    let first = replica(&board, "first");
    seconds(1).await;
    let mut second = replica(&board, "second");
    *first.board.cut_off.lock().unwrap() = true;
    let outcome = first.run.await.unwrap();
    assert!(matches!(outcome, Error::NotRenewed));
    assert!(!first.leadership.holds());
    assert!(!second.leadership.holds(), "two leaders at once");
    second.leadership.gained().await;
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_check() {
    let board = Board::default();
    let first = replica(&board, "first");
    seconds(1).await;
    let mut second = replica(&board, "second");
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
    let board = Board::default();
    let first = replica(&board, "first");
    seconds(1).await;
    let theft = Record {
        holder: "thief".to_owned(),
        transitions: 9,
        renewed: "now".to_owned(),
        duration: Duration::from_secs(15),
    };
    board.stored.lock().unwrap().record = Some((theft, 99));
    assert!(matches!(first.run.await.unwrap(), Error::Usurped));
    sleep(Duration::from_secs(1)).await;
    assert!(!first.leadership.holds());
}
