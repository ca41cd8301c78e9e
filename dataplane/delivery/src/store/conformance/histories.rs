//! Histories: what was noted of attempts, bounded, and gone with the job.

use std::sync::Arc;

use super::{BURY, accept, apply, apply_any, entry, finish, new_job, retry, sweep};
use crate::clock::Millis;
use crate::history::KEPT;
use crate::job::{Change, Job};
use crate::store::{Store, Sweep};

pub(in crate::store) async fn numbers_entries_and_keeps_the_newest(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    assert_eq!(store.history(id).await.unwrap(), []);
    apply(&*store, id, [finish()], 5).await;
    let last = u64::from(KEPT) + 6;
    for at in 1..=last {
        let again = Change::Attempted(entry(at));
        apply(&*store, id, [Change::Claim, again, retry(at)], at).await;
    }

    let expected: Vec<_> = (7..=last)
        .map(|at| (u32::try_from(at).unwrap(), entry(at)))
        .collect();
    assert_eq!(store.history(id).await.unwrap(), expected);
}

pub(in crate::store) async fn keeps_an_entry_only_with_the_step_it_belongs_to(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let other = accept(&*store, new_job(2)).await;
    for job in [id, other] {
        apply(&*store, job, [finish(), Change::Claim], 5).await;
    }
    apply(&*store, other, [Change::Attempted(entry(2)), BURY], 6).await;
    let impossible = vec![Change::Attempted(entry(1)), Change::Start];

    assert_eq!(apply_any(&*store, id, impossible, Millis(7)).await.unwrap(), None);
    assert_eq!(store.history(id).await.unwrap(), []);
    let before = store.job(id).await.unwrap().unwrap();
    apply(&*store, id, [Change::Attempted(entry(3))], 8).await;
    assert_eq!(store.history(id).await.unwrap(), [(1, entry(3))]);
    let version = before.version + 1;
    let after = store.job(id).await.unwrap().unwrap();
    assert_eq!(after, Job { version, ..before }, "an entry moves nothing");
    assert_eq!(store.history(other).await.unwrap(), [(1, entry(2))]);
}

pub(in crate::store) async fn forgets_a_history_with_its_job(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let first = [finish(), Change::Claim, Change::Attempted(entry(1)), retry(6)];
    apply(&*store, id, first, 5).await;
    let second = [Change::Claim, Change::Attempted(entry(2)), Change::Deliver];
    apply(&*store, id, second, 6).await;
    assert_eq!(store.history(id).await.unwrap().len(), 2);

    let settled_before = Millis(99);
    let swept = Sweep {
        settled_before,
        ..sweep(99)
    };
    assert_eq!(store.sweep(swept).await.unwrap(), 1);
    assert_eq!(store.history(id).await.unwrap(), []);
    accept(&*store, new_job(1)).await;
    assert_eq!(store.history(id).await.unwrap(), []);
}
