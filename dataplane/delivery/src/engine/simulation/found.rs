//! What the simulation found, as the shortest plans that show it.
//!
//! Invariant: none of them fails any more once it is mended; until then it is named in `UNMENDED` and has to fail,
//! so that it is not forgotten there.

use std::time::Duration;

use super::judge::Condition::{self, Metrics, NotTold, Overlap, RanTwice, StaleOutcome, Stuck, Unsigned};
use super::plan::{Edit, Item, NewCall, OnDisk, OnReceiver, OnServer, Patience, Plan, Route, Weather, What};
use super::{UNMENDED, fails, report};

const ONE_SECOND: Duration = Duration::from_secs(1);
/// Sooner than the engine asks a store again that was down.
const IMMEDIATELY: Duration = Duration::from_millis(10);
/// Shorter than the commit that it is for.
const IMPATIENT: Patience = Patience::Lasts(Duration::from_millis(100));
/// Times that a call's job is written, one after the other, where nothing goes wrong.
const START: u32 = 1;
const FINISH: u32 = 2;
const FIRST_ATTEMPT: u32 = 3;
const AFTER_FIRST_ATTEMPT: u32 = 4;

fn call() -> Item {
    Item::Call(NewCall {
        at: Duration::ZERO,
        number: 0,
        client: 0,
        server: 0,
        receiver: Some(0),
        arguments: 0,
        result: 0,
        timeout: Duration::from_mins(10),
        repeats: false,
        retries: 1,
        max_pending: 10,
        patience: Patience::Endless,
    })
}

fn ask(at: Duration, what: What, patience: Patience) -> Item {
    Item::Ask {
        at,
        call: 0,
        what,
        patience,
    }
}

fn commit(nth: u32, does: OnDisk) -> Item {
    Item::Commit { call: 0, nth, does }
}

fn contact(does: OnServer) -> Item {
    let nth = 0;
    Item::Contact { call: 0, nth, does }
}

fn attempt(nth: u32, does: OnReceiver) -> Item {
    Item::Attempt { call: 0, nth, does }
}

fn status(status: u16, seconds: u64) -> OnReceiver {
    OnReceiver::Status {
        status,
        retry_after: None,
        takes: Duration::from_secs(seconds),
    }
}

fn plan(seed: u64, items: Vec<Item>) -> Plan {
    Plan {
        seed,
        route: Route::default(),
        items,
        end: Duration::from_mins(1),
    }
}

/// A scenario: the plan fails by `condition` as long as it is not mended, and then never.
fn scenario(name: &str, condition: Condition, items: Vec<Item>) {
    scenario_of(name, condition, &plan(0, items));
}

fn scenario_of(name: &str, condition: Condition, plan: &Plan) {
    let fails = fails(plan, condition);
    let known = UNMENDED.scenarios.contains(&name);
    let is_so = if fails {
        "fails"
    } else {
        "is mended: take it out of UNMENDED"
    };
    assert!(fails == known, "{name} {is_so}\n{}", report::of(plan));
}

#[test]
fn a_client_that_hangs_up_changes_nothing() {
    let cancel = ask(ONE_SECOND, What::Cancel, IMPATIENT);
    let slow = commit(FINISH, OnDisk::Stalls(ONE_SECOND));
    let items = vec![call(), contact(OnServer::Hangs), cancel, slow];
    scenario("a cancel whose client hangs up", Stuck, items);

    let replay = ask(ONE_SECOND, What::ReplayAll, IMPATIENT);
    let slow = commit(AFTER_FIRST_ATTEMPT, OnDisk::Stalls(ONE_SECOND));
    let items = vec![call(), attempt(0, status(410, 0)), replay, slow];
    scenario("a bulk replay whose client hangs up", Stuck, items);
}

#[test]
fn a_commit_that_is_made_and_reported_as_failed_loses_nothing() {
    let doubtful = |nth| commit(nth, OnDisk::IsUnsure);
    scenario("a doubtful outcome", Stuck, vec![call(), doubtful(FINISH)]);
    scenario("a doubtful start", Stuck, vec![call(), doubtful(START)]);
    let busy = attempt(0, status(503, 0));
    let items = vec![call(), busy.clone(), doubtful(FIRST_ATTEMPT)];
    scenario("a doubtful retry", Stuck, items);
    let items = vec![call(), busy, doubtful(AFTER_FIRST_ATTEMPT)];
    scenario("a doubtful claim", Stuck, items);

    let cancel = ask(ONE_SECOND, What::Cancel, Patience::Endless);
    let items = vec![call(), contact(OnServer::Hangs), cancel, doubtful(FINISH)];
    scenario("a doubtful cancel", NotTold, items);
}

#[test]
fn an_attempt_speaks_for_its_own_claim_alone() {
    let items = vec![
        call(),
        attempt(0, status(410, 8)),
        attempt(1, status(200, 12)),
        ask(ONE_SECOND, What::Stop, Patience::Endless),
        ask(ONE_SECOND * 2, What::Replay, Patience::Endless),
    ];
    scenario(
        "a stop and a replay during an attempt",
        StaleOutcome,
        items.clone(),
    );
    scenario("a stop and a replay during an attempt", Overlap, items);
}

#[test]
fn a_replay_interrupts_what_its_stop_could_not_yet() {
    // The stop is committed, which the engine cannot read before it has waited; the replay comes in between.
    let down = Item::Weather {
        from: ONE_SECOND.saturating_sub(IMMEDIATELY),
        until: ONE_SECOND + IMMEDIATELY,
        what: Weather::StoreDown,
    };
    let items = vec![
        call(),
        attempt(0, status(200, 8)),
        attempt(1, status(200, 12)),
        commit(FIRST_ATTEMPT, OnDisk::IsUnsure),
        down,
        ask(ONE_SECOND, What::Stop, Patience::Endless),
        ask(ONE_SECOND + IMMEDIATELY * 2, What::Replay, Patience::Endless),
    ];
    scenario("a doubtful stop and a replay during an attempt", Overlap, items);
}

#[test]
fn a_panic_is_an_interruption() {
    let items = vec![call(), attempt(0, OnReceiver::Panics)];
    scenario("an attempt that panics", Stuck, items);
    let items = vec![call(), contact(OnServer::Panics)];
    scenario("an execution that panics", Stuck, items);
}

#[test]
fn recovery_leaves_alone_what_this_process_began() {
    let items = vec![
        call(),
        commit(START, OnDisk::DiesBefore),
        ask(ONE_SECOND / 2, What::Cancel, Patience::Endless),
        attempt(0, status(200, 20)),
    ];
    let seeds = 0..64;
    let mut plans = seeds.map(|seed| plan(seed, items.clone()));
    let worst = plans.find(|plan| fails(plan, Overlap));
    let plan = worst.unwrap_or_else(|| plan(0, items.clone()));
    scenario_of("a request while recovery begins", Overlap, &plan);
}

#[test]
fn what_was_sent_once_is_never_given_back_to_the_queue() {
    let second = OnServer::CannotResumeYet {
        retry_after: ONE_SECOND,
    };
    let drain = |at| Item::Drain {
        at,
        grace: ONE_SECOND,
        away: ONE_SECOND,
    };
    let items = vec![
        call(),
        contact(OnServer::GivesToken {
            after: Duration::ZERO,
            at_once: true,
            ends: Duration::from_mins(2),
        }),
        Item::Contact {
            call: 0,
            nth: 1,
            does: second,
        },
        drain(ONE_SECOND),
        drain(ONE_SECOND * 4),
    ];
    let name = "a resumption that cannot be asked for when the process ends";
    scenario(name, RanTwice, items);
}

#[test]
fn nothing_is_sent_unsigned_while_the_keys_are_gone() {
    let items = vec![
        call(),
        commit(FINISH, OnDisk::Stalls(ONE_SECOND)),
        Item::Edit {
            at: ONE_SECOND / 2,
            edit: Edit::KeysGone,
        },
    ];
    scenario("keys that go between the claim and the attempt", Unsigned, items);
}

#[test]
fn a_receiver_that_was_held_is_tried_again_when_its_header_is_back() {
    let edit = |at, edit| Item::Edit { at, edit };
    let items = vec![
        call(),
        commit(FINISH, OnDisk::Stalls(ONE_SECOND)),
        edit(ONE_SECOND / 2, Edit::HeadersGone),
        edit(ONE_SECOND * 90, Edit::HeadersBack),
    ];
    scenario(
        "a header that goes between the claim and the attempt",
        Stuck,
        items,
    );
}

#[test]
fn what_was_stopped_is_not_counted_as_delivered() {
    let stop = ask(ONE_SECOND, What::Stop, Patience::Endless);
    let items = vec![call(), attempt(0, status(200, 5)), stop];
    scenario("a stop during an attempt", Metrics, items);
}

#[test]
fn what_was_stopped_gives_its_space_to_what_is_queued() {
    let sized = |number, result| match call() {
        Item::Call(call) => Item::Call(NewCall {
            number,
            result,
            at: IMMEDIATELY * u32::from(number),
            ..call
        }),
        other => other,
    };
    let stop = ask(ONE_SECOND * 5, What::Stop, Patience::Endless);
    let items = vec![sized(0, 12 << 20), attempt(0, status(200, 20)), sized(1, 0), stop];
    let mut plan = plan(0, items);
    (plan.route.space, plan.route.max_running) = (Some(12 << 20), 1);
    scenario_of("the body of a stopped delivery fills the store", Stuck, &plan);
}
