//! Accepting: once per key, whole, and never over another job.

use std::sync::Arc;

use super::{accept, new_job};
use crate::id::JobId;
use crate::job::{Change, Job};
use crate::store::{Acceptance, Counts, Store};

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
    assert_eq!(store.apply(id, vec![Change::Start], now).await.unwrap(), None);
    assert_eq!(store.job(id).await.unwrap(), None);
    assert_eq!(store.call(id).await.unwrap(), None);
    assert_eq!(store.params(id).await.unwrap(), None);
    assert_eq!(store.body(id).await.unwrap(), None);
    assert_eq!(store.find([0; 32]).await.unwrap(), None);
    assert_eq!(store.session([0; 16]).await.unwrap(), None);
}
