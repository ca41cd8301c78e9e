//! Where a clock starts, what it shows, and that ages know no jump.

use std::sync::atomic::AtomicU64;

use super::*;

const DAY: u64 = 86_400_000;
const NOW: Millis = Millis(20_000 * DAY);

#[test]
fn a_wall_clock_behind_the_store_starts_at_the_stores_time() {
    assert_eq!(first(Millis(0), NOW, 5), NOW);
    assert_eq!(first(Millis(NOW.0 - 1), NOW, 0), NOW);
}

#[test]
fn a_wall_clock_years_ahead_does_not_age_what_is_unfinished() {
    let ahead = |days: u64| Millis(NOW.0 + days * DAY);
    assert_eq!(first(ahead(3650), NOW, 1), NOW);
    assert_eq!(first(ahead(8), NOW, 1), NOW);
    assert_eq!(first(ahead(6), NOW, 1), ahead(6), "it was off for some days");
    assert_eq!(
        first(ahead(3650), NOW, 0),
        ahead(3650),
        "there is nothing to lose"
    );
    assert_eq!(first(NOW, Millis(0), 0), NOW, "a new store has no time");
}

#[tokio::test(start_paused = true)]
async fn a_running_clock_follows_the_monotonic_one_alone() {
    let clock = Clock::system(Millis(NOW.0 * 9), 1, None);
    let before = clock.now();
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(clock.now(), before.plus(Duration::from_secs(90)));
    assert!(clock.wall() < before, "others are told the wall clock's time");
}

const MINUTE: u64 = 60_000;

/// A machine whose wall clock a test sets, with a state directory and the highest time of its store.
struct Machine {
    wall: Arc<AtomicU64>,
    dir: tempfile::TempDir,
    floor: Millis,
}

impl Machine {
    fn new() -> Self {
        Self {
            wall: Arc::new(AtomicU64::new(NOW.0)),
            dir: tempfile::tempdir().unwrap(),
            floor: Millis(0),
        }
    }

    fn set(&self, wall: Millis) {
        self.wall.store(wall.0, Ordering::Relaxed);
    }

    fn start(&self, unfinished: u64) -> Clock {
        let wall = Arc::clone(&self.wall);
        let reads: WallClock = Arc::new(move || Millis(wall.load(Ordering::Relaxed)));
        Clock::follow(reads, self.floor, unfinished, Some(self.dir.path()))
    }

    /// A process runs for some minutes; returns when it stored something last.
    async fn run(&mut self, clock: &Clock, minutes: u64) -> Millis {
        let ran = minutes * MINUTE;
        tokio::time::advance(Duration::from_millis(ran)).await;
        self.wall.fetch_add(ran, Ordering::Relaxed);
        self.floor = clock.now();
        self.floor
    }
}

fn days_later(at: Millis, days: i64) -> Millis {
    Millis(at.0.saturating_add_signed(days * DAY.cast_signed()))
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_is_wall_time_after_a_jump_and_after_each_start_that_follows() {
    let mut machine = Machine::new();
    let clock = machine.start(0);
    let dead = machine.run(&clock, 5).await;
    machine.set(days_later(NOW, 10));
    let mut before = dead;
    for start in 0..3 {
        let clock = machine.start(1);
        let accepted = machine.run(&clock, 5).await;
        assert_eq!(clock.shown(accepted), clock.wall(), "start {start}");
        assert_eq!(clock.shown(dead), dead, "it died before the jump");
        assert!(
            accepted >= clock.since(Millis(clock.wall().0 - 60 * MINUTE)),
            "start {start}"
        );
        assert!(accepted < clock.until(clock.wall().plus(Duration::from_secs(1))));
        let aged = accepted.since(before);
        assert!(
            aged <= Duration::from_mins(5) + Duration::from_millis(1),
            "a jump is no age: {aged:?}"
        );
        before = accepted;
        machine.wall.fetch_add(MINUTE, Ordering::Relaxed);
        before = before.plus(Duration::from_millis(MINUTE)); // it was off for a minute, which is an age
    }
}

#[tokio::test(start_paused = true)]
async fn time_between_starts_counts_although_an_earlier_jump_is_remembered() {
    let mut machine = Machine::new();
    let clock = machine.start(0);
    machine.run(&clock, 5).await;
    machine.set(days_later(NOW, 10));
    let clock = machine.start(1);
    let stopped = machine.run(&clock, 5).await;
    machine.wall.fetch_add(2 * DAY, Ordering::Relaxed);
    let age = machine.start(1).now().since(stopped);
    assert_eq!(age, Duration::from_hours(48));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_years_ahead_once_shows_the_right_time_when_it_is_right_again() {
    let mut machine = Machine::new();
    machine.set(days_later(NOW, 5 * 365));
    let clock = machine.start(0);
    let wrong = machine.run(&clock, 5).await;
    machine.set(NOW);
    for _ in 0..2 {
        let clock = machine.start(1);
        assert!(clock.now() >= wrong, "ages never shrink");
        let accepted = machine.run(&clock, 5).await;
        assert_eq!(clock.shown(accepted), clock.wall());
        assert!(accepted >= clock.since(Millis(clock.wall().0 - 60 * MINUTE)));
        assert!(wrong < accepted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_while_the_process_runs_changes_what_is_shown_and_no_age() {
    let mut machine = Machine::new();
    let clock = machine.start(0);
    let before = machine.run(&clock, 5).await;
    machine.set(days_later(machine_wall(&machine), 10));
    let after = machine.run(&clock, 5).await;
    assert_eq!(after.since(before), Duration::from_mins(5));
    assert_eq!((clock.shown(before), clock.shown(after)), (before, clock.wall()));
    let next = machine.start(1);
    assert_eq!(
        next.now().since(after),
        Duration::ZERO,
        "the jump is known to the next process"
    );
    assert_eq!(next.shown(before), before);
}

fn machine_wall(machine: &Machine) -> Millis {
    Millis(machine.wall.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_or_is_of_another_store_changes_nothing() {
    let mut machine = Machine::new();
    std::fs::write(
        machine.dir.path().join(file::NAME),
        "[{\"from\":0,\"ahead\":900000}]",
    )
    .unwrap();
    let clock = machine.start(0);
    assert_eq!((clock.now(), clock.shown(NOW)), (NOW, NOW), "the store is new");
    machine.run(&clock, 5).await;
    std::fs::write(machine.dir.path().join(file::NAME), "?").unwrap();
    let clock = machine.start(1);
    assert_eq!(clock.shown(clock.now()), clock.wall());
}
