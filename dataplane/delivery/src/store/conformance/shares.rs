//! What one client may use of a store, and who pays when it is full.

use std::sync::Arc;

use super::{BURY, accept, apply, finish, job_of, sweep};
use crate::clock::Millis;
use crate::job::{Change, Key};
use crate::store::{ClientUse, Store, Sweep};

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
