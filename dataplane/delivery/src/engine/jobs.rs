//! What administrators do with jobs: see them, cancel them, replay or stop their deliveries.
//!
//! The data plane's jobs API calls it. Invariant: a step is a compare-and-set on the state table, so what two people or
//! the engine do at the same time happens once; and every request is bounded, however many jobs there are.

mod delete;

use std::sync::Arc;

use futures::future::join_all;
use url::Url;

use super::core::Core;
use super::hints::Hint;
use super::{Engine, log};
use crate::history::{Entry, Outcome};
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Expect, Job};
use crate::state::{Category, Push, Stage};
use crate::store::scan::{Cursor, Filter, Order, Scan};
use crate::store::{self, Store};

/// Headers read for one request.
const ROWS: usize = 10_000;
/// Calls read for one request; they are encrypted, so each costs more than a header.
const CALLS: usize = 1_000;
/// Calls read before the task yields.
const TURN: usize = 64;
/// The most jobs that one request returns or one command changes.
pub const MOST: usize = 500;

/// Which jobs; `None` matches every job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What their headers say.
    pub filter: Filter,
    /// Their tool, as clients see it.
    pub tool: Option<String>,
    /// The host of their receiver.
    pub host: Option<String>,
    /// Who may ask for them by their ids.
    pub owner: Option<[u8; 16]>,
}

/// Which part of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Which come first.
    pub order: Order,
    /// After this position; `None` starts at the beginning.
    pub after: Option<Cursor>,
    /// Maximum number of jobs, up to [`MOST`].
    pub limit: usize,
}

/// A job, with its snapshot unless its encryption key is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its header.
    pub job: Job,
    /// Its snapshot.
    pub call: Option<Call>,
}

/// Part of an answer.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The jobs, in order. There may be none although there is more.
    pub jobs: Vec<Listed>,
    /// Where to continue; `None` when there is no more.
    pub next: Option<Cursor>,
}

/// A job and its attempts.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The job.
    pub listed: Listed,
    /// What is kept of its attempts, numbered, oldest first.
    pub history: Vec<(u32, Entry)>,
}

impl Shown {
    /// The number of the attempt that delivered the job, if it has no entry: it ended at the header's `turn`, and nothing
    /// more is known of it.
    pub fn unwritten_delivery(&self) -> Option<u32> {
        let last = self.history.last();
        let is_written = last.is_some_and(|(_, entry)| entry.outcome == Outcome::Delivered);
        let is_delivered = self.listed.job.state.push == Push::Delivered;
        (is_delivered && !is_written).then(|| last.map_or(0, |(number, _)| *number) + 1)
    }
}

/// The result of a bulk command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bulk {
    /// How many jobs were changed.
    pub changed: usize,
    /// Where to continue; `None` when there is no more.
    pub next: Option<Cursor>,
}

/// Why a job was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such job, or it was removed after its retention.
    #[error("there is no such job; it may have been removed after its retention")]
    Unknown,
    /// The state table has no such step from where the job is.
    #[error("the job is {}", .0.as_str())]
    Impossible(Stage),
    /// A dead letter, or a delivery that was stopped, whose body was deleted.
    #[error(
        "its result was deleted to make room in the store (dead reason `evicted`): it cannot be delivered any more"
    )]
    Evicted,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Query {
    fn asks_calls(&self) -> bool {
        self.tool.is_some() || self.host.is_some() || self.owner.is_some()
    }

    fn matches(&self, call: Option<&Call>) -> bool {
        let tool = self.tool.as_ref();
        let host = self.host.as_ref();
        let Some(call) = call else {
            return !self.asks_calls();
        };
        tool.is_none_or(|tool| *tool == call.shown_as)
            && self.owner.is_none_or(|owner| call.owner == Some(owner))
            && host.is_none_or(|host| host_of(call).is_some_and(|of| of.eq_ignore_ascii_case(host)))
    }
}

fn host_of(call: &Call) -> Option<String> {
    let url = Url::parse(&call.target.as_ref()?.url).ok()?;
    url.host_str().map(str::to_owned)
}

impl Engine {
    /// Lists jobs; a bounded number per request.
    pub async fn list(&self, query: &Query, page: Page) -> Result<Listing, store::Error> {
        let limit = page.limit.clamp(1, MOST);
        let looks = if query.asks_calls() { CALLS } else { limit };
        let scan = Scan {
            filter: query.filter,
            order: page.order,
            after: page.after,
            limit: looks,
            rows: ROWS,
        };
        let found = self.core.store.scan(scan).await?;
        let mut listing = Listing {
            jobs: Vec::new(),
            next: found.next,
        };
        for (looked, job) in (1..).zip(found.jobs) {
            let call = call_of(&*self.core.store, job.id).await?;
            if query.matches(call.as_ref()) {
                listing.jobs.push(Listed { job, call });
            }
            if listing.jobs.len() == limit && looks > limit {
                listing.next = listing.jobs.last().map(|last| Cursor::of(&last.job));
                break;
            }
            if looked % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(listing)
    }

    /// A job and its snapshot. Unlike [`Engine::show`] it fails where the snapshot cannot be read, since without it nobody
    /// knows whose the job is.
    pub async fn find(&self, id: JobId) -> Result<Option<(Job, Call)>, store::Error> {
        let store = &self.core.store;
        Ok(store.job(id).await?.zip(store.call(id).await?))
    }

    /// A job and what is kept of its attempts.
    pub async fn show(&self, id: JobId) -> Result<Option<Shown>, store::Error> {
        let store = &self.core.store;
        let Some(job) = store.job(id).await? else {
            return Ok(None);
        };
        let history = store.history(id).await?;
        let call = call_of(&**store, id).await?;
        let listed = Listed { job, call };
        Ok(Some(Shown { listed, history }))
    }

    /// The body that is, or was, delivered; `None` if there is none yet, or no such job.
    pub async fn result(&self, id: JobId) -> Result<Option<bytes::Bytes>, store::Error> {
        self.core.store.body(id).await
    }

    /// The raw `params` of the call, until it ended; `None` afterwards, or if there is no such job.
    pub async fn request(&self, id: JobId) -> Result<Option<bytes::Bytes>, store::Error> {
        self.core.store.params(id).await
    }

    /// Replays a dead or stopped delivery: the same webhook-id, all retries again, the history kept. It comes after all
    /// live deliveries that are due for its receiver.
    pub async fn replay(&self, id: JobId) -> Result<Job, ActError> {
        self.detached(move |core| async move { replay(&core, id).await })
            .await
    }

    /// Stops a delivery: no further attempt. One that is in progress is interrupted; it is unknown whether its receiver
    /// has it.
    pub async fn stop(&self, id: JobId) -> Result<Job, ActError> {
        let stop = move |core: Arc<Core>| async move {
            let job = act(&core, id, Change::Stop).await?;
            core.hint(Hint::Stopped(id));
            log::acted(&core.policy(), &job, "stopped");
            Ok(job)
        };
        self.detached(stop).await
    }

    /// Replays the dead (or, if the query asks for them, the stopped) deliveries of a query, at most `limit` at a time and
    /// the newest first: one that fails for good again is before the cursor, so that following the cursor comes to an end.
    pub async fn replay_all(
        &self,
        query: &Query,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Bulk, store::Error> {
        let (ids, next) = self.dead_or_as_asked(query, after, limit).await?;
        let changed = self
            .detached(move |core| async move {
                let replayed = join_all(ids.into_iter().map(|id| replay(&core, id))).await;
                count(replayed)
            })
            .await?;
        Ok(Bulk { changed, next })
    }

    /// A page of the jobs of a query, the newest first: dead letters, unless it asks for another state.
    async fn dead_or_as_asked(
        &self,
        query: &Query,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<JobId>, Option<Cursor>), store::Error> {
        let mut query = query.clone();
        query.filter.stage.get_or_insert(Stage::Dead);
        let page = Page {
            order: Order::Newest,
            after,
            limit,
        };
        let Listing { jobs, next } = self.list(&query, page).await?;
        Ok((jobs.into_iter().map(|listed| listed.job.id).collect(), next))
    }

    /// [`Engine::cancel`], with the reason if it is not possible.
    pub async fn cancel_or_say(&self, id: JobId) -> Result<Job, ActError> {
        let cancel = move |core: Arc<Core>| async move {
            let cancelled = super::cancel(&core, id).await?;
            let job = core.store.job(id).await?.ok_or(ActError::Unknown)?;
            if !cancelled {
                return Err(ActError::Impossible(job.state.stage()));
            }
            log::acted(&core.policy(), &job, "cancelled");
            Ok(job)
        };
        self.detached(cancel).await
    }
}

async fn act(core: &Core, id: JobId, change: Change) -> Result<Job, ActError> {
    let replays = change == Change::Replay;
    match core.apply(id, Expect::Any, vec![change]).await? {
        Applied::Moved(job) if replays && job.state.push == Push::Dead(Category::Evicted) => {
            Err(ActError::Evicted)
        }
        applied => done(applied),
    }
}

/// The job, if it was changed.
fn done(applied: Applied) -> Result<Job, ActError> {
    match applied {
        Applied::Applied(job) => Ok(job),
        Applied::Moved(job) => Err(ActError::Impossible(job.state.stage())),
        Applied::Gone => Err(ActError::Unknown),
        Applied::Fenced => Err(ActError::Store(store::Error::Down(
            "another process owns its jobs now".to_owned(),
        ))),
    }
}

async fn replay(core: &Core, id: JobId) -> Result<Job, ActError> {
    let job = act(core, id, Change::Replay).await?;
    core.schedule(&job);
    log::acted(&core.policy(), &job, "replayed");
    Ok(job)
}

/// How many succeeded; the others may have changed meanwhile.
fn count<T>(done: Vec<Result<T, ActError>>) -> Result<usize, store::Error> {
    let mut changed = 0;
    for done in done {
        match done {
            Ok(_) => changed += 1,
            Err(ActError::Store(error)) => return Err(error),
            Err(ActError::Unknown | ActError::Impossible(_) | ActError::Evicted) => {}
        }
    }
    Ok(changed)
}

async fn call_of(store: &dyn Store, id: JobId) -> Result<Option<Call>, store::Error> {
    match store.call(id).await {
        Err(store::Error::Sealed { .. }) => Ok(None),
        call => call,
    }
}
