//! A webhook tool's call: committed, then acknowledged. Its result goes to a receiver, or waits for its client to ask, or both.
//!
//! [`super::call`] asks here whether a call is one, and hands it over. Invariant: what is
//! acknowledged was committed before, and the same call gets the same acknowledgement.

mod acknowledgement;
mod dedupe;
mod named;

use std::time::Duration;

use asyncmcp_crds::effective::{Route, WebhookTool};
use asyncmcp_crds::v1alpha1;
use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::AcceptError;
use asyncmcp_delivery::engine::jobs::Listed;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::{Call, Job, NewJob, OnInterruption, Target};
use asyncmcp_delivery::store::{Acceptance, ClientLimit};
use asyncmcp_protocol::Request;
use asyncmcp_protocol::initialize::TASKS_EXTENSION;
use asyncmcp_protocol::modern::rounds;
use asyncmcp_protocol::tasks::report::Wanted;
use asyncmcp_protocol::tool_result::{self, AcceptedJob};
use asyncmcp_protocol::version::Era;

use self::dedupe::Identifier;
pub(super) use self::dedupe::of_request;
use super::{Context, outgoing, task_report};
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::respond::{Error, task};
use crate::caller::trace::TraceHeaders;
use crate::config::retry;
use crate::servers::catalogue::Tool;

/// A call of a webhook tool.
#[derive(Debug)]
pub(crate) struct Webhook<'a> {
    tool: &'a Tool,
    entry: &'a WebhookTool,
    wants: Wants,
}

/// How its client gets the result.
#[derive(Debug)]
enum Wants {
    /// By its task; where there is a receiver, that gets it, too.
    Task(Wanted, Option<Target>),
    /// By the receiver alone.
    Delivery(Target),
}

impl Wants {
    fn target(&self) -> Option<&Target> {
        match self {
            Self::Task(_, target) => target.as_ref(),
            Self::Delivery(target) => Some(target),
        }
    }

    /// How long the client wants the result kept, if it says.
    fn ttl(&self) -> Option<Duration> {
        match self {
            Self::Task(wanted, _) => wanted.ttl,
            Self::Delivery(_) => None,
        }
    }
}

impl<'a> Webhook<'a> {
    /// How `tool`'s result gets to this client; `None` where the call is an ordinary one, because the tool is, because the
    /// client knows no tasks and nobody named a receiver, or because it answers what its server asked.
    pub(crate) fn of(context: &Context, tool: &'a Tool, request: &Request) -> Result<Option<Self>, Error> {
        let named = named::receiver(request)?;
        let Some(entry) = &tool.webhook else {
            return match named {
                None => Ok(None),
                Some(_) => Err(Error::Params(named::NOT_A_WEBHOOK_TOOL)),
            };
        };
        if rounds::is_next_round(request) {
            return Ok(None); // the call began as an ordinary one, and its server waits for no other
        }
        let target = named.or_else(|| target(context));
        let wants = match (task(&context.caller, request)?, target) {
            (Some(wanted), target) => Wants::Task(wanted, target),
            (None, Some(target)) => Wants::Delivery(target),
            (None, None) if tool.needs_task => return Err(needs_task(&context.caller, tool)),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { tool, entry, wants }))
    }

    /// Accepts the call: once, however often it is sent.
    pub(crate) async fn accept(
        self,
        context: &Context,
        request: &Request,
        trace: &TraceHeaders,
    ) -> Result<Answer, Error> {
        let engine = &context.calls.engine;
        if let Some(target) = self.wants.target() {
            engine.check_receiver(target.named_by, &target.url)?;
        }
        let identifier = Identifier::of(&context.caller, request)?;
        let job = self.job(context, request, (&identifier, trace));
        let header = Job::accepted(&job);
        let (max_pending, max_queued) = (job.max_pending, job.max_queued);
        match engine.accept(job).await {
            Ok(Acceptance::New(_)) => Ok(self.acknowledge(context, request, &header)),
            Ok(Acceptance::Same(id)) => match engine.show(id).await? {
                Some(shown) => self.acknowledge_again(context, request, &shown.listed),
                None => Ok(self.acknowledge(context, request, &Job { id, ..header })), // it expired just now
            },
            Ok(Acceptance::Conflict(_)) => Err(Error::Conflict(identifier.label())),
            Ok(Acceptance::ClientFull(ClientLimit::Pending)) => Err(Error::ClientFull(max_pending)),
            Ok(Acceptance::ClientFull(ClientLimit::Bytes { share })) => Err(Error::ClientStoreFull(share)),
            Ok(Acceptance::ServerFull) => Err(Error::ServerFull(self.tool.server.clone(), max_queued)),
            Ok(Acceptance::Full) => Err(Error::StoreFull),
            Err(AcceptError::Closed) => Err(Error::Closing),
            Err(AcceptError::Store(error)) => Err(Error::Store(error)),
        }
    }

    fn job(
        &self,
        context: &Context,
        request: &Request,
        (identifier, trace): (&Identifier, &TraceHeaders),
    ) -> NewJob {
        let (route, now) = (&context.config.route, context.calls.clock.now());
        NewJob {
            id: JobId::new(now, rand::random()),
            at: now,
            params: outgoing::params_of_job(request, self.tool, trace),
            dedupe: identifier.dedupe(&self.tool.shown_as, request),
            // A cancellation names the request, and a retry under the same key is another one.
            names: identifier.name().into_iter().collect(),
            max_pending: u64::from(route.webhook.per_client.max_pending),
            max_queued: max_queued(route, &self.tool.server),
            kept_longer: task_report::kept_longer(self.wants.ttl(), &route.webhook),
            call: self.snapshot(context, request, trace),
        }
    }

    fn acknowledge(&self, context: &Context, request: &Request, job: &Job) -> Answer {
        match &self.wants {
            Wants::Task(..) => created(context, request, job),
            Wants::Delivery(target) => {
                let call = (self.tool.shown_as.as_str(), target);
                acknowledgement::of_new(context.caller.acknowledges, call, request, job.id)
            }
        }
    }

    fn acknowledge_again(
        &self,
        context: &Context,
        request: &Request,
        listed: &Listed,
    ) -> Result<Answer, Error> {
        match &self.wants {
            Wants::Task(..) => Ok(created(context, request, &listed.job)),
            Wants::Delivery(_) => acknowledgement::of_repeated(context.caller.acknowledges, request, listed),
        }
    }

    /// What holds for this call whatever becomes of the route.
    fn snapshot(&self, context: &Context, request: &Request, trace: &TraceHeaders) -> Call {
        let waits = &context.config.route.webhook.retry.waits;
        Call {
            server: self.tool.server.clone(),
            tool: self.tool.name.clone(),
            shown_as: self.tool.shown_as.clone(),
            request_id: request.id.to_string(),
            client: context.caller.account.clone(),
            timeout: self.entry.timeout,
            on_interruption: self.on_interruption(),
            target: self.wants.target().cloned(),
            retry: retry::of(waits),
            trace: trace.stored(),
            as_task: self.tool.as_task,
            owner: context.caller.owner().map(|owner| owner.0),
        }
    }

    /// What the route says; a server's hints count only where it says so.
    fn on_interruption(&self) -> OnInterruption {
        match self.entry.on_interruption {
            v1alpha1::OnInterruption::Retry => OnInterruption::Retry,
            v1alpha1::OnInterruption::Auto if self.tool.repeatable => OnInterruption::Retry,
            v1alpha1::OnInterruption::Fail | v1alpha1::OnInterruption::Auto => OnInterruption::Fail,
        }
    }
}

/// What the client wants of a task: it declares that it knows them (2026-07-28), or asks for one (2025-11-25).
fn task(caller: &Caller, request: &Request) -> Result<Option<Wanted>, Error> {
    match caller.version.era() {
        Era::Modern => Ok(caller.capabilities.has(TASKS_EXTENSION).then(Wanted::default)),
        Era::Legacy if caller.version.has_requested_tasks() => {
            Ok(Wanted::of(request.params.as_ref()).map_err(task::Error::from)?)
        }
        Era::Legacy => Ok(None),
    }
}

/// Why the call cannot be an ordinary one: the server takes it as a task only, which a job can, but its client cannot.
fn needs_task(caller: &Caller, tool: &Tool) -> Error {
    match caller.version.era() {
        Era::Modern => task::Error::Undeclared(tool.shown_as.clone()).into(),
        Era::Legacy => task::Error::Required(tool.shown_as.clone()).into(),
    }
}

/// The call became this task; where it is delivered, too, the delivery is named.
fn created(context: &Context, request: &Request, job: &Job) -> Answer {
    let era = context.caller.version.era();
    let report = task_report::of(job, era, &context.config.route.webhook, &context.calls.clock);
    let mut result = report.created(era);
    if job.receiver.is_some() {
        let accepted = AcceptedJob {
            id: report.id,
            webhook_id: Some(job.id.webhook_id()),
        };
        tool_result::name_job(&mut result, &accepted, report.status.as_str());
    }
    Answer::result(request.id.clone(), &result.to_raw())
}

/// Where the call names no receiver: the one that the session named, else the route's.
fn target(context: &Context) -> Option<Target> {
    let target = |url: &String, named_by| Target {
        url: url.clone(),
        named_by,
        secret: None,
    };
    let named = context.caller.receiver.as_ref();
    let named = named.map(|url| target(url, NamedBy::Session));
    let default = context.config.route.webhook.receivers.default.as_ref();
    named.or_else(|| Some(target(&default?.url, NamedBy::Default)))
}

/// How many jobs may wait for a server. One that is just leaving the route takes what is sent to it.
fn max_queued(route: &Route, server: &str) -> u64 {
    let server = route.servers.iter().find(|known| known.name == server);
    server.map_or(u64::MAX, |server| u64::from(server.max_queued_jobs))
}
