//! What status and Events say about Secrets that cannot be used.

use super::*;
use asyncmcp_crds::{IssuerReport, UnusableKeyReport};

/// What a pod reports.
#[derive(Clone, Copy)]
enum Key {
    Good,
    Unread,
    Invalid,
}

fn spec(webhook: &Value) -> Value {
    let mut spec = fixture::minimal();
    spec["webhook"] = webhook.clone();
    spec
}

fn signed_with(keys: &[&str]) -> Value {
    let refs: Vec<Value> = keys
        .iter()
        .map(|key| json!({"name": "sign", "key": key}))
        .collect();
    spec(&json!({"signing": {"secretRefs": refs}}))
}

/// The status of a route whose pod reports this of these keys of Secret `sign`.
fn status_of(spec: &Value, keys: &[(&str, Key)], missing: &[&str]) -> McpWebhookRouteStatus {
    let subject = fixture::subject(spec);
    let mut pod = pod(&hash(&subject));
    let report = Arc::make_mut(pod.report.as_mut().unwrap());
    for (key, state) in keys {
        let key = format!("secrets/sign/{key}");
        match state {
            Key::Good => {}
            Key::Unread => report.missing_keys.push(key),
            Key::Invalid => report.unusable_keys.push(UnusableKeyReport {
                key,
                message: "is not usable: advice".to_owned(),
            }),
        }
    }
    let found = Found {
        pods: vec![pod],
        missing: missing
            .iter()
            .map(|name| crate::kinds::Key::new(Kind::Secret, *name))
            .collect(),
        ..Found::default()
    };
    draft_of(&subject, &found, &programmed(&subject, Vec::new()), 1)
}

#[track_caller]
fn check(status: &McpWebhookRouteStatus, resolved: (&str, &str), ready_as: (&str, &str), text: &str) {
    assert_eq!(reasons(status)[1], resolved);
    assert_eq!(reasons(status)[3], ready_as);
    let message = &ready(status).message;
    assert!(message.contains(text), "{message}");
}

#[test]
fn a_route_without_a_usable_signing_key_is_not_ready_and_names_each_key_and_what_is_wrong() {
    let one = signed_with(&["a"]);
    let (held, served) = (("False", "NoSigningKey"), ("True", "Ready"));
    check(
        &status_of(&one, &[("a", Key::Good)], &[]),
        ("True", "ResolvedRefs"),
        served,
        "served",
    );
    let gone = status_of(&one, &[("a", Key::Good)], &["sign"]);
    check(
        &gone,
        ("False", "RefNotFound"),
        held,
        "wait: Secret sign does not exist",
    );
    let unread = status_of(&one, &[("a", Key::Unread)], &[]);
    check(
        &unread,
        ("False", "KeyNotFound"),
        held,
        "cannot read key a of Secret sign",
    );
    let invalid = status_of(&one, &[("a", Key::Invalid)], &[]);
    check(
        &invalid,
        ("False", "KeyInvalid"),
        held,
        "key a of Secret sign is not usable: advice",
    );

    let two = signed_with(&["a", "b"]);
    let both = status_of(&two, &[("a", Key::Invalid), ("b", Key::Unread)], &[]);
    check(
        &both,
        ("False", "KeyNotFound"),
        held,
        "advice; the pods cannot read key b",
    );
    let rotation = status_of(&two, &[("a", Key::Good), ("b", Key::Invalid)], &[]);
    check(&rotation, ("False", "KeyInvalid"), served, "served");
}

#[test]
fn a_route_that_can_let_nobody_in_is_not_ready_and_names_each_key() {
    let mut spec = fixture::minimal();
    spec["webhookTools"] = json!([]);
    spec["auth"] = json!({"bearerSecretRefs": [{"name": "sign", "key": "a"}, {"name": "sign", "key": "b"}]});
    let one_good = status_of(&spec, &[("a", Key::Good), ("b", Key::Invalid)], &[]);
    check(&one_good, ("False", "KeyInvalid"), ("True", "Ready"), "served");
    let none = status_of(&spec, &[("a", Key::Unread), ("b", Key::Invalid)], &[]);
    check(
        &none,
        ("False", "KeyNotFound"),
        ("False", "NoCredentials"),
        "every request is refused: the pods cannot read key a of Secret sign",
    );
}

#[test]
fn a_gateway_without_webhook_tools_signs_nothing() {
    let mut spec = signed_with(&["a"]);
    spec["webhookTools"] = json!([]);
    let status = status_of(&spec, &[("a", Key::Invalid)], &[]);
    check(&status, ("False", "KeyInvalid"), ("True", "Ready"), "served");
}

#[test]
fn a_route_whose_default_receiver_misses_a_header_is_not_ready() {
    let reference = json!({"secretKeyRef": {"name": "sign", "key": "token"}});
    let headers = json!([{"name": "authorization", "valueFrom": reference}, {"name": "x", "value": "y"}]);
    let spec = spec(&json!({"receivers": {"default": {"url": "https://r.example", "headers": headers}}}));
    let held = ("False", "NoReceiverHeader");
    let gone = status_of(&spec, &[("token", Key::Unread)], &["sign"]);
    check(
        &gone,
        ("False", "RefNotFound"),
        held,
        "authorization (Secret sign does not exist)",
    );
    let invalid = status_of(&spec, &[("token", Key::Invalid)], &[]);
    check(
        &invalid,
        ("False", "KeyInvalid"),
        held,
        "authorization (key token of Secret sign is not usable",
    );
    check(
        &status_of(&spec, &[], &[]),
        ("True", "ResolvedRefs"),
        ("True", "Ready"),
        "served",
    );
}

#[test]
fn a_route_whose_events_of_dead_letters_miss_a_header_is_not_ready() {
    let reference = json!({"secretKeyRef": {"name": "sign", "key": "token"}});
    let headers = json!([{"name": "authorization", "valueFrom": reference}]);
    let spec = spec(&json!({"deadLetter": {"notify": {"url": "https://ops.example", "headers": headers}}}));
    let gone = status_of(&spec, &[("token", Key::Unread)], &["sign"]);
    let (missing, held) = (("False", "RefNotFound"), ("False", "NoReceiverHeader"));
    check(
        &gone,
        missing,
        held,
        "events about dead letters wait for a header: authorization",
    );
    let whole = status_of(&spec, &[], &[]);
    check(&whole, ("True", "ResolvedRefs"), ("True", "Ready"), "served");
}

#[test]
fn credentials_and_authorities_of_servers_are_named_and_do_not_keep_the_route_from_being_ready() {
    let authority = json!({"kind": "ConfigMap", "name": "authority", "key": "ca.crt"});
    let mut spec = fixture::minimal();
    spec["servers"] = json!([{
        "name": "a",
        "url": "https://a.example",
        "bearerTokenSecretRef": {"name": "sign", "key": "token"},
        "tls": {"caCertificateRefs": [authority]},
    }]);
    let subject = fixture::subject(&spec);
    let mut pod = pod(&hash(&subject));
    let report = Arc::make_mut(pod.report.as_mut().unwrap());
    report.missing_keys.push("configmaps/authority/ca.crt".to_owned());
    report.unusable_keys.push(UnusableKeyReport {
        key: "secrets/sign/token".to_owned(),
        message: "is empty".to_owned(),
    });
    let found = Found {
        pods: vec![pod],
        ..Found::default()
    };
    let status = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 1);
    check(&status, ("False", "KeyNotFound"), ("True", "Ready"), "served");
    let conditions = status.conditions.unwrap();
    let said = &conditions[1].message;
    assert!(
        said.contains("cannot read key ca.crt of ConfigMap authority"),
        "{said}"
    );
    assert!(said.contains("key token of Secret sign is empty"), "{said}");
}

#[test]
fn a_route_without_a_usable_certificate_is_not_ready_and_its_url_says_https() {
    let mut spec = fixture::minimal();
    spec["transport"] = json!({"tls": {"certificateRef": {"name": "sign"}}});
    let held = ("False", "NoCertificate");
    let gone = status_of(
        &spec,
        &[("tls.crt", Key::Unread), ("tls.key", Key::Unread)],
        &["sign"],
    );
    check(
        &gone,
        ("False", "RefNotFound"),
        held,
        "Secret sign does not exist",
    );
    let invalid = status_of(&spec, &[("tls.key", Key::Invalid)], &[]);
    let words = "key tls.key of Secret sign is not usable";
    check(&invalid, ("False", "KeyInvalid"), held, words);
    let good = status_of(&spec, &[], &[]);
    check(&good, ("True", "ResolvedRefs"), ("True", "Ready"), "served");
    let url = good.address.unwrap().url;
    assert!(url.starts_with("https://"), "{url}");
    let clear = status_of(&fixture::minimal(), &[], &[]).address.unwrap().url;
    assert!(clear.starts_with("http://"), "{clear}");
}

#[test]
fn a_restarted_operator_without_reports_keeps_what_it_knew() {
    let spec = signed_with(&["a"]);
    let invalid = status_of(&spec, &[("a", Key::Invalid)], &[]);
    let mut object = fixture::object(&spec);
    object["status"] = serde_json::to_value(&invalid).unwrap();
    let subject = fixture::of(object);
    let mut silent = pod("");
    silent.report = None;
    let found = Found {
        pods: vec![silent],
        ..Found::default()
    };
    let draft = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 9);
    assert_eq!(ready(&draft), ready(&invalid));
}

#[test]
fn a_key_that_cannot_be_used_is_an_event_once() {
    let spec = signed_with(&["a"]);
    let good = status_of(&spec, &[], &[]);
    let invalid = status_of(&spec, &[("a", Key::Invalid)], &[]);
    assert_eq!(events(&good, &invalid), ["KeyInvalid", "NoSigningKey"]);
    assert_eq!(events(&invalid, &invalid), [""; 0]);
    let gone = status_of(&spec, &[("a", Key::Unread)], &["sign"]);
    assert_eq!(events(&good, &gone), ["RefNotFound", "NoSigningKey"]);
    assert_eq!(events(&invalid, &good), [""; 0]);
}

#[test]
fn a_route_whose_issuer_has_no_keys_says_so_until_a_pod_has_read_them() {
    let mut spec = fixture::minimal();
    let issuer = "https://issuer.example";
    spec["auth"] = json!({"jwt": [{"issuer": issuer, "audiences": ["mcp"]}]});
    let subject = fixture::subject(&spec);
    let served_by = |issuers: &[&str]| {
        let mut pod = pod(&hash(&subject));
        let report = Arc::make_mut(pod.report.as_mut().unwrap());
        report
            .issuers_without_keys
            .extend(issuers.iter().map(|issuer| IssuerReport {
                issuer: (*issuer).to_owned(),
                message: "it answered 503".to_owned(),
            }));
        let found = Found {
            pods: vec![pod],
            ..Found::default()
        };
        draft_of(&subject, &found, &programmed(&subject, Vec::new()), 1)
    };
    let named = "https://issuer.example (it answered 503)";
    check(
        &served_by(&[issuer]),
        ("True", "ResolvedRefs"),
        ("False", "NoIssuerKeys"),
        named,
    );
    check(
        &served_by(&[]),
        ("True", "ResolvedRefs"),
        ("True", "Ready"),
        "served",
    );
}
