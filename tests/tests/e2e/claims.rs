//! Which claim a route may use: it stays on its own, and adopts one only if it is whole.

use anyhow::Result;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;
use crate::held::{FREE, not_ready, pending, receiver_is_back, recorded_claim, uid, with_a_job};

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

#[tokio::test]
async fn a_claim_that_another_route_waits_for_outlives_the_route_that_made_it() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("waits").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let claim = recorded_claim(&space).await?;
    let before = uid(&space, "persistentvolumeclaims", &claim).await?;
    space.apply(&space::route(|route| {
        route["metadata"]["name"] = json!("second");
        route["spec"]["store"] = json!({"embedded": {"existingClaim": claim}});
    })?)?;
    space.kubectl(&["delete", "mwr", "analytics", "--timeout=60s"])?;
    space.ready("second").await;
    let after = space.get("persistentvolumeclaims", &claim).await?["metadata"].clone();
    assert!(
        after["uid"] == before && after["deletionTimestamp"].is_null(),
        "{after}"
    );
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
