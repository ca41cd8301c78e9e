//! One attempt: a POST to a receiver, and its result.
//!
//! The engine calls [`Sender::send`]; [`HttpSender`] is the real one. What is retried, and when, is decided elsewhere.
//! Invariant: the request goes to the URL that the egress rules allowed and nowhere else (no proxy, no redirect), and a
//! receiver can cost neither more time than `webhook.timeout` nor more memory than 16 KiB.

mod headers;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use reqwest::{Client, Response, redirect};
use tokio::time::Instant;

use crate::clock::Millis;
use crate::egress::resolver::{Guarded, Lookup, Lookups};
use crate::egress::{Allowed, NamedBy, Refusal, Rules};
use crate::job::{Call, Job, Target, Trace};
use crate::policy::Policy;
use crate::schedule;
use crate::state::{Category, Fault};
use crate::verdict::{self, Verdict};

/// How much of a response is read, so that the connection can be reused; the rest is dropped.
const ANSWER_LIMIT: usize = 16 * 1024;
/// How long an idle connection stays open: below the 5 s after which Node and uvicorn close theirs, since a webhook that
/// races with that is a failed attempt.
const IDLE: Duration = Duration::from_secs(4);

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
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The answer's status; `None` if there was no answer.
    pub status: Option<u16>,
    /// What follows from it.
    pub verdict: Verdict,
    /// How long the receiver asked to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
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
    lookup: Arc<dyn Lookup>,
    lookups: Lookups,
    clients: Mutex<Option<Clients>>,
}

/// One client, and so one connection pool, per kind of receiver. New egress rules get new ones, so that a reused
/// connection was dialled under the rules in force.
struct Clients {
    egress: Arc<Rules>,
    named_by_client: Client,
    default: Client,
}

/// Why there is no complete response.
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
}

impl HttpSender {
    /// A sender that resolves names with `lookup`. Needs a process-wide rustls provider.
    pub fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            lookups: Lookups::default(),
            clients: Mutex::new(None),
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
        Ok((self.client(&post.policy.egress, post.target.named_by)?, allowed))
    }

    async fn attempt(
        &self,
        post: &Post<'_>,
        client: &Client,
        allowed: &Allowed,
    ) -> Result<ReceiverAnswer, Failure> {
        let exchange = exchange(post, client, allowed);
        tokio::pin!(exchange);
        let in_time = tokio::time::timeout(post.policy.attempt_timeout, &mut exchange).await;
        // A lookup that hangs is in progress until the exchange is dropped.
        in_time.unwrap_or_else(|_elapsed| {
            let name = allowed.url().host_str().unwrap_or_default();
            Err(if self.lookups.contain(name) {
                Failure::ResolverTimeout
            } else {
                Failure::Timeout
            })
        })
    }

    fn client(&self, egress: &Rules, named_by: NamedBy) -> Result<Client, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.as_ref().is_none_or(|clients| *clients.egress != *egress) {
            *clients = Some(self.build(egress).map_err(|error| {
                tracing::error!(target: "asyncmcp::delivery", %error, "failed to create an HTTP client");
                Failure::NoClient
            })?);
        }
        let clients = clients.as_ref().expect("made above where there was none");
        Ok(match named_by {
            NamedBy::Session | NamedBy::Call => clients.named_by_client.clone(),
            NamedBy::Default => clients.default.clone(),
        })
    }

    fn build(&self, egress: &Rules) -> reqwest::Result<Clients> {
        let egress = Arc::new(egress.clone());
        let client = |named_by| {
            let lookup = Arc::clone(&self.lookup);
            let guard = Guarded::new(lookup, Arc::clone(&egress), named_by, self.lookups.clone());
            Client::builder()
                .dns_resolver(Arc::new(guard))
                // A frozen HTTP/2 connection would take every delivery to its host with it.
                .http1_only()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .pool_idle_timeout(IDLE)
                .build()
        };
        Ok(Clients {
            named_by_client: client(NamedBy::Session)?,
            default: client(NamedBy::Default)?,
            egress,
        })
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
            duration: started.elapsed(),
        }
    }
}

async fn exchange(post: &Post<'_>, client: &Client, allowed: &Allowed) -> Result<ReceiverAnswer, Failure> {
    let request = client
        .post(allowed.url().clone())
        .headers(headers::of(post))
        .body(post.body.clone());
    let response = request.send().await.map_err(Failure::Http)?;
    let answer = ReceiverAnswer::of(&response, post.at);
    match drained(response).await {
        // An incomplete 2xx is not a success: the receiver may have failed after the head. Sending again can at worst
        // make a duplicate, which receivers recognise by its id.
        Err(error) if answer.verdict == Verdict::Delivered => Err(Failure::Http(error)),
        _ => Ok(answer),
    }
}

impl ReceiverAnswer {
    fn of(response: &Response, now: Millis) -> Self {
        let header = response.headers().get(RETRY_AFTER);
        Self {
            verdict: verdict::of_status(response.status()),
            status: Some(response.status().as_u16()),
            retry_after: header
                .and_then(|header| header.to_str().ok())
                .and_then(|header| schedule::retry_after(header, now)),
        }
    }

    fn none(verdict: Verdict) -> Self {
        Self {
            verdict,
            status: None,
            retry_after: None,
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

/// Reads the response body up to the limit; the connection of a longer one is closed.
async fn drained(mut response: Response) -> reqwest::Result<()> {
    let mut read = 0;
    while read < ANSWER_LIMIT {
        match response.chunk().await? {
            Some(chunk) => read += chunk.len(),
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
