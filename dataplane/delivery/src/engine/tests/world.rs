//! An engine with scripted surroundings.
//!
//! A call's tool name is the server's script (see [`Servers`]); a receiver's script is set per URL
//! (see [`Receivers`]).

use std::sync::atomic::{AtomicU32, Ordering};

pub(super) use asyncmcp_fakes::eventually;
use bytes::Bytes;

use super::super::*;
use super::flaky::Flaky;
pub(super) use super::receivers::{Receivers, Reply};
pub(super) use super::servers::Servers;
use crate::clock::Millis;
use crate::job::{Call, Change, Dedupe, Job, OnInterruption, Retry, Step, Target};
use crate::sender;
use crate::store::roles::*;

/// When every test begins.
pub(super) const START: Millis = Millis(1_800_000_000_000);

/// How long a test waits, in virtual time where its clock is paused.
pub(super) const AN_HOUR: Duration = Duration::from_hours(1);

/// An engine that is not started yet, and everything around it.
pub(super) struct World {
    pub(super) store: Arc<Flaky>,
    pub(super) servers: Arc<Servers>,
    pub(super) receivers: Arc<Receivers>,
    pub(super) policy: watch::Sender<Arc<Policy>>,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    made: AtomicU32,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose route differs from the usual one: server `s` with room for 16, `t` with 2; 8 in
    /// flight per receiver; no expiry to speak of.
    pub(super) fn with(edit: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = sender::tests::policy();
        policy.servers = [("s".to_owned(), 16), ("t".to_owned(), 2)].into();
        policy.max_running = 256;
        edit(&mut policy);
        Self {
            store: Arc::new(Flaky::default()),
            servers: Arc::default(),
            receivers: Arc::default(),
            policy: watch::Sender::new(Arc::new(policy)),
            registry: Registry::new(),
            clock: Clock::at(START),
            made: AtomicU32::new(0),
        }
    }

    /// The same world for the next process.
    pub(super) fn after(self) -> Self {
        Self {
            registry: Registry::new(),
            ..self
        }
    }

    /// Starts the engine; the rng always returns the middle, so that jitter is nil.
    pub(super) fn start(&self) -> Engine {
        let sender: Arc<dyn sender::Sender> = Arc::clone(&self.receivers) as _;
        self.start_with(sender)
    }

    pub(super) fn start_with(&self, sender: Arc<dyn sender::Sender>) -> Engine {
        self.store.restart();
        let parts = Parts {
            store: Arc::clone(&self.store) as _,
            executor: Arc::clone(&self.servers) as _,
            sender,
            policy: self.policy.subscribe(),
            clock: self.clock.clone(),
            rng: Arc::new(|| 0.5),
        };
        Engine::start(parts, &self.registry).unwrap()
    }

    /// A call of `tool` on server `s`, to be delivered to `http://r/`, with three retries from 1 s.
    pub(super) fn job(&self, tool: &str) -> NewJob {
        let number = self.made.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let (mut random, mut key) = ([0; 10], [0; 32]);
        random[6..].copy_from_slice(&number);
        key[..4].copy_from_slice(&number);
        NewJob {
            id: JobId::new(self.clock.now(), random),
            at: self.clock.now(),
            call: Call {
                server: "s".to_owned(),
                tool: tool.to_owned(),
                shown_as: tool.to_owned(),
                on_interruption: OnInterruption::Fail,
                target: Some(Target {
                    url: "http://r/".to_owned(),
                    named_by: NamedBy::Session,
                    secret: None,
                }),
                retry: retries(3),
                ..sender::tests::call()
            },
            params: Bytes::from_static(b"{}"),
            dedupe: Dedupe {
                key,
                fingerprint: [0; 32],
            },
            names: Vec::new(),
            max_pending: u64::MAX,
            max_queued: u64::MAX,
            kept_longer: Duration::ZERO,
        }
    }

    /// Accepts a job straight into the store and takes these steps, as an earlier process might have.
    pub(super) async fn left_behind(&self, new: NewJob, changes: Vec<Change>) -> JobId {
        let (id, store) = (new.id, self.store.inner());
        store.accept(new).await.unwrap();
        for change in changes {
            let step = Step::any(store.owner(), vec![change], self.clock.now());
            let applied = store.apply(id, step).await.unwrap();
            assert!(applied.job().is_some(), "the steps follow the table");
        }
        id
    }

    pub(super) async fn look(&self, id: JobId) -> Job {
        self.store.job(id).await.unwrap().unwrap()
    }

    /// The job, once nothing more happens to it by itself.
    pub(super) async fn settled(&self, id: JobId) -> Job {
        self.once(id, |job| job.state.is_settled()).await
    }

    /// The job, once `check` holds.
    pub(super) async fn once(&self, id: JobId, check: impl Fn(&Job) -> bool) -> Job {
        eventually(AN_HOUR, async || Some(self.look(id).await).filter(&check)).await
    }

    /// A counter's value.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters here hold small whole numbers"
    )]
    pub(super) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect(name);
        let metric = family.get_metric().iter().find(|metric| {
            labels.iter().all(|(label, value)| {
                let mut pairs = metric.get_label().iter();
                pairs.any(|pair| pair.name() == *label && pair.value() == *value)
            })
        });
        let metric = metric.unwrap_or_else(|| panic!("no {name} with {labels:?}"));
        metric.get_counter().get_value() as u64
    }

    /// A gauge's value.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "gauges here hold small whole numbers"
    )]
    pub(super) fn gauge(&self, name: &str) -> i64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect(name);
        family.get_metric()[0].get_gauge().get_value() as i64
    }

    /// The reported age of the oldest job in a state, in seconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it holds a small whole number here"
    )]
    pub(super) fn oldest(&self, state: &str) -> i64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "asyncmcp_oldest_pending_seconds");
        let mut metrics = family.expect("it is registered").get_metric().iter();
        let metric = metrics.find(|metric| metric.get_label()[0].value() == state);
        metric.expect(state).get_gauge().get_value() as i64
    }

    pub(super) fn change_policy(&self, edit: impl FnOnce(&mut Policy)) {
        self.policy.send_modify(|policy| edit(Arc::make_mut(policy)));
    }
}

/// `n` retries after 1, 2, 4... seconds.
pub(super) fn retries(n: u32) -> Retry {
    Retry::Exponential {
        retries: n,
        initial: Duration::from_secs(1),
        max: Duration::from_mins(10),
        jitter_percent: 20,
    }
}

/// The call as a client of this name would make it.
pub(super) fn by(client: &str, mut job: NewJob) -> NewJob {
    job.call.client = client.to_owned();
    job
}

/// The call, delivered to `url`.
pub(super) fn to(url: &str, mut job: NewJob) -> NewJob {
    job.call.target.as_mut().unwrap().url = url.to_owned();
    job
}

/// The call on this server.
pub(super) fn on(server: &str, mut job: NewJob) -> NewJob {
    job.call.server = server.to_owned();
    job
}

/// The call of a tool that may run again.
pub(super) fn repeatable(mut job: NewJob) -> NewJob {
    job.call.on_interruption = OnInterruption::Retry;
    job
}

/// How a job ended and what became of its delivery, in words.
pub(super) fn fate(job: &Job) -> (&'static str, &'static str) {
    use crate::state::{Exec, Push};
    let exec = match job.state.exec {
        Exec::Queued => "queued",
        Exec::Running => "running",
        Exec::Ended(end) => end.as_str(),
    };
    let push = match job.state.push {
        Push::None => "none",
        Push::Due => "due",
        Push::Sending => "sending",
        Push::Delivered => "delivered",
        Push::Dead(category) => category.as_str(),
        Push::Stopped => "stopped",
    };
    (exec, push)
}
