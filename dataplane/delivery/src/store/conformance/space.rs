//! Space: what is refused for lack of it, what continues, and what is deleted early.

use std::sync::Arc;

use bytes::Bytes;

use super::{BURY, accept, apply, finish, job_of, new_job};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::state::End;
use crate::store::{Acceptance, Store, Sweep};

/// What the stores of these cases may take.
pub(in crate::store) const BUDGET: u64 = 1 << 20;

/// Each of its own client, so that none uses its share.
fn large(number: u8) -> NewJob {
    let client = format!("client {number}");
    NewJob {
        params: vec![number; 100_000].into(),
        ..job_of(number, "s", &client, Some("https://one.example/"))
    }
}

fn end(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: Bytes::from(vec![3; size]),
    }
}

/// Accepts large jobs until there is no space; the last one is refused.
async fn fill(store: &dyn Store) -> (Vec<JobId>, NewJob) {
    let mut accepted = Vec::new();
    for number in 1.. {
        let job = large(number);
        match store.accept(job.clone()).await.unwrap() {
            Acceptance::New(id) => accepted.push(id),
            Acceptance::Full => return (accepted, job),
            other => panic!("{other:?}"),
        }
    }
    unreachable!("a byte ends")
}

pub(in crate::store) async fn refuses_new_jobs_when_it_is_full_and_nothing_else(store: Arc<dyn Store>) {
    let (accepted, refused) = fill(&*store).await;
    assert!((2..8).contains(&accepted.len()), "{}", accepted.len());
    let space = store.space();
    assert!(space.used <= BUDGET / 100 * 70, "{space:?}");
    assert_eq!(store.job(refused.id).await.unwrap(), None);
    assert_eq!(store.find(refused.dedupe.key).await.unwrap(), None);
    assert_eq!(store.params(refused.id).await.unwrap(), None);
    let again = store.accept(large(1)).await.unwrap();
    assert_eq!(
        again,
        Acceptance::Same(accepted[0]),
        "a call that is known is no new one"
    );

    for id in &accepted {
        apply(&*store, *id, [Change::Start], 2000).await;
        apply(&*store, *id, [end(150_000), Change::Claim], 2001).await;
    }
    assert!(
        store.space().used > BUDGET / 100 * 70,
        "ends go on where jobs do not"
    );
    for id in &accepted {
        apply(&*store, *id, [Change::Deliver], 2002).await;
    }
    let sweep = Sweep {
        settled_before: Millis(3000),
        ..super::sweep(3000)
    };
    assert_eq!(store.sweep(sweep).await.unwrap(), accepted.len());
    accept(&*store, refused).await;
}

pub(in crate::store) async fn reserves_room_for_what_waits_and_runs(store: Arc<dyn Store>) {
    let used = || store.space().used;
    let empty = used();
    let id = accept(&*store, new_job(1)).await;
    let queued = used();
    assert!(
        (4 << 10..12 << 10).contains(&(queued - empty)),
        "{}",
        queued - empty
    );
    apply(&*store, id, [Change::Start], 5).await;
    assert_eq!(used() - queued, 64 << 10);
    apply(&*store, id, [Change::Release], 6).await;
    assert_eq!(used(), queued);
    apply(&*store, id, [Change::Start, finish()], 7).await;
    assert!(used() < queued, "an outcome reserves nothing");
}

pub(in crate::store) async fn holds_executions_back_when_it_is_fuller_still(store: Arc<dyn Store>) {
    let begin = store.space().executions();
    assert!((8..=13).contains(&begin), "{begin}");
    for number in 0..u8::try_from(begin).unwrap() {
        assert!(store.space().executions() > 0);
        let job = job_of(number, "s", "c", None);
        accept(&*store, job.clone()).await;
        apply(&*store, job.id, [Change::Start], 2000).await;
        if store.space().refuses_jobs() {
            break;
        }
    }
    let space = store.space();
    assert!(space.refuses_jobs() && space.executions() > 0, "{space:?}");
    let id = new_job(0).id;
    apply(&*store, id, [end(200_000)], 2001).await;
    assert_eq!(store.space().executions(), 0, "{:?}", store.space());
}

pub(in crate::store) async fn gives_back_delivered_results_oldest_first(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for number in 1..=3 {
        let id = accept(&*store, new_job(number)).await;
        // The first was delivered last.
        let at = 3000 - u64::from(number);
        apply(&*store, id, [end(100_000), Change::Claim, Change::Deliver], at).await;
        ids.push(id);
    }
    let full = store.space().used;
    let bodies = async || {
        let mut there = Vec::new();
        for id in &ids {
            there.push(store.body(*id).await.unwrap().is_some());
        }
        there
    };
    assert_eq!(store.reclaim(1).await.unwrap(), 1);
    assert_eq!(bodies().await, [true, true, false]);
    assert_eq!(store.reclaim(9).await.unwrap(), 2);
    assert_eq!(bodies().await, [false; 3]);
    assert_eq!(store.reclaim(9).await.unwrap(), 0);
    assert!(full - store.space().used >= 300_000);
    assert!(store.call(ids[0]).await.unwrap().is_some(), "the rest is kept");
    assert_eq!(
        store.accept(new_job(1)).await.unwrap(),
        Acceptance::Same(ids[0]),
        "and the same call is known"
    );

    let late = accept(&*store, new_job(4)).await;
    apply(&*store, late, [end(9), Change::Claim, Change::Deliver], 10).await;
    assert_eq!(
        store.reclaim(9).await.unwrap(),
        1,
        "one that is older than the last one given back"
    );
    let sweep = Sweep {
        settled_before: Millis(4000),
        ..super::sweep(4000)
    };
    assert_eq!(store.sweep(sweep).await.unwrap(), 4);
}

pub(in crate::store) async fn keeps_what_was_not_delivered(store: Arc<dyn Store>) {
    let (due, dead, stopped) = (new_job(1).id, new_job(2).id, new_job(3).id);
    for number in 1..=3 {
        let id = accept(&*store, new_job(number)).await;
        apply(&*store, id, [finish()], 2000).await;
    }
    let polled = accept(&*store, job_of(4, "s", "c", None)).await;
    apply(&*store, polled, [finish()], 2000).await;
    apply(&*store, dead, [Change::Claim, BURY], 2001).await;
    apply(&*store, stopped, [Change::Stop], 2001).await;
    assert_eq!(store.reclaim(9).await.unwrap(), 0);
    for id in [due, dead, stopped, polled] {
        assert!(store.body(id).await.unwrap().is_some());
    }
}
