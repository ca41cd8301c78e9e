//! The table, walked: which states there are, which steps lead where, and what never happens.

use std::collections::HashSet;

use super::*;

fn events() -> Vec<Event> {
    let finish = End::ALL
        .into_iter()
        .flat_map(|end| [true, false].map(|deliver| Event::Finish { end, deliver }));
    let bury = Category::ALL.into_iter().map(Event::Bury);
    let others = [
        Event::Start,
        Event::Release,
        Event::Annotate,
        Event::Name,
        Event::Claim,
        Event::Attempted,
        Event::Retry,
        Event::Deliver,
        Event::Stop,
        Event::Notify,
        Event::Evict,
        Event::Replay,
    ];
    finish.chain(bury).chain(others).collect()
}

fn reachable() -> HashSet<State> {
    let mut found = HashSet::from([State::ACCEPTED]);
    let mut ahead = vec![State::ACCEPTED];
    while let Some(state) = ahead.pop() {
        let next = events().into_iter().filter_map(|event| state.after(event));
        ahead.extend(next.filter(|next| found.insert(*next)));
    }
    found
}

fn steps() -> impl Iterator<Item = (State, Event, State)> {
    reachable().into_iter().flat_map(|from| {
        let to = move |event| from.after(event).map(|to| (from, event, to));
        events().into_iter().filter_map(to)
    })
}

#[test]
fn the_states_are_those_of_the_design_and_no_others() {
    let pushes = [
        Push::None,
        Push::Due,
        Push::Sending,
        Push::Delivered,
        Push::Stopped,
    ];
    let pushes = pushes.into_iter().chain(Category::ALL.map(Push::Dead));
    let ended = End::ALL.into_iter().flat_map(|end| {
        let exec = Exec::Ended(end);
        pushes.clone().map(move |push| State { exec, push })
    });
    let running = State {
        exec: Exec::Running,
        push: Push::None,
    };
    let expected = ended.chain([State::ACCEPTED, running]).collect();
    assert_eq!(reachable(), expected);
}

/// A state or an event without its details, as one line of the table names it.
fn word(thing: impl fmt::Debug) -> String {
    let text = format!("{thing:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

#[test]
fn the_steps_are_those_of_the_design_and_no_others() {
    let lines: HashSet<String> = steps()
        .map(|(from, event, to)| {
            let (from_exec, from_push) = (word(from.exec), word(from.push));
            format!(
                "{from_exec}/{from_push} {} {}/{}",
                word(event),
                word(to.exec),
                word(to.push)
            )
        })
        .collect();
    let expected = [
        "Queued/None Start Running/None",
        "Running/None Release Queued/None",
        "Running/None Annotate Running/None",
        "Queued/None Name Queued/None",
        "Running/None Name Running/None",
        "Queued/None Finish Ended/None",
        "Queued/None Finish Ended/Due",
        "Running/None Finish Ended/None",
        "Running/None Finish Ended/Due",
        "Ended/Due Claim Ended/Sending",
        "Ended/Sending Attempted Ended/Sending",
        "Ended/Due Attempted Ended/Due",
        "Ended/Delivered Attempted Ended/Delivered",
        "Ended/Dead Attempted Ended/Dead",
        "Ended/Stopped Attempted Ended/Stopped",
        "Ended/Sending Retry Ended/Due",
        "Ended/Sending Deliver Ended/Delivered",
        "Ended/Sending Bury Ended/Dead",
        "Ended/Due Bury Ended/Dead",
        "Ended/Dead Notify Ended/Dead",
        "Ended/Dead Evict Ended/Dead",
        "Ended/Stopped Evict Ended/Dead",
        "Ended/Sending Stop Ended/Stopped",
        "Ended/Due Stop Ended/Stopped",
        "Ended/Dead Replay Ended/Due",
        "Ended/Stopped Replay Ended/Due",
    ];
    assert_eq!(lines, expected.map(str::to_owned).into());
}

#[test]
fn an_ended_call_never_ends_again() {
    for (from, event, to) in steps() {
        if let Exec::Ended(_) = from.exec {
            assert_eq!(from.exec, to.exec, "{from:?} {event:?}");
        }
    }
}

#[test]
fn a_delivery_begins_only_in_the_step_that_ends_the_call() {
    for (from, event, to) in steps().filter(|(from, ..)| from.push == Push::None) {
        let ends = from.exec != to.exec && matches!(to.exec, Exec::Ended(_));
        assert!(to.push == Push::None || ends, "{from:?} {event:?}");
    }
}

#[test]
fn the_reason_of_a_step_is_kept_in_the_state() {
    for (from, event, to) in steps() {
        match event {
            Event::Finish { end, .. } => assert_eq!(to.exec, Exec::Ended(end), "{from:?}"),
            Event::Bury(why) => assert_eq!(to.push, Push::Dead(why), "{from:?}"),
            _ => {}
        }
    }
}

#[test]
fn what_is_settled_moves_only_by_replay_and_what_was_delivered_not_even_then() {
    let moves = steps().filter(|(from, event, to)| from.is_settled() && from != to && *event != Event::Evict);
    for (from, event, to) in moves {
        assert_eq!(event, Event::Replay, "{from:?}");
        assert!(matches!(from.push, Push::Dead(_) | Push::Stopped) && to.push == Push::Due);
    }
}

#[test]
fn an_evicted_dead_letter_stays_one() {
    let evicted = Push::Dead(Category::Evicted);
    for (from, event, to) in steps().filter(|(from, ..)| from.push == evicted) {
        assert_eq!(to, from, "{event:?}");
    }
    for (from, event, _) in steps().filter(|(from, _, to)| from.push != evicted && to.push == evicted) {
        assert_eq!(event, Event::Evict);
        assert!(matches!(from.push, Push::Dead(_) | Push::Stopped));
    }
}

#[test]
fn a_stage_that_is_counted_has_the_counts_word() {
    for state in reachable() {
        let label = state.label();
        assert!(
            label.is_none_or(|label| label == state.stage().as_str()),
            "{state:?}"
        );
        assert!(Stage::ALL.contains(&state.stage()));
    }
}

#[test]
fn every_state_is_counted_or_over() {
    for state in reachable() {
        let counted = state.label().is_some();
        let dead = matches!(state.push, Push::Dead(_));
        assert_eq!(counted, dead || !state.is_settled(), "{state:?}");
    }
}
