//! One attempt: a POST to a receiver, and its result.
//!
//! The engine calls [`Sender::send`]; [`HttpSender`] is the real one. What is retried, and when, is decided elsewhere.
//! Invariant: the request goes to the URL that the egress rules allowed and nowhere else (no proxy, no redirect), the
//! answer's head alone decides, and a receiver can cost neither more time than `webhook.timeout` nor more memory than
//! 16 KiB.

mod clients;
mod headers;
mod reused;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout};

use self::clients::{Clients, Connections};
use self::reused::Answered;
use crate::clock::Millis;
use crate::egress::resolver::Lookup;
use crate::egress::{Allowed, Refusal};
use crate::job::{Call, Job, Target, Trace};
use crate::policy::Policy;
use crate::schedule;
use crate::state::{Category, Fault};
use crate::verdict::{self, Directive, Verdict};

/// How much of a response's body is read, so that the connection can be reused; the rest is dropped.
const BODY_LIMIT: usize = 16 * 1024;
/// How long it is read.
const BODY_TIME: Duration = Duration::from_millis(250);

/// What one attempt sends.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The job's header, its attempt claimed.
    pub job: &'a Job,
    /// Its snapshot.
    pub call: &'a Call,
    /// The receiver.
    pub target: &'a Target,
    /// What is sent, byte for byte.
    pub body: &'a Bytes,
    /// The attempt's time.
    pub at: Millis,
    /// When the call ended, as it is shown.
    pub ended: Millis,
    /// The attempt's trace context.
    pub trace: &'a Trace,
    /// The policy in force.
    pub policy: &'a Policy,
    /// What it brings.
    pub kind: Kind,
}

/// What an attempt brings to a receiver, as the `ce-type` of its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The result of a call.
    Result,
    /// Nothing but proof that webhooks arrive: a person asked for it.
    Test,
}

impl Kind {
    /// The `ce-type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Result => "dev.asyncmcp.tool.result.v1",
            Self::Test => "dev.asyncmcp.test.v1",
        }
    }
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The answer's status; `None` if there was no answer.
    pub status: Option<u16>,
    /// What follows from it.
    pub verdict: Verdict,
    /// How long the receiver asked to wait (`Retry-After`); as long as the policy allows if it disables itself.
    pub retry_after: Option<Duration>,
    /// The receiver asked for no attempt of any message (`webhook-delivery: disable`).
    pub disables: bool,
    /// How long it took.
    pub duration: Duration,
}

/// Sends webhooks.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Makes one attempt. Never waits longer than the policy's attempt timeout.
    async fn send(&self, post: Post<'_>) -> Attempt;
}

/// [`Sender`] over HTTP.
pub struct HttpSender {
    clients: Clients,
    answered: Answered,
}

/// Why there is no response.
enum Failure {
    Refused(Refusal),
    NoClient,
    Timeout,
    ResolverTimeout,
    Http(reqwest::Error),
}

struct ReceiverAnswer {
    verdict: Verdict,
    status: Option<u16>,
    retry_after: Option<Duration>,
    disables: bool,
}

impl HttpSender {
    /// A sender that resolves names with `lookup`. Needs a process-wide rustls provider.
    pub fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            clients: Clients::new(lookup),
            answered: Answered::default(),
        }
    }

    /// The client and the URL. Not part of the attempt's time: a new client takes a while to read its CA certificates,
    /// which is not the receiver's fault.
    fn prepare(&self, post: &Post<'_>) -> Result<(Client, Allowed), Failure> {
        let checked = post
            .policy
            .egress
            .check_url(post.target.named_by, &post.target.url);
        let allowed = checked.map_err(Failure::Refused)?;
        Ok((self.client(post, Connections::Kept)?, allowed))
    }

    fn client(&self, post: &Post<'_>, connections: Connections) -> Result<Client, Failure> {
        let client = self
            .clients
            .get(&post.policy.egress, post.target.named_by, connections);
        client.map_err(|error| {
            tracing::error!(target: "asyncmcp::delivery", %error, "failed to create an HTTP client");
            Failure::NoClient
        })
    }

    async fn attempt(
        &self,
        post: &Post<'_>,
        client: &Client,
        allowed: &Allowed,
    ) -> Result<ReceiverAnswer, Failure> {
        let deadline = Instant::now() + post.policy.attempt_timeout;
        let exchange = self.exchange(post, client, allowed);
        tokio::pin!(exchange);
        let in_time = tokio::time::timeout_at(deadline, &mut exchange).await;
        // A lookup that hangs is in progress until the exchange is dropped.
        let response = in_time.unwrap_or_else(|_elapsed| {
            let name = allowed.url().host_str().unwrap_or_default();
            Err(if self.clients.is_looking_up(name) {
                Failure::ResolverTimeout
            } else {
                Failure::Timeout
            })
        })?;
        self.answered.note(&response);
        let answer = ReceiverAnswer::of(&response, post.at, post.policy.retry_after_max);
        drain(response, BODY_TIME.min(deadline - Instant::now())).await;
        Ok(answer)
    }

    /// Returns at the response's head. A receiver may close an idle connection at the moment at which it is used again;
    /// that says nothing about the receiver, so the request is sent once more on a new connection. If it was received
    /// after all, the receiver recognises it by its `webhook-id`.
    async fn exchange(
        &self,
        post: &Post<'_>,
        client: &Client,
        allowed: &Allowed,
    ) -> Result<Response, Failure> {
        let began = Instant::now();
        match request(post, client, allowed).await {
            Err(error) if self.answered.is_reused(&error, began) => {
                tracing::debug!(target: "asyncmcp::delivery", job = %post.job.id, %error,
                    "a reused connection failed; sending once more on a new one");
                let fresh = self.client(post, Connections::New)?;
                request(post, &fresh, allowed).await.map_err(Failure::Http)
            }
            response => response.map_err(Failure::Http),
        }
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, post: Post<'_>) -> Attempt {
        let prepared = self.prepare(&post);
        let started = Instant::now();
        let answer = match prepared {
            Ok((client, allowed)) => self.attempt(&post, &client, &allowed).await,
            Err(failure) => Err(failure),
        };
        let answer = answer.unwrap_or_else(|failure| ReceiverAnswer::none(failure.verdict()));
        Attempt {
            status: answer.status,
            verdict: answer.verdict,
            retry_after: answer.retry_after,
            disables: answer.disables,
            duration: started.elapsed(),
        }
    }
}

async fn request(post: &Post<'_>, client: &Client, allowed: &Allowed) -> reqwest::Result<Response> {
    let request = client
        .post(allowed.url().clone())
        .headers(headers::of(post, allowed));
    request.body(post.body.clone()).send().await
}

impl ReceiverAnswer {
    fn of(response: &Response, now: Millis, longest: Duration) -> Self {
        let directive = Directive::of(response.headers());
        let disables = directive == Some(Directive::Disable);
        let header = response.headers().get(RETRY_AFTER);
        let asked = header
            .and_then(|header| header.to_str().ok())
            .and_then(|header| schedule::retry_after(header, now));
        Self {
            verdict: verdict::of_answer(response.status(), directive),
            status: Some(response.status().as_u16()),
            retry_after: if disables { Some(longest) } else { asked },
            disables,
        }
    }

    fn none(verdict: Verdict) -> Self {
        Self {
            verdict,
            status: None,
            retry_after: None,
            disables: false,
        }
    }
}

impl Failure {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(refusal) => Verdict::Refused(*refusal),
            Self::NoClient => Verdict::Requeue(Fault::Client),
            Self::Timeout => Verdict::Retry(Category::Timeout),
            Self::ResolverTimeout => Verdict::Requeue(Fault::Resolver),
            Self::Http(error) => verdict::of_failure(error),
        }
    }
}

/// Reads the body as far as it is short and quick, so that the connection can be reused; else the connection is closed.
/// What the body is, or that it breaks off, changes nothing.
async fn drain(response: Response, time: Duration) {
    let status = response.status().as_u16();
    match timeout(time, read(response)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(target: "asyncmcp::delivery", status, %error, "the body of an answer broke off");
        }
        Err(_) => {
            tracing::debug!(target: "asyncmcp::delivery", status, "the body of an answer is slow; not read");
        }
    }
}

async fn read(mut response: Response) -> reqwest::Result<()> {
    let mut read = 0;
    while read < BODY_LIMIT {
        match response.chunk().await? {
            Some(chunk) => read += chunk.len(),
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
