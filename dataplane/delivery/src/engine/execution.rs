//! One execution: from the committed start to the committed outcome.
//!
//! `execute` spawns it. Invariant: a call with `onInterruption: Fail` reaches its server only after its
//! start is committed, so that a crash can never run it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::core::Core;
use super::running::Execution;
use super::{Executed, recover};
use crate::id::JobId;
use crate::job::{Call, Change, Job, OnInterruption};
use crate::state::End;
use crate::store;
use crate::trace;

/// How long a cut execution may take to tell its server.
const FAREWELL: Duration = Duration::from_secs(1);

/// Told when the start is committed, or could not be.
pub(super) type Started = oneshot::Sender<Result<(), store::Error>>;

/// How an execution ended.
enum Outcome {
    /// It is over.
    Ended(End, Bytes),
    /// The client cancelled it; that is committed already.
    Cancelled,
    /// Nothing was sent, and nothing will be: it goes back to the queue.
    Held,
    /// Cut by our own end.
    Cut,
}

pub(super) async fn run(core: Arc<Core>, entry: Execution, started: Started) {
    let id = entry.id;
    let Some((call, params)) = begin(&core, id, started).await else {
        return;
    };
    let span = trace::execution(id, &call);
    let outcome = execute(&core, &entry, &call, params).instrument(span).await;
    match outcome {
        Outcome::Ended(end, body) => core.finish_surely(id, &call, end, body).await,
        Outcome::Held => release(&core, id).await,
        Outcome::Cut => cut(&core, id, &call).await,
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

async fn execute(core: &Core, entry: &Execution, call: &Call, params: Bytes) -> Outcome {
    let abort = CancellationToken::new();
    let waiting = AtomicBool::new(false);
    let execution = until_sent(core, entry.id, call, (params, &abort, &waiting));
    tokio::pin!(execution);
    let outcome = tokio::select! {
        outcome = &mut execution => return outcome,
        () = entry.cancel.cancelled() => Outcome::Cancelled,
        () = core.cut.cancelled() => Outcome::Cut,
        () = tokio::time::sleep(call.timeout) => {
            let end = if waiting.load(Ordering::Relaxed) { End::Error } else { End::Timeout };
            Outcome::Ended(end, core.executor.body(call, end))
        }
    };
    abort.cancel();
    let _told = tokio::time::timeout(FAREWELL, execution).await;
    outcome
}

/// Asks until the call was sent. `waiting` is true while it certainly was not.
async fn until_sent(
    core: &Core,
    id: JobId,
    call: &Call,
    (params, abort, waiting): (Bytes, &CancellationToken, &AtomicBool),
) -> Outcome {
    for tries in 0.. {
        let asked = core.executor.execute(id, call, params.clone(), abort.clone());
        let retry_after = match asked.await {
            Executed::Ended { body, .. } if body.len() > core.policy().max_result_size => {
                return Outcome::Ended(End::TooLarge, core.executor.body(call, End::TooLarge));
            }
            Executed::Ended { end, body } => return Outcome::Ended(end, body),
            Executed::NotSent { retry_after } => retry_after,
        };
        waiting.store(true, Ordering::Relaxed);
        tokio::select! {
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
