//! One execution: from the committed start to the committed outcome.
//!
//! `scheduler` spawns it, and `reconcile` where an earlier process left a resume token. Invariant: a call reaches its
//! server only after its start is committed, so that a crash can never run one twice that may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::core::Core;
use super::executor::{Begin, Executed, Run};
use super::memory_budget::{Held, Room};
use super::resume_token::{self, ResumeTokens};
use super::running::Execution;
use super::{commit, finish};
use crate::job::{Call, Change, Job};
use crate::state::End;
use crate::store::Claimed;
use crate::trace;

/// How long an interrupted execution may take to notify its server.
const FAREWELL: Duration = Duration::from_secs(1);
/// A resumed execution gets at least this long, since it may have ended while no process ran.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// What an execution is made of.
struct Work {
    /// The job as it was claimed.
    job: Job,
    call: Arc<Call>,
    begin: Begin,
    /// How long it may take.
    left: Duration,
    room: Room,
}

/// How an execution ended.
enum ExecutionEnd {
    /// It is over.
    Ended(End, Bytes),
    /// The client cancelled it; that is committed already.
    Cancelled,
    /// Nothing was sent, and nothing will be: the job goes back to the queue.
    Held,
    /// Interrupted, and there is no resume token.
    Cut,
    /// The same, by our shutdown.
    Stopped,
    /// Interrupted by our shutdown; the next process resumes it with this token.
    Left(Bytes),
}

/// Runs a job that was claimed. Its arguments take `held` of the memory budget.
pub(super) async fn run(core: Arc<Core>, entry: Execution, held: Held, claimed: Claimed) {
    let Claimed { job, call, params } = claimed;
    let work = Work {
        left: call.timeout,
        begin: Begin::Send(params),
        room: core.memory.room(job.server),
        call: Arc::new(call),
        job,
    };
    carry_out(&core, &entry, work).await;
    drop(held);
}

/// Continues a job that an earlier process left running, once this one has claimed it.
pub(super) async fn resume(core: Arc<Core>, entry: Execution, job: Job, (call, token): (Arc<Call>, Bytes)) {
    let spent = core.now().since(job.started.unwrap_or(job.accepted));
    let work = Work {
        left: call.timeout.saturating_sub(spent).max(LAST_LOOK),
        begin: Begin::Resume(token),
        room: core.memory.room(job.server),
        call,
        job,
    };
    carry_out(&core, &entry, work).await;
}

async fn carry_out(core: &Arc<Core>, entry: &Execution, work: Work) {
    let (job, call, room) = (work.job.clone(), Arc::clone(&work.call), work.room.clone());
    let resumed = matches!(work.begin, Begin::Resume(_));
    let span = trace::execution(job.id, &call, resumed);
    match execute(core, entry, work).instrument(span).await {
        ExecutionEnd::Ended(end, body) => {
            let ending = finish::of_execution(&job, &call, (end, body));
            core.finish_surely(&ending).await;
        }
        ExecutionEnd::Held => finish::hand_back(core, &job).await,
        ExecutionEnd::Stopped => finish::stopped(core, &job, &call).await,
        ExecutionEnd::Cut => finish::interrupted(core, &job, &call, commit::held(&job)).await,
        ExecutionEnd::Left(token) => leave(core, &job, token).await,
        ExecutionEnd::Cancelled => {}
    }
    drop(room); // its memory is that of the result, until that is committed
}

async fn execute(core: &Core, entry: &Execution, work: Work) -> ExecutionEnd {
    let abort = CancellationToken::new();
    let waiting = AtomicBool::new(false);
    let (tokens, kept) = resume_token::place(match &work.begin {
        Begin::Resume(token) => Some(token.clone()),
        Begin::Send(_) => None,
    });
    let execution = until_sent(core, &work, &tokens, (&abort, &waiting));
    tokio::pin!(execution);
    let outcome = tokio::select! {
        biased;
        outcome = &mut execution => return outcome,
        () = entry.cancel.cancelled() => ExecutionEnd::Cancelled,
        () = core.cut.cancelled() => match tokens.last() {
            Some(token) => return ExecutionEnd::Left(token), // the server is not notified
            None => ExecutionEnd::Stopped,
        },
        () = tokio::time::sleep(work.left) => {
            let end = if waiting.load(Ordering::Relaxed) { End::Error } else { End::Timeout };
            ExecutionEnd::Ended(end, core.executor.body(&work.call, end))
        }
        never = kept.commit_each(|token| keep(core, &work.job, token)) => match never {},
    };
    abort.cancel();
    let _told = tokio::time::timeout(FAREWELL, execution).await;
    outcome
}

async fn keep(core: &Core, job: &Job, token: Bytes) {
    let change = Change::ResumeToken { token };
    core.apply_surely(job.id, commit::held(job), vec![change]).await;
}

/// Retries until the call was sent. `waiting` is true while it waits and certainly was not sent.
async fn until_sent(
    core: &Core,
    work: &Work,
    tokens: &ResumeTokens,
    (abort, waiting): (&CancellationToken, &AtomicBool),
) -> ExecutionEnd {
    let call = &*work.call;
    let resumed = matches!(work.begin, Begin::Resume(_));
    let mut was_sent = resumed;
    for tries in 0.. {
        let run = Run {
            job: work.job.id,
            call,
            begin: work.begin.clone(),
            tokens: tokens.clone(),
            room: work.room.clone(),
            cancel: abort.clone(),
        };
        let retry_after = match core.executor.execute(run).await {
            Executed::Ended { body, .. } if body.len() > core.policy().max_result_size => {
                return ExecutionEnd::Ended(End::TooLarge, core.executor.body(call, End::TooLarge));
            }
            Executed::Ended { end, body } => return ExecutionEnd::Ended(end, body),
            Executed::Lost => return ExecutionEnd::Cut,
            Executed::NotSent { retry_after } => retry_after,
            Executed::Again { retry_after } => {
                was_sent = true;
                retry_after
            }
        };
        waiting.store(!was_sent, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = core.stop.cancelled() => break,
            () = abort.cancelled() => break,
            () = tokio::time::sleep(retry_after.max(core.back_off(tries))) => {}
        }
        waiting.store(false, Ordering::Relaxed);
    }
    // A resumed call never goes back to the queue: the next process resumes it again.
    match tokens.last().filter(|_| resumed) {
        Some(token) => ExecutionEnd::Left(token),
        None => ExecutionEnd::Held,
    }
}

/// A graceful shutdown does not count against an execution.
async fn leave(core: &Core, job: &Job, token: Bytes) {
    let changes = vec![Change::ResumeToken { token }, Change::Suspend];
    let left = core.apply_surely(job.id, commit::held(job), changes).await;
    if left.is_none() {
        tracing::warn!(target: "asyncmcp::delivery", job = %job.id, "failed to save the latest resume token: the next process resumes the call with an older one");
    }
}
