//! What one client may use of a store, and who pays when it is full.

use std::sync::Arc;

use super::{BURY, accept, apply, finish, job_of, sweep};
use crate::clock::Millis;
use crate::job::{Change, Key, NewJob};
use crate::store::{Acceptance, ClientLimit, ClientUse, Store, Sweep};

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
