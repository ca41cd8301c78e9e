//! Receivers that do what the plan says, and after the faults answer 200. They are behind no socket, unlike
//! `asyncmcp_fakes::receiver`, so that a world has a seed and nothing else.
//!
//! Invariant: an attempt is written down when it begins and when it is over, whatever ends it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::event::{AttemptEnd, Claim, Event};
use super::plan::{Number, OnReceiver, Weather};
use super::world::World;
use crate::egress::NamedBy;
use crate::policy::Policy;
use crate::sender::{Attempt, Post, Sender};
use crate::state::Category;
use crate::verdict::{self, Verdict};

/// See the module.
pub(super) struct Receivers(pub(super) Arc<World>);

/// One attempt in progress.
struct Exchange<'a> {
    world: &'a World,
    call: Number,
    claim: Claim,
    how: AttemptEnd,
}

pub(super) fn url(receiver: u8) -> String {
    format!("http://r{receiver}/")
}

impl Receivers {
    fn does(&self, call: Number, url_of: &str) -> OnReceiver {
        let planned = self.0.attempt(call);
        let weather = self.0.weather().find_map(|weather| match weather {
            Weather::ReceiverBusy(number) if url(number) == url_of => Some(status(503)),
            Weather::ReceiverHangs(number) if url(number) == url_of => Some(OnReceiver::Hangs),
            Weather::ReceiverRefuses { receiver, client } if url(receiver) == url_of => {
                self.is_of(call, client).then(|| status(431))
            }
            _ => None,
        });
        weather.or(planned).unwrap_or_else(|| status(200))
    }

    fn is_of(&self, call: Number, client: u8) -> bool {
        self.0.plan.call(call).is_some_and(|call| call.client == client)
    }
}

fn status(status: u16) -> OnReceiver {
    OnReceiver::Status {
        status,
        retry_after: None,
        takes: Duration::from_millis(1),
    }
}

/// What an attempt comes to, and after what time.
fn attempt(does: OnReceiver, policy: &Policy) -> Attempt {
    let none = |verdict, duration| Attempt {
        status: None,
        verdict,
        retry_after: None,
        disables: false,
        duration,
    };
    match does {
        OnReceiver::Status {
            status,
            retry_after,
            takes,
        } => Attempt {
            status: Some(status),
            verdict: verdict::of_status(http::StatusCode::from_u16(status).unwrap()),
            retry_after,
            disables: false,
            duration: takes,
        },
        OnReceiver::Fails { category, takes } => none(Verdict::Retry(category), takes),
        OnReceiver::IsRefused => none(refused(policy), Duration::ZERO),
        OnReceiver::IsOurFault(fault) => none(Verdict::Requeue(fault), Duration::ZERO),
        OnReceiver::Hangs => none(Verdict::Retry(Category::Timeout), policy.attempt_timeout),
        OnReceiver::Panics => std::panic::resume_unwind(Box::new("the plan says so")),
    }
}

fn refused(policy: &Policy) -> Verdict {
    let refusal = policy.egress.check_url(NamedBy::Session, "nowhere");
    Verdict::Refused(refusal.expect_err("it is not a URL"))
}

#[async_trait]
impl Sender for Receivers {
    async fn send(&self, post: Post<'_>) -> Attempt {
        self.0.alive().await;
        let call = self.0.number(post.job.id);
        let mut exchange = Exchange::begin(&self.0, call, &post);
        let attempt = attempt(self.does(call, &post.target.url), post.policy);
        tokio::time::sleep(attempt.duration).await;
        self.0.alive().await;
        exchange.how = AttemptEnd::Answered(attempt.verdict);
        attempt
    }
}

impl<'a> Exchange<'a> {
    fn begin(world: &'a World, call: Number, post: &Post<'_>) -> Self {
        world.change(call, |known| known.held += 1);
        let claim = Claim::of(post.job);
        world.note(Event::Posted {
            call,
            claim,
            body: post.body.clone(),
            signed: post.policy.can_send_to(post.target.named_by),
        });
        Self {
            world,
            call,
            claim,
            how: AttemptEnd::Dropped,
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let Self {
            world,
            call,
            claim,
            how,
        } = *self;
        if !world.is_dead() {
            world.change(call, |known| known.held -= 1);
            world.note(Event::AttemptOver { call, claim, how });
        }
    }
}
