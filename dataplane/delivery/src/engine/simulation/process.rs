//! One process after the other over one world, until the world comes to rest.
//!
//! Each has a runtime of its own with a paused clock, so that it can be dropped whole at any await. Invariant:
//! no process is started or ended once the plan is carried out; the last one has to bring everything to rest.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dice::mix;
use super::disk::Disk;
use super::event::{Asked, Event, Tally};
use super::people::Person;
use super::plan::{Item, Patience};
use super::receivers::Receivers;
use super::rest;
use super::servers::Servers;
use super::world::{START, World};
use crate::clock::{self, Clock, Millis};
use crate::engine::{Engine, Parts};
use crate::store::roles::*;

/// How long no process runs after the store ended one.
const AWAY: Duration = Duration::from_secs(1);

/// What is still to happen.
struct Agenda {
    items: std::vec::IntoIter<Item>,
    next: Option<Item>,
    asks: u32,
    /// How far the wall clock is off, in hours.
    skew: i64,
}

/// How a process ended.
enum Ending {
    /// The next one begins so much later.
    Gone(Duration),
    /// The world is at rest, or will never be.
    Rest,
}

/// Carries the plan out.
pub(super) fn run(world: &Arc<World>) {
    let mut agenda = Agenda::of(world);
    for process in 0.. {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without a driver");
        if let Ending::Rest = runtime.block_on(live(world, &mut agenda, process)) {
            return;
        }
    }
}

async fn live(world: &Arc<World>, agenda: &mut Agenda, process: u64) -> Ending {
    let registry = Registry::new();
    let person = start(world, agenda.skew, process, &registry);
    let ending = carry_on(world, agenda, &person).await;
    if !world.is_dead() {
        world.note(Event::Counted(tally(&registry)));
    }
    match ending {
        Ending::Gone(away) => world.end(away),
        Ending::Rest => world.end(Duration::ZERO),
    }
    ending
}

fn start(world: &Arc<World>, skew: i64, process: u64, registry: &Registry) -> Person {
    let first = first(world, skew);
    world.begin(first);
    let clock = Clock::at(first);
    let parts = Parts {
        store: Arc::new(Disk::open(Arc::clone(world))),
        executor: Arc::new(Servers(Arc::clone(world))),
        sender: Arc::new(Receivers(Arc::clone(world))),
        policy: world.policy.subscribe(),
        clock: clock.clone(),
        rng: rng(world, process),
    };
    let engine = Engine::start(parts, registry).expect("a registry of its own");
    Person {
        world: Arc::clone(world),
        engine: Arc::new(engine),
        clock,
    }
}

/// Where the process's clock starts, as `Clock::system` would have it.
fn first(world: &World, skew: i64) -> Millis {
    let counts = world.memory.counts();
    let wall = START.plus(world.now()).0.saturating_add_signed(skew * 3_600_000);
    clock::first(
        Millis(wall),
        world.memory.high_water(),
        counts.pending() + counts.dead,
    )
}

/// Jitter from the seed.
fn rng(world: &World, process: u64) -> crate::engine::Rng {
    let (seed, drawn) = (world.plan.seed, std::sync::atomic::AtomicU64::new(0));
    Arc::new(move || {
        let nth = drawn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let percent = u8::try_from(mix(seed, &[process, nth]) % 100).expect("less than a hundred");
        f64::from(percent) / 100.0
    })
}

async fn carry_on(world: &Arc<World>, agenda: &mut Agenda, person: &Person) -> Ending {
    let mut draining = None;
    loop {
        let due = agenda.due(world, draining.is_some());
        tokio::select! {
            biased;
            () = world.death() => return Ending::Gone(AWAY),
            away = drained(&mut draining) => {
                world.note(Event::Drained);
                return Ending::Gone(away);
            }
            () = due => {}
        }
        match agenda.take() {
            None => {
                world.calm();
                return tokio::select! {
                    biased;
                    () = world.death() => Ending::Gone(AWAY),
                    () = rest::rest(world) => Ending::Rest,
                };
            }
            Some(Item::Death { away, .. }) => {
                world.die();
                world.death().await; // is at once; the next process has its own
                return Ending::Gone(away);
            }
            Some(Item::Drain { grace, away, .. }) => {
                draining = draining.or_else(|| Some(drain(person, grace, away)));
            }
            Some(item) => agenda.act(person, item),
        }
    }
}

/// Tells the process to end.
fn drain(person: &Person, grace: Duration, away: Duration) -> oneshot::Receiver<Duration> {
    person.world.note(Event::Terminated { grace });
    let (over, drained) = oneshot::channel();
    let engine = Arc::clone(&person.engine);
    tokio::spawn(async move {
        let _closed = engine.drain(grace).await;
        let _gone = over.send(away);
    });
    drained
}

/// Returns when the process has ended on request; never without a request.
async fn drained(draining: &mut Option<oneshot::Receiver<Duration>>) -> Duration {
    match draining {
        Some(drained) => drained.await.expect("nothing kills it but the process's end"),
        None => std::future::pending().await,
    }
}

impl Agenda {
    fn of(world: &World) -> Self {
        let mut items: Vec<Item> = world.plan.items.clone();
        items.retain(|item| item.at().is_some());
        items.sort_by_key(Item::at);
        Self {
            items: items.into_iter(),
            next: None,
            asks: 0,
            skew: 0,
        }
    }

    /// Returns when the next item is due. After the last one that is the end of all weather, and of a process
    /// that was told to end: never.
    fn due(&mut self, world: &World, is_draining: bool) -> impl Future<Output = ()> + use<> {
        self.next = self.next.take().or_else(|| self.items.next());
        let at = match &self.next {
            Some(item) => item.at(),
            None if is_draining => None,
            None => Some(world.plan.end),
        };
        let left = at.map(|at| at.saturating_sub(world.now()));
        let due = left.map(|left| Instant::now() + left);
        async move {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    fn take(&mut self) -> Option<Item> {
        self.next.take()
    }

    fn act(&mut self, person: &Person, item: Item) {
        match item {
            Item::Call(call) => {
                let patience = call.patience;
                self.ask(person, Asked::Accept(call), patience);
            }
            Item::Ask {
                call, what, patience, ..
            } => self.ask(person, Asked::About { call, what }, patience),
            Item::Edit { edit, .. } => person.world.edit(edit),
            Item::Jump { hours, .. } => self.skew += i64::from(hours),
            _ => {} // weather shows by itself
        }
    }

    fn ask(&mut self, person: &Person, asked: Asked, patience: Patience) {
        self.asks += 1;
        tokio::spawn(person.clone().ask(self.asks, asked, patience));
    }
}

/// What the engine's metrics count.
fn tally(registry: &Registry) -> Tally {
    let mut tally = Tally::default();
    for family in registry.gather() {
        for metric in family.get_metric() {
            match family.name() {
                "asyncmcp_dead_letters_total" => tally.dead += whole(metric.get_counter().get_value()),
                "asyncmcp_time_to_delivery_seconds" => {
                    tally.delivered += metric.get_histogram().get_sample_count();
                }
                _ => {}
            }
        }
    }
    tally
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters here hold small whole numbers"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
