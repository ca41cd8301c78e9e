//! The event of a dead letter: a job of its own, whose body is the event and whose call is over from the start.
//!
//! [`Change::Notify`] carries it beside the change that buries the job, so that a store writes both in one commit. Pure.
//! Invariant: its id follows from the job and its replays, so that one death has one event however often it is committed,
//! and nothing in the event leads to the job's id, to a payload or to a credential.
//!
//! [`Change::Notify`]: super::Change::Notify

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Call, Job, Key, OnInterruption, Retry, Target, target};
use crate::clock::Millis;
use crate::egress::NamedBy;
use crate::id::JobId;
use crate::state::{Category, End, Exec, Push, State};

/// The event's `type`, and the CloudEvents type of its delivery.
pub const TYPE: &str = "dev.asyncmcp.job.dead.v1";

/// The account of all events: they share limits with each other and with no client. An account of a client is an address,
/// or begins with its issuer.
const ACCOUNT: &str = "asyncmcp dead-letter notifications";

/// An event that is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of its job.
    pub id: JobId,
    /// What its job has for a call: names for people, and where it goes.
    pub call: Call,
    /// The event, byte for byte.
    pub body: Bytes,
}

/// What an event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    /// The job as it was before.
    pub job: &'a Job,
    /// Its call; `None` where it cannot be read.
    pub call: Option<&'a Call>,
    /// Why it is a dead letter.
    pub why: Category,
    /// When, by the engine's clock.
    pub at: Millis,
    /// The route's namespace and name.
    pub route: (&'a str, &'a str),
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeTo {
    /// The receiver's URL.
    pub url: String,
    /// When failed attempts are repeated.
    pub retry: Retry,
}

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    namespace: &'a str,
    route: &'a str,
    webhook_id: String,
    tool: Option<&'a str>,
    server: Option<&'a str>,
    reason: &'static str,
    attempts: u32,
    replays: u32,
    accepted_at: String,
    ended_at: Option<String>,
    receiver: Option<String>,
}

impl Notice {
    /// The event of a death. `shown` turns the engine's times into those that others see.
    pub fn of(death: &Death<'_>, to: &NoticeTo, shown: impl Fn(Millis) -> Millis) -> Self {
        let (job, call) = (death.job, death.call);
        let text = |at| shown(at).to_string();
        let event = Event {
            r#type: TYPE,
            timestamp: text(death.at),
            data: Data {
                namespace: death.route.0,
                route: death.route.1,
                webhook_id: job.id.webhook_id(),
                tool: call.map(|call| call.shown_as.as_str()),
                server: call.map(|call| call.server.as_str()),
                reason: death.why.as_str(),
                attempts: job.attempts,
                replays: job.replays,
                accepted_at: text(job.accepted),
                ended_at: job.ended.map(text),
                receiver: call.and_then(|call| Some(target::shown(&call.target.as_ref()?.url))),
            },
        };
        Self {
            id: id(job, death.at),
            call: notifying(call, to),
            body: Bytes::from(serde_json::to_vec(&event).expect("its keys are text")),
        }
    }

    /// The account of events.
    pub fn account() -> Key {
        Key::of(ACCOUNT)
    }

    /// Under what the event's job is found: by its id alone, so nobody else knows it.
    pub(crate) fn dedupe(&self) -> [u8; 32] {
        let digest = Sha256::new().chain_update("asyncmcp notification");
        digest.chain_update(self.id.to_bytes()).finalize().into()
    }
}

/// As unguessable as the id of the job, which only its client knows.
fn id(job: &Job, at: Millis) -> JobId {
    let digest = Sha256::new()
        .chain_update("asyncmcp dead letter")
        .chain_update(job.id.to_bytes())
        .chain_update(job.replays.to_be_bytes())
        .finalize();
    JobId::new(at, *digest.first_chunk().expect("SHA-256 has 32 bytes"))
}

/// The call of an event: nothing of it is ever executed.
fn notifying(call: Option<&Call>, to: &NoticeTo) -> Call {
    let name = |name: fn(&Call) -> &String| call.map(name).cloned().unwrap_or_default();
    Call {
        server: name(|call| &call.server),
        tool: name(|call| &call.tool),
        shown_as: name(|call| &call.shown_as),
        request_id: "null".to_owned(),
        client: ACCOUNT.to_owned(),
        timeout: Duration::ZERO,
        on_interruption: OnInterruption::Fail,
        target: Some(Target {
            url: to.url.clone(),
            named_by: NamedBy::Notify,
            secret: None,
        }),
        retry: to.retry.clone(),
        trace: call.map(|call| call.trace.clone()).unwrap_or_default(),
        as_task: false,
        owner: None,
    }
}

impl Job {
    /// The header of the job of an event that is stored at `at`.
    pub(crate) fn notifying(notice: &Notice, at: Millis) -> Self {
        Self {
            id: notice.id,
            version: 1,
            state: State {
                exec: Exec::Ended(End::Result),
                push: Push::Due,
            },
            owner: None,
            run: 0,
            server: Key::of(&notice.call.server),
            client: Notice::account(),
            receiver: notice.call.target.as_ref().map(Target::receiver),
            dedupe: notice.dedupe(),
            names: Vec::new(),
            accepted: at,
            started: None,
            unsent_since: None,
            ended: Some(at),
            turn: at,
            executions: 0,
            attempts: 0,
            replays: 0,
            replayed: None,
            last: None,
            size: super::size(&notice.body),
            has_resume_token: false,
            poisoned: false,
            tool_failed: false,
            kept_longer: Duration::ZERO,
        }
    }

    /// Whether it is the event of a dead letter and nobody's call.
    pub fn is_notice(&self) -> bool {
        self.client == Notice::account()
    }
}

#[cfg(test)]
mod tests;
