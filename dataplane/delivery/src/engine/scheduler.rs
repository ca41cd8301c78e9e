//! The scheduler: which queued jobs begin.
//!
//! Each server has a queue and capacity of its own. Servers take turns at the capacity that they share, and within a queue
//! the clients do; a job whose tool has no capacity lets its client's next [`LOOK_AHEAD`] jobs pass. Invariant: the queues are read from the store each time;
//! all that is remembered is whose turn it was, and since when a server has been gone from the route.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::core::Core;
use super::execution;
use super::finish::Ending;
use super::memory_budget::Held;
use super::running::Execution;
use super::{shares, unreadable};
use crate::id::JobId;
use crate::job::{Expect, Key};
use crate::policy::ToolLimit;
use crate::state::End;
use crate::store::{self, Claim, Claimed};

/// How long queued jobs wait for a server that is gone from the route.
const GONE: Duration = Duration::from_mins(10);
/// How often the queues of servers that are gone are checked, if nothing else wakes the loop.
const IDLE: Duration = Duration::from_secs(30);
/// The same while the store has no space for executions.
const SHORT_OF_ROOM: Duration = Duration::from_secs(1);
/// How many jobs of a server that is gone end at a time.
const FAREWELLS: usize = 64;

/// How many of a client's oldest queued jobs are checked in one batch.
const LOOK_AHEAD: usize = 64;

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

/// Enters the jobs for whose arguments there is memory; the end of an execution frees some, and wakes the loop.
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

/// A job whose turn it is.
struct Turn {
    id: JobId,
    server: Key,
    client: Key,
    /// The tools whose limit it counts against, if they have one of their own.
    tools: Option<Key>,
    gone: bool,
}

/// A server's queue, as one batch sees it.
struct Queue {
    server: Key,
    gone: bool,
    room: usize,
}

/// What the loop remembers between batches.
#[derive(Default)]
struct Turns {
    /// The server served last.
    last: Option<Key>,
    /// The client served last, per queue.
    served: HashMap<Key, Key>,
    /// Queues of servers that are not in the route, and since when.
    gone: HashMap<Key, Instant>,
}

impl Turns {
    async fn next(&mut self, core: &Arc<Core>) -> Result<Vec<Turn>, store::Error> {
        let mut batch = Vec::new();
        let servers = core.store.queued_servers().await?;
        self.served.retain(|server, _| servers.contains(server));
        self.gone.retain(|server, _| servers.contains(server));
        let servers = self.in_turn(servers);
        for (at, server) in servers.iter().copied().enumerate() {
            let gone = self.is_gone(core, server);
            let room = if gone {
                FAREWELLS
            } else {
                let waiting = servers.len() - at;
                room(core, server, batch.len()).min(share(core, batch.len(), waiting))
            };
            let before = batch.len();
            self.take(core, Queue { server, gone, room }, &mut batch).await?;
            if batch.len() > before {
                self.last = Some(server);
                core.backoff.begin(server);
            }
        }
        Ok(batch)
    }

    /// The servers, beginning after the one served last.
    fn in_turn(&self, mut servers: Vec<Key>) -> Vec<Key> {
        let first = self
            .last
            .map_or(0, |last| servers.partition_point(|server| *server <= last));
        servers.rotate_left(first);
        servers
    }

    /// Takes one job of each client in turn, then a second, until there is no capacity or no job.
    async fn take(
        &mut self,
        core: &Arc<Core>,
        queue: Queue,
        batch: &mut Vec<Turn>,
    ) -> Result<(), store::Error> {
        let (mut asked, mut clients) = (HashSet::new(), VecDeque::new());
        let full = batch.len() + queue.room;
        let mut after = self.served.get(&queue.server).copied();
        while batch.len() < full {
            let next = core.store.next_queued(queue.server, after).await?;
            let Some((client, _)) = next.filter(|(client, _)| asked.insert(*client)) else {
                break;
            };
            let queued = core.store.queued(queue.server, client, LOOK_AHEAD).await?;
            let mut queued = VecDeque::from(queued);
            after = Some(client);
            if take_one(core, (&queue, client), &mut queued, batch).await? {
                self.served.insert(queue.server, client);
                clients.push_back((client, queued));
            }
        }
        while batch.len() < full
            && let Some((client, mut queued)) = clients.pop_front()
        {
            if take_one(core, (&queue, client), &mut queued, batch).await? {
                self.served.insert(queue.server, client);
                clients.push_back((client, queued));
            }
        }
        Ok(())
    }

    fn is_gone(&mut self, core: &Core, server: Key) -> bool {
        if core.policy().room_on(server).is_some() {
            self.gone.remove(&server);
            return false;
        }
        let since = *self.gone.entry(server).or_insert_with(Instant::now);
        since.elapsed() >= GONE
    }
}

/// Takes the first of a client's jobs that may begin; returns whether there was one.
async fn take_one(
    core: &Arc<Core>,
    (queue, client): (&Queue, Key),
    queued: &mut VecDeque<JobId>,
    batch: &mut Vec<Turn>,
) -> Result<bool, store::Error> {
    if !queue.gone && uses_its_share(core, (queue.server, client), batch) {
        return Ok(false);
    }
    while let Some(id) = queued.pop_front() {
        if core.holds.has(id) || core.backoff.is_waiting(id) {
            continue;
        }
        let limit = match limit(core, id).await {
            Err(error @ (store::Error::Sealed { .. } | store::Error::Corrupt(_))) => {
                unreadable::handle(core, id, &error).await;
                continue;
            }
            limit => limit?.filter(|_| !queue.gone),
        };
        let taken =
            |tools| core.running.of(tools) + batch.iter().filter(|turn| turn.tools == Some(tools)).count();
        if limit.is_none_or(|limit| taken(limit.tools) < limit.room) {
            batch.push(Turn {
                id,
                server: queue.server,
                client,
                tools: limit.map(|limit| limit.tools),
                gone: queue.gone,
            });
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a client runs as many jobs as it may, on the server or in all.
fn uses_its_share(core: &Core, (server, client): (Key, Key), batch: &[Turn]) -> bool {
    let policy = core.policy();
    let share = |limit| shares::percent(limit, policy.max_running_percent);
    let (on_server, in_all) = core.running.of_client(client, server);
    let of_client = batch.iter().filter(|turn| turn.client == client && !turn.gone);
    let batched = of_client.clone().filter(|turn| turn.server == server).count();
    on_server + batched >= share(policy.room_on(server).unwrap_or(0))
        || in_all + of_client.count() >= share(policy.max_running)
}

/// The limit of a job's tool; the job is not read if no tool has one.
async fn limit(core: &Core, id: JobId) -> Result<Option<ToolLimit>, store::Error> {
    let policy = core.policy();
    if !policy.tools.any() {
        return Ok(None);
    }
    let call = core.store.call(id).await?;
    Ok(call.and_then(|call| policy.tools.of(&call.shown_as)))
}

/// How many more jobs may begin on `server`; none on one that is not in the route.
fn room(core: &Core, server: Key, batched: usize) -> usize {
    let policy = core.policy();
    let on_server = policy.room_on(server).unwrap_or(0);
    let here = on_server.saturating_sub(core.running.on(server));
    let overall = policy.max_running.saturating_sub(core.running.total() + batched);
    let held = usize::try_from(core.store.space().executions()).unwrap_or(usize::MAX);
    here.min(overall)
        .min(held.saturating_sub(batched))
        .min(core.backoff.capacity(server))
}

/// What of the capacity that all servers share falls to each of those that are still `waiting`. What one of them does not
/// use is shared in the next batch.
fn share(core: &Core, batched: usize, waiting: usize) -> usize {
    let overall = core
        .policy()
        .max_running
        .saturating_sub(core.running.total() + batched);
    overall.div_ceil(waiting.max(1))
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
