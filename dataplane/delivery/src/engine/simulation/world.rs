//! What all parts of a world share: its time, its plan, its store's content, and what happened.
//!
//! `disk`, `servers` and `receivers` ask it what the plan says, `process` moves it from one process to the next.
//! Invariant: once a process is dead nothing in it has an effect: whoever asks waits for ever, and nothing is
//! written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::dice::mix;
use super::event::{Event, Moment};
use super::plan::{Edit, Item, Number, OnDisk, OnReceiver, OnServer, Plan, Route, Weather};
use super::receivers;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Key, NoticeTo, Retry};
use crate::policy::{Notify as NotifyPolicy, Policy, Signing, ToolLimit, ToolLimits};
use crate::sender;
use crate::store::memory::Memory;
use crate::store::metrics::Metrics;

/// When every world begins.
pub(super) const START: Millis = Millis(1_800_000_000_000);
/// Events of dead letters are numbered from here on, as if they were calls.
pub(super) const FIRST_EVENT: Number = 64;
pub(super) const SERVERS: [&str; 3] = ["alpha", "beta", "gamma"];

pub(super) struct World {
    pub(super) plan: Plan,
    /// What is committed; it outlives every process.
    pub(super) memory: Memory,
    pub(super) policy: watch::Sender<Arc<Policy>>,
    scripts: Scripts,
    death: Notify,
    state: Mutex<Inner>,
}

/// The plan's items, by their occasions.
#[derive(Default)]
struct Scripts {
    contacts: BTreeMap<(Number, u32), OnServer>,
    attempts: BTreeMap<(Number, u32), OnReceiver>,
    commits: BTreeMap<(Number, u32), OnDisk>,
    weather: Vec<(Duration, Duration, Weather)>,
}

#[derive(Default)]
struct Inner {
    /// When this process began, and the runtime's time then.
    began: Duration,
    started: Option<Instant>,
    /// What its clock showed then.
    clock: Millis,
    is_dead: bool,
    is_calm: bool,
    moments: Vec<Moment>,
    calls: BTreeMap<Number, Known>,
    numbers: BTreeMap<JobId, Number>,
    delays: u64,
    events: Number,
}

/// What is known of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The job that was accepted for it.
    pub(super) job: Option<JobId>,
    /// Job ids made for it.
    ids: u8,
    contacts: u32,
    attempts: u32,
    commits: u32,
    /// Times that it reached its server.
    pub(super) runs: u32,
    /// The server runs it whatever becomes of the connection: until when.
    pub(super) task: Option<Duration>,
    /// Executions and attempts that are in progress.
    pub(super) held: u32,
    /// When something happened to it last.
    pub(super) moved: Duration,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let policy = policy_of(&plan.route);
        Self {
            scripts: Scripts::of(&plan.items),
            memory: Memory::bounded(plan.route.space, Metrics::default()),
            plan,
            policy: watch::Sender::new(Arc::new(policy)),
            death: Notify::new(),
            state: Mutex::default(),
        }
    }

    /// The time since the start of the world.
    pub(super) fn now(&self) -> Duration {
        self.inner().now()
    }

    /// Writes down what happened.
    pub(super) fn note(&self, event: Event) {
        let mut inner = self.inner();
        if !inner.is_dead {
            let at = inner.now();
            inner.moments.push(Moment { at, event });
        }
    }

    /// What happened.
    pub(super) fn moments(&self) -> Vec<Moment> {
        self.inner().moments.clone()
    }

    /// The call that a job belongs to.
    pub(super) fn number(&self, job: JobId) -> Number {
        self.inner().numbers[&job]
    }

    pub(super) fn known(&self, call: Number) -> Known {
        self.inner().calls.get(&call).cloned().unwrap_or_default()
    }

    pub(super) fn change<T>(&self, call: Number, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut inner = self.inner();
        let now = inner.now();
        let known = inner.calls.entry(call).or_default();
        known.moved = now;
        change(known)
    }

    /// A job id for a call, made at `at` by the engine's clock.
    pub(super) fn make_id(&self, call: Number, at: Millis) -> JobId {
        let made = self.change(call, |known| {
            known.ids += 1;
            known.ids
        });
        let id = JobId::new(at, [0, 0, 0, 0, 0, 0, 0, 0, call, made]);
        self.inner().numbers.insert(id, call);
        id
    }

    /// The number of the event of a dead letter.
    pub(super) fn number_of_event(&self, job: JobId) -> Number {
        let mut inner = self.inner();
        let next = FIRST_EVENT + inner.events;
        let number = *inner.numbers.entry(job).or_insert(next);
        inner.events += Number::from(number == next);
        number
    }

    // What the plan says. Calm worlds count, too.

    pub(super) fn contact(&self, call: Number) -> Option<OnServer> {
        let nth = self.change(call, |known| next(&mut known.contacts));
        self.unless_calm(self.scripts.contacts.get(&(call, nth)))
    }

    pub(super) fn attempt(&self, call: Number) -> Option<OnReceiver> {
        let nth = self.change(call, |known| next(&mut known.attempts));
        self.unless_calm(self.scripts.attempts.get(&(call, nth)))
    }

    /// What becomes of a commit, and a small delay.
    pub(super) fn commit(&self, call: Number) -> (Option<OnDisk>, Duration) {
        let nth = self.change(call, |known| next(&mut known.commits));
        let delay = mix(self.plan.seed, &[u64::from(call), u64::from(nth)]) % 4;
        let does = self.unless_calm(self.scripts.commits.get(&(call, nth)));
        (does, Duration::from_millis(delay))
    }

    /// A small delay of a read; most have none.
    pub(super) fn delay(&self) -> Duration {
        let mut inner = self.inner();
        inner.delays += 1;
        let drawn = mix(self.plan.seed, &[inner.delays]) % 8;
        Duration::from_millis(drawn.saturating_sub(6))
    }

    pub(super) fn weather(&self) -> impl Iterator<Item = Weather> {
        let now = self.now();
        let weather = self.scripts.weather.iter();
        weather
            .filter(move |(from, until, _)| (*from..*until).contains(&now))
            .map(|(.., weather)| *weather)
    }

    fn unless_calm<T: Copy>(&self, planned: Option<&T>) -> Option<T> {
        planned.copied().filter(|_| !self.inner().is_calm)
    }

    // Life and death.

    /// A process begins, within its runtime, with its clock at `clock`.
    pub(super) fn begin(&self, clock: Millis) {
        let mut inner = self.inner();
        inner.started = Some(Instant::now());
        inner.clock = clock;
        inner.is_dead = false;
        inner.calls.values_mut().for_each(|known| known.held = 0);
        drop(inner);
        self.note(Event::Started(clock));
    }

    /// The world's time at which this process's clock shows `at`.
    pub(super) fn time_of(&self, at: Millis) -> Duration {
        let inner = self.inner();
        inner.began + at.since(inner.clock)
    }

    /// The process is over; the next one begins `away` later. Called within its runtime.
    pub(super) fn end(&self, away: Duration) {
        let mut inner = self.inner();
        inner.began = inner.now() + away;
        inner.started = None;
        inner.is_dead = true;
    }

    /// Kills the process: nothing has an effect from here on.
    pub(super) fn die(&self) {
        self.note(Event::Died);
        self.inner().is_dead = true;
        self.death.notify_one();
    }

    /// Returns when the process was killed.
    pub(super) async fn death(&self) {
        self.death.notified().await;
    }

    /// Never returns in a process that is dead.
    pub(super) async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.inner().is_dead
    }

    /// Everything is well from here on.
    pub(super) fn calm(&self) {
        self.note(Event::Calm);
        self.inner().is_calm = true;
        self.policy.send_replace(Arc::new(policy_of(&Route::default())));
    }

    pub(super) fn edit(&self, edit: Edit) {
        self.note(Event::Edited(edit));
        self.policy
            .send_modify(|policy| apply(edit, Arc::make_mut(policy)));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Inner {
    fn now(&self) -> Duration {
        self.began + self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }
}

impl Scripts {
    fn of(items: &[Item]) -> Self {
        let mut scripts = Self::default();
        for item in items {
            match item {
                Item::Contact { call, nth, does } => drop(scripts.contacts.insert((*call, *nth), *does)),
                Item::Attempt { call, nth, does } => drop(scripts.attempts.insert((*call, *nth), *does)),
                Item::Commit { call, nth, does } => drop(scripts.commits.insert((*call, *nth), *does)),
                Item::Weather { from, until, what } => scripts.weather.push((*from, *until, *what)),
                _ => {}
            }
        }
        scripts
    }
}

fn next(count: &mut u32) -> u32 {
    *count += 1;
    *count - 1
}

fn policy_of(route: &Route) -> Policy {
    let mut policy = sender::tests::policy();
    let rooms = SERVERS.iter().zip(route.rooms);
    policy.servers = rooms.map(|(server, room)| ((*server).to_owned(), room)).collect();
    policy.max_running = route.max_running;
    policy.per_receiver.max_in_flight = route.in_flight;
    policy.per_receiver.rate = route.rate;
    policy.per_receiver.breaker = route.breaker;
    policy.max_age = route.max_age;
    policy.notify = Some(NotifyPolicy {
        to: NoticeTo {
            url: receivers::url(0), // also a receiver of results, whatever becomes of it
            retry: Retry::Exponential {
                retries: 3,
                initial: Duration::from_secs(1),
                max: Duration::from_mins(1),
                jitter_percent: 20,
            },
        },
        headers: Some(HeaderMap::new()),
    });
    policy.retry_after_max = Duration::from_mins(2);
    // A job that is swept could come again under its key, and would be another job.
    policy.result_retention = Duration::from_hours(1_000_000);
    policy.dead_retention = policy.result_retention;
    policy
}

fn apply(edit: Edit, policy: &mut Policy) {
    let name = |server: u8| SERVERS[usize::from(server)].to_owned();
    match edit {
        Edit::Room(server, room) => drop(policy.servers.insert(name(server), room)),
        Edit::Remove(server) => drop(policy.servers.remove(&name(server))),
        Edit::MaxRunning(room) => policy.max_running = room,
        Edit::ToolRoom(room) => policy.tools = tool_room(room),
        Edit::InFlight(room) => policy.per_receiver.max_in_flight = room,
        Edit::Rate(rate) => policy.per_receiver.rate = rate,
        Edit::Breaker(on) => policy.per_receiver.breaker = on,
        Edit::KeysGone => policy.signing = Signing::Waiting,
        Edit::KeysBack => policy.signing = Signing::Off,
        Edit::HeadersGone => policy.default_headers = None,
        Edit::HeadersBack => policy.default_headers = Some(HeaderMap::new()),
    }
}

/// All tools share the room.
fn tool_room(room: Option<usize>) -> ToolLimits {
    let Some(room) = room else {
        return ToolLimits::default();
    };
    let tools = Key::of("tools");
    ToolLimits::new(move |_| Some(ToolLimit { tools, room }))
}
