//! Pods as the API server returns them, and reports as a pod returns them.

use super::*;
use futures::FutureExt as _;
use serde_json::json;

fn view(name: &str) -> View {
    View {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        ..View::default()
    }
}

fn serving(hash: &str) -> StatusReport {
    StatusReport {
        config_hash: hash.to_owned(),
        ..StatusReport::default()
    }
}

fn hash(observed: &[Observed]) -> Option<&str> {
    observed[0]
        .report
        .as_ref()
        .map(|report| report.config_hash.as_str())
}

#[test]
fn a_pods_last_report_is_used_until_three_polls_in_a_row_failed() {
    let mut reports = Reports::default();
    let observed = reports.update(vec![(view("a"), Some(Ok(serving("one"))))]);
    assert!(observed[0].trusted);
    for expect in [true, true, false, false] {
        let observed = reports.update(vec![(view("a"), Some(Err(Error::TooLarge)))]);
        assert_eq!((hash(&observed), observed[0].trusted), (Some("one"), expect));
    }
    let observed = reports.update(vec![(view("a"), Some(Ok(serving("two"))))]);
    assert_eq!((hash(&observed), observed[0].trusted), (Some("two"), true));
}

#[test]
fn a_deleted_pod_is_forgotten() {
    let mut reports = Reports::default();
    reports.update(vec![(view("a"), Some(Ok(serving("one"))))]);
    reports.update(Vec::new());
    assert_eq!(hash(&reports.update(vec![(view("a"), None)])), None);
}

fn pod(status: &serde_json::Value) -> View {
    let pod = json!({
        "metadata": {"name": "a-0", "uid": "u", "labels": {"asyncmcp.dev/template": "t"}},
        "status": status,
    });
    View::of(&serde_json::from_value(pod).unwrap())
}

fn containers(state: &serde_json::Value) -> serde_json::Value {
    json!([{
        "name": "dataplane", "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0,
    }])
}

#[test]
fn only_a_running_container_has_an_address() {
    let running = containers(&json!({"running": {}}));
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let view = pod(&json!({"podIP": "10.0.0.7", "containerStatuses": running, "conditions": ready}));
    assert_eq!(view.address, Some("10.0.0.7".parse().unwrap()));
    assert!(view.ready && view.template == "t" && view.trouble.is_none());
    let waiting = containers(&json!({"waiting": {"reason": "ContainerCreating"}}));
    let view = pod(&json!({"podIP": "10.0.0.7", "containerStatuses": waiting}));
    assert_eq!((view.address, view.trouble), (None, None));
}

fn trouble(state: &serde_json::Value, last: &serde_json::Value) -> Option<String> {
    let container = json!([{
        "name": "dataplane", "image": "dataplane:1", "imageID": "", "ready": false, "restartCount": 1,
        "state": state, "lastState": last,
    }]);
    pod(&json!({"containerStatuses": container})).trouble
}

#[test]
fn a_pods_trouble_has_the_same_text_at_every_step_of_the_back_off() {
    let none = json!({});
    let ended = json!({"terminated": {"exitCode": 78, "message": "log\ninvalid route: x\n"}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "again in 20s"}});
    for (state, last) in [
        (&ended, &none),
        (&waiting, &ended),
        (&json!({"running": {}}), &ended),
    ] {
        let expect = "the container exited with code 78: invalid route: x";
        assert_eq!(trouble(state, last).as_deref(), Some(expect), "{state}");
    }
}

#[test]
fn a_failed_pull_says_why_in_the_same_words_at_every_step_of_the_back_off() {
    let none = json!({});
    let cause = "failed to pull and unpack image \"dataplane:1\": not found";
    for (reason, message) in [
        (
            "ErrImagePull",
            format!("rpc error: code = NotFound desc = {cause}"),
        ),
        (
            "ImagePullBackOff",
            format!(
                "Back-off pulling image \"dataplane:1\": ErrImagePull: rpc error: code = NotFound desc = {cause}"
            ),
        ),
        (
            "ImagePullBackOff",
            format!("Back-off pulling image \"dataplane:1\": ErrImagePull: {cause}"),
        ),
    ] {
        let waiting = json!({"waiting": {"reason": reason, "message": message}});
        let expect = format!("ImagePullBackOff: image dataplane:1 cannot be pulled: {cause}");
        assert_eq!(trouble(&waiting, &none), Some(expect), "{message}");
    }
    let older = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"dataplane:1\""}});
    let expect = "ImagePullBackOff: image dataplane:1 cannot be pulled";
    assert_eq!(trouble(&older, &none).as_deref(), Some(expect));
}

#[test]
fn a_container_that_was_killed_for_its_memory_is_named_with_its_limit() {
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "{\"message\": \"ready\"}"}});
    let container = json!([{
        "name": "dataplane", "image": "dataplane:1", "imageID": "", "ready": false, "restartCount": 1,
        "state": {"running": {}}, "lastState": killed, "resources": {"limits": {"memory": "24Mi"}},
    }]);
    let told = pod(&json!({"containerStatuses": container})).trouble.unwrap();
    assert!(
        told.starts_with("OOMKilled: ") && told.contains("memory limit of 24Mi;"),
        "{told}"
    );
}

#[test]
fn a_line_in_json_is_told_without_its_time() {
    for (line, expect) in [
        (
            r#"{"timestamp": "2026", "level": "ERROR", "message": "failed", "error": "no key"}"#,
            ": failed: no key",
        ),
        (r#"{"timestamp": "2026"}"#, ""),
        ("Error: no key", ": Error: no key"),
    ] {
        let ended = json!({"terminated": {"exitCode": 1, "message": line}});
        let expect = format!("the container exited with code 1{expect}");
        assert_eq!(trouble(&ended, &json!({})), Some(expect));
    }
}

#[test]
fn an_expected_start_or_restart_is_no_trouble() {
    let done = json!({"terminated": {"exitCode": 0}});
    assert_eq!(trouble(&json!({"running": {}}), &done), None);
    assert_eq!(
        trouble(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({})),
        None
    );
}

#[test]
fn a_pod_without_a_node_has_the_schedulers_message() {
    let unscheduled = json!([{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes",
    }]);
    let view = pod(&json!({"conditions": unscheduled}));
    assert_eq!(view.trouble.as_deref(), Some("Unschedulable: 0/1 nodes"));
}

async fn answering(body: String, status: u16) -> SocketAddr {
    let answer = move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), body.clone()) };
    let router = axum::Router::new().route("/status", axum::routing::get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_report_is_read_and_anything_else_is_an_error() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let poller = Poller::try_new().unwrap();
    let newer = r#"{"configHash": "abc", "fromTheFuture": 1}"#.to_owned();
    let report = poller.fetch(answering(newer, 200).await).await.unwrap();
    assert_eq!(report.config_hash, "abc");
    let error = poller
        .fetch(answering("{}".to_owned(), 503).await)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Status(_)));
    let error = poller
        .fetch(answering("7".to_owned(), 200).await)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)));
    let error = poller
        .fetch(answering(" ".repeat(MAX_REPORT_BYTES + 1), 200).await)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge));
}

#[tokio::test]
async fn pods_that_never_answer_hold_up_their_own_route_only() {
    let status = json!({
        "podIP": "127.0.0.1",
        "containerStatuses": containers(&json!({"running": {}})),
    });
    let pod = |index: u32| {
        let pod = json!({"metadata": {"name": format!("a-{index}")}, "status": status});
        Arc::new(serde_json::from_value(pod).unwrap())
    };
    let pods: Vec<Arc<Pod>> = (0..200).map(pod).collect();
    let poller = Poller::try_new().unwrap();
    // The requests have begun, and nobody drives them on.
    let mut polls = Box::pin(poller.poll(&pods));
    assert!(polls.as_mut().now_or_never().is_none());
    assert_eq!(poller.permits.available_permits(), IN_FLIGHT - OF_A_ROUTE);
}
