//! One execution: from the committed start to the committed outcome.
//!
//! `scheduler` spawns it, and `reconcile` where an earlier process left a resume token. Invariant: a call reaches its
//! server only after its start is committed, so that a crash can never run one twice that may not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::commit;
use super::core::Core;
use super::executor::{Begin, Executed, Run};
use super::finish::{self, Unsent};
use super::memory_budget::{Held, Room};
use super::resume_token::{self, ResumeTokens};
use super::running::Execution;
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
    /// It could not be sent: the job goes back to the queue.
    NotSent(Unsent),
    /// Nothing is awaited from its server, and there is no resume token: the job goes back to the queue.
    Held,
    /// Interrupted, and there is no resume token.
    Cut,
    /// The same, by our shutdown.
    Stopped,
    /// Interrupted by our shutdown; the next process resumes it with this token.
    Left(Bytes),
}

/// Runs a job that was claimed. Its arguments take `held` of the memory budget until they are sent.
pub(super) async fn run(core: Arc<Core>, entry: Execution, held: Held, claimed: Claimed) {
    let Claimed { job, call, params } = claimed;
    let begin = Begin::Send(core.memory.hold(held, params));
    let work = Work {
        left: call.timeout,
        room: core.memory.room(job.server),
        call: Arc::new(call),
        job,
    };
    carry_out(&core, &entry, work, begin).await;
}

/// Continues a job that an earlier process left running, once this one has claimed it.
pub(super) async fn resume(core: Arc<Core>, entry: Execution, job: Job, (call, token): (Arc<Call>, Bytes)) {
    let spent = core.now().since(job.started.unwrap_or(job.accepted));
    let work = Work {
        left: call.timeout.saturating_sub(spent).max(LAST_LOOK),
        room: core.memory.room(job.server),
        call,
        job,
    };
    carry_out(&core, &entry, work, Begin::Resume(token)).await;
}

async fn carry_out(core: &Arc<Core>, entry: &Execution, work: Work, begin: Begin) {
    let (job, call, room) = (work.job.clone(), Arc::clone(&work.call), work.room.clone());
    let resumed = matches!(begin, Begin::Resume(_));
    let span = trace::execution(job.id, &call, resumed);
    let ended = execute(core, entry, work, begin).instrument(span).await;
    if matches!(ended, ExecutionEnd::Ended(..)) {
        core.backoff.reached(job.server);
    }
    match ended {
        ExecutionEnd::NotSent(unsent) => finish::put_off(core, &job, &call, unsent).await,
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

async fn execute(core: &Core, entry: &Execution, work: Work, begin: Begin) -> ExecutionEnd {
    let abort = CancellationToken::new();
    let (tokens, kept) = resume_token::place(match &begin {
        Begin::Resume(token) => Some(token.clone()),
        Begin::Send(_) => None,
    });
    let execution = until_known(core, &work, begin, (&tokens, &abort));
    tokio::pin!(execution);
    let outcome = tokio::select! {
        biased;
        outcome = &mut execution => return outcome,
        () = entry.cancel.cancelled() => ExecutionEnd::Cancelled,
        () = core.cut_calls.cancelled() => match tokens.last() {
            Some(token) => return ExecutionEnd::Left(token), // the server is not notified
            None => ExecutionEnd::Stopped,
        },
        () = tokio::time::sleep(work.left) => {
            ExecutionEnd::Ended(End::Timeout, core.executor.body(&work.call, End::Timeout))
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

/// Runs the call until it is known how it ended, or that it could not be sent. A call that is being resumed was sent by
/// an earlier process, so that it waits for its server here.
async fn until_known(
    core: &Core,
    work: &Work,
    begin: Begin,
    (tokens, abort): (&ResumeTokens, &CancellationToken),
) -> ExecutionEnd {
    let token = match begin {
        Begin::Resume(token) => token,
        Begin::Send(_) => {
            let executed = attempt(core, work, begin, (tokens, abort)).await;
            return known(core, work, executed).unwrap_or_else(ExecutionEnd::NotSent);
        }
    };
    for tries in 0.. {
        let begin = Begin::Resume(token.clone());
        let executed = attempt(core, work, begin, (tokens, abort)).await;
        let Unsent { retry_after, .. } = match known(core, work, executed) {
            Ok(end) => return end,
            Err(unsent) => unsent,
        };
        tokio::select! {
            biased;
            () = core.stop.cancelled() => break,
            () = abort.cancelled() => break,
            () = tokio::time::sleep(retry_after.max(core.back_off(tries))) => {}
        }
    }
    // A resumed call never goes back to the queue: the next process resumes it again.
    tokens.last().map_or(ExecutionEnd::Held, ExecutionEnd::Left)
}

/// How it ended, if that is known.
fn known(core: &Core, work: &Work, executed: Executed) -> Result<ExecutionEnd, Unsent> {
    let (retry_after, is_away, may_have_run) = match executed {
        Executed::Ended { end, body } => return Ok(ended(core, &work.call, (end, body))),
        Executed::Lost => return Ok(ExecutionEnd::Cut),
        Executed::NotSent { retry_after, is_away } => (retry_after, is_away, false),
        Executed::Again { retry_after } => (retry_after, false, true),
    };
    Err(Unsent {
        retry_after,
        is_away,
        may_have_run,
    })
}

async fn attempt(
    core: &Core,
    work: &Work,
    begin: Begin,
    (tokens, abort): (&ResumeTokens, &CancellationToken),
) -> Executed {
    let run = Run {
        job: work.job.id,
        call: &work.call,
        begin,
        tokens: tokens.clone(),
        room: work.room.clone(),
        cancel: abort.clone(),
    };
    core.executor.execute(run).await
}

fn ended(core: &Core, call: &Call, (end, body): (End, Bytes)) -> ExecutionEnd {
    if body.len() > core.policy().max_result_size {
        return ExecutionEnd::Ended(End::TooLarge, core.executor.body(call, End::TooLarge));
    }
    ExecutionEnd::Ended(end, body)
}

/// A graceful shutdown does not count against an execution.
async fn leave(core: &Core, job: &Job, token: Bytes) {
    let changes = vec![Change::ResumeToken { token }, Change::Suspend];
    let left = core.apply_surely(job.id, commit::held(job), changes).await;
    if left.is_none() {
        tracing::warn!(target: "asyncmcp::delivery", job = %job.id, "failed to save the latest resume token: the next process resumes the call with an older one");
    }
}
