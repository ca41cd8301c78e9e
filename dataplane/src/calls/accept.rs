//! A webhook tool's call: committed, then acknowledged. Its result goes to a receiver.
//!
//! [`super::call`] asks here whether a call is one, and hands it over. Invariant: what is
//! acknowledged was committed before, and the same call gets the same acknowledgement.

mod acknowledgement;
mod dedupe;
mod named;

use asyncmcp_crds::effective::{Route, Waits, WebhookTool};
use asyncmcp_crds::v1alpha1;
use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::AcceptError;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::{Call, NewJob, OnInterruption, Retry, Target};
use asyncmcp_delivery::store::{Acceptance, ClientLimit};
use asyncmcp_protocol::Request;

use self::dedupe::Identifier;
pub(super) use self::dedupe::of_request;
use super::{Context, outgoing};
use crate::caller::answer::Answer;
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::servers::catalogue::Tool;

/// A tool whose result goes by webhook, and where to.
#[derive(Debug)]
pub(crate) struct Webhook<'a> {
    tool: &'a Tool,
    entry: &'a WebhookTool,
    target: Target,
}

impl<'a> Webhook<'a> {
    /// How `tool`'s result is delivered to this client; `None` where the call is an ordinary
    /// one, because the tool is, or because nobody named a receiver.
    pub(crate) fn of(context: &Context, tool: &'a Tool, request: &Request) -> Result<Option<Self>, Error> {
        let named = named::receiver(request)?;
        let Some(entry) = &tool.webhook else {
            return match named {
                None => Ok(None),
                Some(_) => Err(Error::Params(named::NOT_A_WEBHOOK_TOOL)),
            };
        };
        let target = named.or_else(|| target(context));
        Ok(target.map(|target| Self { tool, entry, target }))
    }

    /// Accepts the call: once, however often it is sent.
    pub(crate) async fn accept(
        self,
        context: &Context,
        request: &Request,
        trace: &TraceHeaders,
    ) -> Result<Answer, Error> {
        let engine = &context.calls.engine;
        engine.check_receiver(self.target.named_by, &self.target.url)?;
        let identifier = Identifier::of(&context.caller, request)?;
        let max_pending = u64::from(context.config.route.webhook.per_client.max_pending);
        let max_queued = max_queued(&context.config.route, &self.tool.server);
        let now = context.calls.clock.now();
        let job = NewJob {
            id: JobId::new(now, rand::random()),
            at: now,
            params: outgoing::params_of_job(request, self.tool, trace),
            dedupe: identifier.dedupe(&self.tool.shown_as, request),
            // A cancellation names the request, and a retry under the same key is another one.
            names: identifier.name().into_iter().collect(),
            max_pending,
            max_queued,
            kept_longer: std::time::Duration::ZERO,
            call: self.snapshot(context, request, trace),
        };
        match engine.accept(job).await {
            Ok(Acceptance::New(id)) => Ok(self.acknowledge(context, request, id)),
            Ok(Acceptance::Same(id)) => match engine.show(id).await? {
                Some(shown) => {
                    acknowledgement::of_repeated(context.caller.acknowledges, request, &shown.listed)
                }
                None => Ok(self.acknowledge(context, request, id)), // it expired just now
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

    fn acknowledge(&self, context: &Context, request: &Request, id: JobId) -> Answer {
        let call = (self.tool.shown_as.as_str(), &self.target);
        acknowledgement::of_new(context.caller.acknowledges, call, request, id)
    }

    /// What holds for this call whatever becomes of the route.
    fn snapshot(&self, context: &Context, request: &Request, trace: &TraceHeaders) -> Call {
        let retry = &context.config.route.webhook.retry;
        Call {
            server: self.tool.server.clone(),
            tool: self.tool.name.clone(),
            shown_as: self.tool.shown_as.clone(),
            request_id: request.id.to_string(),
            client: context.caller.account.clone(),
            timeout: self.entry.timeout,
            on_interruption: self.on_interruption(),
            target: Some(self.target.clone()),
            retry: repeated(&retry.waits),
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

fn repeated(waits: &Waits) -> Retry {
    match waits {
        Waits::Exponential {
            retries,
            initial,
            max,
            jitter_percent,
        } => Retry::Exponential {
            retries: *retries,
            initial: *initial,
            max: *max,
            jitter_percent: *jitter_percent,
        },
        Waits::Schedule(waits) => Retry::Schedule {
            waits: waits.clone(),
            jitter_percent: 0,
        },
    }
}

/// How many jobs may wait for a server. One that is just leaving the route takes what is sent to it.
fn max_queued(route: &Route, server: &str) -> u64 {
    let server = route.servers.iter().find(|known| known.name == server);
    server.map_or(u64::MAX, |server| u64::from(server.max_queued_jobs))
}
