//! Test deliveries: one signed POST to a receiver, because a person wants to see whether webhooks arrive there.
//!
//! The admin port calls [`Engine::try_receiver`]. Invariant: it goes the way of every attempt (egress rules, resolver,
//! headers, signature, timeout), and leaves nothing behind: no job, no sample for the breaker, no count for a limit.

use std::time::Duration;

use bytes::Bytes;

use super::Engine;
use super::core::Core;
use super::trials::MOST;
use super::waiting::Reason;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Call, Dedupe, Job, NewJob, OnInterruption, Retry, Target, Trace};
use crate::policy::Signing;
use crate::sender::{Attempt, Kind, Post};
use crate::verdict::Verdict;

/// A test delivery.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its `webhook-id`.
    pub webhook_id: String,
    /// How it went.
    pub attempt: Attempt,
    /// Whether it was sent with a signature.
    pub signed: bool,
}

/// Why none was sent.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// There were too many.
    #[error("{MOST} test deliveries were sent within a minute; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// Nothing can be sent at present.
    #[error("nothing can be sent: {}", .0.as_str())]
    Waiting(Reason),
}

impl Engine {
    /// Sends `body` to a receiver once. A receiver that the policy refuses is an outcome, not an error.
    pub async fn try_receiver(&self, target: Target, body: Bytes) -> Result<Trial, TrialError> {
        self.detached(move |core| async move { send(&core, target, &body).await })
            .await
    }
}

async fn send(core: &Core, target: Target, body: &Bytes) -> Result<Trial, TrialError> {
    let policy = core.policy();
    if let Some(reason) = held_up(core, &target) {
        return Err(TrialError::Waiting(reason));
    }
    core.trials.take(core.now()).map_err(TrialError::TooMany)?;
    let new = nobodys_job(core.now(), target);
    let (job, call) = (Job::accepted(&new), new.call);
    let Some(target) = &call.target else {
        return Err(TrialError::Waiting(Reason::Header)); // it was just put there
    };
    let now = core.clock.wall();
    let post = Post {
        job: &job,
        call: &call,
        target,
        body,
        at: now,
        ended: now,
        trace: &call.trace,
        policy: &policy,
        kind: Kind::Test,
    };
    let attempt = tokio::select! {
        biased;
        attempt = core.sender.send(post) => attempt,
        () = core.cut.cancelled() => return Err(TrialError::Waiting(Reason::ShuttingDown)),
    };
    Ok(Trial {
        webhook_id: job.id.webhook_id(),
        signed: !matches!(attempt.verdict, Verdict::Refused(_)) && policy.signing != Signing::Off,
        attempt,
    })
}

/// What every delivery to this receiver waits for.
fn held_up(core: &Core, target: &Target) -> Option<Reason> {
    let policy = core.policy();
    if core.sends_no_more() {
        Some(Reason::ShuttingDown)
    } else if !policy.can_send() {
        Some(Reason::SigningKey)
    } else {
        (!policy.can_send_to(target.named_by)).then_some(Reason::Header)
    }
}

/// What an attempt needs of a job, of none.
fn nobodys_job(now: Millis, target: Target) -> NewJob {
    NewJob {
        id: JobId::new(now, rand::random()),
        at: now,
        call: Call {
            server: String::new(),
            tool: String::new(),
            shown_as: "asyncmcp-test".to_owned(),
            request_id: "null".to_owned(),
            client: String::new(),
            timeout: Duration::ZERO,
            on_interruption: OnInterruption::Fail,
            target: Some(target),
            retry: Retry::Schedule {
                waits: Vec::new(),
                jitter_percent: 0,
            },
            trace: Trace::default(),
            as_task: false,
            owner: None,
        },
        params: Bytes::new(),
        dedupe: Dedupe {
            key: [0; 32],
            fingerprint: [0; 32],
        },
        names: Vec::new(),
        max_pending: 0,
        max_queued: 0,
        kept_longer: Duration::ZERO,
    }
}
