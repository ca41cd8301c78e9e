//! A server that wants a token from a Secret and has a certificate of an authority in a ConfigMap; both change while the
//! route is served.

use anyhow::Result;
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

/// The example server behind TLS and tokens; what it reads is in the Secret `example-server`.
const GUARDED: &str = r#"{"spec": {"template": {"spec": {
    "containers": [{
        "name": "server",
        "command": ["/asyncmcp-example-server", "--listen=0.0.0.0:8080", "--allow-any-host",
            "--tls-dir=/guard", "--token-file=/guard/tokens"],
        "volumeMounts": [{"name": "guard", "mountPath": "/guard", "readOnly": true}]
    }],
    "volumes": [{"name": "guard", "secret": {"secretName": "example-server"}}]
}}}}"#;

/// Gives the server a certificate of `authority` and these tokens, and starts it anew.
fn guard(space: &Space, authority: &Authority, tokens: &str) -> Result<()> {
    let issued = authority.certificate_of(&format!("example-server.{}.svc", space.name))?;
    let data = json!({"tls.crt": issued.certificate, "tls.key": issued.private_key(), "tokens": tokens});
    space.apply(&object("Secret", "example-server", "stringData", &data))?;
    space.kubectl(&["patch", "deployment", "example-server", "--patch", GUARDED])?;
    space.kubectl(&["rollout", "restart", "deployment/example-server"])?;
    space
        .kubectl(&["rollout", "status", "deployment/example-server", "--timeout=60s"])
        .map(drop)
}

fn object(kind: &str, name: &str, field: &str, data: &Value) -> String {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: data}).to_string()
}

fn trust(space: &Space, authorities: &[&Authority]) -> Result<()> {
    let pem: Vec<String> = authorities.iter().map(|authority| authority.pem()).collect();
    space.apply(&object(
        "ConfigMap",
        "authority",
        "data",
        &json!({"ca.crt": pem.concat()}),
    ))
}

fn token(space: &Space, token: &str) -> Result<()> {
    space.apply(&object(
        "Secret",
        "upstream",
        "stringData",
        &json!({"token": token}),
    ))
}

/// Waits until the route says this of its server.
async fn told(space: &Space, text: &str) {
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let route = route.map_err(|error| error.to_string())?;
        let said = route["status"]["servers"][0]["message"]
            .as_str()
            .unwrap_or_default();
        said.contains(text)
            .then_some(())
            .ok_or_else(|| route["status"].to_string())
    })
    .await;
}

async fn resolved(space: &Space, status: &str, text: &str) {
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let route = route.map_err(|error| error.to_string())?;
        let condition = space::condition(&route, "ResolvedRefs");
        let is_so = condition.is_some_and(|condition| {
            condition["status"] == status && condition["message"].to_string().contains(text)
        });
        is_so.then_some(()).ok_or_else(|| route["status"].to_string())
    })
    .await;
}

/// Waits until an ordinary call and a job get through.
async fn works(space: &Space, items: u32) -> Result<()> {
    eventually(PATIENCE, || async {
        space.call("echo", r#"{"text": "is anybody there?"}"#)
    })
    .await;
    space.call(
        "process_batch",
        &json!({"seconds": 0.1, "items": items}).to_string(),
    )?;
    space.receives(&format!("processed {items} items")).await;
    Ok(())
}

#[tokio::test]
async fn a_token_and_an_authority_come_late_and_rotate_without_a_new_pod() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("guarded").await?;
    let (old, new) = (Authority::new()?, Authority::new()?);
    space.example(KEY)?;
    guard(&space, &old, "one")?;
    token(&space, "one")?;
    space.apply(&space::route(|route| {
        let server = &mut route["spec"]["servers"][0];
        server["service"]["scheme"] = json!("https");
        server["bearerTokenSecretRef"] = json!({"name": "upstream", "key": "token"});
        let authority = json!({"kind": "ConfigMap", "name": "authority", "key": "ca.crt"});
        server["tls"] = json!({"caCertificateRefs": [authority]});
    })?)?;
    resolved(&space, "False", "ConfigMap authority").await;
    told(&space, "key ca.crt of ConfigMap authority cannot be read").await;
    trust(&space, &[&old])?;
    resolved(&space, "True", "").await;
    works(&space, 31).await?;
    let pod = space.get("pods", "analytics-dataplane-0").await?;

    trust(&space, &[&old, &new])?;
    guard(&space, &new, "one\ntwo")?;
    works(&space, 32).await?;
    token(&space, "two")?;
    trust(&space, &[&new])?;
    guard(&space, &new, "two")?;
    works(&space, 33).await?;

    token(&space, "three")?;
    told(
        &space,
        "refuses the credentials in bearerTokenSecretRef (key token of Secret upstream)",
    )
    .await;
    token(&space, "two")?;
    works(&space, 34).await?;
    let now = space.get("pods", "analytics-dataplane-0").await?;
    assert_eq!(
        now["metadata"]["uid"], pod["metadata"]["uid"],
        "the pod was replaced"
    );
    assert_eq!(now["status"]["containerStatuses"][0]["restartCount"], 0);
    space.done()
}

#[tokio::test]
async fn a_route_with_a_certificate_of_its_own_is_served_over_tls() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("tls").await?;
    space.example(KEY)?;
    space.apply(&space::route(|route| {
        route["spec"]["transport"] = json!({"tls": {"certificateRef": {"name": "endpoint"}}});
    })?)?;
    eventually(PATIENCE, || {
        space.not_ready("analytics", "NoCertificate", "Secret endpoint does not exist")
    })
    .await;
    let authority = Authority::new()?;
    let issued = authority.certificate_of("analytics-dataplane")?;
    let data = json!({"tls.crt": issued.certificate, "tls.key": issued.private_key()});
    space.apply(&object("Secret", "endpoint", "stringData", &data))?;
    space.ready("analytics").await;
    let route = space.get("mcpwebhookroutes", "analytics").await?;
    let url = route["status"]["address"]["url"].to_string();
    assert!(url.contains("https://analytics-dataplane."), "{url}");
    let service = space.get("services", "analytics-dataplane").await?;
    assert_eq!(service["spec"]["ports"][0]["appProtocol"], "https");
    // The client of the pod is without TLS here, and is told what to change.
    let told = space.call("echo", r#"{"text": "x"}"#);
    let told = told.map_err(|error| error.to_string());
    assert!(
        told.is_err_and(|text| text.contains("https://")),
        "served in the clear"
    );
    space.done()
}
