//! The scheduler: begins queued jobs.
//!
//! One loop of the engine; [`Turns`] says which jobs are next. Invariant: only this loop starts queued jobs, and their starts
//! share a commit.

mod turns;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use self::turns::{Turn, Turns};
use super::core::Core;
use super::execution;
use super::finish::Ending;
use super::memory_budget::Held;
use super::running::Execution;
use super::unreadable;
use crate::id::JobId;
use crate::job::Expect;
use crate::state::End;
use crate::store::{self, Claim, Claimed};

/// How often the queues of servers that are gone are checked, if nothing else wakes the loop.
const IDLE: Duration = Duration::from_secs(30);
/// The same while the store has no space for executions.
const SHORT_OF_ROOM: Duration = Duration::from_secs(1);

/// Begins executions until the engine stops.
pub(super) async fn run(core: &Arc<Core>) {
    let mut policy = core.policy_changes();
    let mut turns = Turns::default();
    let mut faults = 0;
    while !core.is_stopping() {
        match begin_batch(core, &mut turns).await {
            Err(error) => {
                core.pause(&error, faults).await;
                faults += 1;
            }
            Ok(0) => tokio::select! {
                biased;
                () = core.stop.cancelled() => {}
                () = core.running.changed() => {}
                () = core.memory.freed() => {}
                () = policy.next() => {}
                () = tokio::time::sleep(idle(core)) => {}
            },
            Ok(_begun) => faults = 0,
        }
    }
}

/// Begins as many jobs as there is capacity for; their starts share a commit. Returns how many left the queue.
async fn begin_batch(core: &Arc<Core>, turns: &mut Turns) -> Result<usize, store::Error> {
    let (gone, batch): (Vec<Turn>, Vec<Turn>) =
        turns.next(core).await?.into_iter().partition(|turn| turn.gone);
    let turned_away = join_all(gone.iter().map(|turn| turn_away(core, turn.id))).await;
    let turned_away = turned_away.into_iter().collect::<Result<Vec<()>, _>>()?.len();
    let entered = enter(core, &batch).await?;
    if entered.is_empty() {
        return Ok(turned_away);
    }
    let ids: Vec<JobId> = entered.iter().map(|(entry, _)| entry.id).collect();
    let claims = claim(core, &ids).await?;
    for ((entry, held), claim) in entered.into_iter().zip(claims) {
        begin(core, entry, held, claim).await;
    }
    Ok(turned_away + ids.len())
}

/// Enters the jobs for whose arguments there is memory; what is sent frees some, and wakes the loop.
async fn enter(core: &Arc<Core>, batch: &[Turn]) -> Result<Vec<(Execution, Held)>, store::Error> {
    let mut entered = Vec::with_capacity(batch.len());
    for turn in batch {
        let job = match core.store.job(turn.id).await {
            Err(error @ store::Error::Corrupt(_)) => {
                core.set_aside(turn.id, &error);
                continue;
            }
            job => job?,
        };
        let Some(job) = job else { continue };
        let Some(arguments) = core.memory.arguments(job.client, job.size) else {
            continue;
        };
        let hold = core.holds.take(turn.id);
        let entry = core.running.enter(hold, (turn.server, turn.client), turn.tools);
        entered.extend(entry.map(|entry| (entry, arguments)));
    }
    Ok(entered)
}

/// Claims jobs that are entered. After a claim whose commit reported failure they are read again: only this loop starts
/// queued jobs, so what runs now was claimed by it, and was not sent yet.
async fn claim(core: &Core, ids: &[JobId]) -> Result<Vec<Claim>, store::Error> {
    match core.store.claim_queued(ids, core.stamp()).await {
        Err(store::Error::Unknown(_)) => {
            let claims = join_all(ids.iter().map(|id| core.read(|| read_claim(core, *id)))).await;
            claims.into_iter().collect()
        }
        claims => claims,
    }
}

async fn read_claim(core: &Core, id: JobId) -> Result<Claim, store::Error> {
    let job = core.store.job(id).await?;
    let Some(job) = job.filter(|job| job.is_held(core.owner, job.run)) else {
        return Ok(Claim::Passed);
    };
    let (call, params) = tokio::try_join!(core.store.call(id), core.store.params(id))?;
    Ok(match (call, params) {
        (Some(call), Some(params)) => Claim::Claimed(Box::new(Claimed { job, call, params })),
        _ => Claim::Passed,
    })
}

/// Begins what was claimed. A job that cannot be read does not hold up the others.
async fn begin(core: &Arc<Core>, entry: Execution, held: Held, claim: Claim) {
    match claim {
        Claim::Claimed(claimed) => {
            let execution = execution::run(Arc::clone(core), entry, held, *claimed);
            core.executions.spawn(execution);
        }
        Claim::Passed => {}
        Claim::Unreadable(error) => unreadable::handle(core, entry.id, &error).await,
    }
}

/// Ends a job whose server has left the route.
async fn turn_away(core: &Arc<Core>, id: JobId) -> Result<(), store::Error> {
    let call = match core.store.call(id).await {
        Ok(Some(call)) => Arc::new(call),
        Ok(None) => return Ok(()),
        Err(error @ (store::Error::Sealed { .. } | store::Error::Corrupt(_))) => {
            unreadable::handle(core, id, &error).await;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let ending = Ending {
        id,
        expect: Expect::Any,
        body: core.executor.body(&call, End::Error),
        call,
        end: End::Error,
        poisoned: false,
    };
    core.finish(&ending).await.map(drop)
}

/// Nothing wakes the loop when the store has space again, or a job or a server has waited long enough.
fn idle(core: &Core) -> Duration {
    let longest = if core.store.space().executions() == 0 {
        SHORT_OF_ROOM
    } else {
        IDLE
    };
    let next = core.backoff.next();
    next.map_or(longest, |next| (next - Instant::now()).min(longest))
}
