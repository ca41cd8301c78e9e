//! A job as the task that its client knows.
//!
//! [`super::accept`] acknowledges calls with one, [`super::tasks`] answers with it. Invariant: a function of the job's header,
//! the route and the time alone; it never says that a task is kept for longer than it is.

use std::time::Duration;

use asyncmcp_crds::effective::Webhook;
use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::job::Job;
use asyncmcp_delivery::state::{End, Exec};
use asyncmcp_protocol::tasks::report::{Report, Status};
use asyncmcp_protocol::version::Era;

/// A client polls a tenth as often as its task is old, between these: what has just begun may end soon.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(15);

/// The task that `job` is to a client of this era.
pub(super) fn of(job: &Job, era: Era, webhook: &Webhook, clock: &Clock) -> Report {
    let now = clock.now();
    let time = |at| clock.shown(at).to_string();
    Report {
        id: job.id.to_string(),
        status: status(job, era),
        message: Some(message(job)),
        created: time(job.accepted),
        updated: time(job.ended.or(job.started).unwrap_or(job.accepted)),
        ttl: kept_until(job, webhook, now).since(job.accepted),
        poll_interval: (now.since(job.accepted) / 10).clamp(SOONEST, LATEST),
    }
}

/// Whether the task is there no more, although the store may still have its job.
pub(super) fn is_over(job: &Job, webhook: &Webhook, now: Millis) -> bool {
    job.state.is_settled() && kept_until(job, webhook, now) <= now
}

/// How much longer than others a task is kept whose client wants it kept for `ttl`.
pub(super) fn kept_longer(ttl: Option<Duration>, webhook: &Webhook) -> Duration {
    let wanted = ttl.unwrap_or_default().min(webhook.dead_retention);
    wanted.saturating_sub(webhook.result_retention)
}

/// In the words of tasks. A tool that reports failure has failed up to 2025-11-25 only.
pub(super) fn status(job: &Job, era: Era) -> Status {
    match job.state.exec {
        Exec::Queued | Exec::Running => Status::Working,
        Exec::Ended(End::Result) if job.tool_failed && era == Era::Legacy => Status::Failed,
        Exec::Ended(End::Result) => Status::Completed,
        Exec::Ended(End::Cancelled) => Status::Cancelled,
        Exec::Ended(End::Error | End::Timeout | End::Unknown | End::TooLarge) => Status::Failed,
    }
}

fn message(job: &Job) -> &'static str {
    match job.state.exec {
        Exec::Queued => "The call waits for execution.",
        Exec::Running => "The call runs.",
        Exec::Ended(End::Result) if job.tool_failed => "The tool reports an error.",
        Exec::Ended(End::Result) => "The call has ended.",
        Exec::Ended(End::Error) => "The call has failed.",
        Exec::Ended(End::Timeout) => "The call did not end in time.",
        Exec::Ended(End::Unknown) => "The call was interrupted; whether it ran to its end is not known.",
        Exec::Ended(End::Cancelled) => "The call was cancelled.",
        Exec::Ended(End::TooLarge) => "The result is larger than the route allows.",
    }
}

fn kept_until(job: &Job, webhook: &Webhook, now: Millis) -> Millis {
    job.kept_until(now, webhook.result_retention, webhook.dead_retention)
}
#[cfg(test)]
mod tests {
    use asyncmcp_delivery::id::JobId;
    use asyncmcp_delivery::job::{Call, Dedupe, NewJob, OnInterruption, Retry, Trace};
    use asyncmcp_delivery::state::{Push, State};
    use bytes::Bytes;

    use super::*;
    use crate::tests::route::config;

    const ACCEPTED: Millis = Millis(1_000_000);

    /// A job that was accepted at [`ACCEPTED`], and settled, if it has ended, two seconds later.
    fn job(exec: Exec, push: Push) -> Job {
        let call = Call {
            server: "a".to_owned(),
            tool: "slow".to_owned(),
            shown_as: "slow".to_owned(),
            request_id: "1".to_owned(),
            client: "client".to_owned(),
            timeout: Duration::from_secs(1),
            on_interruption: OnInterruption::Fail,
            target: None,
            retry: Retry::Schedule {
                waits: Vec::new(),
                jitter_percent: 0,
            },
            trace: Trace::default(),
            as_task: false,
            owner: None,
        };
        let new = NewJob {
            id: JobId::new(ACCEPTED, [1; 10]),
            at: ACCEPTED,
            call,
            params: Bytes::new(),
            dedupe: Dedupe {
                key: [2; 32],
                fingerprint: [3; 32],
            },
            names: Vec::new(),
            max_pending: u64::MAX,
            max_queued: u64::MAX,
            kept_longer: Duration::ZERO,
        };
        let ended = matches!(exec, Exec::Ended(_)).then(|| ACCEPTED.plus(Duration::from_secs(2)));
        Job {
            state: State { exec, push },
            ended,
            turn: ended.unwrap_or(ACCEPTED),
            ..Job::accepted(&new)
        }
    }

    fn webhook() -> Webhook {
        let spec = "servers: [{name: a, url: 'http://a.example/mcp'}]\nwebhook: {resultRetention: 1m, deadLetter: {retention: 1h}}\n";
        config(spec).route.webhook.clone()
    }

    fn after(seconds: u64) -> Millis {
        ACCEPTED.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_tool_that_reports_failure_has_failed_in_the_legacy_era_alone() {
        for (end, tool_failed, legacy, modern) in [
            (End::Result, false, Status::Completed, Status::Completed),
            (End::Result, true, Status::Failed, Status::Completed),
            (End::Error, false, Status::Failed, Status::Failed),
            (End::Timeout, false, Status::Failed, Status::Failed),
            (End::Unknown, false, Status::Failed, Status::Failed),
            (End::TooLarge, false, Status::Failed, Status::Failed),
            (End::Cancelled, false, Status::Cancelled, Status::Cancelled),
        ] {
            let ended = Job {
                tool_failed,
                ..job(Exec::Ended(end), Push::None)
            };
            assert_eq!(status(&ended, Era::Legacy), legacy, "{end:?}");
            assert_eq!(status(&ended, Era::Modern), modern, "{end:?}");
        }
        assert_eq!(
            status(&job(Exec::Running, Push::None), Era::Modern),
            Status::Working
        );
    }

    #[test]
    fn a_ttl_promises_no_more_than_is_kept() {
        let seconds = |job: &Job, now| {
            of(job, Era::Legacy, &webhook(), &Clock::at(after(now)))
                .ttl
                .as_secs()
        };
        let running = job(Exec::Running, Push::None);
        assert_eq!((seconds(&running, 0), seconds(&running, 600)), (60, 660));
        let end = Exec::Ended(End::Result);
        let polled = job(end, Push::None);
        assert_eq!((seconds(&polled, 2), seconds(&polled, 30)), (62, 62));
        assert_eq!(seconds(&job(end, Push::Delivered), 30), 62);
        assert_eq!(seconds(&job(end, Push::Due), 30), 90, "it is not over");
        let dead = Push::Dead(asyncmcp_delivery::state::Category::Timeout);
        assert_eq!(seconds(&job(end, dead), 30), 3602);
    }

    #[test]
    fn a_task_is_over_when_its_time_is_and_not_before_it_has_ended() {
        let is_over = |job: &Job, now| is_over(job, &webhook(), after(now));
        let polled = job(Exec::Ended(End::Result), Push::None);
        assert!(!is_over(&polled, 61) && is_over(&polled, 62));
        assert!(!is_over(&job(Exec::Queued, Push::None), 1_000_000));
        let longer = Job {
            kept_longer: kept_longer(Some(Duration::from_mins(5)), &webhook()),
            ..polled
        };
        assert!(!is_over(&longer, 301) && is_over(&longer, 302));
    }

    #[test]
    fn a_client_gets_what_it_wants_between_the_two_retentions() {
        let granted = |seconds| {
            let longer = kept_longer(Some(Duration::from_secs(seconds)), &webhook());
            (webhook().result_retention + longer).as_secs()
        };
        assert_eq!(
            (granted(0), granted(61), granted(3600), granted(u64::MAX)),
            (60, 61, 3600, 3600)
        );
        assert_eq!(kept_longer(None, &webhook()), Duration::ZERO);
    }

    #[test]
    fn who_polls_an_old_task_polls_less_often() {
        let interval = |seconds| {
            let clock = Clock::at(after(seconds));
            of(&job(Exec::Running, Push::None), Era::Modern, &webhook(), &clock).poll_interval
        };
        assert_eq!(interval(0), SOONEST);
        assert_eq!(interval(60), Duration::from_secs(6));
        assert_eq!(interval(100_000), LATEST);
    }
}
