//! A job of the gateway's as the task that a client asks about.
//!
//! Called by [`super`]. Invariant: what a client reads of an outcome is what its receiver gets, byte for byte; a cancellation
//! is committed before it is answered.

mod wait;

use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::Job;
use asyncmcp_protocol::tasks::report::{Report, Status};
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Message, Outcome, RawObject, Request};

use super::OfTask;
use crate::caller::answer::Answer;
use crate::caller::respond::{Error, task};
use crate::calls::bound::Held;
use crate::calls::{Context, permit, task_report};

const NO_RESPONSES: Error =
    Error::Params("params.inputResponses must be an object: the answers to what the task asks");

pub(super) async fn answer(
    context: &Context,
    (asks, id): (OfTask, JobId),
    request: &Request,
) -> Result<Answer, Error> {
    let job = find(context, id).await?;
    let result = match asks {
        OfTask::Result => return wait::answer(context, job, request).await,
        OfTask::Get => get(context, &job).await?,
        OfTask::Cancel => cancel(context, &job).await?,
        OfTask::Update => update(request)?,
    };
    Ok(Answer::result(request.id.clone(), &result.to_raw()))
}

/// The job, if it is the caller's.
pub(super) async fn find(context: &Context, id: JobId) -> Result<Job, Error> {
    let found = context.calls.engine.find(id).await?;
    let (job, call) = found.ok_or_else(|| task::Error::Unknown(id.to_string()))?;
    let owner = context.caller.owner().map(|owner| owner.0);
    let (webhook, now) = (&context.config.route.webhook, context.calls.clock.now());
    if call.owner != owner || task_report::is_over(&job, webhook, now) {
        return Err(task::Error::Unknown(id.to_string()).into());
    }
    permit::tool(context, &call.server, &call.shown_as)?;
    Ok(job)
}

pub(super) async fn get(context: &Context, job: &Job) -> Result<RawObject, Error> {
    let era = context.caller.version.era();
    let report = report(context, job);
    if era == Era::Legacy || matches!(report.status, Status::Working | Status::Cancelled) {
        return Ok(report.to_object(era));
    }
    let (_held, outcome) = outcome(context, job).await?;
    Ok(report.detailed(outcome))
}

/// Up to 2025-11-25 what is over cannot be cancelled, afterwards a cancellation is a wish.
async fn cancel(context: &Context, job: &Job) -> Result<RawObject, Error> {
    let cancelled = context.calls.engine.cancel(job.id).await?;
    match context.caller.version.era() {
        Era::Modern => Ok(RawObject::new()),
        Era::Legacy if cancelled => {
            let job = find(context, job.id).await?;
            Ok(report(context, &job).to_object(Era::Legacy))
        }
        Era::Legacy => Err(task::Error::Over(job.id.to_string()).into()),
    }
}

/// A job asks nothing, so there is nothing that could be answered.
fn update(request: &Request) -> Result<RawObject, Error> {
    let params = request.params.as_ref();
    let responses = params.and_then(|params| params.object("inputResponses").ok()?);
    responses.map(|_| RawObject::new()).ok_or(NO_RESPONSES)
}

pub(super) fn report(context: &Context, job: &Job) -> Report {
    let era = context.caller.version.era();
    task_report::of(job, era, &context.config.route.webhook, &context.calls.clock)
}

/// How the call ended, counted for as long as it is held.
async fn outcome(context: &Context, job: &Job) -> Result<(Held, Outcome), Error> {
    let size = usize::try_from(job.size).unwrap_or(usize::MAX);
    let calls = &context.calls.in_progress.calls;
    let held = calls.take(&context.caller.account, size).ok_or(Error::Busy)?;
    let body = match context.calls.engine.result(job.id).await {
        Ok(body) => body,
        Err(asyncmcp_delivery::store::Error::Corrupt(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match body.map(|body| Message::parse(&body)) {
        Some(Ok(Message::Response(response))) => Ok((held, response.outcome)),
        _ => Err(task::Error::Gone(job.id.to_string()).into()),
    }
}
