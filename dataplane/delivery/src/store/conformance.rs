//! What every store must do, as one suite: each store's tests name it with [`suite`] and a
//! way to open an empty store of theirs.
//!
//! Invariant: a case sees the store through the trait alone; [`Subject::verify`] is the
//! store's own check of its contents afterwards.

pub(super) mod acceptance;
pub(super) mod ends;
pub(super) mod fence;
pub(super) mod histories;
pub(super) mod model;
pub(super) mod notices;
pub(super) mod queries;
pub(super) mod races;
pub(super) mod resume_tokens;
pub(super) mod scans;
pub(super) mod shares;
pub(super) mod space;
pub(super) mod steps;
pub(super) mod sweeping;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Acceptance, Error, Store, Sweep};
use crate::clock::Millis;
use crate::egress::NamedBy;
use crate::history::{Entry, Outcome};
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Dedupe, Job, NewJob, OnInterruption, Retry, Step, Target, Trace};
use crate::state::{Category, End};

/// A store under test.
pub(super) trait Subject {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Panics where the store's insides do not agree with each other.
    fn verify(&self);
}

/// Makes a test of every case, on what `$open` gives.
macro_rules! suite {
    ($open:expr, small: $small:expr) => {
        crate::store::conformance::suite! { @ $small;
            space {
                refuses_new_jobs_when_it_is_full_and_nothing_else,
                reserves_room_for_what_waits_and_runs,
                holds_executions_back_when_it_is_fuller_still,
                gives_back_delivered_results_oldest_first,
                keeps_what_was_not_delivered,
            }
            shares {
                counts_the_bytes_of_a_client_until_its_payloads_are_gone,
                refuses_a_client_that_uses_its_share_and_no_other,
                evicts_the_oldest_dead_letters_of_the_client_that_uses_the_most,
                evicts_what_was_stopped_and_keeps_what_is_still_wanted,
                refuses_more_sessions_and_keeps_the_space_for_calls,
            }
        }
        crate::store::conformance::suite! { @ $open;
            acceptance {
                keeps_all_of_an_accepted_call,
                answers_the_same_call_with_its_job,
                refuses_other_arguments_under_the_same_key,
                refuses_a_client_with_too_many_pending_and_no_other,
                refuses_calls_for_a_server_with_too_long_a_queue_and_no_other,
                leaves_a_job_alone_whose_id_is_used_again,
                knows_nothing_of_a_job_that_never_was,
            }
            steps {
                takes_each_step_of_the_table_and_no_other,
                takes_several_steps_or_none,
                trades_the_params_for_the_body_when_the_call_ends,
                changes_nothing_for_no_changes,
                counts_a_job_through_its_life,
                keeps_bodies_of_sixteen_mebibytes,
            }
            queries {
                lists_the_servers_that_jobs_are_queued_for,
                goes_round_the_clients_of_a_queue,
                lists_the_oldest_of_one_client_in_a_queue,
                lists_due_jobs_in_order_up_to_now,
                knows_each_receivers_earliest_delivery,
                keeps_replayed_deliveries_apart_from_live_ones,
                lists_what_is_in_flight,
                knows_the_oldest_queued_job,
                lists_the_deliveries_that_wait_by_their_age,
            }
            fence {
                a_stale_owner_changes_nothing,
                an_earlier_claim_changes_nothing,
                a_step_that_expects_a_version_is_applied_to_no_other,
                claims_answer_for_each_queued_job_in_order,
                a_claim_takes_what_is_due_live_first_and_tells_what_is_next,
                a_claim_passes_over_clients_that_use_their_share,
                a_call_is_found_by_the_names_it_was_accepted_with,
            }
            resume_tokens {
                keeps_the_last_token_while_the_execution_runs,
                finds_a_job_by_its_names_until_it_is_gone,
                drops_the_token_with_the_execution,
                counts_executions_that_were_resumed,
            }
            histories {
                numbers_entries_and_keeps_the_newest,
                keeps_an_entry_only_with_the_step_it_belongs_to,
                forgets_a_history_with_its_job,
            }
            notices {
                stores_an_event_with_the_death,
                stores_no_event_with_a_step_that_is_not_made,
                has_one_event_per_death_and_another_after_a_replay,
                an_event_has_no_event,
                a_flood_of_events_uses_bounded_space,
                a_dead_event_gives_its_space_to_a_newer_one,
                an_evicted_event_is_gone,
            }
            scans {
                lists_jobs_by_acceptance_in_both_orders,
                lists_dead_letters_by_when_they_died,
                knows_the_jobs_of_every_stage,
                filters_by_everything_a_header_says,
                stops_after_so_many_rows_and_goes_on_from_there,
                goes_on_though_the_job_at_the_cursor_is_gone,
            }
            sweeping {
                removes_what_settled_long_ago_and_nothing_else,
                keeps_longer_what_its_client_wants_kept,
                keeps_dead_letters_by_their_own_time,
                removes_no_more_than_the_limit,
                removes_sessions_that_expired,
                forgets_a_dedupe_key_with_its_job_and_not_before,
                removes_a_job_that_is_over_with_all_its_rows_and_no_other,
            }
            races {
                lets_one_of_many_take_each_step,
                accepts_one_of_many_equal_calls,
                lets_one_of_many_write_a_session,
            }
            ends {
                writes_a_session_in_order_only,
                remembers_the_highest_time_of_a_change,
                writes_the_time_down_once_an_hour,
                refuses_everything_once_closed,
            }
        }
    };
    (@ $open:expr; $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $open;
                crate::store::conformance::$group::$case(subject.store()).await;
                subject.verify();
            })*
        })*
    };
}
pub(super) use suite;

/// A job whose every name follows from `number`; nothing about two of them is the same but the
/// server, the client and the receiver.
pub(crate) fn new_job(number: u8) -> NewJob {
    let at = Millis(1000 + u64::from(number));
    NewJob {
        id: JobId::new(at, [number; 10]),
        at,
        call: call(),
        params: Bytes::from(format!("{{\"number\":{number}}}")),
        dedupe: Dedupe {
            key: [number; 32],
            fingerprint: [number; 32],
        },
        names: Vec::new(),
        max_pending: u64::MAX,
        max_queued: u64::MAX,
        kept_longer: Duration::ZERO,
    }
}

fn call() -> Call {
    Call {
        server: "analytics".to_owned(),
        tool: "batch".to_owned(),
        shown_as: "analytics_batch".to_owned(),
        request_id: "\"7\"".to_owned(),
        client: "sid:1".to_owned(),
        timeout: Duration::from_millis(1500),
        on_interruption: OnInterruption::Retry,
        target: Some(target("https://one.example/hook")),
        retry: Retry::Exponential {
            retries: 3,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(9),
            jitter_percent: 10,
        },
        trace: Trace {
            parent: "00-a-b-01".to_owned(),
            state: "k=v".to_owned(),
        },
        as_task: false,
        owner: None,
    }
}

pub(super) fn target(url: &str) -> Target {
    Target {
        url: url.to_owned(),
        named_by: NamedBy::Session,
        secret: None,
    }
}

/// [`new_job`] with its server, client and receiver.
fn job_of(number: u8, server: &str, client: &str, receiver: Option<&str>) -> NewJob {
    let mut job = new_job(number);
    job.call.server = server.to_owned();
    job.call.client = client.to_owned();
    job.call.target = receiver.map(target);
    job
}

/// Accepts a job that must be new.
async fn accept(store: &dyn Store, job: NewJob) -> JobId {
    let id = job.id;
    assert_eq!(store.accept(job).await.unwrap(), Acceptance::New(id));
    id
}

/// Applies changes that must be steps.
async fn apply<const N: usize>(store: &dyn Store, id: JobId, changes: [Change; N], now: u64) -> Job {
    let after = apply_any(store, id, changes.into(), Millis(now)).await.unwrap();
    after.expect("the changes are steps")
}

/// Applies changes whatever the job is, as long as they are steps; the job after them, if it changed.
pub(super) async fn apply_any(
    store: &(impl Store + ?Sized),
    id: JobId,
    changes: Vec<Change>,
    at: Millis,
) -> Result<Option<Job>, Error> {
    let step = Step::any(store.owner(), changes, at);
    store.apply(id, step).await.map(Applied::job)
}

pub(super) fn finish() -> Change {
    Change::Finish {
        end: End::Result,
        body: Bytes::from_static(b"{\"result\":1}"),
    }
}

fn retry(at: u64) -> Change {
    Change::Retry {
        at: Millis(at),
        why: Some(Category::Timeout),
    }
}

/// An entry of a history that began at `started`.
fn entry(started: u64) -> Entry {
    Entry {
        replay: 0,
        started: Millis(started),
        duration: Some(Duration::from_millis(7)),
        outcome: Outcome::Retry,
        category: Some(Category::Timeout),
        fault: None,
        status: None,
        next: Some(Millis(started + 9)),
    }
}

const BURY: Change = Change::Bury {
    why: Category::Http5xx,
};

/// A sweep at `now` that removes nothing but expired sessions.
fn sweep(now: u64) -> Sweep {
    Sweep {
        now: Millis(now),
        settled_before: Millis(0),
        dead_before: Millis(0),
        limit: 100,
    }
}
