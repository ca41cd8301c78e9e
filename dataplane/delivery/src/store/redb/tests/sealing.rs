//! Sealing at rest: nothing readable in the files, older keys still open, a missing key loses nothing.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use crate::clock::Millis;
use crate::job::{Change, NewJob};
use crate::state::End;
use crate::store::conformance::{apply_any, new_job};
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::seal::Sealer;
use crate::store::{Error, SessionRow};

const SECRET: &[u8] = b"the-secret-that-nobody-may-read";

fn open(dir: &Path, keys: &[u8]) -> Embedded {
    let sealer = if keys.is_empty() {
        Sealer::default()
    } else {
        Sealer::of(keys)
    };
    let options = Options {
        sealer: Arc::new(sealer),
        route: "shop/tools".to_owned(),
        ..Options::default()
    };
    Embedded::open(dir, options).unwrap()
}

fn secret_job(number: u8) -> NewJob {
    let mut job = new_job(number);
    job.call.target.as_mut().unwrap().url = format!("https://{}.example/", String::from_utf8_lossy(SECRET));
    job.params = Bytes::from_static(SECRET);
    job
}

fn body(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: SECRET.repeat(size).into(),
    }
}

const SESSION: fn(u64) -> SessionRow = |version| SessionRow {
    version,
    expires: Millis(99),
    bytes: Bytes::from_static(SECRET),
};

/// A store with a secret in every field that has any.
async fn fill(store: &Embedded) {
    for number in 1..=3 {
        store.accept(secret_job(number)).await.unwrap();
    }
    for (number, size) in [(1, 1), (2, 20_000)] {
        let id = new_job(number).id;
        apply_any(store, id, vec![body(size)], Millis(9))
            .await
            .unwrap()
            .unwrap();
    }
    assert!(store.swap_session([8; 16], SESSION(1)).await.unwrap());
}

async fn assert_reads_all(store: &Embedded) {
    for number in 1..=3 {
        let job = secret_job(number);
        assert_eq!(store.call(job.id).await.unwrap(), Some(job.call));
    }
    assert_eq!(store.params(new_job(3).id).await.unwrap().unwrap(), SECRET);
    assert_eq!(store.body(new_job(1).id).await.unwrap().unwrap(), SECRET);
    assert!(store.body(new_job(2).id).await.unwrap().unwrap() == SECRET.repeat(20_000));
    assert_eq!(store.session([8; 16]).await.unwrap(), Some(SESSION(1)));
}

/// Whether any file below `dir` has the secret in it.
fn shows_the_secret(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().map(Result::unwrap).any(|entry| {
        if entry.file_type().unwrap().is_dir() {
            return shows_the_secret(&entry.path());
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        bytes.windows(SECRET.len()).any(|part| part == SECRET)
    })
}

#[tokio::test]
async fn nothing_that_is_sealed_can_be_read_in_the_files() {
    for (keys, shown) in [(&[][..], true), (&[7], false)] {
        let dir = TempDir::new().unwrap();
        let store = open(dir.path(), keys);
        fill(&store).await;
        assert_reads_all(&store).await;
        store.check().unwrap();
        store.close().await.unwrap();
        assert_eq!(shows_the_secret(dir.path()), shown, "keys {keys:?}");
    }
}

#[tokio::test]
async fn values_from_before_a_rotation_stay_readable() {
    let dir = TempDir::new().unwrap();
    for (number, keys) in [(1, &[1][..]), (2, &[1]), (3, &[1, 2])] {
        let store = open(dir.path(), keys);
        store.accept(secret_job(number)).await.unwrap();
        store.close().await.unwrap();
    }
    let store = open(dir.path(), &[2, 1]);
    for number in 1..=3 {
        let job = secret_job(number);
        assert_eq!(store.call(job.id).await.unwrap(), Some(job.call));
        assert_eq!(store.params(job.id).await.unwrap(), Some(job.params));
    }
    let keys: Vec<_> = store
        .keys()
        .into_iter()
        .map(|key| (key.id, key.values, key.known))
        .collect();
    assert_eq!(keys, [(1, 4, true), (2, 2, true)]);
    store.check().unwrap();
}

#[tokio::test]
async fn where_there_is_a_key_a_plain_value_is_refused_and_found() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &[]);
    fill(&store).await;
    store.check().unwrap();
    store.close().await.unwrap();

    let store = open(dir.path(), &[1]);
    let refused = |error: Error| matches!(error, Error::Corrupt(why) if why.contains("not encrypted"));
    let id = new_job(3).id;
    assert!(refused(store.call(id).await.unwrap_err()));
    assert!(refused(store.params(id).await.unwrap_err()));
    assert!(refused(store.body(new_job(1).id).await.unwrap_err()));
    assert!(refused(store.body(new_job(2).id).await.unwrap_err()), "a file");
    assert!(refused(store.session([8; 16]).await.unwrap_err()));
    assert!(refused(store.check().unwrap_err()));
    store.accept(secret_job(4)).await.unwrap();
    store.close().await.unwrap();

    // Without the key, beside what is encrypted.
    let store = open(dir.path(), &[]);
    assert!(refused(store.check().unwrap_err()));
}

#[tokio::test]
async fn a_missing_key_loses_nothing_and_is_told_from_a_corrupt_value() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &[1]);
    fill(&store).await;
    store.close().await.unwrap();

    let store = open(dir.path(), &[2]);
    let id = new_job(3).id;
    let missing = |error: Error| matches!(error, Error::Sealed { key: 1 });
    assert!(missing(store.call(id).await.unwrap_err()));
    assert!(missing(store.params(id).await.unwrap_err()));
    assert!(missing(store.body(new_job(1).id).await.unwrap_err()));
    assert!(missing(store.body(new_job(2).id).await.unwrap_err()), "a file");
    assert!(missing(store.session([8; 16]).await.unwrap_err()));
    assert!(missing(
        store.swap_session([8; 16], SESSION(2)).await.unwrap_err()
    ));
    let keys = store.keys();
    assert!(
        keys.iter()
            .any(|key| key.id == 1 && key.values == 7 && !key.known),
        "{keys:?}"
    );

    // Headers are plain: the job is there, counted and indexed, and new ones are taken.
    assert_eq!(store.counts().queued, 1);
    assert!(store.job(id).await.unwrap().is_some());
    store.accept(secret_job(4)).await.unwrap();
    store.check().unwrap();
    store.close().await.unwrap();

    assert_reads_all(&open(dir.path(), &[2, 1])).await;
}

#[tokio::test]
async fn a_store_keeps_the_route_it_was_made_for() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &[1]);
    fill(&store).await;
    store.close().await.unwrap();
    let options = Options {
        sealer: Arc::new(Sealer::of(&[1])),
        route: "shop/adopted".to_owned(),
        ..Options::default()
    };
    assert_reads_all(&Embedded::open(dir.path(), options).unwrap()).await;
}
