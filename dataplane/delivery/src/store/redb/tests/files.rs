//! The directory: created once and whole, private, locked, and never overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ::redb::{Database, TableDefinition};
use tempfile::TempDir;

use crate::store::Error;
use crate::store::conformance::new_job;
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

fn open(dir: &Path) -> Result<Embedded, Error> {
    Embedded::open(dir, Options::default())
}

#[tokio::test]
async fn a_store_is_found_again_where_it_was() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path().join("state/jobs");
    let store = open(&dir).unwrap();
    let job = new_job(1);
    store.accept(job.clone()).await.unwrap();
    store.close().await.unwrap();

    let again = open(&dir).unwrap();
    assert_eq!(again.params(job.id).await.unwrap(), Some(job.params));
    assert_eq!(again.counts().queued, 1);
    assert_eq!(again.high_water(), job.at);
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let dir = TempDir::new().unwrap();
    let _store = open(dir.path()).unwrap();
    let files = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    let modes: Vec<_> = files
        .map(|file| {
            (
                file.file_name(),
                file.metadata().unwrap().permissions().mode() & 0o777,
            )
        })
        .collect();
    let mut names: Vec<_> = modes.iter().map(|(name, _)| name.to_string_lossy()).collect();
    names.sort();
    assert_eq!(names, ["blobs", "jobs.lock", "jobs.redb"]);
    assert!(
        modes.iter().all(|(_, mode)| [0o600, 0o700].contains(mode)),
        "{modes:?}"
    );
}

#[tokio::test]
async fn a_store_that_is_open_is_refused_to_others() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    let refused = open(dir.path()).unwrap_err().to_string();
    assert!(
        refused.contains("another process has this store open"),
        "{refused}"
    );
    drop(store);
    open(dir.path()).unwrap();
}

/// Opening `file` must fail and leave it as it is.
fn refuse(dir: &Path) -> Error {
    let file = dir.join("jobs.redb");
    let before = fs::read(&file).unwrap();
    let error = open(dir).unwrap_err();
    assert!(
        fs::read(&file).unwrap() == before,
        "the file was changed: {error}"
    );
    let shown = error.to_string();
    let named = matches!(error, Error::NewerFormat { .. }) || shown.contains("jobs.redb");
    assert!(named, "{shown}");
    error
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("jobs.redb");
    open(dir.path()).unwrap().close().await.unwrap();
    let whole = fs::read(&file).unwrap();
    let half = &whole[..whole.len() / 2];
    let text = b"not a database".repeat(999);
    for bytes in [&[][..], &text, &whole[..100], half] {
        fs::write(&file, bytes).unwrap();
        let error = refuse(dir.path());
        assert!(
            matches!(error, Error::Corrupt(_)),
            "{} bytes: {error}",
            bytes.len()
        );
    }
}

#[test]
fn another_programs_database_is_refused() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("jobs.redb");
    drop(Database::create(&file).unwrap());
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
    assert!(error.to_string().contains("jobs.redb"), "{error}");
}

/// A store whose format number is `format`.
async fn of_format(format: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    open(dir.path()).unwrap().close().await.unwrap();
    let db = Database::open(dir.path().join("jobs.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let row = format.to_be_bytes();
    let mut meta = txn.open_table(META).unwrap();
    meta.insert("format", row.as_slice()).unwrap();
    drop(meta);
    txn.commit().unwrap();
    dir
}

#[tokio::test]
async fn another_format_is_refused_by_its_number() {
    let newer = of_format(7).await;
    let error = open(newer.path()).unwrap_err();
    assert!(
        matches!(error, Error::NewerFormat { found: 7, known: 5 }),
        "{error}"
    );
    let older = of_format(2).await;
    let error = open(older.path()).unwrap_err();
    assert!(
        matches!(error, Error::OlderFormat { found: 2, known: 5 }),
        "{error}"
    );
    assert!(
        error.to_string().contains("let the version that wrote it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_creation_that_was_cut_is_begun_again() {
    let dir = TempDir::new().unwrap();
    let unfinished = dir.path().join("jobs.redb.new");
    fs::write(&unfinished, b"half a header").unwrap();
    let store = open(dir.path()).unwrap();
    store.accept(new_job(1)).await.unwrap();
    assert!(!unfinished.exists());
}
