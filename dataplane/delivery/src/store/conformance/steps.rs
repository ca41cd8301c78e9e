//! Steps: the state table's, all of them, and nothing in between.

use std::sync::Arc;

use bytes::Bytes;

use super::{BURY, Step, accept, apply, apply_any, entry, finish, new_job, retry};
use crate::clock::Millis;
use crate::job::{Change, NewJob};
use crate::state::End;
use crate::store::{Counts, Store};

/// Every change there is.
fn changes() -> [Change; 10] {
    use Change::{Claim, Deliver, Release, Replay, Start, Stop};
    [
        Start,
        Release,
        finish(),
        Claim,
        Change::Attempted(entry(5)),
        retry(90),
        Deliver,
        BURY,
        Stop,
        Replay,
    ]
}

/// A way into every state there is, but for how it ended and why it died.
fn ways() -> [Vec<Change>; 8] {
    use Change::{Claim, Deliver, Start, Stop};
    [
        vec![],
        vec![Start],
        vec![Start, finish()],
        vec![finish(), Claim],
        vec![finish(), Claim, retry(80)],
        vec![finish(), Claim, Deliver],
        vec![finish(), BURY],
        vec![finish(), Stop],
    ]
}

pub(in crate::store) async fn takes_each_step_of_the_table_and_no_other(store: Arc<dyn Store>) {
    let mut number = 0;
    for way in ways() {
        for change in changes() {
            number += 1;
            let id = accept(&*store, new_job(number)).await;
            let walked = apply_any(&*store, id, way.clone(), Millis(70)).await.unwrap();
            let before = walked.expect("the way is made of steps");
            let counts = store.counts();

            let after = apply_any(&*store, id, vec![change.clone()], Millis(75))
                .await
                .unwrap();

            let expected = before.after_step(&Step::any(store.owner(), vec![change.clone()], Millis(75)));
            assert_eq!(after, expected, "{change:?} after {way:?}");
            let kept = store.job(id).await.unwrap();
            assert_eq!(
                kept,
                expected.clone().or(Some(before)),
                "{change:?} after {way:?}"
            );
            assert!(
                expected.is_some() || store.counts() == counts,
                "{change:?} after {way:?}"
            );
        }
    }
}

pub(in crate::store) async fn takes_several_steps_or_none(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let before = store.job(id).await.unwrap();
    let impossible = vec![Change::Start, finish(), Change::Start];

    assert_eq!(apply_any(&*store, id, impossible, Millis(5)).await.unwrap(), None);
    assert_eq!(store.job(id).await.unwrap(), before);
    assert!(store.params(id).await.unwrap().is_some());
    assert_eq!(store.body(id).await.unwrap(), None);

    let job = apply(&*store, id, [Change::Start, finish(), Change::Claim], 5).await;
    assert_eq!(store.job(id).await.unwrap(), Some(job));
    assert_eq!(
        store.counts(),
        Counts {
            sending: 1,
            ..Counts::default()
        }
    );
}

pub(in crate::store) async fn trades_the_params_for_the_body_when_the_call_ends(store: Arc<dyn Store>) {
    let mut polled = new_job(2);
    polled.call.target = None;
    for job in [new_job(1), polled] {
        let id = accept(&*store, job).await;
        apply(&*store, id, [Change::Start], 5).await;
        assert!(store.params(id).await.unwrap().is_some());

        apply(&*store, id, [finish()], 6).await;

        assert_eq!(store.params(id).await.unwrap(), None);
        assert_eq!(
            store.body(id).await.unwrap(),
            Some(Bytes::from_static(b"{\"result\":1}"))
        );
    }
}

pub(in crate::store) async fn changes_nothing_for_no_changes(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let before = store.job(id).await.unwrap();
    let high_water = store.high_water();
    assert_eq!(
        apply_any(&*store, id, vec![], Millis(99_999)).await.unwrap(),
        before
    );
    assert_eq!(store.job(id).await.unwrap(), before);
    assert_eq!(store.high_water(), high_water);
}

pub(in crate::store) async fn counts_a_job_through_its_life(store: Arc<dyn Store>) {
    let none = Counts::default();
    let id = accept(&*store, new_job(1)).await;
    for (change, counts) in [
        (Change::Start, Counts { running: 1, ..none }),
        (Change::Release, Counts { queued: 1, ..none }),
        (Change::Start, Counts { running: 1, ..none }),
        (finish(), Counts { due: 1, ..none }),
        (Change::Claim, Counts { sending: 1, ..none }),
        (retry(9), Counts { due: 1, ..none }),
        (BURY, Counts { dead: 1, ..none }),
        (Change::Replay, Counts { due: 1, ..none }),
        (Change::Claim, Counts { sending: 1, ..none }),
        (Change::Deliver, none),
    ] {
        apply(&*store, id, [change.clone()], 8).await;
        assert_eq!(store.counts(), counts, "after {change:?}");
    }
}

pub(in crate::store) async fn keeps_bodies_of_sixteen_mebibytes(store: Arc<dyn Store>) {
    let large = Bytes::from((0..=255u8).cycle().take(16 << 20).collect::<Vec<_>>());
    let job = NewJob {
        params: large.clone(),
        ..new_job(1)
    };
    let id = accept(&*store, job).await;
    assert!(store.params(id).await.unwrap().as_ref() == Some(&large));
    let end = End::Result;
    let body = large.clone();
    apply(&*store, id, [Change::Finish { end, body }], 5).await;
    assert!(store.body(id).await.unwrap() == Some(large));
}
