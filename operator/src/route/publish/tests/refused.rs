//! What status says while the API server refuses a child, or the cluster a pod.

use super::*;
use crate::route::apply::REFUSED;

fn refused() -> Problem {
    Problem {
        reason: REFUSED,
        message: "the API server rejected PersistentVolumeClaim c: no".to_owned(),
    }
}

fn drafted(
    subject: &Subject,
    pods: Vec<Observed>,
    problems: Vec<Problem>,
    stuck: Option<Problem>,
) -> draft::Draft {
    let found = Found {
        pods,
        ..Found::default()
    };
    let mut outcome = programmed(subject, problems);
    if let Outcome::Programmed { stuck: of, .. } = &mut outcome {
        of.problem = stuck;
    }
    draft(subject, &found, &outcome, &mut Published::default(), at(200))
}

#[test]
fn a_refused_child_is_named_beside_what_the_pods_serve() {
    let (subject, before) = healthy();
    let served = drafted(&subject, vec![pod(&hash(&subject))], vec![refused()], None);
    assert_eq!(reasons(&served.status)[3], ("False", REFUSED));
    let expect = "the pods serve the current configuration of the route, but the API server rejected \
                  PersistentVolumeClaim c: no";
    assert_eq!(ready(&served.status).message, expect);
    assert!(served.programmed, "no pod is awaited");
    assert_eq!(events(&before, &served.status), [REFUSED]);
    let older_revision = Observed {
        pod: View {
            template: "older".to_owned(),
            ..pod("").pod
        },
        ..pod(&hash(&subject))
    };
    assert!(drafted(&subject, vec![older_revision], vec![refused()], None).programmed);

    let behind = drafted(&subject, vec![pod("old")], vec![refused()], None);
    assert_eq!(
        ready(&behind.status).message,
        "the API server rejected PersistentVolumeClaim c: no"
    );
    assert!(!behind.programmed);
}

#[test]
fn why_there_is_no_pod_is_the_reason_of_ready_and_an_event_once() {
    let (subject, before) = healthy();
    let stuck = |message: &str| {
        let problem = Problem {
            reason: "PodNotCreated",
            message: message.to_owned(),
        };
        drafted(&subject, vec![], vec![], Some(problem)).status
    };
    let quota = stuck("no quota");
    assert_eq!(
        (ready(&quota).reason.as_str(), ready(&quota).message.as_str()),
        ("PodNotCreated", "no quota")
    );
    assert_eq!(events(&before, &quota), ["PodNotCreated"]);
    assert_eq!(events(&quota, &quota), [""; 0]);
    assert_eq!(events(&quota, &stuck("no memory")), ["PodNotCreated"]);
}

#[test]
fn a_pod_that_stopped_is_an_event_with_its_reason() {
    let (subject, before) = healthy();
    let mut killed = pod(&hash(&subject));
    killed.pod.ready = false;
    let trouble = "OOMKilled: the container needed more than its memory limit of 24Mi";
    killed.pod.trouble = Some(trouble.to_owned());
    let status = drafted(&subject, vec![killed], vec![], None).status;
    assert_eq!(ready(&status).reason, "PodNotRunning");
    assert!(ready(&status).message.contains(trouble));
    assert_eq!(events(&before, &status), ["PodNotRunning"]);
}

#[test]
fn a_complaint_about_a_ready_server_is_an_event_once() {
    let (_, before) = healthy();
    let mut after = before.clone();
    let server = &mut after.servers.as_mut().unwrap()[0];
    server.message = Some("tool \"x\" is left out: no".to_owned());
    assert_eq!(events(&before, &after), ["ServerTools"]);
    assert_eq!(events(&after, &after), [""; 0]);
    assert_eq!(events(&after, &before), [""; 0]);
    after.servers.as_mut().unwrap()[0].state = ServerState::Unreachable;
    assert_eq!(events(&before, &after), [""; 0]);
}
