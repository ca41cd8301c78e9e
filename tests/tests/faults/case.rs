//! One row of the table of faults: a receiver, and what must come of one call whose result goes there.
//!
//! [`crate::table`] writes the rows, [`hold`] plays one. Invariant: whatever a receiver does, the process grows by less
//! than a fixed amount, and what it was sent is one delivery.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::process::free_port;
use asyncmcp_tests::receiver::{Answer, Receiver, following};
use asyncmcp_tests::session::Session;
use rustls::ServerConfig;

use crate::ending::{Setting, Stage, TIGHT, are_one_delivery};
use crate::names::{self, FROM_CLIENTS};

/// What sockets on both sides may hold of an answer, and more than the process may grow by.
const A_LITTLE: u64 = 16 << 20;
/// The name in certificates that hold.
const NAME: &str = "localhost";

/// A receiver, and how the data plane knows it.
pub(crate) enum Given {
    /// The route's receiver is a port on which nobody listens.
    Nobody,
    /// The route's receiver follows this script.
    Receiver {
        script: Vec<Answer>,
        timeout: Option<Duration>,
        /// How long the second attempt must wait for.
        wait: Duration,
    },
    /// The route's receiver takes everything over TLS.
    Tls(Certificate),
    /// The route's receiver is to speak TLS and speaks as a mail server does.
    NoTls,
    /// The client's receiver, under this host, on a route that lets clients name what [`FROM_CLIENTS`] says.
    Named(&'static str),
    /// The route's own receiver, under this host.
    Route(&'static str),
}

/// A receiver's certificate.
#[derive(Clone, Copy)]
pub(crate) enum Certificate {
    Valid,
    Expired,
    OfAnotherHost,
    OfAnUnknownAuthority,
}

/// What the client was told.
pub(crate) enum Told {
    /// Its call was accepted; of its delivery it hears no more.
    Accepted,
    /// The receiver that it named was refused by this rule, and nothing was accepted.
    Refused(&'static str),
}

/// The attempts.
pub(crate) struct Story {
    /// As `Attempt::summary` has them.
    attempts: Vec<String>,
    /// The rule of the egress policy that ended it.
    rule: Option<&'static str>,
}

impl Story {
    fn of(attempts: impl Into<Vec<String>>) -> Self {
        Self {
            attempts: attempts.into(),
            rule: None,
        }
    }
}

/// Follows `script`.
pub(crate) fn does(script: impl Into<Vec<Answer>>) -> Given {
    Given::Receiver {
        script: script.into(),
        timeout: None,
        wait: Duration::ZERO,
    }
}

/// Does this each time, longer than an attempt may take.
pub(crate) fn stalls(fault: Answer) -> Given {
    Given::Receiver {
        script: vec![fault],
        timeout: Some(TIGHT),
        wait: Duration::ZERO,
    }
}

/// Answers this status.
pub(crate) fn answers(status: u16) -> Given {
    does([Answer::status(status)])
}

/// Answers this status with this header, each time.
pub(crate) fn answers_with(status: u16, header: &str) -> Given {
    does([Answer::with(status, header)])
}

/// Does this once, then takes everything, which may not be before `wait` has passed.
pub(crate) fn once(fault: Answer, wait: Duration) -> Given {
    Given::Receiver {
        script: vec![fault, Answer::status(200)],
        timeout: None,
        wait,
    }
}

/// Answers this status and `Retry-After: value`, then takes everything after `wait`.
pub(crate) fn busy(status: u16, value: &str, wait: Duration) -> Given {
    once(Answer::with(status, &format!("retry-after: {value}")), wait)
}

/// Delivered at once, with this answer.
pub(crate) fn taken(status: u16) -> Story {
    Story::of([format!("delivered {status}")])
}

/// Dead after the first attempt.
pub(crate) fn dead(why: &str) -> Story {
    Story::of([format!("dead {why}")])
}

/// Dead before anything was sent, by this rule of the egress policy.
pub(crate) fn blocked(rule: &'static str) -> Story {
    Story {
        rule: Some(rule),
        ..dead("blocked")
    }
}

/// Dead after all attempts that the route allows.
pub(crate) fn given_up(why: &str) -> Story {
    let retry = format!("retry {why}");
    Story::of([retry.clone(), retry, format!("dead {why}")])
}

/// Failed once, then delivered.
pub(crate) fn repeated(why: &str) -> Story {
    Story::of([format!("retry {why}"), "delivered 200".to_owned()])
}

/// Nothing was sent, nothing accepted.
pub(crate) fn nothing() -> Story {
    Story::of([])
}

/// A stage with a receiver beside it; the host that the client names, if it names one.
struct Scene {
    stage: Stage,
    receiver: Option<Receiver>,
    named: Option<String>,
}

impl Scene {
    async fn of(given: &Given) -> Result<Self> {
        match given {
            Given::Nobody => {
                let nowhere = format!("http://127.0.0.1:{}/hook", free_port()?);
                Ok(Self::around(None, Stage::open(&nowhere).await?))
            }
            Given::Receiver { script, timeout, .. } => {
                let receiver = Receiver::start(following(script.clone())).await?;
                let url = receiver.url("/hook");
                let mut setting = Setting::of(&url);
                setting.timeout = timeout.unwrap_or(setting.timeout);
                let stage = Stage::open_as(setting, |_| Ok(Launch::default())).await?;
                Ok(Self::around(Some(receiver), stage))
            }
            Given::Tls(certificate) => Self::over_tls(*certificate).await,
            Given::NoTls => {
                let receiver = Receiver::start(following([Answer::Noise])).await?;
                let url = receiver.url_as(NAME).replace("http://", "https://");
                Ok(Self::around(Some(receiver), Stage::open(&url).await?))
            }
            Given::Named(host) => Self::under_a_name(host, true).await,
            Given::Route(host) => Self::under_a_name(host, false).await,
        }
    }

    fn around(receiver: Option<Receiver>, stage: Stage) -> Self {
        Self {
            stage,
            receiver,
            named: None,
        }
    }

    async fn over_tls(certificate: Certificate) -> Result<Self> {
        let trusted = Authority::new()?;
        let receiver =
            Receiver::start_at(certificate.by(&trusted)?, following([Answer::status(200)])).await?;
        let trusting = |dir: &Path| {
            let roots = dir.join("roots.pem");
            trusted.write(&roots)?;
            Ok(Launch {
                env: vec![("SSL_CERT_FILE".to_owned(), roots.display().to_string())],
                ..Launch::default()
            })
        };
        let stage = Stage::open_as(Setting::of(&receiver.url_as(NAME)), trusting).await?;
        Ok(Self::around(Some(receiver), stage))
    }

    async fn under_a_name(host: &str, by_client: bool) -> Result<Self> {
        let receiver = Receiver::willing().await?;
        let url = receiver.url_as(host);
        let by_address = receiver.url("/hook");
        let setting = Setting {
            from_clients: FROM_CLIENTS,
            ..Setting::of(if by_client { &by_address } else { &url })
        };
        let stage = Stage::open_as(setting, names::launch).await?;
        Ok(Self {
            stage,
            receiver: Some(receiver),
            named: by_client.then_some(url),
        })
    }

    /// The client is refused, for this reason, and nobody is sent anything.
    async fn refuses(&self, rule: &str) -> Result<()> {
        let named = self.named.as_deref();
        let said = Session::open(&self.stage.gateway.url(), named).await.err();
        let said = said.map(|error| error.to_string()).unwrap_or_default();
        ensure!(said.contains("-31005"), "not refused: {said}");
        self.is_blocked_by(rule).await
    }

    async fn is_blocked_by(&self, rule: &str) -> Result<()> {
        let labels = [("rule", rule)];
        let counts = self.stage.counts("asyncmcp_egress_blocked_total", &labels, 1);
        counts.await?;
        let connections = self.receiver.as_ref().map_or(0, Receiver::connections);
        ensure!(connections == 0, "{connections} connections");
        Ok(())
    }

    /// One request per attempt that came so far, and the memory of one attempt.
    fn check(&self, given: &Given, story: &[&str], before: u64) -> Result<()> {
        let grown = self.stage.peak_memory()? - before;
        ensure!(grown < A_LITTLE, "memory grew by {grown} bytes");
        let Some(receiver) = &self.receiver else {
            return Ok(());
        };
        let seen = receiver.posts();
        are_one_delivery(&seen)?;
        let expected = requests(given, story);
        ensure!(seen.len() == expected, "{} requests", seen.len());
        let flooded = receiver.flooded();
        ensure!(u64::try_from(flooded)? < A_LITTLE, "{flooded} bytes were taken");
        if let (Given::Receiver { wait, .. }, [first, second, ..]) = (given, &seen[..]) {
            let waited = second.at - first.at;
            ensure!(waited >= *wait, "came again after {waited:?}");
        }
        Ok(())
    }
}

impl Certificate {
    fn by(self, trusted: &Authority) -> Result<Arc<ServerConfig>> {
        match self {
            Self::Valid => trusted.server(NAME),
            Self::Expired => trusted.expired_server(NAME),
            Self::OfAnotherHost => trusted.server("elsewhere.example.com"),
            Self::OfAnUnknownAuthority => Authority::new()?.server(NAME),
        }
    }
}

/// Plays one row.
pub(crate) async fn hold(given: Given, story: Story, told: Told) -> Result<()> {
    let rule = story.rule;
    let story: Vec<_> = story.attempts.iter().map(String::as_str).collect();
    let scene = Scene::of(&given).await?;
    let before = scene.stage.peak_memory()?;
    let began = Instant::now();
    match told {
        Told::Refused(rule) => scene.refuses(rule).await?,
        Told::Accepted => {
            scene.stage.call(scene.named.as_deref()).await?;
            scene.stage.ends_as(&story).await?;
        }
    }
    if let Some(rule) = rule {
        scene.is_blocked_by(rule).await?;
    }
    if let Given::Receiver {
        timeout: Some(timeout),
        ..
    } = &given
    {
        let took = began.elapsed();
        ensure!(took >= *timeout * 3, "given up after {took:?}");
    }
    scene.check(&given, &story, before)
}

/// How many requests a receiver sees: one that is refused, or not trusted, sees none.
fn requests(given: &Given, story: &[&str]) -> usize {
    match given {
        Given::Receiver { .. } => story.len(),
        _ => story
            .iter()
            .filter(|attempt| attempt.starts_with("delivered"))
            .count(),
    }
}
