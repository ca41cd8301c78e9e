//! People delete the claim or the keys of a live route.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{Release, Space};
use serde_json::json;

use crate::held::{FREE, events, gone, not_ready, pending, receiver_is_back, replace_pod, uid, with_a_job};

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
