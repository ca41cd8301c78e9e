//! The event of a dead letter: stored with the death, in bounded space.

use std::sync::Arc;

use bytes::Bytes;

use super::{BURY, accept, apply, apply_any, finish, new_job, target};
use crate::clock::Millis;
use crate::egress::NamedBy;
use crate::id::JobId;
use crate::job::{Call, Change, Death, Job, Notice, NoticeTo, Target};
use crate::state::{Category, Push, Stage};
use crate::store::scan::{Filter, Order};
use crate::store::{Counts, Evict, Scan, Store};

const WHY: Category = Category::Http5xx;

fn to() -> NoticeTo {
    let call = new_job(1).call;
    NoticeTo {
        url: "https://ops.example/dead".to_owned(),
        retry: call.retry,
    }
}

/// The event of a job's death.
fn event(job: &Job, call: &Call, at: u64) -> Notice {
    let death = Death {
        job,
        call: Some(call),
        why: WHY,
        at: Millis(at),
        route: ("ns", "route"),
    };
    Notice::of(&death, &to(), |at| at)
}

/// Accepts a job and makes it a dead letter with an event.
async fn dies(store: &dyn Store, number: u8) -> (JobId, Notice) {
    let new = new_job(number);
    let call = new.call.clone();
    let id = accept(store, new).await;
    let job = apply(store, id, [finish(), Change::Claim], 2000).await;
    let notice = event(&job, &call, 3000 + u64::from(number));
    let notify = Change::Notify(Box::new(notice.clone()));
    apply(store, id, [BURY, notify], 3000).await;
    (id, notice)
}

async fn events(store: &dyn Store) -> Vec<Job> {
    let scan = Scan {
        filter: Filter {
            notices: Some(true),
            ..Filter::default()
        },
        order: Order::Oldest,
        after: None,
        limit: 10_000,
        rows: 100_000,
    };
    store.scan(scan).await.unwrap().jobs
}

pub(in crate::store) async fn stores_an_event_with_the_death(store: Arc<dyn Store>) {
    let (id, notice) = dies(&*store, 1).await;

    let (due, dead) = (1, 1);
    let none = Counts::default();
    assert_eq!(store.counts(), Counts { due, dead, ..none });
    let job = store.job(notice.id).await.unwrap().unwrap();
    assert_eq!((job.is_notice(), job.state.stage()), (true, Stage::Due));
    assert_eq!(store.call(notice.id).await.unwrap().as_ref(), Some(&notice.call));
    assert_eq!(store.body(notice.id).await.unwrap().as_ref(), Some(&notice.body));
    assert_eq!(store.params(notice.id).await.unwrap(), None);
    let receiver = notice.call.target.as_ref().unwrap().receiver();
    let due = store.receivers().await.unwrap();
    assert_eq!(due.iter().map(|(of, ..)| *of).collect::<Vec<_>>(), [receiver]);
    assert!(!store.job(id).await.unwrap().unwrap().is_notice());
    assert_eq!(store.client_use(Notice::account()).await.unwrap().pending, 1);
}

pub(in crate::store) async fn stores_no_event_with_a_step_that_is_not_made(store: Arc<dyn Store>) {
    let new = new_job(1);
    let call = new.call.clone();
    let id = accept(&*store, new).await;
    let job = apply(&*store, id, [finish(), Change::Claim, Change::Deliver], 5).await;
    let notify = Change::Notify(Box::new(event(&job, &call, 9)));
    for changes in [vec![notify.clone()], vec![BURY, notify]] {
        assert_eq!(apply_any(&*store, id, changes, Millis(9)).await.unwrap(), None);
    }
    assert!(events(&*store).await.is_empty());
}

pub(in crate::store) async fn has_one_event_per_death_and_another_after_a_replay(store: Arc<dyn Store>) {
    let (id, first) = dies(&*store, 1).await;
    // The same event once more, as after a commit in doubt.
    apply(&*store, id, [Change::Notify(Box::new(first.clone()))], 3001).await;
    assert_eq!(events(&*store).await.len(), 1);

    let replayed = apply(&*store, id, [Change::Replay, Change::Claim], 4000).await;
    let second = event(&replayed, &new_job(1).call, 5000);
    apply(
        &*store,
        id,
        [BURY, Change::Notify(Box::new(second.clone()))],
        5000,
    )
    .await;

    let ids: Vec<JobId> = events(&*store).await.iter().map(|job| job.id).collect();
    assert_eq!(ids, [first.id, second.id]);
}

pub(in crate::store) async fn an_event_has_no_event(store: Arc<dyn Store>) {
    let (_, notice) = dies(&*store, 1).await;
    let job = apply(&*store, notice.id, [Change::Claim], 4000).await;
    let notify = Change::Notify(Box::new(event(&job, &notice.call, 5000)));
    let dead = apply(&*store, notice.id, [BURY, notify], 5000).await;
    assert_eq!(dead.state.push, Push::Dead(WHY));
    assert_eq!(events(&*store).await.len(), 1);
}

/// The size of events of which ten to twenty fit.
fn tenth(store: &dyn Store) -> usize {
    let powers = (0..=20).rev().map(|power| 1 << power);
    let largest = powers.into_iter().find(|size| store.space().holds_notices(*size));
    usize::try_from(largest.unwrap_or(0) / 10).unwrap_or(0)
}

/// An event with a body of `size` bytes that stands in for the one of a death.
fn large(number: u32, size: usize) -> Notice {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    Notice {
        id: JobId::new(Millis(3000 + u64::from(number)), random),
        call: Call {
            target: Some(Target {
                named_by: NamedBy::Notify,
                ..target("https://ops.example/dead")
            }),
            client: "asyncmcp dead-letter notifications".to_owned(),
            ..new_job(1).call
        },
        body: Bytes::from(vec![b'x'; size]),
    }
}

pub(in crate::store) async fn a_flood_of_events_uses_bounded_space(store: Arc<dyn Store>) {
    let (id, _) = dies(&*store, 1).await;
    let size = tenth(&*store);
    for number in 0..60 {
        let notice = Box::new(large(number, size));
        // Whatever becomes of the event, the step is made.
        apply(&*store, id, [Change::Notify(notice)], 4000).await;
    }
    let used = store.client_use(Notice::account()).await.unwrap();
    assert!(store.space().holds_notices(used.bytes), "{used:?}");
    let waiting = events(&*store).await;
    assert!((1..30).contains(&waiting.len()), "{}", waiting.len());
    let first = large(0, 1).id;
    assert!(
        waiting.iter().any(|job| job.id == first),
        "what waits is not dropped"
    );
}

pub(in crate::store) async fn a_dead_event_gives_its_space_to_a_newer_one(store: Arc<dyn Store>) {
    let (id, notice) = dies(&*store, 1).await;
    apply(&*store, notice.id, [Change::Claim, BURY], 3500).await;
    let (mut last, size) = (notice.id, tenth(&*store));
    for number in 0..60 {
        let notice = large(number, size);
        last = notice.id;
        apply(&*store, id, [Change::Notify(Box::new(notice))], 4000).await;
        apply(&*store, last, [Change::Claim, BURY], 4001).await;
    }
    let kept = events(&*store).await;
    assert!(kept.iter().any(|job| job.id == last), "the newest is there");
    assert!(
        kept.len() < 30 && kept.iter().all(|job| job.id != notice.id),
        "{}",
        kept.len()
    );
    let used = store.client_use(Notice::account()).await.unwrap();
    assert!(store.space().holds_notices(used.bytes), "{used:?}");
}

pub(in crate::store) async fn an_evicted_event_is_gone(store: Arc<dyn Store>) {
    let (_, notice) = dies(&*store, 1).await;
    apply(&*store, notice.id, [Change::Claim, BURY], 3500).await;
    let evict = Evict {
        bytes: u64::MAX,
        limit: 9,
        at: Millis(4000),
    };
    while store
        .evict(evict)
        .await
        .unwrap()
        .is_some_and(|evicted| evicted.jobs > 0)
    {}
    assert_eq!(store.job(notice.id).await.unwrap(), None);
}
