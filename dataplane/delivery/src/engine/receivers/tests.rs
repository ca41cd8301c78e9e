//! Whose turn it is, and who has to wait.

use std::time::Duration;

use super::*;

const NOW: Millis = Millis(1_000);
const LATER: Millis = Millis(2_000);
const CLIENT: Key = Key([7; 8]);

fn room(max_in_flight: usize) -> PerReceiver {
    PerReceiver {
        max_in_flight,
        rate: None,
        breaker: true,
    }
}

fn receivers() -> (Arc<Receivers>, Receiver) {
    (Arc::default(), Receiver::of("https://receiver.example"))
}

#[test]
fn a_receiver_gets_as_many_slots_as_it_has_room() {
    let (receivers, key) = receivers();
    let first = receivers.reserve((key, CLIENT), NOW, &room(2)).unwrap();
    let _second = receivers.reserve((key, CLIENT), NOW, &room(2)).unwrap();
    assert!(receivers.reserve((key, CLIENT), NOW, &room(2)).is_none());
    drop(first);
    assert!(receivers.reserve((key, CLIENT), NOW, &room(2)).is_some());
}

#[test]
fn due_work_goes_before_a_fresh_result() {
    let (receivers, key) = receivers();
    receivers.schedule(key, Rank::Live, NOW, None);
    assert!(receivers.reserve((key, CLIENT), NOW, &room(8)).is_none());
    let ready = receivers.ready(NOW, &room(8));
    assert_eq!((ready.len(), ready[0].slots.len()), (1, 8));
    assert!(
        receivers.ready(NOW, &room(8)).is_empty(),
        "its next turn is to be looked up"
    );
}

#[test]
fn work_that_is_due_later_leaves_room_for_a_fresh_result() {
    let (receivers, key) = receivers();
    receivers.schedule(key, Rank::Live, LATER, None);
    assert!(receivers.reserve((key, CLIENT), NOW, &room(8)).is_some());
    assert_eq!(receivers.next_turn(&room(8)), Some(LATER));
}

#[test]
fn a_blocked_receiver_waits_whatever_is_due() {
    let (receivers, key) = receivers();
    receivers.schedule(key, Rank::Live, NOW, None);
    receivers.block(key, LATER);
    receivers.block(key, NOW); // a block never shrinks
    assert!(receivers.ready(NOW, &room(8)).is_empty());
    assert!(receivers.reserve((key, CLIENT), NOW, &room(8)).is_none());
    assert_eq!(receivers.next_turn(&room(8)), Some(LATER));
    assert_eq!(receivers.ready(LATER, &room(8)).len(), 1);
}

#[test]
fn one_receiver_without_room_does_not_hold_up_another() {
    let (receivers, full) = receivers();
    let _busy = receivers.reserve((full, CLIENT), NOW, &room(1)).unwrap();
    receivers.schedule(full, Rank::Live, NOW, None);
    receivers.schedule(Receiver::of("other"), Rank::Live, LATER, None);
    assert_eq!(receivers.next_turn(&room(1)), Some(LATER));
}

#[test]
fn idle_receivers_are_forgotten() {
    let (receivers, key) = receivers();
    drop(receivers.reserve((key, CLIENT), NOW, &room(1)));
    receivers.ready(NOW, &room(1));
    assert_eq!(receivers.entries(), 0);
}

#[test]
fn faults_in_a_row_are_counted() {
    let (receivers, key) = receivers();
    assert_eq!(receivers.fault(key, true), 0);
    assert_eq!(receivers.fault(key, true), 1);
    assert_eq!(receivers.fault(key, false), 2);
    assert_eq!(receivers.fault(key, true), 0);
}

#[test]
fn all_receivers_together_have_an_end() {
    let receivers: Arc<Receivers> = Arc::default();
    for number in 0..200 {
        receivers.schedule(Receiver::of(&number.to_string()), Rank::Live, NOW, None);
    }
    let mut ready = receivers.ready(NOW, &room(8));
    let slots: usize = ready.iter().map(|turn| turn.slots.len()).sum();
    assert_eq!((slots, ready.len()), (OVERALL, OVERALL / 8));
    assert!(receivers.ready(NOW, &room(8)).is_empty());
    assert_eq!(receivers.next_turn(&room(8)), None, "until room comes free");
    assert!(
        receivers
            .reserve((Receiver::of("fresh"), CLIENT), NOW, &room(8))
            .is_none()
    );
    ready.pop();
    assert_eq!(receivers.next_turn(&room(8)), Some(NOW));
    assert_eq!(receivers.ready(NOW, &room(8)).len(), 1);
}

/// Begins an attempt that is certain to have room, and ends it.
fn attempt(receivers: &Arc<Receivers>, receiver: Receiver, sample: Sample, now: Millis) {
    let mut slot = receivers.reserve((receiver, CLIENT), now, &room(8)).unwrap();
    slot.begin(Rank::Live, CLIENT);
    slot.sample(sample, now);
}

#[test]
fn an_open_breaker_holds_its_receiver_and_no_other() {
    let (receivers, key) = receivers();
    let other = Receiver::of("other");
    for _ in 0..10 {
        attempt(&receivers, key, Sample::Ill, NOW);
    }
    assert_eq!(receivers.open_breakers(), 1);
    receivers.schedule(key, Rank::Live, NOW, None);
    receivers.schedule(other, Rank::Live, NOW, None);
    assert!(receivers.reserve((key, CLIENT), NOW, &room(8)).is_none());
    let ready = receivers.ready(NOW, &room(8));
    assert_eq!((ready.len(), ready[0].receiver), (1, other));
    drop(ready);
    let opens = NOW.plus(Duration::from_secs(30));
    assert_eq!(receivers.next_turn(&room(8)), Some(opens));
    let trial = receivers.ready(opens, &room(8));
    assert_eq!(
        (trial.len(), trial[0].slots.len()),
        (1, 1),
        "one attempt to try it"
    );
    let off = PerReceiver {
        breaker: false,
        ..room(8)
    };
    drop(trial);
    assert!(receivers.reserve((key, CLIENT), NOW, &off).is_some());
}

#[test]
fn a_breaker_of_which_nothing_is_heard_is_forgotten() {
    let (receivers, key) = receivers();
    for _ in 0..10 {
        attempt(&receivers, key, Sample::Ill, NOW);
    }
    receivers.ready(NOW.plus(Duration::from_secs(299)), &room(8));
    assert_eq!(receivers.open_breakers(), 1);
    receivers.ready(NOW.plus(Duration::from_secs(301)), &room(8));
    assert_eq!(receivers.entries(), 0);
}

#[test]
fn a_rate_spreads_attempts_and_charges_for_those_that_began() {
    let (receivers, key) = receivers();
    let limits = PerReceiver {
        rate: Some(2),
        ..room(8)
    };
    receivers.schedule(key, Rank::Live, NOW, None);
    let ready = receivers.ready(NOW, &limits);
    assert_eq!(ready[0].slots.len(), 1, "one half second's worth");
    drop(ready); // nothing was due after all
    let mut slot = receivers.reserve((key, CLIENT), NOW, &limits).unwrap();
    slot.begin(Rank::Live, CLIENT);
    drop(slot);
    assert!(receivers.reserve((key, CLIENT), NOW, &limits).is_none());
    receivers.schedule(key, Rank::Live, NOW, None);
    assert_eq!(
        receivers.next_turn(&limits),
        Some(NOW.plus(Duration::from_millis(500)))
    );
}

#[test]
fn replayed_deliveries_take_a_quarter_of_the_room_and_never_hold_up_a_fresh_result() {
    let (receivers, key) = receivers();
    receivers.schedule(key, Rank::Replayed, NOW, None);
    assert!(
        receivers.reserve((key, CLIENT), NOW, &room(8)).is_some(),
        "they wait, not it"
    );
    let mut turn = receivers.ready(NOW, &room(8)).pop().unwrap();
    assert_eq!((turn.slots.len(), turn.replays), (8, 2));
    turn.slots.truncate(2);
    for slot in &mut turn.slots {
        slot.begin(Rank::Replayed, CLIENT);
    }
    receivers.schedule(key, Rank::Replayed, NOW, None);
    assert!(receivers.ready(NOW, &room(8)).is_empty(), "their share is taken");
    assert_eq!(receivers.next_turn(&room(8)), None);
    receivers.schedule(key, Rank::Live, NOW, None);
    let live = receivers.ready(NOW, &room(8)).pop().unwrap();
    assert_eq!((live.slots.len(), live.replays), (6, 0));
    drop(live);
    turn.slots.pop();
    assert_eq!(receivers.ready(NOW, &room(8))[0].replays, 1);
}

#[test]
fn a_receiver_with_room_for_one_is_replayed_to_as_well() {
    let (receivers, key) = receivers();
    receivers.schedule(key, Rank::Replayed, LATER, None);
    assert!(receivers.ready(NOW, &room(1)).is_empty());
    assert_eq!(receivers.ready(LATER, &room(1))[0].replays, 1);
}

#[test]
fn the_urls_of_an_origin_share_its_room_and_take_turns() {
    let receivers: Arc<Receivers> = Arc::default();
    let url = |number: usize| Receiver::of(&format!("https://one.example/hook?n={number}"));
    for number in 0..40 {
        receivers.schedule(url(number), Rank::Live, NOW, None);
    }
    receivers.schedule(Receiver::of("https://two.example/"), Rank::Live, NOW, None);
    let ready = receivers.ready(NOW, &room(8));
    let of_one = |turns: &[Turn]| {
        let of_one = turns.iter().filter(|turn| turn.receiver.origin == url(0).origin);
        of_one.map(|turn| turn.receiver.url).collect::<Vec<_>>()
    };
    let first = of_one(&ready);
    assert_eq!(
        (first.len(), ready.len()),
        (8, 9),
        "eight in all, and the other origin"
    );
    drop(ready); // nothing was due after all
    let second = of_one(&receivers.ready(NOW, &room(8)));
    assert_eq!(second.len(), 8);
    assert!(second.iter().all(|url| !first.contains(url)), "the next eight");
}

#[test]
fn one_client_uses_three_quarters_of_all_attempts_at_most() {
    let receivers: Arc<Receivers> = Arc::default();
    let (hostile, other) = (Key([1; 8]), Key([2; 8]));
    for number in 0..2_500 {
        let receiver = Receiver::of(&format!("https://{number}.example/"));
        receivers.schedule(receiver, Rank::Live, NOW, Some(hostile));
    }
    let mut turns = receivers.ready(NOW, &room(8));
    for slot in turns.iter_mut().flat_map(|turn| &mut turn.slots) {
        slot.begin(Rank::Live, hostile);
    }
    let slots: usize = turns.iter().map(|turn| turn.slots.len()).sum();
    assert_eq!(slots, OVERALL / 4 * 3);
    assert_eq!(
        receivers.next_turn(&room(8)),
        None,
        "until one of its attempts ends: the loop must not ask again and again"
    );
    let fresh = Receiver::of("https://fresh.example/");
    assert!(receivers.reserve((fresh, hostile), NOW, &room(8)).is_none());
    assert!(receivers.reserve((fresh, other), NOW, &room(8)).is_some());
    receivers.schedule(fresh, Rank::Live, NOW, Some(other));
    let turn = receivers.ready(NOW, &room(8)).pop().unwrap();
    assert_eq!((turn.receiver, turn.passed_over), (fresh, vec![hostile]));
    drop(turns);
    assert_eq!(receivers.ready(NOW, &room(8)).len(), OVERALL / 8 * 3 / 4);
}
