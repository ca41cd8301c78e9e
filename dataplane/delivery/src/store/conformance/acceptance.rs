//! Accepting: once per key, whole, and never over another job.

use std::sync::Arc;

use super::{BURY, accept, apply, apply_any, finish, job_of, new_job};
use crate::id::JobId;
use crate::job::{Change, Job, Key, NewJob};
use crate::store::{Acceptance, ClientLimit, Counts, Store};

pub(in crate::store) async fn keeps_all_of_an_accepted_call(store: Arc<dyn Store>) {
    let new = new_job(1);
    let id = accept(&*store, new.clone()).await;

    assert_eq!(store.job(id).await.unwrap(), Some(Job::accepted(&new)));
    assert_eq!(store.call(id).await.unwrap(), Some(new.call));
    assert_eq!(store.params(id).await.unwrap(), Some(new.params));
    assert_eq!(store.body(id).await.unwrap(), None);
    assert_eq!(store.find(new.dedupe.key).await.unwrap(), Some(id));
    assert_eq!(
        store.counts(),
        Counts {
            queued: 1,
            ..Counts::default()
        }
    );
}

pub(in crate::store) async fn answers_the_same_call_with_its_job(store: Arc<dyn Store>) {
    let first = new_job(1);
    accept(&*store, first.clone()).await;
    let mut again = new_job(2);
    again.dedupe = first.dedupe;

    let answer = store.accept(again.clone()).await.unwrap();

    assert_eq!(answer, Acceptance::Same(first.id));
    assert_eq!(store.job(again.id).await.unwrap(), None);
    assert_eq!(store.params(first.id).await.unwrap(), Some(first.params));
    assert_eq!(store.counts().queued, 1);
}

pub(in crate::store) async fn refuses_other_arguments_under_the_same_key(store: Arc<dyn Store>) {
    let first = new_job(1);
    accept(&*store, first.clone()).await;
    let mut other = new_job(2);
    other.dedupe.key = first.dedupe.key;

    let answer = store.accept(other.clone()).await.unwrap();

    assert_eq!(answer, Acceptance::Conflict(first.id));
    assert_eq!(store.job(other.id).await.unwrap(), None);
    assert_eq!(store.counts().queued, 1);
}

pub(in crate::store) async fn refuses_a_client_with_too_many_pending_and_no_other(store: Arc<dyn Store>) {
    let limited = |number: u8, client: &str| NewJob {
        names: Vec::new(),
        max_pending: 2,
        ..job_of(number, "s", client, Some("https://one.example/"))
    };
    let first = accept(&*store, limited(1, "ann")).await;
    accept(&*store, limited(2, "ann")).await;
    let third = limited(3, "ann");
    assert_eq!(
        store.accept(third.clone()).await.unwrap(),
        Acceptance::ClientFull(ClientLimit::Pending)
    );
    assert_eq!(store.job(third.id).await.unwrap(), None);
    assert_eq!(store.find(third.dedupe.key).await.unwrap(), None);
    assert_eq!(store.counts().queued, 2);
    let again = store.accept(limited(1, "ann")).await.unwrap();
    assert_eq!(
        again,
        Acceptance::Same(first),
        "a call that is known is no new one"
    );
    accept(&*store, limited(4, "bob")).await;

    apply(&*store, first, [finish(), Change::Claim], 5).await;
    assert_eq!(
        store.client_use(Key::of("ann")).await.unwrap().pending,
        2,
        "until it is delivered"
    );
    assert_eq!(
        store.accept(third.clone()).await.unwrap(),
        Acceptance::ClientFull(ClientLimit::Pending)
    );
    apply(&*store, first, [BURY], 6).await;
    assert_eq!(store.client_use(Key::of("ann")).await.unwrap().pending, 1);
    accept(&*store, third).await;
    apply(&*store, first, [Change::Replay], 7).await;
    assert_eq!(store.client_use(Key::of("ann")).await.unwrap().pending, 3);
}

pub(in crate::store) async fn refuses_calls_for_a_server_with_too_long_a_queue_and_no_other(
    store: Arc<dyn Store>,
) {
    let limited = |number: u8, server: &str, client: &str| NewJob {
        max_queued: 2,
        ..job_of(number, server, client, Some("https://one.example/"))
    };
    let first = accept(&*store, limited(1, "s", "ann")).await;
    accept(&*store, limited(2, "s", "bob")).await;
    let third = limited(3, "s", "cleo");
    assert_eq!(store.accept(third.clone()).await.unwrap(), Acceptance::ServerFull);
    assert_eq!(store.job(third.id).await.unwrap(), None);
    assert_eq!(store.find(third.dedupe.key).await.unwrap(), None);
    assert_eq!(
        store.accept(limited(1, "s", "ann")).await.unwrap(),
        Acceptance::Same(first)
    );
    accept(&*store, limited(4, "t", "ann")).await;

    apply(&*store, first, [Change::Start], 5).await;
    accept(&*store, third).await;
    apply(&*store, first, [Change::Release], 6).await;
    let fifth = limited(5, "s", "ann");
    assert_eq!(store.accept(fifth.clone()).await.unwrap(), Acceptance::ServerFull);
    for id in store.queued(Key::of("s"), Key::of("ann"), 9).await.unwrap() {
        apply(&*store, id, [finish()], 7).await;
    }
    apply(&*store, limited(2, "s", "bob").id, [finish()], 7).await;
    accept(&*store, fifth).await;
}

pub(in crate::store) async fn leaves_a_job_alone_whose_id_is_used_again(store: Arc<dyn Store>) {
    let first = new_job(1);
    accept(&*store, first.clone()).await;
    let mut other = new_job(2);
    other.id = first.id;

    store.accept(other.clone()).await.unwrap_err();

    assert_eq!(store.params(first.id).await.unwrap(), Some(first.params));
    assert_eq!(store.find(other.dedupe.key).await.unwrap(), None);
    assert_eq!(store.counts().queued, 1);
}

pub(in crate::store) async fn knows_nothing_of_a_job_that_never_was(store: Arc<dyn Store>) {
    let id = JobId::MAX;
    let now = new_job(1).at;
    assert_eq!(
        apply_any(&*store, id, vec![Change::Start], now).await.unwrap(),
        None
    );
    assert_eq!(store.job(id).await.unwrap(), None);
    assert_eq!(store.call(id).await.unwrap(), None);
    assert_eq!(store.params(id).await.unwrap(), None);
    assert_eq!(store.body(id).await.unwrap(), None);
    assert_eq!(store.find([0; 32]).await.unwrap(), None);
    assert_eq!(store.session([0; 16]).await.unwrap(), None);
}
