//! A store with very many jobs that wait for a receiver that is dead.
//!
//! Made in process, before the data plane starts on it: by calls it would take many times as long.
//! Invariant: these are jobs as a data plane leaves them after a first attempt that failed.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::{Call, Change, Dedupe, NewJob, OnInterruption, Retry, Step, Target, Trace};
use asyncmcp_delivery::key_file::KeyFile;
use asyncmcp_delivery::state::{Category, End};
use asyncmcp_delivery::store::redb::{Embedded, Options};
use asyncmcp_delivery::store::seal::Sealer;
use asyncmcp_delivery::store::{Jobs as _, Ownership as _, Store as _};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::tool;

/// Jobs at once: what two groups of the store's writer hold.
const AT_ONCE: usize = 1024;

/// Makes a store in `state` with `jobs` parked jobs: in memory first, where no commit waits for a disk.
pub(crate) async fn fill(state: &Path, jobs: u64) -> Result<()> {
    let draft = tempfile::tempdir_in("/dev/shm")?;
    park_all(draft.path(), jobs).await?;
    std::fs::create_dir_all(state)?;
    std::fs::copy(draft.path().join("store.json"), state.join("store.json"))?;
    Ok(copy_pages(
        &draft.path().join("jobs.redb"),
        &state.join("jobs.redb"),
    )?)
}

/// Page by page, as a store writes: of a file that was written in one go the kernel's cache holds large
/// pieces, and counts each as written whenever a page of it is.
fn copy_pages(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut page = [0; 4096];
    loop {
        match from.read(&mut page)? {
            0 => return to.sync_all(),
            read => to.write_all(&page[..read])?,
        }
    }
}

async fn park_all(state: &Path, jobs: u64) -> Result<()> {
    let options = Options {
        sealer: Arc::new(Sealer::of_file(KeyFile::open_or_create(
            &state.join("store.json"),
        )?)),
        route: "default/bench".to_owned(),
        ..Options::default()
    };
    let store = Embedded::open(state, options)?;
    let now = now();
    let all = futures::stream::iter(0..jobs).map(|_| park(&store, now));
    all.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(store.close().await?)
}

/// One job: accepted, executed, attempted once, due again.
async fn park(store: &Embedded, now: Millis) -> Result<()> {
    let id = JobId::new(now, rand::random());
    store.accept(job(id, now)).await?;
    let changes = vec![
        Change::Start,
        Change::Finish {
            end: End::Result,
            body: Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#),
        },
        Change::Claim,
        Change::Retry {
            at: now,
            why: Some(Category::ConnectionRefused),
        },
    ];
    store
        .apply(id, Step::any(store.owner(), changes, now))
        .await?
        .job();
    Ok(())
}

fn job(id: JobId, now: Millis) -> NewJob {
    NewJob {
        id,
        at: now,
        call: call(),
        params: Bytes::from_static(br#"{"name":"work"}"#),
        dedupe: Dedupe {
            key: rand::random(),
            fingerprint: [0; 32],
        },
        names: Vec::new(),
        kept_longer: Duration::ZERO,
        max_pending: u64::MAX,
        max_queued: u64::MAX,
    }
}

fn call() -> Call {
    Call {
        server: "bench".to_owned(),
        tool: tool::NAME.to_owned(),
        shown_as: tool::NAME.to_owned(),
        request_id: "1".to_owned(),
        client: "parked".to_owned(),
        timeout: Duration::from_hours(1),
        on_interruption: OnInterruption::Fail,
        as_task: false,
        owner: None,
        target: Some(Target {
            // The discard port: nobody listens there.
            url: "http://127.0.0.1:9/dead".to_owned(),
            named_by: NamedBy::Session,
            secret: None,
        }),
        retry: Retry::Exponential {
            retries: 50,
            initial: Duration::from_secs(1),
            max: Duration::from_mins(10),
            jitter_percent: 20,
        },
        trace: Trace::default(),
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
