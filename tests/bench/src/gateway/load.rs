//! Calls on many connections: as many as come back, or so many a second.
//!
//! Each connection is a client of its own, from an address of its own, with a session where the era has them. Invariant:
//! an answer that is not the result of a call is an error, and ends the measurement.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use super::form::Form;
use crate::load::percentiles;
use crate::measure::precise;
use crate::usage::Usage;
use crate::wire::Wire;

/// What passes before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// What came out.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) per_second: f64,
    /// p50, p95 and p99, in ms.
    pub(super) took: [f64; 3],
    /// CPU of the measured process per call, in us.
    pub(super) cpu: f64,
}

/// The clients.
pub(super) struct Load {
    form: Form,
    clients: Vec<Client>,
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    session: String,
}

impl Load {
    pub(super) async fn open(form: Form, port: u16, connections: usize) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::open(form, port).await?);
        }
        Ok(Self { form, clients })
    }

    /// Each client calls again when it has its answer; `pid` is the process that is measured.
    pub(super) async fn full(self, pid: u32, time: Duration) -> Result<Figures> {
        self.run(time, Some(pid), None).await
    }

    /// All clients together call `rate` times a second; a call that is late counts from when it was due.
    pub(super) async fn paced(self, rate: f64, time: Duration) -> Result<Figures> {
        let gap = Duration::from_secs_f64(precise(self.clients.len() as u64) / rate.max(1.0));
        self.run(time, None, Some(gap)).await
    }

    async fn run(self, time: Duration, pid: Option<u32>, gap: Option<Duration>) -> Result<Figures> {
        let now = Instant::now();
        let from = now + WARM_UP;
        let to = from + time;
        let mut running = JoinSet::new();
        let count = u32::try_from(self.clients.len())?;
        for (number, client) in (0..).zip(self.clients) {
            let first = gap.map(|gap| now + gap * number / count);
            running.spawn(client.calls(self.form, (from, to), first.zip(gap)));
        }
        let used = async {
            let before = reading(pid, from).await?;
            anyhow::Ok(reading(pid, to).await?.saturating_sub(before))
        };
        let used = used.await?;
        let times: Result<Vec<Vec<Duration>>> = running.join_all().await.into_iter().collect();
        let times = times?.concat();
        let calls = precise(times.len() as u64);
        Ok(Figures {
            per_second: calls / time.as_secs_f64(),
            took: percentiles(times),
            cpu: used.as_secs_f64() * 1e6 / calls,
        })
    }
}

/// The CPU time of the process at that moment.
async fn reading(pid: Option<u32>, at: Instant) -> Result<Duration> {
    tokio::time::sleep_until(at.into()).await;
    pid.map_or(Ok(Duration::ZERO), |pid| Ok(Usage::of(pid)?.cpu))
}

impl Client {
    pub(super) async fn open(form: Form, port: u16) -> Result<Self> {
        let mut wire = Wire::connect_from(address(), port).await?;
        let mut session = String::new();
        if !form.is_modern {
            wire.send(&Form::initialize()).await?;
            let answer = wire.response().await?;
            let id = answer.header("mcp-session-id");
            session = id
                .with_context(|| format!("no session: {:?}", answer.body))?
                .to_owned();
            wire.send(&Form::initialized(&session)).await?;
            wire.response().await?;
        }
        Ok(Self { wire, session })
    }

    /// The session's id.
    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// One call.
    pub(super) async fn call(&mut self, form: Form, tool: &str, id: u64) -> Result<()> {
        self.wire.send(&form.call(tool, id, &self.session)).await?;
        let answer = self.wire.response().await?;
        ensure!(
            form.is_answer(&answer),
            "not the result of a call: {:?} {:?}",
            answer.head,
            answer.body
        );
        Ok(())
    }

    /// How long those took that ended between `from` and `to`.
    async fn calls(
        mut self,
        form: Form,
        (from, to): (Instant, Instant),
        pace: Option<(Instant, Duration)>,
    ) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for id in 1.. {
            let mut began = Instant::now();
            if let Some((first, gap)) = pace {
                began = first + gap * u32::try_from(id)?;
                tokio::time::sleep_until(began.into()).await;
            }
            self.call(form, "work", id).await?;
            let ended = Instant::now();
            if ended >= to {
                break;
            }
            if ended >= from {
                times.push(ended - began);
            }
        }
        Ok(times)
    }
}

/// A loopback address that no other client has.
pub(super) fn address() -> Ipv4Addr {
    static CLIENTS: AtomicU32 = AtomicU32::new(1);
    let [_, high, middle, low] = CLIENTS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, high.wrapping_add(1), middle, low)
}
