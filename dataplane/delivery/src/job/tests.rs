//! Random lives of a job: what moves, what never does, and where the job is filed.

use proptest::prelude::*;

use super::*;
use crate::egress::NamedBy;
use crate::history;
use crate::state::{End, Exec, Push};

pub(super) fn job(receiver: bool) -> Job {
    let target = Target {
        url: "https://example.com/hook".to_owned(),
        named_by: NamedBy::Session,
        secret: None,
    };
    Job::accepted(&NewJob {
        id: JobId::new(Millis(1), [1; 10]),
        at: Millis(1),
        call: Call {
            server: "server".to_owned(),
            tool: "tool".to_owned(),
            shown_as: "tool".to_owned(),
            request_id: "1".to_owned(),
            client: "client".to_owned(),
            timeout: Duration::from_secs(1),
            on_interruption: OnInterruption::Fail,
            target: receiver.then_some(target),
            retry: Retry::Schedule {
                waits: Vec::new(),
                jitter_percent: 0,
            },
            trace: Trace::default(),
            as_task: false,
            owner: None,
        },
        params: Bytes::new(),
        dedupe: Dedupe {
            key: [2; 32],
            fingerprint: [3; 32],
        },
        names: Vec::new(),
        max_pending: u64::MAX,
        max_queued: u64::MAX,
        kept_longer: Duration::ZERO,
    })
}

fn entry() -> history::Entry {
    history::Entry {
        replay: 0,
        started: Millis(1),
        duration: None,
        outcome: history::Outcome::Interrupted,
        category: None,
        fault: None,
        status: None,
        next: None,
    }
}

fn change() -> impl Strategy<Value = Change> {
    let category = prop::sample::select(Category::ALL.to_vec());
    prop_oneof![
        3 => Just(Change::Start),
        1 => Just(Change::Release),
        1 => Just(Change::PutOff),
        1 => Just(Change::ResumeToken { token: Bytes::from_static(b"h") }),
        1 => Just(Change::Resume),
        1 => any::<u8>().prop_map(|name| Change::Name { name: [name; 32] }),
        1 => Just(Change::Suspend),
        1 => Just(Change::Poison),
        1 => Just(Change::ToolFailed),
        2 => prop::sample::select(End::ALL.to_vec()).prop_map(|end| Change::Finish { end, body: Bytes::new() }),
        4 => Just(Change::Claim),
        2 => Just(Change::Attempted(entry())),
        3 => (2..99u64, prop::option::of(category.clone()))
            .prop_map(|(at, why)| Change::Retry { at: Millis(at), why }),
        1 => Just(Change::Deliver),
        2 => category.prop_map(|why| Change::Bury { why }),
        1 => Just(Change::Stop),
        2 => Just(Change::Replay),
    ]
}

fn stamp(at: u64) -> Stamp {
    let (replica, epoch) = (0, 7);
    Stamp {
        by: Owner { replica, epoch },
        at: Millis(at),
    }
}

fn step(changes: &[Change], at: u64) -> Step {
    Step {
        expect: Expect::Any,
        stamp: stamp(at),
        changes: changes.to_vec(),
    }
}

/// The steps of a life, each with the header before and after it.
fn life(receiver: bool, changes: Vec<Change>) -> Vec<(Job, Change, Job)> {
    let mut job = job(receiver);
    let mut steps = Vec::new();
    for (at, change) in (2..).zip(changes) {
        if let Some(after) = job.after_step(&step(std::slice::from_ref(&change), at)) {
            steps.push((std::mem::replace(&mut job, after.clone()), change, after));
        }
    }
    steps
}

#[test]
fn a_call_that_was_interrupted_after_it_was_put_off_waits_anew() {
    let changes = [Change::Start, Change::PutOff, Change::Start, Change::Release];
    let lives = life(false, changes.to_vec());
    let unsent: Vec<_> = lives.iter().map(|(.., after)| after.unsent_since).collect();
    let since = Some(Millis(2));
    assert_eq!(unsent, [None, since, since, None]);
}

proptest! {
    #[test]
    fn what_acceptance_fixed_stays(receiver: bool, changes in prop::collection::vec(change(), 0..40)) {
        for (before, _, after) in life(receiver, changes) {
            prop_assert_eq!(before.id, after.id);
            prop_assert_eq!(before.server, after.server);
            prop_assert_eq!(before.client, after.client);
            prop_assert_eq!(before.receiver, after.receiver);
            prop_assert_eq!(before.dedupe, after.dedupe);
            prop_assert_eq!(before.accepted, after.accepted);
            prop_assert!(before.ended.is_none() || before.ended == after.ended);
            prop_assert_eq!(after.ended.is_some(), matches!(after.state.exec, Exec::Ended(_)));
        }
    }

    #[test]
    fn a_job_is_filed_in_exactly_one_place(receiver: bool, changes in prop::collection::vec(change(), 0..40)) {
        for (.., job) in life(receiver, changes) {
            let rows = job.rows();
            let places = [
                rows.queued.is_some(),
                rows.inflight,
                rows.due.is_some(),
                rows.dead.is_some(),
                rows.settled.is_some(),
            ];
            prop_assert_eq!(places.into_iter().filter(|place| *place).count(), 1, "{:?}", job);
            prop_assert!(rows.waiting.is_none() || rows.due.is_some() || rows.inflight);
        }
    }

    #[test]
    fn only_a_failed_attempt_uses_a_retry(changes in prop::collection::vec(change(), 0..40)) {
        for (before, change, after) in life(true, changes) {
            let expected = match change {
                Change::Claim => before.attempts + 1,
                Change::Retry { why: None, .. } => before.attempts - 1,
                Change::Replay => 0,
                _ => before.attempts,
            };
            prop_assert_eq!(after.attempts, expected);
        }
    }

    #[test]
    fn a_note_moves_nothing(changes in prop::collection::vec(change(), 0..40)) {
        for (before, change, after) in life(true, changes) {
            if let Change::Attempted(_) = change {
                prop_assert_eq!(Job { version: after.version, ..before }, after);
            }
        }
    }

    #[test]
    fn a_replayed_delivery_comes_after_live_ones_and_is_young_again(changes in prop::collection::vec(change(), 0..40)) {
        for (before, change, after) in life(true, changes) {
            if let Change::Replay = change {
                prop_assert_eq!(after.undelivered_since(), Some(after.turn));
                prop_assert!(after.undelivered_since() > before.ended);
            }
            if let Some((_, rank, _)) = after.rows().due {
                prop_assert_eq!(rank == Rank::Replayed, after.replays > 0);
            }
        }
    }

    #[test]
    fn several_changes_are_the_same_one_by_one(changes in prop::collection::vec(change(), 0..6)) {
        let one_by_one = changes
            .iter()
            .try_fold(job(true), |job, change| job.after(change, stamp(7)));
        let version = |job: Option<Job>| job.map(|job| Job { version: 0, ..job });
        prop_assert_eq!(version(job(true).after_step(&step(&changes, 7))), version(one_by_one));
    }

    #[test]
    fn a_job_has_an_owner_exactly_while_somebody_is_at_work_on_it(changes in prop::collection::vec(change(), 0..40)) {
        for (before, change, after) in life(true, changes) {
            prop_assert_eq!(after.owner.is_some(), after.rows().inflight);
            let claims = matches!(change, Change::Start | Change::Resume | Change::Claim);
            prop_assert_eq!(after.run, before.run + u32::from(claims));
            prop_assert!(after.version <= before.version + 1);
            prop_assert_eq!(after.version == before.version, after == before);
        }
    }

    #[test]
    fn a_job_without_a_receiver_is_never_due(changes in prop::collection::vec(change(), 0..40)) {
        for (.., job) in life(false, changes) {
            prop_assert_eq!(job.state.push, Push::None);
        }
    }
}

#[test]
fn a_first_attempt_under_way_is_not_waiting_and_a_second_is() {
    let body = Bytes::new();
    let end = End::Result;
    let first = [Change::Start, Change::Finish { end, body }, Change::Claim];
    let first = job(true).after_step(&step(&first, 5)).unwrap();
    assert_eq!(first.rows().waiting, None);
    let why = Some(Category::Timeout);
    let retry = Change::Retry { at: Millis(9), why };
    let parked = first.after(&retry, stamp(6)).unwrap();
    assert_eq!(parked.rows().waiting, Some(Millis(5)));
    assert_eq!(
        parked.rows().due,
        parked.receiver.map(|receiver| (receiver, Rank::Live, Millis(9)))
    );
    let second = parked.after(&Change::Claim, stamp(9)).unwrap();
    assert_eq!(second.rows().waiting, Some(Millis(5)));
}

#[test]
fn what_is_over_is_kept_by_what_became_of_it_and_what_is_not_from_now_on() {
    let (settled, dead) = (Duration::from_millis(100), Duration::from_secs(1));
    let until = |job: &Job| job.kept_until(Millis(50), settled, dead);
    let mut queued = job(true);
    assert_eq!(until(&queued), Millis(150));
    queued.kept_longer = Duration::from_millis(7);
    assert_eq!(until(&queued), Millis(157));
    let end = Change::Finish {
        end: End::Result,
        body: Bytes::new(),
    };
    let due = queued.after_step(&step(std::slice::from_ref(&end), 20)).unwrap();
    assert_eq!(until(&due), Millis(157), "it is not over before it is delivered");
    let delivered = due
        .after_step(&step(&[Change::Claim, Change::Deliver], 30))
        .unwrap();
    assert_eq!(until(&delivered), Millis(137));
    let why = Category::Timeout;
    let buried = due
        .after_step(&step(&[Change::Claim, Change::Bury { why }], 30))
        .unwrap();
    assert_eq!(until(&buried), Millis(1030));
    let polled = job(false).after_step(&step(&[end], 20)).unwrap();
    assert_eq!(until(&polled), Millis(120));
}
