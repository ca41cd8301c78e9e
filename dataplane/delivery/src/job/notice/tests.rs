//! The event byte for byte, and what it must not contain.

use super::*;
use crate::job::Change;
use crate::job::step::Step;
use crate::store::conformance::new_job;

const AT: Millis = Millis(1_795_000_009_000);

fn dead() -> (Job, Call) {
    let mut new = new_job(1);
    new.at = Millis(1_795_000_000_000);
    new.call.target.as_mut().unwrap().url = "https://user:pass@one.example/hook?token=hunter2#x".to_owned();
    let job = Job {
        attempts: 17,
        ended: Some(Millis(1_795_000_005_250)),
        ..Job::accepted(&new)
    };
    (job, new.call)
}

fn notice(job: &Job, call: Option<&Call>) -> Notice {
    let to = NoticeTo {
        url: "https://ops.example/dead".to_owned(),
        retry: new_job(1).call.retry,
    };
    let death = Death {
        job,
        call,
        why: Category::Http5xx,
        at: AT,
        route: ("tools", "analytics"),
    };
    Notice::of(&death, &to, |at| at)
}

#[test]
fn the_event_is_what_the_documentation_shows() {
    let (job, call) = dead();
    let body = notice(&job, Some(&call)).body;
    let expected = format!(
        "{{\"type\":\"dev.asyncmcp.job.dead.v1\",\"timestamp\":\"2026-11-18T11:06:49Z\",\"data\":{{\
         \"namespace\":\"tools\",\"route\":\"analytics\",\"webhookId\":\"{}\",\"tool\":\"analytics_batch\",\
         \"server\":\"analytics\",\"reason\":\"http_5xx\",\"attempts\":17,\"replays\":0,\
         \"acceptedAt\":\"2026-11-18T11:06:40Z\",\"endedAt\":\"2026-11-18T11:06:45.25Z\",\
         \"receiver\":\"https://one.example/hook\"}}}}",
        job.id.webhook_id()
    );
    assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    assert!(include_str!("../../../../../docs/reference/webhook.md").contains(&expected));
}

#[test]
fn nothing_in_it_is_a_secret() {
    let (job, call) = dead();
    let body = notice(&job, Some(&call)).body;
    let body = std::str::from_utf8(&body).unwrap();
    for secret in [
        job.id.to_string().as_str(),
        "hunter2",
        "user",
        "pass",
        &call.client,
        "number",
    ] {
        assert!(!body.contains(secret), "{secret} is in {body}");
    }
}

#[test]
fn what_cannot_be_read_is_null() {
    let (job, _) = dead();
    let event: serde_json::Value = serde_json::from_slice(&notice(&job, None).body).unwrap();
    let data = &event["data"];
    assert!(data["tool"].is_null() && data["server"].is_null() && data["receiver"].is_null());
    assert_eq!(data["webhookId"], job.id.webhook_id());
}

#[test]
fn a_death_has_one_event_and_the_next_death_another() {
    let (job, call) = dead();
    let first = notice(&job, Some(&call));
    assert_eq!(first, notice(&job, Some(&call)));
    let again = Job {
        replays: 1,
        ..job.clone()
    };
    let second = notice(&again, Some(&call));
    assert!(first.id != second.id && first.dedupe() != second.dedupe());
    assert_ne!(first.id, job.id);
}

#[test]
fn its_job_is_due_at_once_and_is_of_its_call() {
    let (job, call) = dead();
    let notice = notice(&job, Some(&call));
    let born = Job::notifying(&notice, AT);
    assert!(born.is_notice() && !job.is_notice());
    assert!(born.is_of(&notice.call, notice.dedupe()));
    assert_eq!(born.rows().due.map(|(_, _, at)| at), Some(AT));
    assert!(!born.rows().inflight && born.rows().queued.is_none());
}

#[test]
fn an_event_comes_with_a_death_alone() {
    let (job, call) = dead();
    let notify = || Change::Notify(Box::new(notice(&job, Some(&call))));
    let ended = |push| Job {
        state: State {
            exec: Exec::Ended(End::Result),
            push,
        },
        ..job.clone()
    };
    let step = |changes| Step::any(crate::job::Owner::default(), changes, AT);
    let why = Category::Http5xx;
    let buried = ended(Push::Due).after_step(&step(vec![Change::Bury { why }, notify()]));
    assert_eq!(buried.unwrap().state.push, Push::Dead(why));
    for push in [Push::None, Push::Due, Push::Delivered, Push::Stopped] {
        assert_eq!(ended(push).after_step(&step(vec![notify()])), None, "{push:?}");
    }
}
