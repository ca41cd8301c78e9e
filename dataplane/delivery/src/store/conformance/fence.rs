//! The fence: a stale owner, an earlier claim and an old version change nothing.

use std::sync::Arc;

use super::{BURY, accept, apply, finish, job_of, new_job, retry};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Applied, Change, Expect, Job, Key, Owner, Receiver, Stamp, Step};
use crate::store::{Claim, ClaimDue, Error, Store};

fn stale(store: &dyn Store) -> Owner {
    let Owner { replica, epoch } = store.owner();
    let epoch = epoch - 1;
    Owner { replica, epoch }
}

fn step(store: &dyn Store, expect: Expect, change: Change) -> Step {
    let stamp = Stamp {
        by: store.owner(),
        at: Millis(50),
    };
    let changes = vec![change];
    Step {
        expect,
        stamp,
        changes,
    }
}

async fn job(store: &dyn Store, id: JobId) -> Job {
    store.job(id).await.unwrap().unwrap()
}

pub(in crate::store) async fn a_stale_owner_changes_nothing(store: Arc<dyn Store>) {
    let stale = stale(&*store);
    let (queued, due) = (new_job(1), new_job(2));
    let (queued, receiver) = (
        accept(&*store, queued).await,
        due.call.target.as_ref().unwrap().receiver(),
    );
    let due = accept(&*store, due).await;
    apply(&*store, due, [finish()], 5).await;
    let (before, counts) = (job(&*store, queued).await, store.counts());

    let start = Step::any(stale, vec![Change::Start], Millis(9));
    assert_eq!(store.apply(queued, start).await.unwrap(), Applied::Fenced);
    let stamp = Stamp {
        by: stale,
        at: Millis(99),
    };
    let started = store.claim_queued(&[queued], stamp).await;
    assert!(matches!(started, Err(Error::Fenced)), "{started:?}");
    let (room, replays) = (8, 8);
    let claimed = store
        .claim_due(ClaimDue {
            receiver,
            room,
            replays,
            passed_over: Vec::new(),
            last: None,
            stamp,
        })
        .await;
    assert!(matches!(claimed, Err(Error::Fenced)), "{claimed:?}");

    assert_eq!(job(&*store, queued).await, before);
    assert_eq!(store.counts(), counts);
}

pub(in crate::store) async fn an_earlier_claim_changes_nothing(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let first = apply(&*store, id, [finish(), Change::Claim], 5).await;
    let second = apply(&*store, id, [Change::Stop, Change::Replay, Change::Claim], 6).await;
    assert_eq!(
        (first.attempts, second.attempts),
        (1, 1),
        "attempts do not tell them apart"
    );

    let late = step(&*store, Expect::Held(first.run), BURY);
    assert_eq!(
        store.apply(id, late).await.unwrap(),
        Applied::Moved(second.clone())
    );
    assert_eq!(store.history(id).await.unwrap(), []);
    let now = step(&*store, Expect::Held(second.run), Change::Deliver);
    assert!(store.apply(id, now).await.unwrap().job().is_some());
}

pub(in crate::store) async fn a_step_that_expects_a_version_is_applied_to_no_other(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    let read = apply(&*store, id, [Change::Start], 5).await;
    apply(&*store, id, [Change::Name { name: [77; 32] }], 6).await;
    let now = job(&*store, id).await;
    let resume = step(&*store, Expect::Version(read.version), Change::Resume);
    assert_eq!(
        store.apply(id, resume).await.unwrap(),
        Applied::Moved(now.clone())
    );
    let resume = step(&*store, Expect::Version(now.version), Change::Resume);
    let resumed = store.apply(id, resume).await.unwrap().job().unwrap();
    assert_eq!((resumed.run, resumed.version), (now.run + 1, now.version + 1));
    let ended = step(&*store, Expect::Held(resumed.run), finish());
    assert!(store.apply(id, ended).await.unwrap().job().is_some());
    let gone = store
        .apply(new_job(9).id, step(&*store, Expect::Any, Change::Start))
        .await;
    assert_eq!(gone.unwrap(), Applied::Gone);
}

pub(in crate::store) async fn claims_answer_for_each_queued_job_in_order(store: Arc<dyn Store>) {
    let running = accept(&*store, new_job(1)).await;
    apply(&*store, running, [Change::Start], 5).await;
    let queued = accept(&*store, new_job(2)).await;
    let stamp = Stamp {
        by: store.owner(),
        at: Millis(7),
    };
    let claims = store
        .claim_queued(&[running, queued, new_job(9).id], stamp)
        .await
        .unwrap();
    let [Claim::Passed, Claim::Claimed(claimed), Claim::Passed] = &claims[..] else {
        panic!("{claims:?}")
    };
    assert_eq!(claimed.job, job(&*store, queued).await);
    assert_eq!(claimed.job.owner, Some(store.owner()));
    assert_eq!(claimed.call, new_job(2).call);
    assert_eq!(claimed.params, new_job(2).params);
    assert_eq!(store.counts().running, 2);
}

pub(in crate::store) async fn a_claim_passes_over_clients_that_use_their_share(store: Arc<dyn Store>) {
    let receiver = Receiver::of("https://one.example/");
    let mut ids = Vec::new();
    for (number, client) in [(1, "full"), (2, "full"), (3, "other"), (4, "full")] {
        let id = accept(&*store, job_of(number, "s", client, Some("https://one.example/"))).await;
        apply(&*store, id, [finish()], u64::from(number) * 10).await;
        ids.push(id);
    }
    let claim = |passed_over, last| ClaimDue {
        receiver,
        room: 2,
        replays: 2,
        passed_over,
        last,
        stamp: Stamp {
            by: store.owner(),
            at: Millis(100),
        },
    };
    let due = store.claim_due(claim(vec![Key::of("full")], None)).await.unwrap();
    let claimed: Vec<_> = due.claimed.iter().map(|job| job.id).collect();
    assert_eq!(claimed, [ids[2]]);
    assert_eq!(due.next, [Some(Millis(10)), None], "what was passed over is due");
    let id = accept(&*store, job_of(5, "s", "other", Some("https://one.example/"))).await;
    apply(&*store, id, [finish()], 50).await;
    let due = store
        .claim_due(claim(Vec::new(), Some(Key::of("full"))))
        .await
        .unwrap();
    let claimed: Vec<_> = due.claimed.iter().map(|job| job.id).collect();
    assert_eq!(claimed, [id, ids[0]], "it comes last");
}

pub(in crate::store) async fn a_claim_takes_what_is_due_live_first_and_tells_what_is_next(
    store: Arc<dyn Store>,
) {
    let to = |number| job_of(number, "s", "c", Some("https://one.example/"));
    let mut ids = Vec::new();
    for number in 1..=5 {
        let id = accept(&*store, to(number)).await;
        apply(&*store, id, [finish()], u64::from(number) * 10).await;
        ids.push(id);
    }
    apply(&*store, ids[0], [Change::Claim, BURY, Change::Replay], 12).await;
    apply(&*store, ids[4], [Change::Claim, retry(900)], 55).await;
    let claim = |room, replays, at| ClaimDue {
        receiver: Receiver::of("https://one.example/"),
        room,
        replays,
        passed_over: Vec::new(),
        last: None,
        stamp: Stamp {
            by: store.owner(),
            at: Millis(at),
        },
    };
    let of = |jobs: &[Job]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();

    let due = store.claim_due(claim(2, 2, 100)).await.unwrap();
    assert_eq!(of(&due.claimed), [ids[1], ids[2]]);
    assert_eq!(due.next, [Some(Millis(40)), Some(Millis(12))]);
    assert!(due.claimed.iter().all(|job| job.owner == Some(store.owner())));
    let due = store.claim_due(claim(8, 1, 100)).await.unwrap();
    assert_eq!(of(&due.claimed), [ids[3], ids[0]]);
    assert_eq!(due.next, [Some(Millis(900)), None]);
    let due = store.claim_due(claim(8, 8, 100)).await.unwrap();
    assert_eq!((due.claimed, due.next), (Vec::new(), [Some(Millis(900)), None]));
}

pub(in crate::store) async fn a_call_is_found_by_the_names_it_was_accepted_with(store: Arc<dyn Store>) {
    let mut first = new_job(1);
    first.names = vec![[71; 32]];
    let mut again = first.clone();
    (again.id, again.names) = (new_job(2).id, vec![[72; 32]]);
    let id = accept(&*store, first.clone()).await;
    let same = store.accept(again).await.unwrap();
    assert_eq!(same, crate::store::Acceptance::Same(id));
    for name in [first.dedupe.key, [71; 32], [72; 32]] {
        assert_eq!(store.find(name).await.unwrap(), Some(id));
    }
    assert_eq!(store.find([73; 32]).await.unwrap(), None);
}
