//! A laptop's and a pod's configuration, from the files they are read from.

use std::fs;
use std::path::Path;

use asyncmcp_crds::Overrides;
use prometheus::Registry;
use tempfile::TempDir;

use super::Source;
use super::watch::Watch;

const ROUTE: &str = r"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: demo}
spec:
  servers:
  - {name: one, service: {name: one, port: 8080}}
  webhook:
    signing: {secretRefs: [{name: signing, key: secret}]}
";

fn laptop(dir: &Path, servers: &[(&str, &str)]) -> Source {
    let servers = servers
        .iter()
        .map(|(name, url)| ((*name).to_owned(), (*url).to_owned()))
        .collect();
    Source::File {
        route: dir.join("route.yaml"),
        refs: dir.join("refs"),
        overrides: Overrides {
            servers,
            receiver: None,
            notify_receiver: None,
        },
    }
}

fn written(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("route.yaml"), text).unwrap();
    dir
}

#[test]
fn a_service_needs_an_address_on_a_laptop() {
    let dir = written(ROUTE);
    let error = laptop(dir.path(), &[]).read().unwrap_err();
    let said =
        "spec.servers[0].service is a Service, which only a cluster can resolve: pass --server one=URL";
    assert_eq!(error.to_string(), said);

    let config = laptop(dir.path(), &[("one", "http://127.0.0.1:1/mcp")])
        .read()
        .unwrap();
    assert_eq!(config.route.servers[0].url, "http://127.0.0.1:1/mcp");
    assert_eq!(config.refs.missing(), ["secrets/signing/secret"]);
}

#[test]
fn a_server_that_the_route_lacks_is_no_override() {
    let dir = written(ROUTE);
    let error = laptop(dir.path(), &[("two", "http://127.0.0.1:1/mcp")])
        .read()
        .unwrap_err();
    assert!(error.to_string().contains("--server two"), "{error}");
}

#[test]
fn a_bad_field_is_named_with_its_file() {
    let dir = written(&ROUTE.replace("port: 8080", "port: many"));
    let error = laptop(dir.path(), &[]).read().unwrap_err().to_string();
    assert!(
        error.contains("route.yaml") && error.contains("spec.servers[0].service.port"),
        "{error}"
    );
}

#[test]
fn an_edit_is_served_and_a_broken_one_is_only_reported() {
    let dir = written(ROUTE);
    let source = laptop(dir.path(), &[("one", "http://127.0.0.1:1/mcp")]);
    let first = source.read().unwrap();
    let mut watch = Watch::new(source, first, &Registry::new()).unwrap();
    let live = watch.live();

    fs::write(
        dir.path().join("route.yaml"),
        ROUTE.replace("webhook:", "webhookTools: [{name: slow}]\n  webhook:"),
    )
    .unwrap();
    watch.poll_once();
    assert_eq!(live.borrow().route.webhook_tools.len(), 1);

    fs::write(dir.path().join("route.yaml"), "spec: [").unwrap();
    watch.poll_once();
    assert!(live.borrow().refused.is_none(), "it may be half written");
    watch.poll_once();
    assert_eq!(
        live.borrow().route.webhook_tools.len(),
        1,
        "the route before is still served"
    );
    assert!(live.borrow().refused.is_some());

    fs::write(dir.path().join("route.yaml"), ROUTE).unwrap();
    watch.poll_once();
    assert!(live.borrow().refused.is_none() && live.borrow().route.webhook_tools.is_empty());
}

#[test]
fn a_document_that_is_emptied_before_it_is_written_is_one_change() {
    let dir = written(ROUTE);
    let source = laptop(dir.path(), &[("one", "http://127.0.0.1:1/mcp")]);
    let mut watch = Watch::new(source.clone(), source.read().unwrap(), &Registry::new()).unwrap();
    let live = watch.live();
    for _ in 0..3 {
        for text in [
            "",
            &ROUTE.replace("webhook:", "webhookTools: [{name: slow}]\n  webhook:"),
            "",
            ROUTE,
        ] {
            fs::write(dir.path().join("route.yaml"), text).unwrap();
            watch.poll_once();
            assert!(live.borrow().refused.is_none(), "{text:?}");
        }
    }
    fs::write(dir.path().join("route.yaml"), "").unwrap();
    watch.poll_once();
    watch.poll_once();
    assert!(live.borrow().refused.is_some(), "it stays empty");
}

#[test]
fn a_secret_that_appears_is_read() {
    let dir = written(ROUTE);
    let source = laptop(dir.path(), &[("one", "http://127.0.0.1:1/mcp")]);
    let first = source.read().unwrap();
    let mut watch = Watch::new(source, first, &Registry::new()).unwrap();
    let live = watch.live();
    fs::create_dir_all(dir.path().join("refs/secrets/signing")).unwrap();
    fs::write(dir.path().join("refs/secrets/signing/secret"), "whsec_x\n").unwrap();
    watch.poll_once();
    let config = live.borrow();
    assert!(config.refs.missing().is_empty());
    let secret = config.refs.secret(&config.route.webhook.signing[0]).unwrap();
    assert_eq!(secret.text(), Some("whsec_x"));
}

#[test]
fn a_pod_beside_a_bad_document_serves_the_last_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    put("route.json", r#"{"kind":"McpWebhookRoute"}"#);
    put("config-hash", "bad");
    put("last-route.json", ROUTE);
    put("last-config-hash", "good\n");
    let source = Source::Mounted {
        dir: dir.path().to_owned(),
    };
    assert!(source.read().is_err());
    let config = source.read_or_last().unwrap();
    assert_eq!(config.hash, "good");
    assert_eq!(config.refused.unwrap().config_hash, "bad");
}

#[test]
fn a_key_that_cannot_serve_is_reported_with_what_it_has_to_be_and_without_its_value() {
    let text = ROUTE.replace(
        "{name: signing, key: secret}",
        "{name: signing, key: secret}, {name: signing, key: old}",
    );
    let text = format!(
        "{text}    receivers:\n      default:\n        url: https://r.example\n        headers:\n        \
         - {{name: authorization, valueFrom: {{secretKeyRef: {{name: receiver, key: token}}}}}}\n"
    );
    let dir = written(&text);
    let put = |path: &str, value: &[u8]| {
        let file = dir.path().join("refs/secrets").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, value).unwrap();
    };
    let source = laptop(dir.path(), &[("one", "http://127.0.0.1:1/mcp")]);
    let told = |expect: &[(&str, &str)]| {
        let found = source.read().unwrap().unusable_keys();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, (key, text)) in found.iter().zip(expect) {
            assert!(found.key == *key && found.message.contains(text), "{found:?}");
            assert!(!found.message.contains("hunter2"), "{found:?}");
        }
    };
    told(&[]);
    put("signing/secret", b"hunter2");
    put("signing/old", b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    put("receiver/token", b"Bearer x\n");
    told(&[("secrets/signing/secret", "must begin with \"whsec_\"")]);
    put("signing/secret", b"");
    put("receiver/token", b"hunter2\nhunter2");
    told(&[
        ("secrets/receiver/token", "one line"),
        ("secrets/signing/secret", "is empty"),
    ]);
    put("signing/old", b"whsec_aHVudGVyMg==");
    put("receiver/token", b"\xff");
    told(&[
        ("secrets/receiver/token", "not text"),
        ("secrets/signing/old", "24 to 64 bytes"),
        ("secrets/signing/secret", "is empty"),
    ]);
}
