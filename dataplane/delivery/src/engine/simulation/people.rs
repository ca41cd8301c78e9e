//! Clients and administrators: what they ask the engine, and how long they wait for the answer.
//!
//! `process` starts one task per request. When a caller hangs up, the request's future is dropped at the await
//! where it is, as a server drops a handler whose peer closed. Invariant: every request is answered, or hung up,
//! or ends with its process.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::bodies;
use super::event::{Answer, Asked, Event};
use super::plan::{NewCall, Number, Patience, What};
use super::receivers::url;
use super::world::{SERVERS, World};
use crate::clock::Clock;
use crate::egress::NamedBy;
use crate::engine::jobs::{ActError, Page, Query};
use crate::engine::{AcceptError, Engine};
use crate::id::JobId;
use crate::job::{Call, Dedupe, Job, NewJob, OnInterruption, Retry, Target};
use crate::sender;
use crate::state::Stage;
use crate::store::scan::Order;
use crate::store::{self, Acceptance};

/// Somebody in front of one process.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) world: Arc<World>,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Clock,
}

impl Person {
    /// Asks, and waits as long as their patience lasts.
    pub(super) async fn ask(self, ask: u32, asked: Asked, patience: Patience) {
        self.world.note(Event::Asked {
            ask,
            asked: asked.clone(),
        });
        let answer = match patience {
            Patience::Endless => Some(self.answer(&asked).await),
            Patience::Polls(polls) => within_polls(polls, self.answer(&asked)).await,
            Patience::Lasts(time) => tokio::time::timeout(time, self.answer(&asked)).await.ok(),
        };
        self.world.note(match answer {
            Some(answer) => Event::Answered { ask, answer },
            None => Event::HungUp { ask },
        });
    }

    async fn answer(&self, asked: &Asked) -> Answer {
        match asked {
            Asked::Accept(call) => self.accept(call, true).await,
            Asked::About { call, what } => match self.world.plan.call(*call) {
                Some(call) => self.about(call, *what).await,
                None => Answer::Done,
            },
        }
    }

    async fn accept(&self, call: &NewCall, same_arguments: bool) -> Answer {
        let id = self.world.make_id(call.number, self.clock.now());
        let new = new_job(call, id, same_arguments, &self.clock);
        match self.engine.accept(new).await {
            Ok(Acceptance::New(_)) => Answer::New,
            Ok(Acceptance::Same(_)) => Answer::Same,
            Ok(Acceptance::Conflict(_)) => Answer::Conflict,
            Ok(Acceptance::ClientFull(_) | Acceptance::ServerFull | Acceptance::Full) => Answer::Full,
            Err(AcceptError::Closed) => Answer::Closed,
            Err(AcceptError::Store(_)) => Answer::StoreFailed,
        }
    }

    /// The same call again, under one name more.
    async fn name(&self, call: &NewCall, name: u8) -> Answer {
        let id = self.world.make_id(call.number, self.clock.now());
        let mut again = new_job(call, id, true, &self.clock);
        again.names = vec![name_of(call.number, name)];
        match self.engine.accept(again).await {
            Ok(Acceptance::New(_)) => Answer::New,
            Ok(_) => Answer::Done,
            Err(AcceptError::Closed) => Answer::Closed,
            Err(AcceptError::Store(_)) => Answer::StoreFailed,
        }
    }

    async fn about(&self, call: &NewCall, what: What) -> Answer {
        let engine = &self.engine;
        if let What::Again { same_arguments } = what {
            return self.accept(call, same_arguments).await;
        }
        let Some(id) = self.world.known(call.number).job else {
            return Answer::Unknown; // nothing was accepted that could be asked about
        };
        match what {
            What::Again { .. } | What::Cancel => cancelled(engine.cancel(id).await),
            What::CancelByKey => cancelled(engine.cancel_call(dedupe(call.number, true).key).await),
            What::CancelByName(name) => cancelled(engine.cancel_call(name_of(call.number, name)).await),
            What::Name(name) => self.name(call, name).await,
            What::CancelOrSay => said(engine.cancel_or_say(id).await),
            What::Stop => acted(&engine.stop(id).await),
            What::Replay => acted(&engine.replay(id).await),
            What::ReplayAll => replayed(engine).await,
            What::List => listed(engine).await,
            What::Show => done(engine.show(id).await),
        }
    }
}

/// Drops `future` when it was polled so often and has no answer yet.
async fn within_polls<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn new_job(call: &NewCall, id: JobId, same_arguments: bool, clock: &Clock) -> NewJob {
    let target = call.receiver.map(|receiver| Target {
        url: url(receiver),
        named_by: if receiver == 0 {
            NamedBy::Default
        } else {
            NamedBy::Session
        },
        secret: None,
    });
    NewJob {
        id,
        at: clock.now(),
        call: Call {
            server: SERVERS[usize::from(call.server)].to_owned(),
            request_id: format!("call {}", call.number),
            client: format!("client {}", call.client),
            timeout: call.timeout,
            on_interruption: if call.repeats {
                OnInterruption::Retry
            } else {
                OnInterruption::Fail
            },
            target,
            retry: Retry::Exponential {
                retries: call.retries,
                initial: Duration::from_secs(1),
                max: Duration::from_mins(1),
                jitter_percent: 20,
            },
            ..sender::tests::call()
        },
        params: bodies::arguments(call.arguments),
        names: Vec::new(),
        dedupe: dedupe(call.number, same_arguments),
        max_pending: call.max_pending,
        max_queued: 20,
        kept_longer: Duration::ZERO,
    }
}

fn dedupe(call: Number, same_arguments: bool) -> Dedupe {
    Dedupe {
        key: [call; 32],
        fingerprint: [u8::from(same_arguments); 32],
    }
}

/// Some names are those of several calls.
fn name_of(call: Number, name: u8) -> [u8; 32] {
    let mut bytes = [255; 32];
    bytes[0] = call % 4;
    bytes[1] = name;
    bytes
}

fn cancelled(cancelled: Result<bool, store::Error>) -> Answer {
    cancelled.map_or(Answer::StoreFailed, Answer::Cancelled)
}

fn said(said: Result<Job, ActError>) -> Answer {
    match said {
        Ok(_) => Answer::Cancelled(true),
        Err(ActError::Impossible(_)) => Answer::Cancelled(false),
        other => acted(&other),
    }
}

fn acted(acted: &Result<Job, ActError>) -> Answer {
    match acted {
        Ok(_) => Answer::Moved,
        Err(ActError::Unknown) => Answer::Unknown,
        Err(ActError::Evicted) => Answer::Impossible(Stage::Dead),
        Err(ActError::Impossible(stage)) => Answer::Impossible(*stage),
        Err(ActError::Store(_)) => Answer::StoreFailed,
    }
}

fn done<T>(done: Result<T, store::Error>) -> Answer {
    done.map_or(Answer::StoreFailed, |_| Answer::Done)
}

async fn replayed(engine: &Engine) -> Answer {
    let replayed = engine.replay_all(&Query::default(), None, 100).await;
    replayed.map_or(Answer::StoreFailed, |replayed| Answer::Count(replayed.changed))
}

async fn listed(engine: &Engine) -> Answer {
    let page = Page {
        order: Order::Oldest,
        after: None,
        limit: 100,
    };
    let listing = engine.list(&Query::default(), page).await;
    listing.map_or(Answer::StoreFailed, |listing| Answer::Count(listing.jobs.len()))
}
