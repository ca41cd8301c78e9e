//! One execution: from the committed start to the committed outcome.
//!
//! `execute` spawns it, and `recover` where an earlier process left a handle. Invariant: a call with
//! `onInterruption: Fail` reaches its server only after its start is committed, so that a crash can never
//! run it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::budget::{Held, Room};
use super::core::Core;
use super::executor::{Begin, Executed, Run};
use super::handle::{self, Handles};
use super::recover;
use super::running::Execution;
use crate::id::JobId;
use crate::job::{Call, Change, Job, OnInterruption};
use crate::state::End;
use crate::store;
use crate::trace;

/// How long a cut execution may take to tell its server.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is taken up gets at least so long, for it may have ended while nobody was there.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Told when the start is committed, or could not be.
pub(super) type Started = oneshot::Sender<Result<(), store::Error>>;

/// What an execution is made of.
struct Work {
    id: JobId,
    call: Arc<Call>,
    begin: Begin,
    /// How long it may take.
    left: Duration,
    room: Room,
}

/// How an execution ended.
enum Outcome {
    /// It is over.
    Ended(End, Bytes),
    /// The client cancelled it; that is committed already.
    Cancelled,
    /// Nothing was sent, and nothing will be: it goes back to the queue.
    Held,
    /// Cut, be it by our own end, with nothing to take it up by.
    Cut,
    /// Cut by our own end; the next process takes it up by this.
    Left(Bytes),
}

/// Begins a queued job. Its arguments take `held` of the byte budget.
pub(super) async fn run(core: Arc<Core>, entry: Execution, held: Held, started: Started) {
    let id = entry.id;
    let Some((call, params)) = begin(&core, id, started).await else {
        return;
    };
    let work = Work {
        id,
        left: call.timeout,
        begin: Begin::Send(params),
        room: core.budget.room(),
        call,
    };
    carry_out(&core, &entry, work).await;
    drop(held);
}

/// Takes up a job that an earlier process left running.
pub(super) async fn take_up(core: Arc<Core>, entry: Execution, call: Arc<Call>, handle: Bytes) {
    let Some(job) = core.commit(entry.id, Change::Resume).await else {
        return;
    };
    let spent = core.now().since(job.started.unwrap_or(job.accepted));
    let work = Work {
        id: entry.id,
        left: call.timeout.saturating_sub(spent).max(LAST_LOOK),
        begin: Begin::TakeUp(handle),
        room: core.budget.room(),
        call,
    };
    carry_out(&core, &entry, work).await;
}

async fn carry_out(core: &Arc<Core>, entry: &Execution, work: Work) {
    let (id, call, room) = (work.id, Arc::clone(&work.call), work.room.clone());
    let taken_up = matches!(work.begin, Begin::TakeUp(_));
    let span = trace::execution(id, &call, taken_up);
    match execute(core, entry, work).instrument(span).await {
        Outcome::Ended(end, body) => {
            let held = room.keep(body.len());
            core.finish_surely(id, &call, (end, body), held).await;
        }
        Outcome::Held => release(core, id).await,
        Outcome::Cut => cut(core, id, &call).await,
        Outcome::Left(handle) => leave(core, id, handle).await,
        Outcome::Cancelled => {}
    }
}

/// Reads the call and commits its start: before anything is sent where it must run at most once,
/// meanwhile where it may run again.
async fn begin(core: &Arc<Core>, id: JobId, started: Started) -> Option<(Arc<Call>, Bytes)> {
    let (call, params) = match read(core, id).await {
        Ok(read) => read?,
        Err(error) => {
            let _gone = started.send(Err(error));
            return None;
        }
    };
    if call.on_interruption == OnInterruption::Fail {
        start(core, id, started).await.ok()??;
    } else {
        core.executions
            .spawn(start_meanwhile(Arc::clone(core), id, started));
    }
    Some((Arc::new(call), params))
}

async fn read(core: &Core, id: JobId) -> Result<Option<(Call, Bytes)>, store::Error> {
    let (call, params) = tokio::try_join!(core.store.call(id), core.store.params(id))?;
    Ok(call.zip(params))
}

/// Commits the start and tells the loop. `Ok(None)`: the job ended meanwhile.
async fn start(core: &Core, id: JobId, started: Started) -> Result<Option<Job>, store::Error> {
    let start = core.store.apply(id, vec![Change::Start], core.now()).await;
    let _gone = started.send(start.as_ref().map(drop).map_err(Clone::clone));
    start
}

/// The job runs already, so its start is committed in the end, lest it block its client's next one.
async fn start_meanwhile(core: Arc<Core>, id: JobId, started: Started) {
    if start(&core, id, started).await.is_err() {
        core.commit(id, Change::Start).await;
    }
}

async fn execute(core: &Core, entry: &Execution, work: Work) -> Outcome {
    let abort = CancellationToken::new();
    let waiting = AtomicBool::new(false);
    let (handles, kept) = handle::place(match &work.begin {
        Begin::TakeUp(handle) => Some(handle.clone()),
        Begin::Send(_) => None,
    });
    let execution = until_sent(core, &work, &handles, (&abort, &waiting));
    tokio::pin!(execution);
    let outcome = tokio::select! {
        biased;
        outcome = &mut execution => return outcome,
        () = entry.cancel.cancelled() => Outcome::Cancelled,
        () = core.cut.cancelled() => match handles.last() {
            Some(handle) => return Outcome::Left(handle), // the server is told nothing
            None => Outcome::Cut,
        },
        () = tokio::time::sleep(work.left) => {
            let end = if waiting.load(Ordering::Relaxed) { End::Error } else { End::Timeout };
            Outcome::Ended(end, core.executor.body(&work.call, end))
        }
        never = kept.commit(core, work.id) => match never {},
    };
    abort.cancel();
    let _told = tokio::time::timeout(FAREWELL, execution).await;
    outcome
}

/// Asks until the call was sent. `waiting` is true while it certainly was not.
async fn until_sent(
    core: &Core,
    work: &Work,
    handles: &Handles,
    (abort, waiting): (&CancellationToken, &AtomicBool),
) -> Outcome {
    let call = &*work.call;
    for tries in 0.. {
        let run = Run {
            job: work.id,
            call,
            begin: work.begin.clone(),
            handles: handles.clone(),
            room: work.room.clone(),
            cancel: abort.clone(),
        };
        let retry_after = match core.executor.execute(run).await {
            Executed::Ended { body, .. } if body.len() > core.policy().max_result_size => {
                return Outcome::Ended(End::TooLarge, core.executor.body(call, End::TooLarge));
            }
            Executed::Ended { end, body } => return Outcome::Ended(end, body),
            Executed::Lost => return Outcome::Cut,
            Executed::NotSent { retry_after } => retry_after,
        };
        waiting.store(true, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = core.stop.cancelled() => break,
            () = abort.cancelled() => break,
            () = tokio::time::sleep(retry_after.max(core.back_off(tries))) => {}
        }
        waiting.store(false, Ordering::Relaxed);
    }
    Outcome::Held
}

async fn release(core: &Core, id: JobId) {
    core.commit(id, Change::Release).await;
}

async fn cut(core: &Arc<Core>, id: JobId, call: &Arc<Call>) {
    if let Some(Some(job)) = core.surely(|| core.store.job(id)).await {
        recover::interrupted(core, &job, call).await;
    }
}

/// To be told to end costs an execution nothing.
async fn leave(core: &Core, id: JobId, handle: Bytes) {
    let changes = vec![Change::Handle { handle }, Change::Suspend];
    let left = core.surely(|| core.store.apply(id, changes.clone(), core.now()));
    if left.await.is_none() {
        tracing::warn!(target: "asyncmcp::delivery", job = %id, "the next process takes a call up by an older handle");
    }
}
