//! What people do to volumes, claims and keys of a live route: nothing that was acknowledged goes with an object.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

const FREE: &str = r#"{"metadata": {"finalizers": null}}"#;

/// A route with one job that cannot be delivered, and the name of its claim.
async fn with_a_job(space: &Space, items: u32) -> Result<String> {
    space.example(KEY)?;
    space
        .route(|route| route["spec"]["deletion"] = json!({"timeout": "5m"}))
        .await?;
    space.kubectl(&["scale", "deployment/receiver", "--replicas=0"])?;
    let arguments = json!({"seconds": 0.1, "items": items}).to_string();
    space.call("process_batch", &arguments)?;
    pending(space, 1).await;
    recorded_claim(space).await
}

async fn recorded_claim(space: &Space) -> Result<String> {
    let route = space.get("mcpwebhookroutes", "analytics").await?;
    let claim = route["status"]["store"]["claim"].as_str();
    Ok(claim.context("status names no claim")?.to_owned())
}

async fn pending(space: &Space, jobs: u32) {
    eventually(PATIENCE, || async {
        let status = space.status().await.map_err(|error| error.to_string())?;
        let is_so = status["delivery"]["pending"] == jobs;
        is_so.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
}

/// The message of Ready, once it is False for `reason`.
async fn not_ready(space: &Space, reason: &str) -> String {
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let route = route.map_err(|error| error.to_string())?;
        let ready = space::condition(&route, "Ready");
        let ready = ready.filter(|ready| ready["status"] == "False" && ready["reason"] == reason);
        let message = ready.and_then(|ready| ready["message"].as_str());
        message
            .map(str::to_owned)
            .ok_or_else(|| route["status"].to_string())
    })
    .await
}

async fn uid(space: &Space, plural: &str, name: &str) -> Result<Value> {
    Ok(space.get(plural, name).await?["metadata"]["uid"].clone())
}

async fn receiver_is_back(space: &Space, items: u32) -> Result<()> {
    space.kubectl(&["scale", "deployment/receiver", "--replicas=1"])?;
    space.receives(&format!("processed {items} items")).await;
    Ok(())
}

/// Deletes the pod, and waits until another one is there.
async fn replace_pod(space: &Space) -> Result<()> {
    let before = uid(space, "pods", "analytics-dataplane-0").await?;
    space.kubectl(&["delete", "pod", "analytics-dataplane-0", "--timeout=60s"])?;
    eventually(PATIENCE, || async {
        let now = uid(space, "pods", "analytics-dataplane-0").await;
        let now = now.map_err(|error| error.to_string())?;
        (now != before)
            .then_some(())
            .ok_or_else(|| "the old pod".to_owned())
    })
    .await;
    Ok(())
}

async fn gone(space: &Space, plural: &str, name: &str) {
    eventually(PATIENCE, || async {
        let found = space
            .find(plural, name)
            .await
            .map_err(|error| error.to_string())?;
        found.map_or(Ok(()), |object| Err(object.to_string()))
    })
    .await;
}

fn events(space: &Space, reason: &str) -> Result<String> {
    space.kubectl(&["get", "events", &format!("--field-selector=reason={reason}")])
}

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
async fn a_claim_that_is_deleted_while_in_use_is_kept_until_the_route_is_drained() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("claim").await?;
    let claim = with_a_job(&space, 53).await?;
    space.kubectl(&["delete", "pvc", &claim, "--wait=false"])?;
    let said = not_ready(&space, "StoreDeleting").await;
    assert!(said.contains(&claim), "{said}");
    assert!(events(&space, "StoreDeleting")?.contains(&claim));

    space.kubectl(&["delete", "mwr", "analytics", "--wait=false"])?;
    receiver_is_back(&space, 53).await?;
    space.kubectl(&["wait", "--for=delete", "mwr/analytics", "--timeout=60s"])?;
    gone(&space, "persistentvolumeclaims", &claim).await;
    space.done()
}

#[tokio::test]
async fn no_empty_volume_takes_the_place_of_a_lost_one() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("lost").await?;
    let claim = with_a_job(&space, 54).await?;
    let lost = uid(&space, "persistentvolumeclaims", &claim).await?;
    space.kubectl(&["delete", "pvc", &claim, "--wait=false"])?;
    not_ready(&space, "StoreDeleting").await;
    replace_pod(&space).await?;
    assert_eq!(
        uid(&space, "persistentvolumeclaims", &claim).await?,
        lost,
        "it outlives its pod"
    );

    // Somebody forces it.
    space.kubectl(&["patch", "pvc", &claim, "--type=merge", "--patch", FREE])?;
    let said = not_ready(&space, "StoreLost").await;
    let uid_lost = lost.as_str().context("a claim without a uid")?;
    let accept = format!("asyncmcp.dev/accept-lost-store={uid_lost}");
    assert!(said.contains(&accept), "{said}");
    assert!(space.find("persistentvolumeclaims", &claim).await?.is_none());
    assert!(events(&space, "StoreLost")?.contains(&claim));

    space.kubectl(&["annotate", "mwr", "analytics", &accept])?;
    space.ready("analytics").await;
    assert_ne!(uid(&space, "persistentvolumeclaims", &claim).await?, lost);
    space.done()
}

#[tokio::test]
async fn a_volumes_keys_outlive_their_deletion_and_are_never_made_again() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("keys").await?;
    let keys = format!("{}-keys", with_a_job(&space, 55).await?);
    let before = space.get("secrets", &keys).await?;
    space.kubectl(&["delete", "secret", &keys, "--wait=false"])?;
    let said = not_ready(&space, "StoreKeysDeleting").await;
    assert!(said.contains(&keys), "{said}");
    replace_pod(&space).await?;
    pending(&space, 1).await;

    space.kubectl(&["patch", "secret", &keys, "--type=merge", "--patch", FREE])?;
    let said = not_ready(&space, "StoreKeysLost").await;
    assert!(said.contains(&keys), "{said}");
    assert!(events(&space, "StoreKeysLost")?.contains(&keys));
    assert!(space.find("secrets", &keys).await?.is_none());

    let copy =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": keys}, "data": before["data"]});
    space.apply(&copy.to_string())?;
    space.ready("analytics").await;
    replace_pod(&space).await?;
    receiver_is_back(&space, 55).await?;
    space.done()
}

#[tokio::test]
async fn a_route_stays_on_its_claim_and_its_owner_learns_the_way_out() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("stays").await?;
    with_a_job(&space, 56).await?;
    let pod = uid(&space, "pods", "analytics-dataplane-0").await?;
    for (field, value) in [
        ("existingClaim", "nope"),
        ("storageClassName", "other"),
        ("accessMode", "ReadWriteOncePod"),
        ("size", "512Mi"),
    ] {
        let said = space.apply_refused(&space::route(|route| {
            route["spec"]["store"]["embedded"][field] = json!(value);
        })?)?;
        assert!(said.contains("create a second route"), "{field}: {said}");
    }
    pending(&space, 1).await;
    assert_eq!(uid(&space, "pods", "analytics-dataplane-0").await?, pod);
    receiver_is_back(&space, 56).await?;
    space.done()
}

#[tokio::test]
async fn only_a_whole_claim_is_adopted_and_until_then_a_name_can_be_corrected() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("adopt").await?;
    space.example(KEY)?;
    for name in ["going", "whole"] {
        space.apply(&claim(name).to_string())?;
    }
    space.kubectl(&["delete", "pvc", "going", "--wait=false"])?;
    let named = |claim: &'static str| {
        move |route: &mut Value| route["spec"]["store"] = json!({"embedded": {"existingClaim": claim}})
    };
    space.apply(&space::route(named("nope"))?)?;
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "analytics").await;
        let route = route.map_err(|error| error.to_string())?;
        let refs = space::condition(&route, "ResolvedRefs");
        let is_missing = refs.is_some_and(|refs| refs["message"].to_string().contains("nope"));
        is_missing
            .then_some(())
            .ok_or_else(|| route["status"].to_string())
    })
    .await;
    space.apply(&space::route(named("going"))?)?;
    let said = not_ready(&space, "ClaimDeleting").await;
    assert!(said.contains("going"), "{said}");
    space.route(named("whole")).await?;

    // Of two routes, the one that has it keeps it.
    space.apply(&space::route(|route| {
        named("whole")(route);
        route["metadata"]["name"] = json!("second");
    })?)?;
    eventually(PATIENCE, || async {
        let route = space.get("mcpwebhookroutes", "second").await;
        let route = route.map_err(|error| error.to_string())?;
        let ready = space::condition(&route, "Ready");
        let is_so = ready.is_some_and(|ready| ready["reason"] == "ClaimInUse");
        is_so.then_some(()).ok_or_else(|| route["status"].to_string())
    })
    .await;
    space.kubectl(&["delete", "mwr", "analytics", "--timeout=60s"])?;
    space.ready("second").await;
    space.kubectl(&["patch", "pvc", "going", "--type=merge", "--patch", FREE])?;
    space.done()
}

/// A claim of a user, with a finalizer that keeps it when it is deleted.
fn claim(name: &str) -> Value {
    let hold = if name == "going" {
        json!(["example.com/hold"])
    } else {
        json!([])
    };
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "finalizers": hold},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}
