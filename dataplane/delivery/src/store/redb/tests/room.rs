//! A disk without room: what was begun ends, nothing new comes, and it is over when there is room again.

use std::time::Duration;

use bytes::Bytes;

use super::disk::Disk;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, NewJob, Step};
use crate::state::End;
use crate::store::conformance::{apply_any, new_job};
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::{Acceptance, Error};

const MIB: usize = 1 << 20;

fn options(ballast: usize) -> Options {
    Options {
        ballast: u64::try_from(ballast).unwrap(),
        large: 20_000,
        look_every: Duration::ZERO,
        ..Options::default()
    }
}

fn open(disk: &Disk, ballast: usize) -> Embedded {
    Embedded::start(Box::new(disk.clone()), options(ballast)).unwrap()
}

fn numbered(number: u32, size: usize) -> NewJob {
    let mut job = new_job(0);
    job.id = JobId::new(Millis(number.into()), [9; 10]);
    job.dedupe.key[..4].copy_from_slice(&number.to_be_bytes());
    job.params = vec![1; size].into();
    job
}

fn end(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: Bytes::from(vec![3; size]),
    }
}

/// Asks again, as the engine does, until the store could.
async fn surely(store: &Embedded, id: JobId, changes: Vec<Change>) {
    for _ in 0..50 {
        match apply_any(store, id, changes.clone(), Millis(9)).await {
            Ok(job) => return assert!(job.is_some()),
            Err(Error::Down(_)) => {}
            Err(Error::Unknown(_)) => {
                let step = Step::any(store.owner(), changes.clone(), Millis(9));
                let job = store.job(id).await.ok().flatten();
                if job.is_some_and(|job| step.leads_to(&job)) {
                    return;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never came through");
}

async fn accept_some(store: &Embedded, size: usize) -> Vec<JobId> {
    let mut accepted = Vec::new();
    for number in 0..20 {
        let answer = store.accept(numbered(number, size)).await.unwrap();
        assert!(matches!(answer, Acceptance::New(_)), "{answer:?}");
        accepted.push(numbered(number, 0).id);
    }
    accepted
}

#[tokio::test]
async fn the_budget_is_a_part_of_what_is_there() {
    let disk = Disk::default();
    disk.set_capacity(100 * MIB);
    let store = open(&disk, 0);
    let hundred = u64::try_from(MIB).unwrap() * 100;
    assert_eq!(store.space().budget, Some(hundred / 100 * 80));
    store.set_size(hundred / 2);
    assert_eq!(store.space().budget, Some(hundred / 2 / 100 * 80));
    disk.set_capacity(10 * MIB);
    store.accept(numbered(1, 9)).await.unwrap(); // the writer looks again
    assert_eq!(store.space().budget, Some(hundred / 10 / 100 * 80));
}

/// Something else fills the disk while jobs wait, with results in the file and beside it.
#[tokio::test]
async fn a_full_disk_ends_what_was_begun_and_takes_nothing_new() {
    for size in [15_000, 60_000] {
        let disk = Disk::default();
        disk.set_capacity(100 * MIB);
        let store = open(&disk, 6 * MIB);
        let jobs = accept_some(&store, 9).await;
        disk.set_capacity(disk.taken());
        for id in &jobs {
            surely(&store, *id, vec![Change::Start]).await;
            surely(&store, *id, vec![end(size), Change::Claim]).await;
            surely(&store, *id, vec![Change::Deliver]).await;
        }
        let refused = store.accept(numbered(99, 9)).await.unwrap();
        assert_eq!(refused, Acceptance::Full);
        let space = store.space();
        assert!(space.is_full && space.executions() == 0, "{space:?}");
        assert_eq!(disk.ballast(), 0);
        assert!(store.is_up() && !store.fatal().is_cancelled());
        store.check().unwrap();

        disk.set_capacity(100 * MIB);
        let again = store.accept(numbered(99, 9)).await.unwrap();
        assert!(matches!(again, Acceptance::New(_)), "{again:?}");
        assert_eq!(disk.ballast(), 6 * MIB, "made again");
        assert!(!store.space().is_full);
        store.check().unwrap();
    }
}

#[tokio::test]
async fn room_that_was_given_back_makes_the_ballast_again() {
    let disk = Disk::default();
    disk.set_capacity(60 * MIB);
    let store = open(&disk, 2 * MIB);
    let jobs = accept_some(&store, 9).await;
    let (last, delivered) = jobs.split_last().unwrap();
    for id in delivered {
        surely(&store, *id, vec![end(2_000_000), Change::Claim, Change::Deliver]).await;
    }
    disk.set_capacity(disk.taken());
    surely(&store, *last, vec![end(1_000_000), Change::Claim]).await;
    assert_eq!(disk.ballast(), 0, "given up for an end");
    assert!(store.space().is_full && store.space().is_crowded());
    // Its arguments would be a file.
    let refused = store.accept(numbered(99, 30_000)).await.unwrap();
    assert_eq!(refused, Acceptance::Full);

    assert_eq!(store.reclaim(99).await.unwrap(), delivered.len());
    let again = store.accept(numbered(99, 30_000)).await.unwrap();
    assert!(matches!(again, Acceptance::New(_)), "{again:?}");
    assert!(disk.ballast() >= MIB, "{}", disk.ballast());
    store.check().unwrap();
}

#[tokio::test]
async fn a_small_volume_has_a_small_ballast_and_a_tiny_one_none() {
    for (capacity, ballast) in [(10 * MIB, 0), (32 * MIB, 2 * MIB), (4096 * MIB, 64 * MIB)] {
        let disk = Disk::default();
        disk.set_capacity(capacity);
        let store = open(&disk, 64 * MIB);
        assert_eq!(disk.ballast(), ballast, "{capacity}");
        drop(store);
    }
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_still_opens() {
    let disk = Disk::default();
    disk.set_capacity(100 * MIB);
    let store = open(&disk, 6 * MIB);
    let jobs = accept_some(&store, 9).await;
    disk.set_capacity(disk.taken());
    drop(store);
    let store = open(&disk, 6 * MIB);
    for id in jobs {
        surely(&store, id, vec![end(9), Change::Claim]).await;
        surely(&store, id, vec![Change::Deliver]).await;
    }
    store.check().unwrap();
}

/// The estimate of what rows take, against the pages that are really allocated.
#[tokio::test]
async fn what_is_counted_is_about_what_is_allocated() {
    let disk = Disk::default();
    let store = open(&disk, 0);
    let calls = (0..3000).map(|number| store.accept(numbered(number, 2048)));
    futures::future::join_all(calls).await;
    for number in 0..1500 {
        let id = numbered(number, 0).id;
        apply_any(&store, id, vec![end(2048), Change::Claim], Millis(9))
            .await
            .unwrap();
    }
    let counted = store.shared.ledger().usage.pages;
    let allocated = allocated(&store);
    let percent = counted * 100 / allocated;
    println!("{counted} counted, {allocated} allocated");
    assert!(
        (70..=140).contains(&percent),
        "{counted} counted, {allocated} allocated"
    );
}

fn allocated(store: &Embedded) -> u64 {
    let txn = store.shared.begin_write().unwrap();
    let stats = txn.stats().unwrap();
    txn.abort().unwrap();
    stats.allocated_pages() * u64::try_from(stats.page_size()).unwrap()
}
