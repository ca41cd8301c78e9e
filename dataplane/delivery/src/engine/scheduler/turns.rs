//! Whose turn it is: the queued jobs that may begin now.
//!
//! The scheduler asks for each batch. Servers take turns at the capacity that they share, clients within a server's queue, and
//! no client runs more than its share; a job whose tool has no capacity lets its client's next [`LOOK_AHEAD`] jobs pass.
//! Invariant: the queues are read from the store each time; all that is remembered is whose turn it was, since when a server
//! has been gone from the route, and the tools of jobs that wait for one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::core::Core;
use crate::engine::{shares, unreadable};
use crate::id::JobId;
use crate::job::Key;
use crate::policy::ToolLimit;
use crate::store;

/// How long queued jobs wait for a server that is gone from the route.
const GONE: Duration = Duration::from_mins(10);
/// How many jobs of a server that is gone end at a time.
const FAREWELLS: usize = 64;

/// Queued jobs whose tools are remembered.
const TOOLS: usize = 65_536;
/// How many of a client's oldest queued jobs are checked in one batch.
const LOOK_AHEAD: usize = 64;

/// A job whose turn it is.
pub(super) struct Turn {
    pub(super) id: JobId,
    pub(super) server: Key,
    pub(super) client: Key,
    /// The tools whose limit it counts against, if they have one of their own.
    pub(super) tools: Option<Key>,
    pub(super) gone: bool,
}

/// A server's queue, as one batch sees it.
struct Queue {
    server: Key,
    gone: bool,
    room: usize,
}

/// What the loop remembers between batches.
#[derive(Default)]
pub(super) struct Turns {
    /// The server served last.
    last: Option<Key>,
    /// The client served last, per queue.
    served: HashMap<Key, Key>,
    /// Queues of servers that are not in the route, and since when.
    gone: HashMap<Key, Instant>,
    /// The tools of queued jobs, so that one that waits for its tool is not read and decrypted again and again.
    tools: HashMap<JobId, Arc<str>>,
}

impl Turns {
    /// The jobs that may begin now.
    pub(super) async fn next(&mut self, core: &Arc<Core>) -> Result<Vec<Turn>, store::Error> {
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
            if self.take_one(core, (&queue, client), &mut queued, batch).await? {
                self.served.insert(queue.server, client);
                clients.push_back((client, queued));
            }
        }
        while batch.len() < full
            && let Some((client, mut queued)) = clients.pop_front()
        {
            if self.take_one(core, (&queue, client), &mut queued, batch).await? {
                self.served.insert(queue.server, client);
                clients.push_back((client, queued));
            }
        }
        Ok(())
    }

    /// Takes the first of a client's jobs that may begin; returns whether there was one.
    async fn take_one(
        &mut self,
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
            let limit = match self.limit(core, id).await {
                Err(error @ (store::Error::Sealed { .. } | store::Error::Corrupt(_))) => {
                    unreadable::handle(core, id, &error).await;
                    continue;
                }
                limit => limit?.filter(|_| !queue.gone),
            };
            let taken = |tools| {
                core.running.of(tools) + batch.iter().filter(|turn| turn.tools == Some(tools)).count()
            };
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

    /// The limit of a job's tool; the job is not read if no tool has one.
    async fn limit(&mut self, core: &Core, id: JobId) -> Result<Option<ToolLimit>, store::Error> {
        let policy = core.policy();
        if !policy.tools.any() {
            return Ok(None);
        }
        if let Some(tool) = self.tools.get(&id) {
            return Ok(policy.tools.of(tool));
        }
        let Some(call) = core.store.call(id).await? else {
            return Ok(None);
        };
        if self.tools.len() >= TOOLS {
            self.tools.clear();
        }
        self.tools.insert(id, call.shown_as.as_str().into());
        Ok(policy.tools.of(&call.shown_as))
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
