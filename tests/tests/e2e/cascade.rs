//! A route is deleted in every way that Kubernetes knows: nothing that was acknowledged goes with it.

use anyhow::Result;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, kubectl_with, space};
use asyncmcp_tests::eventually;
use serde_json::json;

use crate::held::{FREE, events, gone, not_ready, pending, receiver_is_back, uid, with_a_job};

#[tokio::test]
async fn a_foreground_deletion_takes_nothing_from_a_route_that_drains() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("foreground").await?;
    let claim = with_a_job(&space, 51).await?;
    let keys = format!("{claim}-keys");
    let objects = [
        ("persistentvolumeclaims", claim.as_str()),
        ("secrets", &keys),
        ("secrets", "analytics-keys"),
        ("statefulsets", "analytics-dataplane"),
        ("pods", "analytics-dataplane-0"),
    ];
    let mut before = Vec::new();
    for (plural, name) in objects {
        before.push(uid(&space, plural, name).await?);
    }
    let cascade = [
        "delete",
        "mwr",
        "analytics",
        "--cascade=foreground",
        "--wait=false",
    ];
    space.kubectl(&cascade)?;
    not_ready(&space, "Draining").await;
    // The collector has done what it does at once: taken its finalizer off.
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let finalizers = route.map_err(|error| error.to_string())?["metadata"]["finalizers"].clone();
        (finalizers == json!(["asyncmcp.dev/drain"]))
            .then_some(())
            .ok_or_else(|| finalizers.to_string())
    })
    .await;
    pending(&space, 1).await;
    for ((plural, name), before) in objects.iter().zip(&before) {
        assert_eq!(uid(&space, plural, name).await?, *before, "{plural} {name}");
    }

    receiver_is_back(&space, 51).await?;
    space.kubectl(&["wait", "--for=delete", "mwr/analytics", "--timeout=60s"])?;
    for (plural, name) in objects {
        gone(&space, plural, name).await;
    }
    space.done()
}

#[tokio::test]
async fn an_orphaned_pod_goes_on_and_a_new_route_takes_it_over_with_its_volume() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("orphan").await?;
    let claim = with_a_job(&space, 52).await?;
    space.kubectl(&["delete", "mwr", "analytics", "--cascade=orphan", "--timeout=60s"])?;
    let said = events(&space, "StoreKept")?;
    assert!(
        said.contains("--cascade=orphan") && said.contains(&claim),
        "{said}"
    );
    pending(&space, 1).await;

    space.apply(&space::route(|_| {})?)?;
    let said = not_ready(&space, "EarlierRoute").await;
    assert!(said.contains(&format!("existingClaim to {claim}")), "{said}");
    pending(&space, 1).await;

    space
        .route(|route| route["spec"]["store"] = json!({"embedded": {"existingClaim": claim}}))
        .await?;
    receiver_is_back(&space, 52).await?;
    space.done()
}

#[tokio::test]
async fn a_held_volume_does_not_hold_up_its_namespace() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("namespace").await?;
    with_a_job(&space, 57).await?;
    space.goes()
}

#[tokio::test]
async fn a_namespace_can_go_after_a_route_was_forced_away() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("forced").await?;
    let claim = with_a_job(&space, 58).await?;
    space.kubectl(&["delete", "mwr", "analytics", "--wait=false"])?;
    not_ready(&space, "Draining").await;
    space.kubectl(&["patch", "mwr", "analytics", "--type=merge", "--patch", FREE])?;
    gone(&space, "mcpwebhookroutes", "analytics").await;
    let left = space.get("persistentvolumeclaims", &claim).await?;
    assert!(left["metadata"]["deletionTimestamp"].is_null(), "{left}");
    pending(&space, 1).await;
    space.goes()
}

#[tokio::test]
async fn without_a_watch_on_secrets_a_foreground_deletion_takes_nothing_either() -> Result<()> {
    let release = Release::own("unwatched", &["--set=secrets.watch=false"]).await?;
    let space = release.space("unwatched").await?;
    let claim = with_a_job(&space, 59).await?;
    let cascade = [
        "delete",
        "mwr",
        "analytics",
        "--cascade=foreground",
        "--wait=false",
    ];
    space.kubectl(&cascade)?;
    receiver_is_back(&space, 59).await?;
    space.kubectl(&["wait", "--for=delete", "mwr/analytics", "--timeout=60s"])?;
    for (plural, name) in [
        ("persistentvolumeclaims", claim.as_str()),
        ("secrets", &format!("{claim}-keys")),
        ("secrets", "analytics-keys"),
        ("statefulsets", "analytics-dataplane"),
    ] {
        gone(&space, plural, name).await;
    }
    space.done()
}

/// The version before labels said whose an object is.
#[tokio::test]
async fn an_owner_that_an_earlier_version_set_is_taken_off() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("upgrade").await?;
    with_a_job(&space, 60).await?;
    let route = uid(&space, "mcpwebhookroutes", "analytics").await?;
    let owner = json!({
        "apiVersion": "asyncmcp.dev/v1alpha1", "kind": "McpWebhookRoute", "name": "analytics", "uid": route,
        "controller": true,
    });
    let name = "analytics-dataplane";
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "ownerReferences": [owner]},
        "automountServiceAccountToken": false,
    });
    let manager = [
        "apply",
        "--server-side",
        "--field-manager=asyncmcp-operator",
        "--filename=-",
    ];
    kubectl_with(
        &account.to_string(),
        &[&["--namespace", &space.name][..], &manager].concat(),
    )?;
    eventually(PATIENCE, || async {
        let account = space
            .get("serviceaccounts", name)
            .await
            .map_err(|error| error.to_string())?;
        let meta = &account["metadata"];
        let is_free = meta["ownerReferences"].is_null() && meta["labels"]["asyncmcp.dev/route-uid"] == route;
        is_free.then_some(()).ok_or_else(|| account.to_string())
    })
    .await;
    receiver_is_back(&space, 60).await?;
    space.done()
}
