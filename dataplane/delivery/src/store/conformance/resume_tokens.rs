//! What is stored of a job while it runs: resume tokens, names, and the process that resumed it.

use std::sync::Arc;

use bytes::Bytes;

use super::{accept, apply, apply_any, finish, new_job, sweep};
use crate::clock::Millis;
use crate::job::{Change, Job};
use crate::store::{Store, Sweep};

fn token(text: &'static str) -> Change {
    Change::ResumeToken {
        token: Bytes::from_static(text.as_bytes()),
    }
}

pub(in crate::store) async fn keeps_the_last_token_while_the_execution_runs(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let queued = apply_any(&*store, id, vec![token("early")], Millis(5))
        .await
        .unwrap();
    assert_eq!((queued, store.resume_token(id).await.unwrap()), (None, None));

    let started = apply(&*store, id, [Change::Start], 5).await;
    assert!(!started.has_resume_token);
    let held = apply(&*store, id, [token("one")], 6).await;
    assert!(held.has_resume_token);
    assert_eq!(store.resume_token(id).await.unwrap().unwrap(), "one");
    // Nothing but the version says that there is another one.
    let version = held.version + 1;
    assert_eq!(
        apply(&*store, id, [token("two")], 7).await,
        Job { version, ..held }
    );
    assert_eq!(store.resume_token(id).await.unwrap().unwrap(), "two");
    assert_eq!(store.high_water(), new_job(1).at.max(Millis(7)));
}

pub(in crate::store) async fn drops_the_token_with_the_execution(store: Arc<dyn Store>) {
    for (number, last) in [(1, Change::Release), (2, finish())] {
        let id = accept(&*store, new_job(number)).await;
        apply(&*store, id, [Change::Start, token("kept")], 5).await;
        assert!(store.resume_token(id).await.unwrap().is_some());
        let over = apply(&*store, id, [last], 6).await;
        assert!(!over.has_resume_token);
        assert_eq!(store.resume_token(id).await.unwrap(), None);
    }
    let id = accept(&*store, new_job(3)).await;
    apply(&*store, id, [Change::Start, token("never"), finish()], 5).await;
    assert_eq!(
        store.resume_token(id).await.unwrap(),
        None,
        "written and gone in one commit"
    );
}

pub(in crate::store) async fn finds_a_job_by_its_names_until_it_is_gone(store: Arc<dyn Store>) {
    let name = |name: u8| Change::Name { name: [name; 32] };
    let (first, other) = (
        accept(&*store, new_job(1)).await,
        accept(&*store, new_job(2)).await,
    );
    apply(&*store, first, [name(101)], 5).await;
    apply(&*store, first, [Change::Start, name(102)], 5).await;
    // A name or a dedupe key of another job stays with that job.
    apply(&*store, other, [name(101), name(1)], 5).await;
    for (number, job) in [(1, first), (101, first), (102, first), (2, other)] {
        assert_eq!(store.find([number; 32]).await.unwrap(), Some(job), "{number}");
    }
    let full = apply(&*store, first, [name(103), name(104), name(105), name(101)], 5).await;
    assert_eq!(full.names.len(), Job::NAMES);
    assert_eq!(store.find([105; 32]).await.unwrap(), None);

    apply(&*store, first, [finish(), Change::Stop], 10).await;
    assert_eq!(
        apply_any(&*store, first, vec![name(106)], Millis(11))
            .await
            .unwrap(),
        None
    );
    let all = Sweep {
        settled_before: Millis(100),
        ..sweep(0)
    };
    store.sweep(all).await.unwrap();
    for number in [1, 101, 102] {
        assert_eq!(store.find([number; 32]).await.unwrap(), None, "{number}");
    }
    assert_eq!(store.find([2; 32]).await.unwrap(), Some(other));
}

pub(in crate::store) async fn counts_executions_that_were_resumed(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    apply(&*store, id, [Change::Start], 5).await;
    assert_eq!(apply(&*store, id, [Change::Resume], 6).await.executions, 2);
    assert_eq!(apply(&*store, id, [Change::Suspend], 7).await.executions, 1);
    let poisoned = apply(&*store, id, [Change::Poison, finish()], 8).await;
    assert!(poisoned.poisoned);
    assert!(store.job(id).await.unwrap().unwrap().poisoned);
}
