//! What runs, when, and how calls end.

use super::world::*;
use crate::engine::AcceptError;
use crate::job::Key;
use crate::policy::{ToolLimit, ToolLimits};
use crate::store::Acceptance;
use crate::store::roles::*;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_call_is_executed_and_its_answer_delivered() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    assert_eq!(engine.accept(job).await.unwrap(), Acceptance::New(id));
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("result", "delivered"));
    let seen = world.receivers.seen();
    assert_eq!(
        (seen.len(), seen[0].attempt, &seen[0].body[..]),
        (1, 1, &b"answered"[..])
    );
    assert_eq!(engine.pending(), 0);
    let labels = [("server", "s"), ("tool", "echo")];
    assert_eq!(world.count("asyncmcp_jobs_accepted_total", &labels), 1);
    let labels = [("outcome", "delivered"), ("status_class", "2xx")];
    assert_eq!(world.count("asyncmcp_delivery_attempts_total", &labels), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_call_is_executed_once() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("takes-5");
    engine.accept(job.clone()).await.unwrap();
    assert_eq!(
        engine.accept(job.clone()).await.unwrap(),
        Acceptance::Same(job.id)
    );
    world.settled(job.id).await;
    assert_eq!(
        engine.accept(job.clone()).await.unwrap(),
        Acceptance::Same(job.id)
    );
    assert_eq!((world.servers.count(), world.receivers.seen().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_receiver_only_ends() {
    let world = World::new();
    let engine = world.start();
    let mut job = world.job("echo");
    job.call.target = None;
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "none"));
    assert_eq!(world.receivers.seen(), []);
}

#[tokio::test(start_paused = true)]
async fn a_server_runs_as_many_calls_as_it_has_room() {
    let world = World::with(|policy| policy.max_running = 5);
    let engine = world.start();
    let mut ids = Vec::new();
    for number in 0..4 {
        let job = by(&number.to_string(), on("t", world.job("takes-10")));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    eventually(AN_HOUR, async || world.store.counts().running == 2).await;
    assert_eq!((world.servers.count(), world.store.counts().queued), (2, 2));
    let mut started = Vec::new();
    for id in ids {
        let job = world.settled(id).await;
        started.push(job.started.unwrap().since(START).as_secs());
    }
    started.sort_unstable();
    assert_eq!(started, [0, 0, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn all_servers_together_run_no_more_than_the_route_allows() {
    let world = World::with(|policy| policy.max_running = 3);
    let engine = world.start();
    for number in 0..3 {
        engine
            .accept(by(&number.to_string(), world.job("hang")))
            .await
            .unwrap();
        engine
            .accept(by(&number.to_string(), on("t", world.job("hang"))))
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        (world.store.counts().running, world.store.counts().queued),
        (3, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn servers_take_turns_at_the_capacity_that_they_share() {
    for (flooded, other) in [("s", "t"), ("t", "s")] {
        let world = World::with(|policy| policy.max_running = 1);
        let engine = world.start();
        for _ in 0..5 {
            let job = on(flooded, world.job("takes-10"));
            engine.accept(by("greedy", job)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let job = by("modest", on(other, world.job("takes-10")));
        let id = job.id;
        engine.accept(job).await.unwrap();
        let job = world.settled(id).await;
        assert_eq!(
            job.started.unwrap().since(START).as_secs(),
            10,
            "after the one that ran"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn clients_take_turns() {
    let world = World::with(|policy| {
        policy.servers.insert("t".to_owned(), 1);
    });
    let greedy: Vec<_> = (0..5)
        .map(|_| by("greedy", on("t", world.job("takes-1"))))
        .collect();
    let modest = by("modest", on("t", world.job("takes-1")));
    let ids: Vec<_> = greedy.iter().map(|job| job.id).collect();
    let modest_id = modest.id;
    for job in greedy.into_iter().chain([modest]) {
        world.store.accept(job).await.unwrap();
    }
    let _engine = world.start();
    world.settled(ids[4]).await;
    world.settled(modest_id).await;
    let executed = world.servers.executed.lock().unwrap();
    let turn = executed.iter().position(|id| *id == modest_id).unwrap();
    assert!(turn <= 1, "the modest client waited for {turn} others");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_the_call_and_tells_the_server() {
    let world = World::new();
    let engine = world.start();
    let mut job = world.job("hang");
    job.call.timeout = Duration::from_secs(30);
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("timeout", "delivered"));
    assert_eq!(world.receivers.seen()[0].body, "timeout");
    assert_eq!(*world.servers.aborted.lock().unwrap(), [id]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_asked_again() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("down-3");
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("result", "delivered"));
    assert_eq!((world.servers.count(), settled.executions), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_for_the_timeout_ends_the_call_as_an_error() {
    let world = World::new();
    let engine = world.start();
    let mut job = world.job("down-100000");
    job.call.timeout = Duration::from_mins(5);
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("error", "delivered"));
    assert_eq!(settled.ended.unwrap().since(START).as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn calls_for_a_server_that_left_the_route_end_after_ten_minutes() {
    let world = World::new();
    let engine = world.start();
    let job = on("gone", world.job("echo"));
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert_eq!(fate(&settled), ("error", "delivered"));
    let waited = settled.ended.unwrap().since(START).as_secs();
    assert!((600..700).contains(&waited), "{waited}");
    assert_eq!(world.servers.count(), 0);
    assert_eq!(
        world.store.next_queued(Key::of("gone"), None).await.unwrap(),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_in_time_gets_its_calls() {
    let world = World::new();
    let engine = world.start();
    let job = on("gone", world.job("echo"));
    let id = job.id;
    engine.accept(job).await.unwrap();
    tokio::time::sleep(Duration::from_mins(9)).await;
    world.change_policy(|policy| {
        policy.servers.insert("gone".to_owned(), 1);
    });
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_that_is_cancelled_never_runs() {
    let world = World::with(|policy| policy.max_running = 0);
    let engine = world.start();
    let job = world.job("echo");
    let (id, key) = (job.id, job.dedupe.key);
    engine.accept(job).await.unwrap();
    assert!(engine.cancel_call(key).await.unwrap());
    world.change_policy(|policy| policy.max_running = 1);
    assert_eq!(fate(&world.settled(id).await), ("cancelled", "delivered"));
    assert_eq!(world.receivers.seen()[0].body, "cancelled");
    assert_eq!(world.servers.count(), 0);
    assert!(!engine.cancel_call([99; 32]).await.unwrap(), "no such call");
}

#[tokio::test(start_paused = true)]
async fn a_running_call_that_is_cancelled_is_aborted_and_the_client_told_once() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("takes-10");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    assert!(engine.cancel(id).await.unwrap());
    assert_eq!(fate(&world.settled(id).await), ("cancelled", "delivered"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(*world.servers.aborted.lock().unwrap(), [id]);
    assert_eq!(world.receivers.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelling_what_has_ended_touches_nothing() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    let settled = world.settled(id).await;
    assert!(!engine.cancel(id).await.unwrap());
    assert_eq!(world.look(id).await, settled);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_while_the_store_is_down_and_nothing_accepted_is_lost() {
    let world = World::new();
    let engine = world.start();
    let job = repeatable(world.job("takes-10"));
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    world.store.set_down(true);
    let refused = engine.accept(world.job("echo")).await;
    assert!(matches!(refused, Err(AcceptError::Store(_))), "{refused:?}");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(
        world.receivers.seen(),
        [],
        "the result is delivered only after its commit"
    );
    world.store.set_down(false);
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    assert_eq!(world.servers.count(), 1, "it ran once");
}

#[tokio::test(start_paused = true)]
async fn a_tool_with_a_limit_lets_its_clients_other_calls_pass() {
    let tools = |tool: &str| {
        let limit = ToolLimit {
            tools: Key::of("takes-*"),
            room: 2,
        };
        tool.starts_with("takes-").then_some(limit)
    };
    let world = World::with(|policy| policy.tools = ToolLimits::new(tools));
    let engine = world.start();
    let mut limited = Vec::new();
    for number in 0..5 {
        let job = world.job(if number % 2 == 0 { "takes-10" } else { "takes-11" });
        limited.push(job.id);
        engine.accept(job).await.unwrap();
    }
    let free = world.job("echo");
    let id = free.id;
    engine.accept(free).await.unwrap();
    let passed = world.settled(id).await;
    assert!(passed.ended.unwrap().since(START) < Duration::from_secs(1));
    assert_eq!(
        (world.store.counts().running, world.store.counts().queued),
        (2, 3)
    );
    let mut started = Vec::new();
    for id in limited {
        let job = world.settled(id).await;
        started.push(job.started.unwrap().since(START).as_secs());
    }
    assert_eq!(started, [0, 0, 10, 11, 20], "two at a time, oldest first");
}

#[tokio::test(start_paused = true)]
async fn a_result_over_the_limit_ends_as_too_large() {
    let world = World::with(|policy| policy.max_result_size = "answered".len());
    let engine = world.start();
    let fits = world.job("echo");
    let fits_id = fits.id;
    engine.accept(fits).await.unwrap();
    assert_eq!(fate(&world.settled(fits_id).await), ("result", "delivered"));
    world.change_policy(|policy| policy.max_result_size -= 1);
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("too_large", "delivered"));
    let bodies: Vec<_> = world.receivers.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["answered", "too_large"]);
}

#[tokio::test(start_paused = true)]
async fn the_jobs_of_one_client_begin_together() {
    let world = World::with(|policy| {
        policy.servers.insert("s".to_owned(), 40);
        policy.max_running_percent = 100;
    });
    let mut ids = Vec::new();
    for _ in 0..40 {
        let job = world.job("takes-1");
        ids.push(job.id);
        world.store.accept(job).await.unwrap();
    }
    let _engine = world.start();
    for id in ids {
        assert_eq!(world.settled(id).await.started, Some(START));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_never_ends_as_one_that_did_not() {
    let world = World::new();
    let engine = world.start();
    let mut job = repeatable(world.job("busy-100000"));
    job.call.timeout = Duration::from_mins(5);
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await).0, "timeout");
    let again = repeatable(world.job("busy-2"));
    let id = again.id;
    engine.accept(again).await.unwrap();
    assert_eq!(fate(&world.settled(id).await).0, "result");
}
