//! Check, export, import and compact, on whole stores and on damaged ones.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use crate::clock::Millis;
use crate::job::{Change, Key, NewJob};
use crate::state::{Category, End, Stage};
use crate::store::conformance::{apply_any, new_job};
use crate::store::redb::offline::{self, Failure, check, compact, export, import};
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::seal::Sealer;
use crate::store::{Error, Evict, SessionRow};

const KEYS: &[u8] = &[1, 2];

fn open(dir: &Path) -> Embedded {
    let options = Options {
        sealer: Arc::new(Sealer::of(KEYS)),
        route: "shop/tools".to_owned(),
        ..Options::default()
    };
    Embedded::open(dir, options).unwrap()
}

fn end(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: Bytes::from(vec![b'r'; size]),
    }
}

/// A job in every state, large and small, and a session.
async fn fill(store: &Embedded) {
    let why = Category::Http5xx;
    let token = Change::ResumeToken {
        token: Bytes::from_static(b"task-1"),
    };
    let lives = [
        vec![],
        vec![Change::Start],
        vec![Change::Start, token],
        vec![end(10)],
        vec![end(300_000), Change::Claim],
        vec![end(10), Change::Claim, Change::Deliver],
        vec![end(10), Change::Claim, Change::Bury { why }],
        vec![end(10), Change::Stop],
    ];
    for (number, changes) in (1..).zip(lives) {
        let size = if number == 1 { 400_000 } else { 50 };
        let params = vec![b'q'; size].into();
        let new = NewJob {
            params,
            names: vec![[240 + number; 32]],
            ..new_job(number)
        };
        store.accept(new).await.unwrap();
        let done = apply_any(store, new_job(number).id, changes, Millis(5000)).await;
        assert!(done.unwrap().is_some());
    }
    let row = SessionRow {
        version: 1,
        expires: Millis(99_000),
        bytes: Bytes::from_static(b"session"),
    };
    assert!(store.swap_session([7; 16], row).await.unwrap());
}

async fn filled() -> TempDir {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    dir
}

fn exported(dir: &Path) -> (offline::Exported, String) {
    let mut out = Vec::new();
    let exported = export(dir, &mut out).unwrap();
    (exported, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn an_export_makes_the_same_store_again() {
    let dir = filled().await;
    let (told, text) = exported(dir.path());
    assert_eq!(
        (told.jobs, told.sessions, told.incomplete, told.damaged),
        (8, 1, 0, false)
    );
    // Nine letters of the arguments and of the results, as an export would write them.
    assert!(
        !text.contains("cXFxcXFxcXFx") && !text.contains("cnJycnJycnJy"),
        "sealed values stay sealed"
    );
    assert!(text.contains("\"push\":\"dead: http_5xx\""), "{text}");

    let copy = TempDir::new().unwrap();
    let imported = import(copy.path(), &mut text.as_bytes()).unwrap();
    assert_eq!((imported.jobs, imported.sessions), (8, 1));
    assert_eq!(imported.skipped, Vec::<String>::new());
    assert_eq!(exported(copy.path()).1, text);
    let (one, two) = (open(dir.path()), open(copy.path()));
    two.check().unwrap();
    assert_eq!((one.counts(), one.high_water()), (two.counts(), two.high_water()));
    for number in 1..=8 {
        let (id, name) = (new_job(number).id, [240 + number; 32]);
        assert_eq!(two.find(name).await.unwrap(), Some(id));
        assert_eq!(one.job(id).await.unwrap(), two.job(id).await.unwrap());
        assert_eq!(one.call(id).await.unwrap(), two.call(id).await.unwrap());
        assert_eq!(one.params(id).await.unwrap(), two.params(id).await.unwrap());
        assert_eq!(one.body(id).await.unwrap(), two.body(id).await.unwrap());
        assert_eq!(
            one.resume_token(id).await.unwrap(),
            two.resume_token(id).await.unwrap()
        );
    }
    assert!(two.session([7; 16]).await.unwrap().is_some());
}

/// A delivered result and a dead letter's.
#[tokio::test]
async fn results_that_were_deleted_early_are_still_so_in_the_copy() {
    let dir = filled().await;
    let store = open(dir.path());
    let (bytes, limit, at) = (1, 9, Millis(6000));
    assert!(store.evict(Evict { bytes, limit, at }).await.unwrap().is_some());
    assert_eq!(store.reclaim(9).await.unwrap(), 1);
    let used = store.client_use(the_client()).await.unwrap();
    store.close().await.unwrap();

    let text = exported(dir.path()).1;
    assert!(text.contains("\"push\":\"dead: evicted\""), "{text}");
    let copy = TempDir::new().unwrap();
    let imported = import(copy.path(), &mut text.as_bytes()).unwrap();
    assert_eq!((imported.jobs, imported.skipped), (8, Vec::new()));
    let copy = open(copy.path());
    copy.check().unwrap();
    assert_eq!(copy.client_use(the_client()).await.unwrap(), used);
    for number in [6, 7] {
        assert_eq!(copy.body(new_job(number).id).await.unwrap(), None);
    }
}

fn the_client() -> Key {
    Key::of(&new_job(1).call.client)
}

#[tokio::test]
async fn an_import_never_goes_over_a_store_and_leaves_none_that_is_half() {
    let dir = filled().await;
    let (_, text) = exported(dir.path());
    let before = fs::read(dir.path().join("jobs.redb")).unwrap();
    let refused = import(dir.path(), &mut text.as_bytes()).unwrap_err();
    assert!(matches!(refused, Failure::Occupied(_)), "{refused}");
    assert_eq!(fs::read(dir.path().join("jobs.redb")).unwrap(), before);

    let copy = TempDir::new().unwrap();
    let half = &text[..text.len() / 2];
    let refused = import(copy.path(), &mut half.as_bytes()).unwrap_err();
    assert!(matches!(refused, Failure::NoLine(..)), "{refused}");
    assert!(!copy.path().join("jobs.redb").exists());
    import(copy.path(), &mut text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_job_that_lacks_something_is_skipped_and_said() {
    let dir = filled().await;
    fs::remove_dir_all(dir.path().join("blobs")).unwrap();
    let (told, text) = exported(dir.path());
    assert_eq!(told.jobs, 8);
    let copy = TempDir::new().unwrap();
    let imported = import(copy.path(), &mut text.as_bytes()).unwrap();
    assert_eq!(imported.jobs, 6, "two large bodies are gone");
    assert_eq!(imported.skipped.len(), 2, "{:?}", imported.skipped);
    open(copy.path()).check().unwrap();
}

#[tokio::test]
async fn a_check_counts_and_finds_and_changes_nothing() {
    let dir = filled().await;
    let file = dir.path().join("jobs.redb");
    let before = fs::read(&file).unwrap();
    for keys in [Sealer::of(KEYS), Sealer::default()] {
        let report = check(dir.path(), keys).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        let of = |wanted| {
            report
                .stages
                .iter()
                .find(|(stage, _)| *stage == wanted)
                .map(|(_, jobs)| *jobs)
        };
        assert_eq!((of(Stage::Queued), of(Stage::Dead)), (Some(1), Some(1)));
        assert!(!report.keys.is_empty());
    }
    let blobs = fs::read_dir(dir.path().join("blobs")).unwrap();
    for blob in blobs {
        fs::remove_file(blob.unwrap().path()).unwrap();
    }
    let report = check(dir.path(), Sealer::of(KEYS)).unwrap();
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// A process that was killed leaves a file that has to be repaired: reading it repairs a copy in memory.
#[tokio::test]
async fn a_store_that_was_not_closed_is_read_as_it_is() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    let busy = check(dir.path(), Sealer::default()).unwrap_err();
    assert!(
        busy.to_string().contains("another process has this store open"),
        "{busy}"
    );
    let copy = TempDir::new().unwrap();
    fs::copy(dir.path().join("jobs.redb"), copy.path().join("jobs.redb")).unwrap();
    let before = fs::read(copy.path().join("jobs.redb")).unwrap();
    assert_eq!(exported(copy.path()).0.jobs, 8);
    assert_eq!(fs::read(copy.path().join("jobs.redb")).unwrap(), before);
}

/// Pages of the file are overwritten, each in turn: what can be read is exported, and nothing hangs or dies.
#[tokio::test]
async fn a_damaged_file_is_exported_as_far_as_it_can_be_read() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for number in 0..=255 {
        store.accept(new_job(number)).await.unwrap();
    }
    store.close().await.unwrap();
    let whole = fs::read(dir.path().join("jobs.redb")).unwrap();
    let (mut most, mut partial) = (0, 0);
    for page in 1..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xAB);
        if bytes == whole {
            continue;
        }
        fs::write(dir.path().join("jobs.redb"), &bytes).unwrap();
        if let Ok(told) = export(dir.path(), &mut Vec::new()) {
            most = most.max(told.jobs);
            partial += u64::from(told.damaged && (1..256).contains(&told.jobs));
        }
        let _found = check(dir.path(), Sealer::default());
        assert_eq!(fs::read(dir.path().join("jobs.redb")).unwrap(), bytes);
    }
    assert_eq!(most, 256, "most pages are not the jobs'");
    assert!(partial > 0, "a page of the jobs takes only its jobs with it");
}

#[tokio::test]
async fn a_corrupt_file_and_a_newer_one_name_the_fix() {
    let dir = filled().await;
    let file = dir.path().join("jobs.redb");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let error = Embedded::open(dir.path(), Options::default())
        .unwrap_err()
        .to_string();
    let (named, command) = (
        file.display().to_string(),
        "asyncmcp-dataplane store export --state-dir",
    );
    assert!(error.contains(&named) && error.contains(command), "{error}");
    let (found, known) = (3, 2);
    let newer = Error::NewerFormat { found, known }.to_string();
    assert!(newer.contains("start the version that wrote it"), "{newer}");
    let sealed = Error::Sealed { key: 7 }.to_string();
    assert!(
        sealed.contains("<claim>-keys") && sealed.contains("store.json"),
        "{sealed}"
    );
}

#[tokio::test]
async fn compaction_cuts_the_file_and_keeps_the_jobs() {
    let dir = filled().await;
    let store = open(dir.path());
    for number in 100..200 {
        let params = vec![b'x'; 100_000].into();
        store
            .accept(NewJob {
                params,
                ..new_job(number)
            })
            .await
            .unwrap();
        let id = new_job(number).id;
        apply_any(&store, id, vec![end(9)], Millis(6000)).await.unwrap();
    }
    store.close().await.unwrap();
    let (before, after) = compact(dir.path()).unwrap();
    assert!(after < before, "{before} {after}");
    let store = open(dir.path());
    store.check().unwrap();
    assert_eq!(store.counts().due, 101);
    let nowhere = TempDir::new().unwrap();
    assert!(matches!(compact(nowhere.path()), Err(Failure::NoStore(_))));
}
