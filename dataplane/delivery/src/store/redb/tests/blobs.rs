//! Large bodies: files beside the database, there exactly as long as a row names them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use super::disk::Disk;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::state::End;
use crate::store::conformance::{apply_any, new_job};
use crate::store::redb::blob::{Blobs as _, Name};
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::seal::Field;
use crate::store::{Acceptance, Error, Sweep};

const AT: Millis = Millis(9);

fn large(byte: u8) -> Bytes {
    vec![byte; (256 << 10) + 1].into()
}

fn job(number: u8) -> NewJob {
    NewJob {
        params: large(number),
        ..new_job(number)
    }
}

fn start(disk: &Disk) -> Embedded {
    Embedded::start(Box::new(disk.clone()), Options::default()).unwrap()
}

async fn finish(store: &Embedded, id: JobId) {
    let (end, body) = (End::Result, large(77));
    let ended = apply_any(store, id, vec![Change::Finish { end, body }], AT)
        .await
        .unwrap();
    assert!(ended.is_some());
}

/// Field and job of each file.
fn files(disk: &Disk) -> Vec<(Field, JobId)> {
    let files = disk.list().unwrap();
    files.iter().map(|file| (file.field, file.id)).collect()
}

#[tokio::test]
async fn a_file_comes_with_its_row_and_goes_with_it() {
    let disk = Disk::default();
    let store = start(&disk);
    let id = job(1).id;
    store.accept(job(1)).await.unwrap();
    store.accept(new_job(2)).await.unwrap();
    assert_eq!(files(&disk), [(Field::Params, id)]);
    assert_eq!(store.params(id).await.unwrap(), Some(large(1)));

    finish(&store, id).await;
    assert_eq!(files(&disk), [(Field::Body, id)]);
    assert_eq!(store.body(id).await.unwrap(), Some(large(77)));
    assert_eq!(store.params(id).await.unwrap(), None);

    apply_any(&store, id, vec![Change::Claim, Change::Deliver], AT)
        .await
        .unwrap();
    store.check().unwrap();
    let (now, settled_before, dead_before) = (Millis(99), Millis(99), Millis(0));
    let limit = 9;
    let sweep = Sweep {
        now,
        settled_before,
        dead_before,
        limit,
    };
    assert_eq!(store.sweep(sweep).await.unwrap(), 1);
    assert_eq!(files(&disk), []);
    store.check().unwrap();
}

#[tokio::test]
async fn a_file_that_no_row_came_to_name_goes_at_once() {
    let disk = Disk::default();
    let store = start(&disk);
    store.accept(job(1)).await.unwrap();
    assert_eq!(store.accept(job(1)).await.unwrap(), Acceptance::Same(job(1).id));
    let taken = NewJob {
        id: job(1).id,
        ..job(2)
    };
    store.accept(taken).await.unwrap_err();
    assert_eq!(files(&disk), [(Field::Params, job(1).id)]);
    assert_eq!(store.params(job(1).id).await.unwrap(), Some(large(1)));

    finish(&store, job(1).id).await;
    let (end, body) = (End::Error, large(2));
    let again = apply_any(&store, job(1).id, vec![Change::Finish { end, body }], AT).await;
    assert_eq!(again.unwrap(), None, "it has ended");
    assert_eq!(files(&disk), [(Field::Body, job(1).id)]);
    assert_eq!(store.body(job(1).id).await.unwrap(), Some(large(77)));
}

#[tokio::test]
async fn the_files_of_a_failed_commit_are_settled_when_the_store_is_back() {
    let disk = Disk::default();
    let store = start(&disk);
    store.accept(job(1)).await.unwrap();
    disk.fail_syncs(1);
    store.accept(job(2)).await.unwrap_err();
    store.accept(new_job(3)).await.unwrap(); // it is back
    let is_there = store.job(job(2).id).await.unwrap().is_some();
    assert_eq!(files(&disk).len(), if is_there { 2 } else { 1 });
    assert_eq!(store.params(job(1).id).await.unwrap(), Some(large(1)));
    store.check().unwrap();
}

/// Whichever read of the group fails, also before its commit begins.
#[tokio::test]
async fn a_group_that_fails_half_way_leaves_no_files() {
    for reads in 0.. {
        let disk = Disk::default();
        start(&disk).accept(job(1)).await.unwrap();
        let store = start(&disk); // which has no page in memory
        disk.fail_a_read_after(reads);
        let group = tokio::join!(store.accept(job(2)), store.accept(job(3)), store.accept(job(4)));
        if disk.has_read_to_fail() {
            assert!(reads > 3 && group.2.is_ok(), "{reads} reads");
            return;
        }
        store.accept(new_job(5)).await.unwrap(); // it is back
        let mut named = Vec::new();
        for number in 1..=4 {
            let job = store.job(job(number).id).await.unwrap();
            named.extend(job.map(|job| (Field::Params, job.id)));
        }
        let mut files = files(&disk);
        files.sort_unstable_by_key(|(_, id)| *id); // the order of what is written at once varies
        assert_eq!(files, named, "after {reads} reads");
        store.check().unwrap();
    }
}

#[tokio::test]
async fn orphans_go_at_the_next_start_and_named_files_stay() {
    let disk = Disk::default();
    let store = start(&disk);
    store.accept(job(1)).await.unwrap();
    store.close().await.unwrap();
    let orphan = |id, field| Name { id, field, tag: 5 };
    for name in [
        orphan(job(1).id, Field::Params),
        orphan(job(1).id, Field::Body),
        orphan(job(2).id, Field::Params),
    ] {
        disk.write(name, b"cut").unwrap();
    }
    let store = start(&disk);
    assert_eq!(files(&disk), [(Field::Params, job(1).id)]);
    assert_eq!(store.params(job(1).id).await.unwrap(), Some(large(1)));
}

#[tokio::test]
async fn a_file_that_is_gone_or_cut_is_corrupt_and_named() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path(), Options::default()).unwrap();
    store.accept(job(1)).await.unwrap();
    let file = only_file(dir.path());
    fs::write(&file, b"cut").unwrap();
    for _ in 0..2 {
        let error = store.params(job(1).id).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{error}");
        assert!(
            error
                .to_string()
                .contains(file.file_name().unwrap().to_str().unwrap())
        );
        store.check().unwrap_err();
        let _ = fs::remove_file(&file);
    }
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let files: Vec<_> = fs::read_dir(dir.join("blobs"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(files.len(), 1);
    files[0].path()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_comes_when_the_file_goes_finds_body_or_nothing() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(Embedded::open(dir.path(), Options::default()).unwrap());
    for number in 0..30 {
        let id = job(number).id;
        store.accept(job(number)).await.unwrap();
        let reading = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                while let Some(params) = store.params(id).await.unwrap() {
                    assert!(params == large(number));
                }
            }
        });
        finish(&store, id).await;
        reading.await.unwrap();
    }
}
