//! What the operator's service account may write: what the operator does, and nothing else that its roles allow.
//!
//! That it suffices, every other test here shows: they run with the policies.

use anyhow::Result;
use asyncmcp_tests::cluster::{Attempt, Release, Space, path};
use serde_json::{Value, json};

use crate::KEY;

const ACCOUNT: &str = "system:serviceaccount:asyncmcp:asyncmcp";

/// What the API server says against it, if the operator's account asks.
async fn ask(
    space: &Space,
    method: &str,
    plural: &str,
    name: &str,
    body: &Value,
) -> Result<Result<(), String>> {
    let attempt = Attempt {
        user: ACCOUNT,
        method,
        path: path(plural, &space.name, name),
        body: body.clone(),
    };
    space.cluster.attempt(&attempt).await
}

/// It is refused, and not by RBAC.
async fn refused(space: &Space, asked: (&str, &str, &str), body: &Value, message: &str) -> Result<()> {
    let (method, plural, name) = asked;
    let said = ask(space, method, plural, name, body).await?;
    let said = said.err().unwrap_or_else(|| "it was allowed".to_owned());
    anyhow::ensure!(
        said.contains("ValidatingAdmissionPolicy") && said.contains(message),
        "{asked:?} {body}: {said}"
    );
    Ok(())
}

fn labels(route: &str) -> Value {
    json!({
        "app.kubernetes.io/managed-by": "asyncmcp-operator",
        "app.kubernetes.io/instance": route,
        "app.kubernetes.io/name": "asyncmcp-dataplane",
    })
}

fn object(name: &str, labels: &Value, rest: Value) -> Value {
    let mut object = rest;
    object["metadata"]["name"] = json!(name);
    object["metadata"]["labels"] = labels.clone();
    object
}

/// A Deployment that could be a route's, with this field of its pods.
fn deployment(name: &str, labels: &Value, field: &str, value: Value) -> Value {
    let mut pod = json!({
        "serviceAccountName": name,
        "automountServiceAccountToken": false,
        "containers": [{"name": "dataplane", "image": "x", "securityContext": {"allowPrivilegeEscalation": false}}],
    });
    match field {
        "securityContext" => pod["containers"][0][field] = value,
        field => pod[field] = value,
    }
    let spec = json!({
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    object(name, labels, json!({"spec": spec}))
}

#[tokio::test]
async fn a_stolen_token_of_the_operator_does_what_the_operator_does_and_no_more() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("admission").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    foreign_objects(&space).await?;
    pods_with_more_rights(&space).await?;
    changes_of_others(&space).await?;

    let annotate = json!({"metadata": {"annotations": {"asyncmcp.dev/config": "x.1"}}});
    let allowed = ask(&space, "PATCH", "pods", "analytics-dataplane-0", &annotate).await?;
    assert_eq!(allowed, Ok(()));
    let own = deployment("x-dataplane", &labels("x"), "hostNetwork", json!(false));
    assert_eq!(ask(&space, "POST", "deployments", "", &own).await?, Ok(()));
    space.done()
}

async fn foreign_objects(space: &Space) -> Result<()> {
    let (ours, none) = (labels("x"), json!({}));
    let account = json!({"annotations": {"kubernetes.io/service-account.name": "default"}});
    let token = json!({"type": "kubernetes.io/service-account-token", "metadata": account});
    let outside = json!({"spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": ours}});
    let storage = json!({"requests": {"storage": "1Gi"}});
    let claim = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": storage}});
    let rows = [
        (
            "secrets",
            "x-keys",
            &ours,
            token,
            "only the Secrets with the keys",
        ),
        ("secrets", "x", &ours, json!({}), "only the Secrets with the keys"),
        (
            "configmaps",
            "x-dataplane-config",
            &none,
            json!({}),
            "that it made for a route",
        ),
        (
            "configmaps",
            "coredns",
            &ours,
            json!({}),
            "that it made for a route",
        ),
        (
            "serviceaccounts",
            "x",
            &ours,
            json!({}),
            "that it made for a route",
        ),
        (
            "services",
            "x-dataplane",
            &ours,
            outside,
            "from inside the cluster",
        ),
        (
            "persistentvolumeclaims",
            "x",
            &none,
            claim,
            "only claims for its routes",
        ),
    ];
    for (plural, name, labels, rest, message) in rows {
        refused(space, ("POST", plural, ""), &object(name, labels, rest), message).await?;
    }
    Ok(())
}

async fn pods_with_more_rights(space: &Space) -> Result<()> {
    let (ours, others) = (labels("x"), json!({"a": "b"}));
    let token =
        json!([{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]);
    let host = json!([{"name": "v", "hostPath": {"path": "/"}}]);
    let (right, wrong) = (("x-dataplane", &ours), ("x", &ours));
    let rows = [
        (wrong, "hostNetwork", json!(false), "that it made for a route"),
        (
            ("x-dataplane", &others),
            "hostNetwork",
            json!(false),
            "that it made for a route",
        ),
        (
            right,
            "serviceAccountName",
            json!("default"),
            "the ServiceAccount of the route",
        ),
        (right, "automountServiceAccountToken", json!(true), "no token"),
        (right, "hostNetwork", json!(true), "no privileges"),
        (
            right,
            "securityContext",
            json!({"privileged": true}),
            "no privileges",
        ),
        (right, "volumes", host, "only their claim, ConfigMaps and Secrets"),
        (
            right,
            "volumes",
            token,
            "only their claim, ConfigMaps and Secrets",
        ),
    ];
    for ((name, labels), field, value, message) in rows {
        let body = deployment(name, labels, field, value);
        refused(space, ("POST", "deployments", ""), &body, message).await?;
    }
    Ok(())
}

async fn changes_of_others(space: &Space) -> Result<()> {
    let role = json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "x"}}});
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let annotation = json!({"metadata": {"annotations": {"a": "b"}}});
    let (token, class) = (
        json!({"data": {"adminToken": "eA=="}}),
        json!({"spec": {"operatorClass": "a"}}),
    );
    let none = json!({"spec": {"replicas": 0}});
    let rows = [
        ("pods", "analytics-dataplane-0", &label, "only the annotations"),
        (
            "pods",
            "analytics-dataplane-0",
            &annotation,
            "only the annotation",
        ),
        ("secrets", "analytics-keys", &token, "contents of a Secret"),
        ("secrets", "analytics-signing", &label, "contents of a Secret"),
        ("mcpwebhookroutes", "analytics", &class, "only the finalizers"),
        (
            "serviceaccounts",
            "analytics-dataplane",
            &role,
            "may not annotate",
        ),
        ("deployments", "receiver", &none, "that it made for a route"),
    ];
    for (plural, name, change, message) in rows {
        refused(space, ("PATCH", plural, name), change, message).await?;
    }
    let asked = ("DELETE", "deployments", "receiver");
    refused(space, asked, &json!({}), "that it made for a route").await
}
