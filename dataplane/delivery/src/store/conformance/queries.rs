//! Questions about many jobs: fair, in order, and about the right ones.

use std::sync::Arc;

use super::{BURY, accept, apply, finish, job_of, new_job, retry};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Key, Rank, Receiver};
use crate::store::Store;

const ONE: &str = "https://one.example/hook";
const TWO: &str = "https://two.example/hook";

pub(in crate::store) async fn lists_the_servers_that_jobs_are_queued_for(store: Arc<dyn Store>) {
    assert_eq!(store.queued_servers().await.unwrap(), []);
    let first = accept(&*store, job_of(1, "a", "x", None)).await;
    accept(&*store, job_of(2, "b", "x", None)).await;
    accept(&*store, job_of(3, "b", "y", None)).await;
    let mut both = [Key::of("a"), Key::of("b")];
    both.sort_unstable();
    assert_eq!(store.queued_servers().await.unwrap(), both);

    apply(&*store, first, [Change::Start], 5).await;
    assert_eq!(store.queued_servers().await.unwrap(), [Key::of("b")]);
    apply(&*store, first, [Change::Release], 6).await;
    assert_eq!(store.queued_servers().await.unwrap(), both);
}

pub(in crate::store) async fn goes_round_the_clients_of_a_queue(store: Arc<dyn Store>) {
    for number in 1..=6 {
        accept(&*store, job_of(number, "s", "greedy", None)).await;
    }
    accept(&*store, job_of(7, "s", "modest", None)).await;
    accept(&*store, job_of(8, "s", "shy", None)).await;
    accept(&*store, job_of(9, "other", "greedy", None)).await;
    let server = Key::of("s");

    let (mut order, mut after) = (Vec::new(), None);
    while let Some((client, id)) = store.next_queued(server, after).await.unwrap() {
        let job = apply(&*store, id, [Change::Start], 5).await;
        assert_eq!((job.client, job.server), (client, server));
        order.push((client, id));
        after = Some(client);
    }

    assert_eq!(order.len(), 8);
    let mut first_round: Vec<Key> = order[..3].iter().map(|(client, _)| *client).collect();
    first_round.sort_unstable();
    let mut clients = ["greedy", "modest", "shy"].map(Key::of);
    clients.sort_unstable();
    assert_eq!(first_round, clients, "each client once before any twice");
    let of_greedy = order.iter().filter(|(client, _)| *client == Key::of("greedy"));
    let of_greedy: Vec<JobId> = of_greedy.map(|(_, id)| *id).collect();
    assert!(of_greedy.len() == 6 && of_greedy.is_sorted(), "oldest first");
    assert_eq!(store.next_queued(Key::of("nobody"), None).await.unwrap(), None);
}

pub(in crate::store) async fn lists_the_oldest_of_one_client_in_a_queue(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(accept(&*store, job_of(number, "s", "c", None)).await);
    }
    accept(&*store, job_of(5, "s", "other", None)).await;
    accept(&*store, job_of(6, "elsewhere", "c", None)).await;
    let (server, client) = (Key::of("s"), Key::of("c"));
    assert_eq!(store.queued(server, client, 3).await.unwrap(), ids[..3]);
    apply(&*store, ids[0], [Change::Start], 5).await;
    assert_eq!(store.queued(server, client, 9).await.unwrap(), ids[1..]);
    assert_eq!(store.queued(server, Key::of("nobody"), 9).await.unwrap(), []);
}

/// Accepts a job and brings it to due at `at`.
async fn due_at(store: &dyn Store, number: u8, receiver: &str, at: u64) -> JobId {
    let id = accept(store, job_of(number, "s", "c", Some(receiver))).await;
    apply(store, id, [finish(), Change::Claim, retry(at)], 5).await;
    id
}

fn key(receiver: &str) -> Receiver {
    Receiver::of(receiver)
}

pub(in crate::store) async fn lists_due_jobs_in_order_up_to_now(store: Arc<dyn Store>) {
    let late = due_at(&*store, 1, ONE, 300).await;
    let early = due_at(&*store, 2, ONE, 100).await;
    let middle = due_at(&*store, 3, ONE, 200).await;
    due_at(&*store, 4, TWO, 100).await;

    let due = async |now, limit| store.due(key(ONE), Rank::Live, Millis(now), limit).await.unwrap();
    assert_eq!(due(99, 10).await, []);
    assert_eq!(due(100, 10).await, [early]);
    assert_eq!(due(1000, 10).await, [early, middle, late]);
    assert_eq!(due(1000, 2).await, [early, middle]);
    assert_eq!(due(1000, 0).await, []);

    apply(&*store, early, [Change::Claim], 100).await;
    assert_eq!(due(1000, 10).await, [middle, late]);
}

pub(in crate::store) async fn knows_each_receivers_earliest_delivery(store: Arc<dyn Store>) {
    assert_eq!(store.receivers().await.unwrap(), []);
    assert_eq!(store.next_due(key(ONE), Rank::Live).await.unwrap(), None);
    due_at(&*store, 1, ONE, 300).await;
    let early = due_at(&*store, 2, ONE, 100).await;
    due_at(&*store, 3, TWO, 200).await;

    let live = |url, at| (key(url), Rank::Live, Millis(at));
    let mut expected = [live(ONE, 100), live(TWO, 200)];
    expected.sort_unstable();
    assert_eq!(store.receivers().await.unwrap(), expected);
    assert_eq!(
        store.next_due(key(ONE), Rank::Live).await.unwrap(),
        Some(Millis(100))
    );

    apply(&*store, early, [BURY], 100).await;
    assert_eq!(
        store.next_due(key(ONE), Rank::Live).await.unwrap(),
        Some(Millis(300))
    );
    assert_eq!(store.receivers().await.unwrap().len(), 2);
}

pub(in crate::store) async fn keeps_replayed_deliveries_apart_from_live_ones(store: Arc<dyn Store>) {
    let live = due_at(&*store, 1, ONE, 300).await;
    let mut replayed = Vec::new();
    for number in 2..=3 {
        let id = accept(&*store, job_of(number, "s", "c", Some(ONE))).await;
        apply(&*store, id, [finish(), BURY], 5).await;
        apply(&*store, id, [Change::Replay], 10 * u64::from(number)).await;
        replayed.push(id);
    }
    let due = async |rank, now| store.due(key(ONE), rank, Millis(now), 9).await.unwrap();
    let next = async |rank| store.next_due(key(ONE), rank).await.unwrap();

    assert_eq!(due(Rank::Live, 300).await, [live]);
    assert_eq!(due(Rank::Replayed, 29).await, replayed[..1]);
    assert_eq!(due(Rank::Replayed, 300).await, replayed);
    assert_eq!(next(Rank::Live).await, Some(Millis(300)));
    assert_eq!(next(Rank::Replayed).await, Some(Millis(20)));
    let (one, both) = (key(ONE), store.receivers().await.unwrap());
    let (first, second) = ((one, Rank::Live, Millis(300)), (one, Rank::Replayed, Millis(20)));
    assert_eq!(both, [first, second]);

    apply(&*store, replayed[0], [Change::Claim, retry(40)], 20).await;
    assert_eq!(due(Rank::Replayed, 40).await, [replayed[1], replayed[0]]);
    apply(&*store, live, [BURY], 30).await;
    assert_eq!(
        store.receivers().await.unwrap(),
        [(one, Rank::Replayed, Millis(30))]
    );
}

pub(in crate::store) async fn lists_what_is_in_flight(store: Arc<dyn Store>) {
    accept(&*store, new_job(1)).await;
    let running = accept(&*store, new_job(2)).await;
    let sending = accept(&*store, new_job(3)).await;
    let over = accept(&*store, new_job(4)).await;
    let running = apply(&*store, running, [Change::Start], 5).await;
    let sending = apply(&*store, sending, [finish(), Change::Claim], 5).await;
    apply(&*store, over, [finish(), Change::Claim, Change::Deliver], 5).await;

    assert_eq!(store.in_flight().await.unwrap(), [running, sending]);
}

pub(in crate::store) async fn knows_the_oldest_queued_job(store: Arc<dyn Store>) {
    assert_eq!(store.oldest_queued().await.unwrap(), None);
    let first = accept(&*store, job_of(1, "s", "ann", None)).await;
    let second = accept(&*store, job_of(2, "s", "bob", None)).await;
    accept(&*store, job_of(3, "t", "ann", None)).await;
    let accepted = async |id| store.job(id).await.unwrap().map(|job| job.accepted);
    assert_eq!(store.oldest_queued().await.unwrap(), accepted(first).await);
    apply(&*store, first, [Change::Start], 5).await;
    assert_eq!(store.oldest_queued().await.unwrap(), accepted(second).await);
    apply(&*store, first, [Change::Release], 6).await;
    assert_eq!(store.oldest_queued().await.unwrap(), accepted(first).await);
}

pub(in crate::store) async fn lists_the_deliveries_that_wait_by_their_age(store: Arc<dyn Store>) {
    let waiting = async |after, before, limit| store.waiting(after, Millis(before), limit).await.unwrap();
    assert_eq!(waiting(None, u64::MAX, 9).await, []);
    let fresh = accept(&*store, new_job(1)).await;
    let old = accept(&*store, new_job(2)).await;
    let older = accept(&*store, new_job(3)).await;
    apply(&*store, fresh, [finish(), Change::Claim], 10).await;
    assert_eq!(
        waiting(None, u64::MAX, 9).await,
        [],
        "a first attempt is under way"
    );

    apply(&*store, old, [finish(), Change::Claim, retry(900)], 30).await;
    apply(&*store, older, [finish(), Change::Claim, retry(900)], 20).await;
    let (first, second) = ((Millis(20), older), (Millis(30), old));
    assert_eq!(waiting(None, u64::MAX, 9).await, [first, second]);
    assert_eq!(waiting(None, u64::MAX, 1).await, [first]);
    assert_eq!(waiting(None, 30, 9).await, [first]);
    assert_eq!(waiting(Some(first), 31, 9).await, [second]);
    assert_eq!(waiting(Some(first), 30, 9).await, []);
    apply(&*store, older, [Change::Claim], 900).await;
    assert_eq!(
        waiting(None, u64::MAX, 1).await,
        [first],
        "a second attempt is under way"
    );
    apply(&*store, older, [Change::Deliver], 901).await;
    assert_eq!(waiting(None, u64::MAX, 9).await, [second]);
}
