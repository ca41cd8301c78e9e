//! Very many jobs, put into an embedded store while nobody serves it.
//!
//! For tests of what a large backlog costs. Invariant: the jobs are those of a route whose server is called `example`, and
//! every one is as the engine would have left it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::{Call, Change, Dedupe, NewJob, OnInterruption, Retry, Step, Target, Trace};
use asyncmcp_delivery::key_file::KeyFile;
use asyncmcp_delivery::state::{Category, End};
use asyncmcp_delivery::store::redb::{Embedded, Options};
use asyncmcp_delivery::store::seal::Sealer;
use asyncmcp_delivery::store::{Acceptance, Jobs as _, Ownership as _, Store as _};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

/// Jobs worked on at once: the largest group that the store commits.
const AT_ONCE: usize = 512;
/// Clients that the jobs belong to.
const CLIENTS: u64 = 100;
/// When an attempt of these jobs that fails is repeated.
const AGAIN: Duration = Duration::from_hours(1);

/// Jobs of one kind.
#[derive(Clone, Debug)]
pub struct Pile {
    /// How many.
    pub jobs: u64,
    /// Where their results go: to a receiver that the route's author may name.
    pub receiver: String,
    /// Whether they ran and failed their first attempt, so that the next is due; else they wait to run.
    pub is_due: bool,
}

/// Puts `piles` into the store in `dir`, and closes it.
pub async fn put(dir: &Path, piles: &[Pile]) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    // Encrypted as a data plane would have done it: plain values count as damaged.
    let keys = KeyFile::open_or_create(&dir.join("store.json"))?;
    let options = Options {
        sealer: Arc::new(Sealer::of_file(keys)),
        ..Options::default()
    };
    let store = Embedded::open(dir, options)?;
    for (number, pile) in (0u64..).zip(piles) {
        let store = &store;
        let puts = (0..pile.jobs).map(|index| put_one(store, pile, number << 32 | index));
        let puts = futures::stream::iter(puts).buffer_unordered(AT_ONCE);
        puts.try_collect::<()>().await?;
    }
    Ok(store.close().await?)
}

async fn put_one(store: &Embedded, pile: &Pile, number: u64) -> Result<()> {
    let now = now()?;
    let new = job(pile, number, now);
    let id = new.id;
    let accepted = store.accept(new).await?;
    ensure!(accepted == Acceptance::New(id), "{accepted:?}");
    if pile.is_due {
        let step = Step::any(store.owner(), failed_once(number, now), now);
        ensure!(
            store.apply(id, step).await?.job().is_some(),
            "no step of the state table"
        );
    }
    Ok(())
}

fn job(pile: &Pile, number: u64, at: Millis) -> NewJob {
    let mut unique = [0; 32];
    unique[..8].copy_from_slice(&number.to_be_bytes());
    let mut chance = [0; 10];
    chance[2..].copy_from_slice(&number.to_be_bytes());
    NewJob {
        id: JobId::new(at, chance),
        at,
        call: call(pile, number),
        params: Bytes::from_static(br#"{"name":"process_batch","arguments":{"seconds":0,"items":1}}"#),
        dedupe: Dedupe {
            key: unique,
            fingerprint: unique,
        },
        names: Vec::new(),
        kept_longer: Duration::ZERO,
        max_pending: u64::MAX,
        max_queued: u64::MAX,
    }
}

fn call(pile: &Pile, number: u64) -> Call {
    Call {
        server: "example".to_owned(),
        tool: "process_batch".to_owned(),
        shown_as: "process_batch".to_owned(),
        request_id: number.to_string(),
        client: format!("client-{}", number % CLIENTS),
        timeout: Duration::from_hours(1),
        on_interruption: OnInterruption::Fail,
        target: Some(Target {
            url: pile.receiver.clone(),
            named_by: NamedBy::Default,
            secret: None,
        }),
        retry: Retry::Exponential {
            retries: 8,
            initial: AGAIN,
            max: AGAIN,
            jitter_percent: 0,
        },
        trace: Trace::default(),
        as_task: false,
        owner: None,
    }
}

/// Ran, and its first attempt found nobody; the next is due now.
fn failed_once(number: u64, now: Millis) -> Vec<Change> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{"content":[]}}}}"#);
    vec![
        Change::Start,
        Change::Finish {
            end: End::Result,
            body: Bytes::from(body),
        },
        Change::Claim,
        Change::Retry {
            at: now,
            why: Some(Category::ConnectionRefused),
        },
    ]
}

fn now() -> Result<Millis> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Millis(u64::try_from(since.as_millis())?))
}
