//! Sweeping: what is over and old goes, everything else stays.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{BURY, accept, apply, finish, job_of, new_job, sweep};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Applied, Change, NewJob, Owner, Stamp};
use crate::store::{Acceptance, SessionRow, Store, Sweep};

async fn delivered(store: &dyn Store, number: u8, at: u64) -> JobId {
    let id = accept(store, new_job(number)).await;
    apply(store, id, [finish(), Change::Claim, Change::Deliver], at).await;
    id
}

async fn is_gone(store: &dyn Store, id: JobId) -> bool {
    let job = store.job(id).await.unwrap();
    let call = store.call(id).await.unwrap();
    let body = store.body(id).await.unwrap();
    assert!(job.is_some() == call.is_some() && job.is_some() == body.is_some());
    job.is_none()
}

pub(in crate::store) async fn removes_what_settled_long_ago_and_nothing_else(store: Arc<dyn Store>) {
    let old = delivered(&*store, 1, 100).await;
    let young = delivered(&*store, 2, 200).await;
    let polled = accept(&*store, job_of(3, "s", "c", None)).await;
    apply(&*store, polled, [finish()], 100).await;
    let stopped = accept(&*store, new_job(4)).await;
    apply(&*store, stopped, [finish(), Change::Stop], 100).await;
    let pending = accept(&*store, new_job(5)).await;
    apply(&*store, pending, [finish()], 100).await;

    let settled_before = Millis(200);
    let gone = store
        .sweep(Sweep {
            settled_before,
            ..sweep(999)
        })
        .await
        .unwrap();

    assert_eq!(gone, 3);
    for (id, expected) in [
        (old, true),
        (polled, true),
        (stopped, true),
        (young, false),
        (pending, false),
    ] {
        assert_eq!(is_gone(&*store, id).await, expected, "{id}");
    }
    assert_eq!(
        store
            .sweep(Sweep {
                settled_before,
                ..sweep(999)
            })
            .await
            .unwrap(),
        0
    );
}

pub(in crate::store) async fn keeps_longer_what_its_client_wants_kept(store: Arc<dyn Store>) {
    let waits = NewJob {
        kept_longer: Duration::from_millis(50),
        ..job_of(1, "s", "c", None)
    };
    let waits = accept(&*store, waits).await;
    apply(&*store, waits, [finish()], 100).await;
    let swept = async |at| {
        let settled_before = Millis(at);
        let sweep = Sweep {
            settled_before,
            ..sweep(999)
        };
        store.sweep(sweep).await.unwrap()
    };
    assert_eq!(swept(150).await, 0);
    assert!(!is_gone(&*store, waits).await);
    assert_eq!(swept(151).await, 1);
    assert!(is_gone(&*store, waits).await);
}

pub(in crate::store) async fn keeps_dead_letters_by_their_own_time(store: Arc<dyn Store>) {
    let dead = accept(&*store, new_job(1)).await;
    apply(&*store, dead, [finish(), BURY], 100).await;
    let settled_before = Millis(999);

    assert_eq!(
        store
            .sweep(Sweep {
                settled_before,
                ..sweep(999)
            })
            .await
            .unwrap(),
        0
    );
    assert_eq!(store.counts().dead, 1);

    let dead_before = Millis(101);
    assert_eq!(
        store
            .sweep(Sweep {
                dead_before,
                ..sweep(999)
            })
            .await
            .unwrap(),
        1
    );
    assert!(is_gone(&*store, dead).await);
    assert_eq!(store.counts().dead, 0);
}

pub(in crate::store) async fn removes_no_more_than_the_limit(store: Arc<dyn Store>) {
    for number in 1..=5 {
        delivered(&*store, number, 100 + u64::from(number)).await;
    }
    let dead = accept(&*store, new_job(6)).await;
    apply(&*store, dead, [finish(), BURY], 100).await;
    let bounded = Sweep {
        settled_before: Millis(999),
        dead_before: Millis(999),
        limit: 4,
        ..sweep(999)
    };

    assert_eq!(store.sweep(bounded).await.unwrap(), 4);
    assert!(!is_gone(&*store, new_job(5).id).await, "the oldest go first");
    assert_eq!(store.sweep(bounded).await.unwrap(), 2);
    assert_eq!(store.sweep(Sweep { limit: 0, ..bounded }).await.unwrap(), 0);
}

pub(in crate::store) async fn removes_sessions_that_expired(store: Arc<dyn Store>) {
    let row = |version, expires| SessionRow {
        version,
        expires: Millis(expires),
        bytes: Bytes::from_static(b"x"),
    };
    assert!(store.swap_session([1; 16], row(1, 50)).await.unwrap());
    assert!(store.swap_session([2; 16], row(1, 50)).await.unwrap());
    assert!(store.swap_session([2; 16], row(2, 90)).await.unwrap());

    assert_eq!(
        store.sweep(sweep(50)).await.unwrap(),
        0,
        "not before its time is past"
    );
    assert_eq!(store.sweep(sweep(51)).await.unwrap(), 1);
    assert_eq!(store.session([1; 16]).await.unwrap(), None);
    assert_eq!(store.session([2; 16]).await.unwrap(), Some(row(2, 90)));
    assert!(
        store.swap_session([1; 16], row(1, 60)).await.unwrap(),
        "its version starts over"
    );
}

pub(in crate::store) async fn forgets_a_dedupe_key_with_its_job_and_not_before(store: Arc<dyn Store>) {
    let first = delivered(&*store, 1, 100).await;
    let again = NewJob {
        dedupe: new_job(1).dedupe,
        ..new_job(2)
    };
    assert_eq!(
        store.accept(again.clone()).await.unwrap(),
        Acceptance::Same(first)
    );

    let settled_before = Millis(101);
    store
        .sweep(Sweep {
            settled_before,
            ..sweep(999)
        })
        .await
        .unwrap();

    assert_eq!(store.find(again.dedupe.key).await.unwrap(), None);
    assert_eq!(
        store.accept(again.clone()).await.unwrap(),
        Acceptance::New(again.id)
    );
}

pub(in crate::store) async fn removes_a_job_that_is_over_with_all_its_rows_and_no_other(
    store: Arc<dyn Store>,
) {
    let by = store.owner();
    let remove = async |by: Owner, id| store.remove(id, Stamp { by, at: Millis(200) }).await.unwrap();
    let empty = (store.space().used, store.counts());
    let over = delivered(&*store, 1, 100).await;
    let dead = accept(&*store, new_job(2)).await;
    apply(&*store, dead, [finish(), Change::Claim, BURY], 100).await;
    let due = accept(&*store, new_job(3)).await;
    let due = apply(&*store, due, [finish()], 100).await;
    let stale = Owner {
        epoch: by.epoch - 1,
        ..by
    };
    assert_eq!(remove(stale, over).await, Applied::Fenced);
    assert_eq!(remove(by, due.id).await, Applied::Moved(due.clone()));

    for id in [over, dead] {
        let job = store.job(id).await.unwrap().unwrap();
        assert_eq!(remove(by, id).await, Applied::Applied(job));
        assert_eq!(remove(by, id).await, Applied::Gone);
        assert!(is_gone(&*store, id).await);
    }
    let again = store.accept(new_job(1)).await.unwrap();
    assert_eq!(again, Acceptance::New(over), "its dedupe key went with it");
    apply(&*store, over, [finish(), Change::Stop], 300).await;
    apply(&*store, due.id, [Change::Stop], 300).await;
    for id in [over, due.id] {
        assert!(matches!(remove(by, id).await, Applied::Applied(_)));
    }
    assert_eq!((store.space().used, store.counts()), empty);
}
