//! When attempts are made and how deliveries end.

use std::time::Duration;

use super::world::*;
use crate::egress::NamedBy;
use crate::id::JobId;
use crate::job::{NewJob, Retry};
use crate::state::{Category, Fault};
use crate::store::roles::*;
use crate::verdict::Verdict;

/// The whole seconds at which attempts were made for `id`.
fn attempts(world: &World, id: JobId) -> Vec<u64> {
    let seen = world.receivers.seen();
    let mine = seen.iter().filter(|seen| seen.job == id);
    mine.map(|seen| seen.at.as_secs()).collect()
}

fn retried(mut job: NewJob, retry: Retry) -> NewJob {
    job.call.retry = retry;
    job
}

#[tokio::test(start_paused = true)]
async fn attempts_follow_the_schedule_until_one_succeeds() {
    let world = World::new();
    let broken = Reply::status(500);
    world
        .receivers
        .script("http://r/", [broken, broken, broken, Reply::status(202)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("result", "delivered"));
    assert_eq!(attempts(&world, id), [0, 1, 3, 7]);
    assert_eq!(settled.attempts, 4);
    let reason = [("reason", "http_5xx")];
    assert_eq!(world.count("asyncmcp_delivery_retries_total", &reason), 3);
}

#[tokio::test(start_paused = true)]
async fn spent_retries_leave_a_dead_letter_with_the_last_reason() {
    let world = World::new();
    let refused = Reply::none(Verdict::Retry(Category::ConnectionRefused));
    world.receivers.script("http://r/", [Reply::status(500), refused]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    assert_eq!(
        world.count("asyncmcp_dead_letters_total", &[("reason", "connection_refused")]),
        0
    );
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "connection_refused"));
    assert_eq!(attempts(&world, id).len(), 4);
    assert_eq!(
        world.count("asyncmcp_dead_letters_total", &[("reason", "connection_refused")]),
        1
    );
    let labels = [("outcome", "dead"), ("status_class", "none")];
    assert_eq!(world.count("asyncmcp_delivery_attempts_total", &labels), 1);
}

#[tokio::test(start_paused = true)]
async fn a_terminal_answer_ends_the_delivery_at_once() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(410)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "http_4xx"));
    assert_eq!(attempts(&world, id), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_waits_is_kept_to() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(500)]);
    let engine = world.start();
    let waits = [5, 30].map(Duration::from_secs).to_vec();
    let schedule = Retry::Schedule {
        waits,
        jitter_percent: 0,
    };
    let job = retried(world.job("echo"), schedule);
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await;
    assert_eq!(attempts(&world, id), [0, 5, 35]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_blocks_the_receiver_for_every_job_but_no_other_receiver() {
    let world = World::new();
    let busy = Reply::status(429).retry_after(Duration::from_secs(100));
    world.receivers.script("http://r/", [busy, Reply::status(200)]);
    let engine = world.start();
    let (first, second) = (world.job("echo"), by("other", world.job("takes-10")));
    let elsewhere = to("http://other/", by("third", world.job("takes-10")));
    let ids = [first.id, second.id, elsewhere.id];
    for job in [first, second, elsewhere] {
        engine.accept(job).await.unwrap();
    }
    for id in ids {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
    assert_eq!(attempts(&world, ids[0]), [0, 100]);
    assert_eq!(attempts(&world, ids[1]), [100]);
    assert_eq!(attempts(&world, ids[2]), [10]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_capped() {
    let world = World::with(|policy| policy.retry_after_max = Duration::from_secs(50));
    let away = Reply::status(503).retry_after(Duration::from_secs(u64::MAX));
    world.receivers.script("http://r/", [away, Reply::status(200)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await;
    assert_eq!(attempts(&world, id), [0, 50]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_gets_few_at_once_and_holds_up_nobody_else() {
    let world = World::with(|policy| policy.per_receiver.max_in_flight = 2);
    let slow = Reply::status(200).after(Duration::from_secs(20));
    world.receivers.script("http://slow/", [slow]);
    let engine = world.start();
    let mut ids = Vec::new();
    for number in 0..6 {
        let job = to("http://slow/", by(&number.to_string(), world.job("echo")));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    let quick = by("quick", world.job("echo"));
    let quick_id = quick.id;
    engine.accept(quick).await.unwrap();
    world.settled(quick_id).await;
    assert_eq!(attempts(&world, quick_id), [0]);
    for id in ids {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
    assert_eq!(world.receivers.peak("http://slow/"), 2);
    assert_eq!(world.receivers.seen().last().unwrap().at.as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_uses_no_retry() {
    let world = World::new();
    let fault = Reply::none(Verdict::Requeue(Fault::Resolver));
    world.receivers.script(
        "http://r/",
        [fault, fault, fault, fault, fault, Reply::status(200)],
    );
    let engine = world.start();
    let job = retried(world.job("echo"), retries(0));
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("result", "delivered"));
    assert_eq!((settled.attempts, settled.last), (1, None));
    let at: Vec<_> = world
        .receivers
        .seen()
        .iter()
        .map(|seen| seen.at.as_millis())
        .collect();
    assert_eq!(at, [0, 500, 1500, 3500, 7500, 15500], "it backs off");
    assert_eq!(
        world.count("asyncmcp_delivery_retries_total", &[("reason", "resolver")]),
        5
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_grew_too_old_expires() {
    let world = World::with(|policy| policy.max_age = Duration::from_secs(5));
    world.receivers.script("http://r/", [Reply::status(500)]);
    let engine = world.start();
    let job = retried(world.job("echo"), retries(50));
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "expired"));
    assert_eq!(attempts(&world, id), [0, 1, 3]);
    assert_eq!(
        world.count("asyncmcp_dead_letters_total", &[("reason", "expired")]),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn deliveries_wait_for_a_signing_key() {
    use crate::policy::Signing;
    let world = World::with(|policy| policy.signing = Signing::Waiting);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(fate(&world.look(id).await), ("result", "due"));
    assert_eq!(world.receivers.seen(), []);
    world.change_policy(|policy| policy.signing = Signing::Off);
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    assert_eq!(attempts(&world, id), [180]);
}

#[tokio::test(start_paused = true)]
async fn deliveries_to_the_default_receiver_wait_for_its_headers_and_use_no_attempt() {
    let world = World::with(|policy| policy.default_headers = None);
    let engine = world.start();
    let jobs = [world.job("echo"), world.job("echo"), world.job("echo")];
    let [first, second, third] = jobs.map(|mut job| {
        job.call.target.as_mut().unwrap().named_by = NamedBy::Default;
        job
    });
    let ids = [first.id, second.id, third.id];
    engine.accept(first).await.unwrap();
    engine.accept(second).await.unwrap();
    let elsewhere = to("http://named-by-a-client/", world.job("echo"));
    let other = elsewhere.id;
    engine.accept(elsewhere).await.unwrap();
    assert_eq!(fate(&world.settled(other).await), ("result", "delivered"));
    tokio::time::sleep(Duration::from_mins(3)).await;
    let waiting = world.look(ids[0]).await;
    assert_eq!((fate(&waiting), waiting.attempts), (("result", "due"), 0));
    let version = waiting.version;

    world.change_policy(|policy| policy.max_running = 7);
    engine.accept(third).await.unwrap();
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(
        world.receivers.seen().len(),
        1,
        "another change is not the header"
    );
    let tried = world.look(ids[0]).await.version - version;
    assert!(
        tried <= 2,
        "{tried}: one try for each policy, and nothing while it stays"
    );

    world.change_policy(|policy| policy.default_headers = Some(http::HeaderMap::new()));
    for id in ids {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
        assert_eq!(attempts(&world, id).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_could_not_be_committed_is_committed_later() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(200).after(Duration::from_secs(5))]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.receivers.seen().len() == 1).await;
    world.store.set_down(true);
    tokio::time::sleep(Duration::from_mins(5)).await;
    world.store.set_down(false);
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    assert_eq!(attempts(&world, id), [0]);
}

#[tokio::test(start_paused = true)]
async fn due_deliveries_survive_a_store_that_was_down() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(500), Reply::status(200)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.once(id, |job| fate(job).1 == "due").await;
    world.store.set_down(true);
    tokio::time::sleep(Duration::from_mins(2)).await;
    world.store.set_down(false);
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_and_old_is_swept() {
    let world = World::with(|policy| policy.result_retention = Duration::from_mins(10));
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert!(world.store.job(id).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(world.store.job(id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn many_jobs_for_one_receiver_are_all_delivered() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(500), Reply::status(200)]);
    let engine = world.start();
    let mut ids = Vec::new();
    for number in 0..200u8 {
        let job = by(&(number % 7).to_string(), world.job("takes-1"));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    for id in ids {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
    assert!(world.receivers.peak("http://r/") <= 8);
}
