//! `tasks/result` of a job (2025-11-25): waits for the call's end, then answers with its outcome.
//!
//! Called by [`super`]. Invariant: a wait holds nothing of the job, so it ends with its connection or with this process
//! and costs nothing but its answer; how many wait is bounded.

use std::time::Duration;

use asyncmcp_delivery::job::Job;
use asyncmcp_delivery::state::Exec;
use asyncmcp_protocol::tasks::report;
use asyncmcp_protocol::{Id, RawObject, Request, Response};
use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::caller::answer::Answer;
use crate::caller::respond::Error;
use crate::calls::Context;

/// How long an answer may keep the form of one JSON body.
const HEAD_TIME: Duration = Duration::from_secs(5);

pub(super) async fn answer(context: &Context, job: Job, request: &Request) -> Result<Answer, Error> {
    let id = request.id.clone();
    if matches!(job.state.exec, Exec::Ended(_)) {
        return Ok(Answer::Json(outcome(context, &job, id).await?));
    }
    let calls = &context.calls.in_progress.calls;
    let held = calls.take(&context.caller.account, 0).ok_or(Error::Busy)?;
    let context = context.clone();
    let mut waiting = Box::pin(async move {
        let _held = held;
        let answered = match ended(&context, &job).await {
            Ok(job) => outcome(&context, &job, id.clone()).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| error.to_response(Some(id)))
    });
    if let Ok(response) = tokio::time::timeout(HEAD_TIME, &mut waiting).await {
        return Ok(Answer::Json(response));
    }
    let (sender, messages) = mpsc::channel(1);
    let sending = async move {
        let left = sender.closed();
        tokio::select! {
            () = left => {}
            response = waiting => drop(sender.send(response).await), // or nobody reads any more
        }
    };
    tokio::spawn(sending.in_current_span());
    Ok(Answer::Stream(messages))
}

/// The job once its call has ended. The process does not wait with its end for what may take hours.
async fn ended(context: &Context, job: &Job) -> Result<Job, Error> {
    let waiting = context.calls.engine.ended(job.id);
    let ended = context.calls.closing.run_until_cancelled(waiting).await;
    let job = ended.ok_or(Error::Closing)??.map(|job| job.id);
    super::find(context, job.ok_or(Error::Closing)?).await
}

async fn outcome(context: &Context, job: &Job, id: Id) -> Result<Bytes, Error> {
    let (_held, outcome) = super::outcome(context, job).await?;
    let response = Response {
        id: Some(id),
        outcome: report::related(outcome, &job.id.to_string()),
        extra: RawObject::new(),
    };
    Ok(response.to_bytes().into())
}
