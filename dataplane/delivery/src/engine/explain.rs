//! Why a job waits, in the order in which it would be asked to begin.
//!
//! [`Engine::waiting_for`] answers it for the jobs API, [`Engine::waits`] counts it for `/status`. Invariant: read from the
//! job's header, the policy and what the engine remembers at this moment; nothing is stored, and nothing is decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::jobs::Listed;
use super::waiting::{Reason, Waiting};
use super::{Engine, shares};
use crate::clock::Millis;
use crate::job::Job;
use crate::policy::Signing;
use crate::state::{Exec, Push};

impl Engine {
    /// What a job waits for; `None` where it is being worked on, or is over.
    pub fn waiting_for(&self, listed: &Listed) -> Option<Waiting> {
        let core = &*self.core;
        let job = &listed.job;
        let is_queued = job.state.exec == Exec::Queued;
        if !is_queued && job.state.push != Push::Due {
            return None;
        }
        if core.sends_no_more() || (is_queued && core.is_stopping()) {
            return Some(Reason::ShuttingDown.into());
        }
        if listed.call.is_none() {
            return Some(Reason::StoreKey.into());
        }
        Some(if is_queued {
            execution(core, listed)
        } else {
            delivery(core, listed)
        })
    }

    /// How many receivers with due deliveries wait for what.
    pub fn waits(&self) -> BTreeMap<Reason, usize> {
        let core = &*self.core;
        let policy = core.policy();
        if policy.signing == Signing::Waiting {
            let all = core.receivers.due(core.now());
            return (all > 0)
                .then_some((Reason::SigningKey, all))
                .into_iter()
                .collect();
        }
        core.receivers.waits(core.now(), &policy.per_receiver)
    }
}

fn delivery(core: &Core, listed: &Listed) -> Waiting {
    let (policy, job) = (core.policy(), &listed.job);
    if policy.signing == Signing::Waiting {
        return Reason::SigningKey.into();
    }
    let target = listed.call.as_ref().and_then(|call| call.target.as_ref());
    if target.is_some_and(|target| !policy.can_send_to(target.named_by)) {
        return Reason::Header.into();
    }
    if job.turn > core.now() {
        return Reason::Retry.until(job.turn);
    }
    let receiver = job.receiver.map(|receiver| {
        let (now, limits) = (core.now(), &policy.per_receiver);
        core.receivers.waiting_for((receiver, job.rank()), now, limits)
    });
    receiver.flatten().unwrap_or(Reason::Turn.into())
}

fn execution(core: &Core, listed: &Listed) -> Waiting {
    let (policy, job) = (core.policy(), &listed.job);
    let Some(room) = policy.room_on(job.server) else {
        return Reason::ServerGone.into();
    };
    if let Some(until) = core.backoff.server_until(job.server) {
        return Reason::Server.until(at(core, until));
    }
    if let Some(until) = core.backoff.job_until(job.id) {
        return Reason::Retry.until(at(core, until));
    }
    if core.store.space().executions() == 0 {
        return Reason::StoreSpace.into();
    }
    if is_busy(core, job, room) || is_tool_busy(core, listed) {
        return Reason::Running.into();
    }
    Reason::Turn.into()
}

/// Whether its server, its client or the route runs as many calls as may run at once.
fn is_busy(core: &Core, job: &Job, room: usize) -> bool {
    let policy = core.policy();
    let percent = policy.max_running_percent;
    let (on_server, in_all) = core.running.of_client(job.client, job.server);
    core.running.on(job.server) >= room
        || core.running.total() >= policy.max_running
        || on_server >= shares::percent(room, percent)
        || in_all >= shares::percent(policy.max_running, percent)
}

fn is_tool_busy(core: &Core, listed: &Listed) -> bool {
    let limit = listed
        .call
        .as_ref()
        .and_then(|call| core.policy().tools.of(&call.shown_as));
    limit.is_some_and(|limit| core.running.of(limit.tools) >= limit.room)
}

/// A time of tokio's clock as one of the store's.
fn at(core: &Core, until: Instant) -> Millis {
    let left: Duration = until.saturating_duration_since(Instant::now());
    core.now().plus(left)
}
