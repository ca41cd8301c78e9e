//! A world's events in words, to find out why it failed.
//!
//! Invariant: one line per event, in order, with the time since the start of the world.

use std::fmt::Write;

use super::event::{Answer, Asked, AttemptEnd, Commit, Event, ExecutionEnd, Moment, Place, Step};
use super::plan::{Number, What};

/// The story of a world.
pub(super) fn tell(moments: &[Moment]) -> String {
    let mut story = String::new();
    for moment in moments {
        if let Some(line) = line(&moment.event) {
            let at = moment.at.as_secs_f64();
            let _ = writeln!(story, "{at:>10.3} s  {line}"); // writing to a String cannot fail
        }
    }
    story
}

fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started(clock) => format!("a process starts; its clock shows {clock}"),
        Event::Died => "the process is killed".to_owned(),
        Event::Terminated { grace } => format!("SIGTERM, with {grace:?} to end"),
        Event::Drained => "the process ends".to_owned(),
        Event::Counted(_) => return None,
        Event::Edited(edit) => format!("the route is edited: {edit:?}"),
        Event::Calm => "the faults are over: servers, receivers, store and keys are well".to_owned(),
        Event::Stuck(calls) => format!("STUCK: {}", names(calls)),
        Event::Asked { ask, asked } => format!("request {ask}: {}", request(asked)),
        Event::Answered { ask, answer } => format!("request {ask} is answered: {}", answered(*answer)),
        Event::HungUp { ask } => format!("request {ask}: its client hangs up"),
        Event::Committed(commit) => committed(commit),
        Event::Refused { call, steps } => {
            format!("call {call}: the store refuses {}", words(steps))
        }
        Event::Executing { call, resumed: false } => format!("call {call} reaches its server"),
        Event::Executing { call, resumed: true } => format!("call {call}: its server is asked to resume it"),
        Event::NotSent { call } => format!("call {call}: its server cannot be reached"),
        Event::CancelTold { call } => format!("call {call}: its server is told to cancel"),
        Event::ExecutionOver { call, how } => format!("call {call}: {}", execution_end(*how)),
        Event::Posted { call, signed, .. } => {
            let signature = if *signed {
                ""
            } else {
                ", while a key or a header cannot be read"
            };
            format!("call {call}: POST to its receiver{signature}")
        }
        Event::AttemptOver { call, how, .. } => format!("call {call}: {}", attempt_end(*how)),
    })
}

fn names(calls: &[Number]) -> String {
    let calls: Vec<String> = calls.iter().map(|call| format!("call {call}")).collect();
    format!("nothing happens to {} any more", calls.join(", "))
}

fn request(asked: &Asked) -> String {
    match asked {
        Asked::Accept(call) => format!("client {} makes call {}", call.client, call.number),
        Asked::About { call, what } => match what {
            What::Again { same_arguments: true } => format!("call {call} comes again"),
            What::Again {
                same_arguments: false,
            } => format!("call {call} comes again with other arguments"),
            What::Cancel => format!("cancel call {call}"),
            What::CancelByKey => format!("cancel call {call}, by its idempotency key"),
            What::Name(name) => format!("name call {call} {name}"),
            What::CancelByName(name) => format!("cancel what call {call} names {name}"),
            What::CancelOrSay => format!("an administrator cancels call {call}"),
            What::Stop => format!("an administrator stops the delivery of call {call}"),
            What::Replay => format!("an administrator replays call {call}"),
            What::ReplayAll => "an administrator replays all dead letters".to_owned(),
            What::List => "an administrator lists the jobs".to_owned(),
            What::Show => format!("an administrator looks at call {call}"),
        },
    }
}

fn answered(answer: Answer) -> String {
    match answer {
        Answer::New => "accepted".to_owned(),
        Answer::Same => "accepted before".to_owned(),
        Answer::Conflict => "the key has other arguments".to_owned(),
        Answer::Full => "a limit is reached".to_owned(),
        Answer::Closed => "the process is ending".to_owned(),
        Answer::Cancelled(true) => "cancelled".to_owned(),
        Answer::Cancelled(false) => "not cancelled".to_owned(),
        Answer::Moved | Answer::Done => "done".to_owned(),
        Answer::Impossible(stage) => format!("impossible, the job is {}", stage.as_str()),
        Answer::Unknown => "there is no such job".to_owned(),
        Answer::Count(count) => format!("{count} jobs"),
        Answer::StoreFailed => "the store failed".to_owned(),
    }
}

fn committed(commit: &Commit) -> String {
    let Commit {
        call,
        steps,
        before,
        after,
        reported,
    } = commit;
    let stage = |place: &Option<Place>| place.map_or("nothing", |place| place.state.stage().as_str());
    let moved = match after {
        Some(_) => format!("{} -> {}", stage(before), stage(after)),
        None => format!("no step from {}, nothing changes", stage(before)),
    };
    let doubt = if *reported {
        ""
    } else {
        ", but the store reports a failure"
    };
    format!("call {call}: commit of {}: {moved}{doubt}", words(steps))
}

fn words(steps: &[Step]) -> String {
    let steps: Vec<String> = steps.iter().map(word).collect();
    steps.join(" + ")
}

fn word(step: &Step) -> String {
    match step {
        Step::Accept => "accept".to_owned(),
        Step::Start => "start".to_owned(),
        Step::Release => "release".to_owned(),
        Step::PutOff => "put off".to_owned(),
        Step::Token => "resume token".to_owned(),
        Step::Name => "name".to_owned(),
        Step::Resume => "resume".to_owned(),
        Step::Suspend => "suspend".to_owned(),
        Step::Poison => "poison".to_owned(),
        Step::Finish { end, .. } => format!("finish ({})", end.as_str()),
        Step::Claim => "claim".to_owned(),
        Step::Write => "history".to_owned(),
        Step::Retry(Some(why)) => format!("retry ({why})"),
        Step::Retry(None) => "retry (costs nothing)".to_owned(),
        Step::Deliver => "deliver".to_owned(),
        Step::Bury(why) => format!("bury ({why})"),
        Step::Notify => "event".to_owned(),
        Step::Stop => "stop".to_owned(),
        Step::Evict => "evict".to_owned(),
        Step::Replay => "replay".to_owned(),
    }
}

fn execution_end(how: ExecutionEnd) -> String {
    match how {
        ExecutionEnd::Answered(end) => format!("its server answers: {}", end.as_str()),
        ExecutionEnd::Lost => "its server has lost it".to_owned(),
        ExecutionEnd::Stopped => "its execution stops".to_owned(),
        ExecutionEnd::Dropped => "its execution is dropped".to_owned(),
    }
}

fn attempt_end(how: AttemptEnd) -> String {
    match how {
        AttemptEnd::Answered(verdict) => format!("the attempt ends: {verdict:?}"),
        AttemptEnd::Dropped => "the attempt is dropped".to_owned(),
    }
}
