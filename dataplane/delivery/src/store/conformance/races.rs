//! Many callers at once: for each thing to win, one wins it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;

use super::{accept, apply_any, finish, new_job, retry};
use crate::clock::Millis;
use crate::job::Change;
use crate::store::{Acceptance, SessionRow, Store};

const CALLERS: u8 = 32;

/// Runs `call` on a task of its own for each caller.
async fn all<T, F>(call: impl Fn(u8) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks = (0..CALLERS).map(|caller| tokio::spawn(call(caller)));
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

pub(in crate::store) async fn lets_one_of_many_take_each_step(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let life = [
        Change::Start,
        finish(),
        Change::Claim,
        retry(9),
        Change::Claim,
        Change::Deliver,
    ];
    for change in life {
        let answers = all(|_| {
            let (store, changes) = (Arc::clone(&store), vec![change.clone()]);
            async move { apply_any(&*store, id, changes, Millis(8)).await.unwrap() }
        });
        let won: Vec<_> = answers.await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{change:?}");
        assert_eq!(store.job(id).await.unwrap().as_ref(), won.first());
    }
}

pub(in crate::store) async fn accepts_one_of_many_equal_calls(store: Arc<dyn Store>) {
    let answers = all(|caller| {
        let store = Arc::clone(&store);
        let mut job = new_job(caller);
        job.dedupe = new_job(99).dedupe;
        async move { store.accept(job).await.unwrap() }
    });
    let answers = answers.await;
    let new = answers.iter().filter_map(|answer| match answer {
        Acceptance::New(id) => Some(*id),
        _ => None,
    });
    let new: Vec<_> = new.collect();
    assert_eq!(new.len(), 1);
    let same = answers
        .iter()
        .filter(|answer| **answer == Acceptance::Same(new[0]));
    assert_eq!(same.count(), usize::from(CALLERS) - 1);
    assert_eq!(store.counts().queued, 1);
}

pub(in crate::store) async fn lets_one_of_many_write_a_session(store: Arc<dyn Store>) {
    for version in 1..=3 {
        let answers = all(|caller| {
            let store = Arc::clone(&store);
            let row = SessionRow {
                version,
                expires: Millis(9),
                bytes: Bytes::from(vec![caller]),
            };
            async move { (caller, store.swap_session([7; 16], row).await.unwrap()) }
        });
        let won: Vec<_> = answers.await.into_iter().filter(|(_, won)| *won).collect();
        assert_eq!(won.len(), 1);
        let row = store.session([7; 16]).await.unwrap().unwrap();
        assert_eq!((row.version, row.bytes[0]), (version, won[0].0));
    }
}
