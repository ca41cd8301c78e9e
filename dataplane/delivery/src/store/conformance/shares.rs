//! What one client may use of a store, and who pays when it is full.

use std::sync::Arc;

use super::{BURY, accept, apply, apply_any, finish, job_of, sweep};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Key, NewJob};
use crate::state::{Category, End, Push};
use crate::store::{Acceptance, ClientLimit, ClientUse, Error, Evict, Evicted, SessionRow, Store, Sweep};

async fn bytes_of(store: &dyn Store, client: &str) -> u64 {
    store.client_use(Key::of(client)).await.unwrap().bytes
}

pub(in crate::store) async fn counts_the_bytes_of_a_client_until_its_payloads_are_gone(
    store: Arc<dyn Store>,
) {
    let job = |number, client| job_of(number, "s", client, Some("https://one.example/"));
    let (sent, buried, theirs) = (job(1, "ann"), job(2, "ann"), job(3, "bob"));
    let arguments = sent.params.len() as u64;
    for job in [&sent, &buried, &theirs] {
        accept(&*store, job.clone()).await;
    }
    assert_eq!(bytes_of(&*store, "ann").await, 2 * arguments);
    let body = u64::from(apply(&*store, sent.id, [finish(), Change::Claim], 5).await.size);
    assert_eq!(bytes_of(&*store, "ann").await, arguments + body);
    apply(&*store, sent.id, [Change::Deliver], 6).await;
    apply(&*store, buried.id, [finish(), Change::Claim, BURY], 7).await;
    assert_eq!(bytes_of(&*store, "ann").await, 2 * body, "whatever became of it");
    assert_eq!(store.reclaim(9).await.unwrap(), 1);
    assert_eq!(bytes_of(&*store, "ann").await, body);
    assert_eq!(store.job(sent.id).await.unwrap().unwrap().size, 0);
    let over = Sweep {
        settled_before: Millis(99),
        dead_before: Millis(99),
        ..sweep(99)
    };
    assert_eq!(store.sweep(over).await.unwrap(), 2);
    let nothing = store.client_use(Key::of("ann")).await.unwrap();
    assert_eq!(nothing, ClientUse::default());
    assert_eq!(bytes_of(&*store, "bob").await, arguments);
}

pub(in crate::store) async fn refuses_a_client_that_uses_its_share_and_no_other(store: Arc<dyn Store>) {
    let share = store.space().client_share().unwrap();
    let large = |number, client| NewJob {
        params: vec![number; 100_000].into(),
        ..job_of(number, "s", client, None)
    };
    let mut number = 1;
    let refused = loop {
        match store.accept(large(number, "ann")).await.unwrap() {
            Acceptance::New(_) => number += 1,
            refused => break refused,
        }
    };
    assert_eq!(refused, Acceptance::ClientFull(ClientLimit::Bytes { share }));
    let used = bytes_of(&*store, "ann").await;
    assert!(used <= share && used + 100_000 > share, "{used} of {share}");
    let theirs = job_of(100, "s", "bob", None);
    accept(&*store, theirs).await;
    assert_eq!(store.job(large(number, "ann").id).await.unwrap(), None);
    apply(&*store, large(1, "ann").id, [finish()], 5000).await;
    accept(&*store, large(number, "ann")).await;
}

fn of_size(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: vec![7; size].into(),
    }
}

/// Accepts a job whose delivery fails for good at this time.
async fn bury(store: &dyn Store, (number, client): (u8, &str), size: usize, at: u64) -> JobId {
    let job = job_of(number, "s", client, Some("https://one.example/"));
    let id = accept(store, job).await;
    apply(store, id, [of_size(size), Change::Claim], at).await;
    apply(store, id, [BURY], at).await;
    id
}

async fn evict(store: &dyn Store, bytes: u64) -> Option<Evicted> {
    let (limit, at) = (99, Millis(9000));
    store.evict(Evict { bytes, limit, at }).await.unwrap()
}

pub(in crate::store) async fn evicts_the_oldest_dead_letters_of_the_client_that_uses_the_most(
    store: Arc<dyn Store>,
) {
    assert_eq!(evict(&*store, 1).await, None);
    let (ann, bob) = (Key::of("ann"), Key::of("bob"));
    let evicted = |client, jobs, bytes| Some(Evicted { client, jobs, bytes });
    let second = bury(&*store, (1, "ann"), 50_000, 3000).await;
    let oldest = bury(&*store, (2, "ann"), 50_000, 2000).await;
    let theirs = bury(&*store, (3, "bob"), 60_000, 1500).await;
    let used = store.space().used;

    assert_eq!(evict(&*store, 40_000).await, evicted(ann, 1, 50_000));
    assert!(used - store.space().used >= 50_000);
    let job = store.job(oldest).await.unwrap().unwrap();
    assert_eq!(job.state.push, Push::Dead(Category::Evicted));
    assert_eq!((job.last, job.size), (Some(Category::Http5xx), 0));
    assert_eq!(job.rows().dead, Some(Millis(2000)), "it is as old as before");
    assert_eq!(store.body(oldest).await.unwrap(), None);
    assert!(store.call(oldest).await.unwrap().is_some(), "the rest is kept");
    assert_eq!(store.counts().dead, 3);
    assert!(store.body(second).await.unwrap().is_some());
    let replayed = apply_any(&*store, oldest, vec![Change::Replay], Millis(9000)).await;
    assert_eq!(replayed.unwrap(), None, "there is nothing to send");

    assert_eq!(bytes_of(&*store, "ann").await, 50_000);
    assert_eq!(evict(&*store, 1).await, evicted(bob, 1, 60_000));
    assert_eq!(store.body(theirs).await.unwrap(), None);
    assert_eq!(evict(&*store, 90_000).await, evicted(ann, 1, 50_000));
    assert_eq!(evict(&*store, 1).await, None);
    let over = Sweep {
        dead_before: Millis(4000),
        ..sweep(9000)
    };
    assert_eq!(store.sweep(over).await.unwrap(), 3);
}

pub(in crate::store) async fn evicts_what_was_stopped_and_keeps_what_is_still_wanted(store: Arc<dyn Store>) {
    let job = |number| job_of(number, "s", "ann", Some("https://one.example/"));
    let [due, stopped, delivered] = [1, 2, 3].map(|number| job(number).id);
    for number in 1..=3 {
        accept(&*store, job(number)).await;
        apply(&*store, job(number).id, [of_size(20_000)], 2000).await;
    }
    apply(&*store, stopped, [Change::Stop], 2001).await;
    apply(&*store, delivered, [Change::Claim, Change::Deliver], 2001).await;
    let replayed = bury(&*store, (4, "ann"), 100, 2000).await;
    apply(&*store, replayed, [Change::Replay], 2002).await;
    let (client, jobs, bytes) = (Key::of("ann"), 1, 20_000);
    assert_eq!(evict(&*store, 9).await, Some(Evicted { client, jobs, bytes }));
    assert_eq!(evict(&*store, 9).await, None);
    let job = store.job(stopped).await.unwrap().unwrap();
    assert_eq!(
        (job.state.push, job.size),
        (Push::Dead(Category::Evicted), 0),
        "nobody waits for it"
    );
    for id in [due, delivered, replayed] {
        assert!(store.body(id).await.unwrap().is_some());
    }
}

/// Whoever opens sessions without end takes no space from calls, and a session can always be ended.
pub(in crate::store) async fn refuses_more_sessions_and_keeps_the_space_for_calls(store: Arc<dyn Store>) {
    let row = |version, size| SessionRow {
        version,
        expires: Millis(50),
        bytes: vec![b'x'; size].into(),
    };
    let sid = |number: u32| {
        let mut sid = [0; 16];
        sid[..4].copy_from_slice(&number.to_be_bytes());
        sid
    };
    let mut opened = 0;
    let refused = loop {
        match store.swap_session(sid(opened), row(1, 1000)).await {
            Ok(written) => assert!(written),
            Err(refused) => break refused,
        }
        opened += 1;
    };
    assert!(matches!(refused, Error::SessionsFull), "{refused}");
    let space = store.space();
    assert!(
        opened > 10 && space.used <= space.budget.unwrap() / 9,
        "{space:?}"
    );
    assert_eq!(store.session(sid(opened)).await.unwrap(), None);
    store.swap_session(sid(0), row(2, 9000)).await.unwrap_err();
    assert!(store.swap_session(sid(0), row(2, 900)).await.unwrap());
    accept(&*store, job_of(1, "s", "ann", None)).await;

    let sweep = Sweep {
        now: Millis(99),
        settled_before: Millis(0),
        dead_before: Millis(0),
        limit: 10_000,
    };
    store.sweep(sweep).await.unwrap();
    assert!(store.swap_session(sid(opened), row(1, 1000)).await.unwrap());
}
