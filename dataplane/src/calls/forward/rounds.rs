//! The rounds of a legacy client's call on a modern server (MCP 2026-07-28, Multi Round-Trip Requests).
//!
//! A modern server that needs something of its client answers `input_required`, and gets the call again with what it needs.
//! A legacy client cannot be asked so: it is asked by requests on the stream of its call, and [`super`] sends the next round.
//! Invariant: the client is asked for nothing that it did not declare, its answers and the server's state keep their bytes,
//! and a call has at most [`ROUNDS`] rounds after the first.

use asyncmcp_protocol::modern::rounds::{InputRequired, Kind, Question};
use asyncmcp_protocol::tasks::named;
use asyncmcp_protocol::{Era, Notification, Outcome, RawObject, RawValue, Request, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use super::{Call, for_server};
use crate::caller::respond::Error;
use crate::servers::lines;

/// How often a call is sent again with what its server needs.
pub(super) const ROUNDS: u32 = 16;
/// Why a client need not answer any more.
const GIVEN_UP: &str = "the answer is not waited for any more";

/// How the client took the questions of a round.
enum Asked {
    /// It answered all of them, in their order.
    Answered(Vec<Box<RawValue>>),
    /// It answered one of them with this error.
    Refused(Box<RawValue>),
}

impl Call {
    /// What the server needs of a legacy client before it answers; nothing where `response` is its answer.
    pub(super) fn needed(&self, response: &Response) -> Result<Option<InputRequired>, Error> {
        match &response.outcome {
            Outcome::Result(result) if !self.ends_with_client => {
                let is_across = self.way.loan().is_across_eras();
                if is_across && named::created(result, Era::Modern, str::to_owned).is_some() {
                    return Err(self.protocol("a task that the client did not ask for"));
                }
                InputRequired::parse(result).map_err(|error| {
                    tracing::info!(server = self.target.server, %error, "a server asked in a way that cannot be followed");
                    self.protocol("a result of type input_required cannot be followed")
                })
            }
            _ => Ok(None),
        }
    }

    /// Gets what the server needs, and makes the next round of it. The response where the client refuses.
    pub(super) async fn next_round(&mut self, needed: &InputRequired) -> Result<Option<Bytes>, Error> {
        if self.rounds == ROUNDS {
            return Err(Error::Rounds(self.target.server.clone(), ROUNDS));
        }
        self.rounds += 1;
        let answers = match self.ask(&needed.questions).await? {
            Asked::Answered(answers) => answers,
            Asked::Refused(error) => return Ok(Some(self.refused(error))),
        };
        let mut request = self.request.clone();
        needed.answer(request.params.get_or_insert_default(), answers);
        self.way.renew();
        self.outgoing = for_server(&request, &self.target, (&self.way, &self.operation.trace()));
        let fits = self.held.resize(self.outgoing.body.len()); // what the client answered counts, too
        fits.then_some(None).ok_or(Error::Busy)
    }

    /// Asks all of it at once, and waits for the answers as long as for a server.
    async fn ask(&mut self, questions: &[Question]) -> Result<Asked, Error> {
        for question in questions {
            self.may_ask(question)?;
        }
        let mut open = Vec::new();
        for question in questions {
            let asked = self.context.calls.lines.ask(&self.context.caller);
            self.sender.send(request(question, &asked)).await;
            open.push(asked);
        }
        if !open.is_empty() && self.sender.is_gone() {
            return Err(self.unanswered()); // nobody is there to be asked
        }
        let mut answers = vec![None; open.len()];
        let refusal = timeout(self.limit, collect(&mut open, &mut answers)).await;
        self.withdraw(&open, &answers).await;
        match refusal {
            Err(_) => Err(self.unanswered()),
            Ok(Some(error)) => Ok(Asked::Refused(error)),
            Ok(None) => Ok(Asked::Answered(answers.into_iter().flatten().collect())),
        }
    }

    fn may_ask(&self, question: &Question) -> Result<(), Error> {
        let (server, needs) = (self.target.server.clone(), question.kind.needs());
        if self.context.json_only {
            return Err(Error::JsonOnly { server, needs });
        }
        if !self.context.caller.capabilities.has(needs) {
            return Err(Error::CannotAsk { server, needs });
        }
        Ok(())
    }

    /// Tells the client which questions it need not answer any more.
    async fn withdraw(&mut self, open: &[lines::Question], answers: &[Option<Box<RawValue>>]) {
        let unanswered = open.iter().zip(answers).filter(|(_, answer)| answer.is_none());
        for (question, _) in unanswered {
            let notification = Notification::cancelled(&question.id, GIVEN_UP);
            self.sender.send(notification.to_bytes().into()).await;
        }
    }

    fn unanswered(&self) -> Error {
        Error::Unanswered {
            server: self.target.server.clone(),
            limit: self.limit,
        }
    }

    /// The client's error is the answer to its own call.
    fn refused(&mut self, error: Box<RawValue>) -> Bytes {
        self.operation.failed("client_refused");
        let refused = Response {
            id: Some(self.request.id.clone()),
            outcome: Outcome::Error(error),
            extra: RawObject::new(),
        };
        refused.to_bytes().into()
    }
}

/// Fills in the answers as they come, until all are there or one is an error.
async fn collect(
    open: &mut [lines::Question],
    answers: &mut [Option<Box<RawValue>>],
) -> Option<Box<RawValue>> {
    let waiting = open.iter_mut().enumerate();
    let mut waiting: FuturesUnordered<_> = waiting
        .map(async |(at, question)| (at, question.answered().await))
        .collect();
    while let Some((at, outcome)) = waiting.next().await {
        match outcome {
            Outcome::Result(answer) => answers[at] = Some(answer),
            Outcome::Error(error) => {
                answers[at] = Some(error.clone()); // it is answered, and is not withdrawn
                return Some(error);
            }
        }
    }
    None
}

/// The question as a legacy request. There a page to visit has an id, which the modern era has not.
fn request(question: &Question, asked: &lines::Question) -> Bytes {
    let mut params = question.params.clone();
    if question.kind == Kind::Url
        && let Some(params) = &mut params
        && params.get("elicitationId").is_none()
    {
        params.set("elicitationId", asked.id.raw().to_owned());
    }
    let request = Request::new(asked.id.clone(), question.kind.method(), params);
    request.to_bytes().into()
}
