//! Groups: what shares a commit, who waits for it, and what each of them may spoil.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt, poll};

use super::disk::Disk;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::store::Acceptance;
use crate::store::conformance::{apply_any, finish, new_job};
use crate::store::redb::{CommitInfo, Embedded, Kind, Options};
use crate::store::roles::*;

/// A store whose first commit waits for the gate, so that what is sent meanwhile gathers.
struct Gated {
    store: Embedded,
    /// Says that the first commit is about to happen.
    ready: mpsc::Receiver<()>,
    gate: mpsc::Sender<()>,
    commits: Arc<Mutex<Vec<CommitInfo>>>,
}

fn gated() -> Gated {
    let commits: Arc<Mutex<Vec<CommitInfo>>> = Arc::default();
    let (gate, opened) = mpsc::channel();
    let (announce, ready) = mpsc::channel();
    let (seen, opened) = (Arc::clone(&commits), Mutex::new(opened));
    let before = move |info| {
        seen.lock().unwrap().push(info);
        if seen.lock().unwrap().len() == 1 {
            announce.send(()).unwrap();
            opened.lock().unwrap().recv().unwrap();
        }
    };
    let options = Options {
        before_commit: Some(Arc::new(before)),
        large: usize::MAX, // bodies in files weigh nothing
        ..Options::default()
    };
    Gated {
        store: Embedded::start(Box::new(Disk::default()), options).unwrap(),
        ready,
        gate,
        commits,
    }
}

impl Gated {
    /// Sends one acceptance, and everything of `rest` while its commit waits; then lets go.
    async fn run<T>(&self, rest: Vec<impl Future<Output = T>>) -> Vec<T> {
        let first = self.store.accept(new_job(255));
        let rest = rest.into_iter().map(FutureExt::boxed_local);
        let (mut first, mut rest) = (first, rest.collect::<Vec<_>>());
        assert!(poll!(&mut first).is_pending());
        self.ready.recv().unwrap();
        for sent in &mut rest {
            assert!(poll!(sent).is_pending());
        }
        self.gate.send(()).unwrap();
        first.await.unwrap();
        join_all(rest).await
    }

    fn sizes(&self) -> Vec<u32> {
        let commits = self.commits.lock().unwrap();
        commits.iter().map(CommitInfo::total).collect()
    }
}

fn numbered(number: u32) -> NewJob {
    let mut job = new_job(0);
    job.id = JobId::new(Millis(number.into()), [9; 10]);
    job.dedupe.key[..4].copy_from_slice(&number.to_be_bytes());
    job
}

#[tokio::test]
async fn what_queues_up_during_a_commit_shares_the_next() {
    let gated = gated();
    let calls = (0..20).map(|number| gated.store.accept(new_job(number)));
    let answers = gated.run(calls.collect()).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(Acceptance::New(_))))
    );
    assert_eq!(gated.sizes(), [1, 20]);
    gated.store.check().unwrap();
}

#[tokio::test]
async fn a_group_ends_at_512_operations() {
    let gated = gated();
    let calls = (0..600).map(|number| gated.store.accept(numbered(number)));
    let answers = gated.run(calls.collect()).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(gated.sizes(), [1, 512, 88]);
    assert_eq!(gated.store.counts().queued, 601);
}

#[tokio::test]
async fn a_group_ends_at_eight_mebibytes() {
    let gated = gated();
    let large = Bytes::from(vec![1; 3 << 20]);
    let calls = (0..7).map(|number| {
        let params = large.clone();
        gated.store.accept(NewJob {
            params,
            ..new_job(number)
        })
    });
    gated.run(calls.collect()).await;
    assert_eq!(gated.sizes(), [1, 3, 3, 1]);
}

#[tokio::test]
async fn one_that_fails_spoils_nothing_for_its_group() {
    let gated = gated();
    let id = new_job(1).id;
    let taken = NewJob { id, ..new_job(2) };
    let mut conflict = new_job(3);
    conflict.dedupe.key = new_job(1).dedupe.key;
    let calls = [new_job(1), taken, conflict, new_job(4)].map(|job| gated.store.accept(job));

    let answers = gated.run(calls.into()).await;

    assert_eq!(answers[0].as_ref().unwrap(), &Acceptance::New(id));
    assert!(answers[1].is_err());
    assert_eq!(answers[2].as_ref().unwrap(), &Acceptance::Conflict(id));
    assert_eq!(answers[3].as_ref().unwrap(), &Acceptance::New(new_job(4).id));
    assert_eq!(gated.sizes(), [1, 2], "only what changed something is counted");
    assert_eq!(gated.store.counts().queued, 3);
    gated.store.check().unwrap();
}

#[tokio::test]
async fn later_operations_of_a_group_see_the_earlier_ones() {
    let gated = gated();
    let id = new_job(255).id;
    let life = [
        vec![Change::Start],
        vec![Change::Start],
        vec![finish()],
        vec![Change::Claim],
    ];
    let calls = life.map(|changes| apply_any(&gated.store, id, changes, Millis(9)));
    let answers = gated.run(calls.into()).await;
    let stepped: Vec<bool> = answers
        .into_iter()
        .map(|answer| answer.unwrap().is_some())
        .collect();
    assert_eq!(stepped, [true, false, true, true]);
    let info = gated.commits.lock().unwrap()[1];
    let counts = Kind::ALL.map(|kind| (kind, info.count(kind)));
    let expected = [(Kind::Start, 1), (Kind::Finish, 1), (Kind::Other, 1)];
    let counted: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit_is_over() {
    let (gate, opened) = mpsc::channel();
    let (announce, ready) = mpsc::channel();
    let opened = Mutex::new(opened);
    let after = move |_| {
        announce.send(()).unwrap();
        opened.lock().unwrap().recv().unwrap();
    };
    let options = Options {
        after_commit: Some(Arc::new(after)),
        ..Options::default()
    };
    let store = Embedded::start(Box::new(Disk::default()), options).unwrap();
    let mut accepted = store.accept(new_job(1));
    assert!(poll!(&mut accepted).is_pending());
    ready.recv().unwrap();
    assert!(
        poll!(&mut accepted).is_pending(),
        "on the disk, but not acknowledged"
    );
    gate.send(()).unwrap();
    accepted.await.unwrap();
}

#[tokio::test]
async fn what_changes_nothing_commits_nothing() {
    let commits = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&commits);
    let options = Options {
        before_commit: Some(Arc::new(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        })),
        ..Options::default()
    };
    let store = Embedded::start(Box::new(Disk::default()), options).unwrap();
    store.accept(new_job(1)).await.unwrap();
    for _ in 0..3 {
        store.accept(new_job(1)).await.unwrap();
        apply_any(&store, new_job(1).id, vec![Change::Claim], Millis(1))
            .await
            .unwrap();
        apply_any(&store, new_job(9).id, vec![Change::Start], Millis(1))
            .await
            .unwrap();
    }
    assert_eq!(commits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn commits_keep_their_distance() {
    let store = Embedded::start(Box::new(Disk::default()), Options::default()).unwrap();
    let begun = Instant::now();
    for number in 0..11 {
        store.accept(new_job(number)).await.unwrap();
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(20),
        "{:?}",
        begun.elapsed()
    );
}
