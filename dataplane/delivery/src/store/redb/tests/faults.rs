//! Commits that fail: what callers get, and whether the store recovers.

use std::sync::Arc;

use futures::poll;
use prometheus::{Registry, TextEncoder};

use super::disk::Disk;
use crate::job::Change;
use crate::store::conformance::{apply_any, new_job};
use crate::store::metrics::Metrics;
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::{Acceptance, Error};

fn start(disk: &Disk, options: Options) -> Embedded {
    Embedded::start(Box::new(disk.clone()), options).unwrap()
}

#[tokio::test]
async fn a_failed_commit_fails_its_callers_and_the_next_one_works() {
    let disk = Disk::default();
    let store = start(&disk, Options::default());
    let kept = new_job(1);
    store.accept(kept.clone()).await.unwrap();

    disk.fail_syncs(1);
    let failed = store.accept(new_job(2)).await;

    let Err(Error::Unknown(why)) = failed else {
        panic!("{failed:?}");
    };
    assert!(why.contains("the sync failed"), "{why}");
    let id = new_job(3).id;
    assert_eq!(store.accept(new_job(3)).await.unwrap(), Acceptance::New(id));
    assert!(store.is_up() && !store.fatal().is_cancelled());
    assert_eq!(store.params(kept.id).await.unwrap(), Some(kept.params));
    assert_eq!(
        store.counts().queued,
        if store.job(new_job(2).id).await.unwrap().is_some() {
            3
        } else {
            2
        }
    );
    store.check().unwrap();
}

#[tokio::test]
async fn a_store_that_is_down_refuses_and_says_so_until_it_is_back() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let up = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let disk = Disk::default();
    let store = start(
        &disk,
        Options {
            metrics,
            ..Options::default()
        },
    );
    assert!(up().contains("asyncmcp_store_up 1"));

    disk.hold_opens(true);
    disk.fail_syncs(1);
    store.accept(new_job(1)).await.unwrap_err();
    assert!(!store.is_up());
    assert!(up().contains("asyncmcp_store_up 0"));
    assert!(matches!(store.job(new_job(1).id).await, Err(Error::Down(_))));

    let mut queued = store.accept(new_job(2));
    assert!(
        poll!(&mut queued).is_pending(),
        "it waits until the store is back"
    );
    disk.hold_opens(false);
    queued.await.unwrap();
    assert!(store.is_up());
    assert!(up().contains("asyncmcp_store_up 1"));
    store.check().unwrap();
}

#[tokio::test]
async fn three_failures_in_a_row_end_the_store() {
    let disk = Disk::default();
    let store = start(&disk, Options::default());
    store.accept(new_job(1)).await.unwrap();

    disk.fail_syncs(1);
    disk.fail_opens(9);
    store.accept(new_job(2)).await.unwrap_err();
    store.fatal().cancelled().await;

    assert!(!store.is_up());
    store.accept(new_job(3)).await.unwrap_err();
    store.close().await.unwrap_err();
    disk.fail_opens(0);
    let again = start(&disk, Options::default());
    assert!(again.job(new_job(1).id).await.unwrap().is_some());
    again.check().unwrap();
}

#[tokio::test]
async fn a_success_between_failures_starts_the_count_again() {
    let disk = Disk::default();
    let store = start(&disk, Options::default());
    for number in 0..5 {
        disk.fail_syncs(1);
        store.accept(new_job(2 * number)).await.unwrap_err();
        store.accept(new_job(2 * number + 1)).await.unwrap();
    }
    assert!(store.is_up() && !store.fatal().is_cancelled());
    store.check().unwrap();
}

#[tokio::test]
async fn a_writer_that_panics_ends_the_store() {
    let disk = Disk::default();
    let options = Options {
        before_commit: Some(Arc::new(|_| panic!("a bug"))),
        ..Options::default()
    };
    let store = start(&disk, options);

    let answer = store.accept(new_job(1)).await;

    assert!(matches!(answer, Err(Error::Unknown(_))), "{answer:?}");
    store.fatal().cancelled().await;
    assert!(!store.is_up());
    drop(store);
    let again = start(&disk, Options::default());
    assert_eq!(
        again.job(new_job(1).id).await.unwrap(),
        None,
        "it was never committed"
    );
    again.check().unwrap();
}

#[tokio::test]
async fn closing_a_healthy_store_is_not_fatal_and_keeps_all() {
    let disk = Disk::default();
    let store = start(&disk, Options::default());
    let id = new_job(1).id;
    store.accept(new_job(1)).await.unwrap();
    store.close().await.unwrap();
    assert!(!store.fatal().is_cancelled());

    let again = start(&disk, Options::default());
    assert!(
        apply_any(&again, id, vec![Change::Start], new_job(1).at)
            .await
            .unwrap()
            .is_some()
    );
}
