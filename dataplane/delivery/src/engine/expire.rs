//! Deliveries that get too old behind an open breaker: they end, although they are not attempted.
//!
//! The housekeeping calls it. Without it, the jobs of a receiver that never comes back would stay pending for ever, and
//! count against their clients' limits. Invariant: only attempts of this process open a breaker, so nothing expires
//! before its receiver was tried since the start.

use std::collections::HashSet;

use futures::future::try_join_all;

use super::core::Core;
use super::last_hour::Event;
use super::log;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Expect, Job, Receiver};
use crate::state::{Category, Push};
use crate::store;

/// Jobs checked in one commit.
const ROWS: usize = 256;

/// Ends what is older than `maxAge` and waits for a breaker, oldest first. What is younger is not read, and what is older
/// but waits for something else is passed over.
pub(super) async fn run(core: &Core) -> Result<(), store::Error> {
    let shut: HashSet<Receiver> = core.receivers.shut().into_iter().collect();
    let oldest = core.now().minus(core.policy().max_age);
    let mut after = None;
    while !shut.is_empty() && !core.is_stopping() {
        let page = core.store.waiting(after, oldest, ROWS).await?;
        try_join_all(page.iter().map(|(_, id)| expire(core, *id, &shut, oldest))).await?;
        if page.len() < ROWS {
            return Ok(());
        }
        after = page.last().copied();
    }
    Ok(())
}

/// Ends the job if it waits for one of these receivers, and has since before `oldest`.
async fn expire(
    core: &Core,
    id: JobId,
    shut: &HashSet<Receiver>,
    oldest: Millis,
) -> Result<(), store::Error> {
    let job = match core.store.job(id).await {
        Err(store::Error::Corrupt(_)) => None, // an attempt will report it
        job => job?,
    };
    let Some(job) = job.filter(|job| is_expired(job, shut, oldest)) else {
        return Ok(());
    };
    let bury = Change::Bury {
        why: Category::Expired,
    };
    let expect = Expect::Version(job.version);
    if core.apply(job.id, expect, vec![bury]).await?.job().is_some() {
        core.metrics.dead(Category::Expired);
        core.last_hour.note(Event::Dead, core.now());
        log::expired(&core.policy(), &job);
    }
    Ok(())
}

fn is_expired(job: &Job, shut: &HashSet<Receiver>, oldest: Millis) -> bool {
    let waits = job.state.push == Push::Due && job.receiver.is_some_and(|receiver| shut.contains(&receiver));
    waits && job.undelivered_since().is_some_and(|since| since < oldest)
}
