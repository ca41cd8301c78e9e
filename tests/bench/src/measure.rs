//! One side of the comparison, from its start to its figures.
//!
//! Invariant: both sides go through the same steps with the same client and the same receivers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;

use crate::book::Book;
use crate::client::Session;
use crate::load::{Delivery, Load, WARM_UP, percentiles, within};
use crate::receivers::Receivers;
use crate::subject::Subject;
use crate::usage::{self, Usage};

/// Calls a second of the paced load.
pub(crate) const RATE: u32 = 200;
/// How long the first acknowledgement after a restart may take.
const RESTART: Duration = Duration::from_mins(1);

/// What came out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// At full load.
    pub(crate) per_second: f64,
    /// From acceptance to delivery at [`RATE`]: p50, p95, p99 in ms.
    pub(crate) paced: [f64; 3],
    /// The same at full load.
    pub(crate) full: [f64; 3],
    /// From the call to its acknowledgement at [`RATE`]: p50, p95, p99 in ms.
    pub(crate) acknowledged: [f64; 3],
    /// Deliveries a second at [`RATE`]: fewer, where that is too much.
    pub(crate) paced_per_second: f64,
    /// CPU of the process at [`RATE`], in us.
    pub(crate) paced_cpu: f64,
    /// And at full load.
    pub(crate) cpu: f64,
    /// Bytes written per delivery at full load.
    pub(crate) written: f64,
    /// Commits per delivery at full load.
    pub(crate) commits: f64,
    /// Bytes.
    pub(crate) memory: f64,
    /// From SIGKILL to the first acknowledgement, in ms.
    pub(crate) restart: f64,
    /// Calls of which nothing was delivered, deliveries that came twice, and ones that were badly signed.
    pub(crate) flaws: f64,
}

/// A side under load.
pub(crate) struct Side {
    subject: Subject,
    receivers: Receivers,
    load: Load,
    /// How long each load is measured.
    time: Duration,
    /// Calls under way at full load.
    lanes: usize,
}

/// What one load did.
struct Run {
    deliveries: Vec<Delivery>,
    cpu: f64,
    written: f64,
    commits: f64,
}

impl Side {
    /// Opens a session for each of `receivers`.
    pub(crate) async fn new(
        subject: Subject,
        receivers: Receivers,
        book: Book,
        (time, lanes): (Duration, usize),
    ) -> Result<Self> {
        let sessions = sessions(&subject, &receivers).await?;
        Ok(Self {
            subject,
            receivers,
            load: Load {
                sessions: sessions.into(),
                book,
            },
            time,
            lanes,
        })
    }

    /// Measures all there is.
    pub(crate) async fn figures(mut self) -> Result<Figures> {
        let paced = self
            .run(|load, end| async move { load.paced(RATE, end).await })
            .await?;
        let lanes = self.lanes;
        let full = self
            .run(|load, end| async move { load.full(lanes, end).await })
            .await?;
        let took = |run: &Run| percentiles(run.deliveries.iter().map(|one| one.took).collect());
        let acknowledged = paced.deliveries.iter().map(|one| one.acknowledged);
        let book = self.load.book.clone();
        let flaws = book.repeated() + book.missing() as u64 + self.receivers.badly_signed();
        let memory = usage::peak_memory(self.subject.pid())?;
        Ok(Figures {
            per_second: count(&full) / self.time.as_secs_f64(),
            paced: took(&paced),
            full: took(&full),
            acknowledged: percentiles(acknowledged.collect()),
            paced_per_second: count(&paced) / self.time.as_secs_f64(),
            paced_cpu: paced.cpu,
            cpu: full.cpu,
            written: full.written,
            commits: full.commits,
            memory: precise(memory),
            restart: self.restart().await?.as_secs_f64() * 1e3,
            flaws: precise(flaws),
        })
    }

    /// One load, with what the process used meanwhile.
    async fn run<F>(&self, load: impl FnOnce(Load, Instant) -> F) -> Result<Run>
    where
        F: Future<Output = Result<Vec<Delivery>>> + Send + 'static,
    {
        let from = Instant::now() + WARM_UP;
        let to = from + self.time;
        let running = tokio::spawn(load(self.load.clone(), to));
        let before = self.reading(from).await?;
        let after = self.reading(to).await?;
        let deliveries = within(running.await??, from, to);
        let each = |used: f64| used / precise(after.delivered - before.delivered);
        Ok(Run {
            cpu: each(after.usage.cpu.saturating_sub(before.usage.cpu).as_secs_f64() * 1e6),
            written: each(precise(after.usage.written - before.usage.written)),
            commits: each(after.commits - before.commits),
            deliveries,
        })
    }

    async fn reading(&self, at: Instant) -> Result<Reading> {
        tokio::time::sleep_until(at.into()).await;
        Ok(Reading {
            usage: Usage::of(self.subject.pid())?,
            delivered: self.load.book.count(),
            commits: self
                .subject
                .metric("asyncmcp_store_commit_batch_size_count")
                .await?,
        })
    }

    /// Kills the process and starts it again; how long until it acknowledges a call.
    async fn restart(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.subject.restart()?;
        self.load.sessions.iter().for_each(|session| session.disconnect());
        let first = async { while self.one_more().await.is_err() {} };
        let in_time = tokio::time::timeout(RESTART, first).await;
        in_time.context("no call is acknowledged after a restart")?;
        Ok(began.elapsed())
    }

    /// One call, on a session of before where that still stands.
    async fn one_more(&self) -> Result<()> {
        let (id, _) = self.load.book.open();
        if self.load.sessions[0].call(id).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (port, kind) = (self.subject.port, self.subject.acknowledgement);
        let session = Session::open(port, self.receivers.ports[0], kind).await?;
        session.call(id).await?;
        Ok(())
    }
}

/// A look at the process.
struct Reading {
    usage: Usage,
    delivered: u64,
    commits: f64,
}

/// A session for each of `receivers`.
pub(crate) async fn sessions(
    subject: &Subject,
    receivers: &Receivers,
) -> Result<Vec<std::sync::Arc<Session>>> {
    let open = |port: &u16| Session::open(subject.port, *port, subject.acknowledgement);
    try_join_all(receivers.ports.iter().map(open)).await
}

fn count(run: &Run) -> f64 {
    precise(run.deliveries.len() as u64)
}

/// Counts here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn precise(count: u64) -> f64 {
    count as f64
}
