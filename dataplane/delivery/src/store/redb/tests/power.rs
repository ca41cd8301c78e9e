//! The power goes while jobs are being worked on: whatever was acknowledged is there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::disk::Disk;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Job, Owner, Step};
use crate::state::{Category, End};
use crate::store::Error;
use crate::store::conformance::{apply_any, new_job};
use crate::store::redb::blob::Blobs as _;
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::seal::Sealer;

/// What a caller knows of a job: the last header it got, and what it requested since.
#[derive(Clone, Debug, Default)]
struct Known {
    told: Option<Job>,
    asked: Option<Vec<Change>>,
}

#[derive(Default)]
struct Witness {
    jobs: Mutex<HashMap<JobId, Known>>,
    acknowledged: AtomicU32,
}

impl Witness {
    fn asks(&self, id: JobId, changes: Option<Vec<Change>>) {
        self.jobs.lock().unwrap().entry(id).or_default().asked = changes;
    }

    fn is_told(&self, id: JobId, job: Option<Job>) {
        let told = Known {
            told: job,
            asked: None,
        };
        self.jobs.lock().unwrap().insert(id, told);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

fn options() -> Options {
    Options {
        sealer: Arc::new(Sealer::of(&[5])),
        large: 1000,
        ..Options::default()
    }
}

/// The process before the cut.
const FIRST: Owner = Owner { replica: 0, epoch: 1 };

/// The steps of a life that meets everything.
fn life(size: usize) -> [Vec<Change>; 5] {
    let (end, body) = (End::Result, Bytes::from(vec![7; size]));
    let finish = Change::Finish { end, body };
    let why = Some(Category::Http5xx);
    [
        vec![Change::Start],
        vec![finish, Change::Claim],
        vec![Change::Retry { at: Millis(9), why }],
        vec![Change::Claim],
        vec![Change::Deliver],
    ]
}

/// Takes jobs through their lives until the store fails.
async fn work(store: Arc<Embedded>, witness: Arc<Witness>, worker: u64) {
    for round in 0.. {
        let mut new = new_job(0);
        new.id = JobId::new(Millis(round * 100 + worker), [1; 10]);
        // Every other job's arguments, and results by their worker, are files.
        new.params = vec![9; if round.is_multiple_of(2) { 40 } else { 4000 }].into();
        new.dedupe.key[..8].copy_from_slice(&(round * 100 + worker).to_be_bytes());
        let (id, job) = (new.id, Job::accepted(&new));
        witness.asks(id, Some(Vec::new()));
        if store.accept(new).await.is_err() {
            return;
        }
        witness.is_told(id, Some(job));
        for changes in life(if worker.is_multiple_of(2) { 40 } else { 4000 }) {
            witness.asks(id, Some(changes.clone()));
            let Ok(after) = apply_any(&*store, id, changes, Millis(9)).await else {
                return;
            };
            witness.is_told(id, after);
        }
    }
}

/// Lets workers run until this many acknowledgements, then cuts the power.
async fn until_cut(disk: &Disk, acknowledgements: u32, seed: u64) -> HashMap<JobId, Known> {
    let store = Embedded::start(Box::new(disk.clone()), options()).unwrap();
    let (store, witness) = (Arc::new(store), Arc::new(Witness::default()));
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        workers.spawn(work(Arc::clone(&store), Arc::clone(&witness), worker));
    }
    while witness.acknowledged.load(Ordering::Relaxed) < acknowledgements {
        assert!(store.is_up(), "it failed before the cut");
        tokio::task::yield_now().await;
    }
    disk.cut(seed);
    workers.join_all().await;
    witness.jobs.lock().unwrap().clone()
}

/// What is there must be what was acknowledged, or that and what was requested next.
fn assert_is_known(found: Option<&Job>, known: &Known) {
    let asked = known.asked.as_deref();
    let next = match (&known.told, asked) {
        (Some(told), Some(changes)) => told.after_step(&Step::any(FIRST, changes.to_vec(), Millis(9))),
        // Its acceptance was asked for; any header of it is as good as none.
        (None, _) => found.cloned(),
        (_, None) => None,
    };
    assert!(
        found == known.told.as_ref() || (next.is_some() && found == next.as_ref()),
        "found {found:?}, known {known:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_the_index_holds() {
    for seed in 1..=12 {
        let disk = Disk::default();
        let acknowledgements = 20 * u32::try_from(seed).unwrap();
        let jobs = until_cut(&disk, acknowledgements, seed * 7919).await;
        assert!(
            jobs.values().any(|known| known.asked.is_some()),
            "nobody was cut off"
        );
        disk.power_on();
        let store = Embedded::start(Box::new(disk.clone()), options()).unwrap();
        store.check().unwrap();
        let view = store.shared.view().unwrap();
        for file in disk.list().unwrap() {
            assert!(view.names(file).unwrap(), "{file} is an orphan");
        }
        for (id, known) in jobs {
            assert_is_known(store.job(id).await.unwrap().as_ref(), &known);
        }
    }
}

/// What is read once the store is open again after a commit that reported failure.
async fn read_again(store: &Embedded, id: JobId) -> Job {
    loop {
        match store.job(id).await {
            Ok(job) => return job.unwrap(),
            Err(_down) => tokio::task::yield_now().await,
        }
    }
}

/// Whoever reads again after a commit that reported failure may believe it: a later commit is durable by then.
#[tokio::test]
async fn what_is_read_after_a_sync_that_failed_and_forgot_outlives_the_power() {
    let mut forgotten = 0;
    for (seed, syncs) in [(1, 0), (2, 1), (3, 0), (4, 1), (5, 2), (6, 3)] {
        let disk = Disk::default();
        let store = Embedded::start(Box::new(disk.clone()), options()).unwrap();
        let id = new_job(1).id;
        store.accept(new_job(1)).await.unwrap();
        disk.forget_a_sync_after(syncs);
        for changes in life(40) {
            match apply_any(&store, id, changes, Millis(9)).await {
                Ok(_) => {}
                Err(Error::Unknown(_)) => {
                    forgotten += 1;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let read = read_again(&store, id).await;
        disk.cut(seed * 7919);
        drop(store);
        disk.power_on();
        let store = Embedded::start(Box::new(disk.clone()), options()).unwrap();
        store.check().unwrap();
        assert_eq!(
            store.job(id).await.unwrap(),
            Some(read),
            "seed {seed}, {syncs} syncs"
        );
    }
    assert_eq!(forgotten, 6, "every disk forgot a sync of a commit");
}
