//! What is over is deleted on request, and what is not over is not.

use anyhow::Result;
use futures::future::try_join_all;

use crate::scene::Scene;

const DEAD: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_deleted_and_give_back_their_space() -> Result<()> {
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    let runs = scene.call(&session, DEAD, 600.0).await?;
    let used = || async { scene.gateway.metric("asyncmcp_store_used_bytes", &[]).await };
    let ids = try_join_all((0..DEAD).map(|id| scene.call(&session, id, 0.0))).await?;
    scene.dead(DEAD).await;
    scene.once(&runs, "running").await;
    let full = used().await?;

    let said = scene.jobs(&["delete", &runs, &ids[0]]).await?;
    assert!(
        !said.succeeded && said.err.contains("cancel a call that is queued or running"),
        "{said:?}"
    );
    assert_eq!(said.out.trim(), format!("{} deleted", ids[0]), "{said:?}");
    let gone = scene.jobs(&["show", &ids[0]]).await?;
    assert!(gone.err.contains("there is no such job"), "{gone:?}");

    let counted = scene
        .jobs(&["delete", "--all", "--dead-reason", "http_4xx"])
        .await?;
    assert_eq!(
        counted.out.trim(),
        format!("{} would be deleted", DEAD - 1),
        "{counted:?}"
    );
    assert!(counted.err.contains("--yes"), "{counted:?}");
    scene.dead(DEAD - 1).await;
    let other = scene
        .jobs(&["delete", "--all", "--yes", "--state", "running"])
        .await?;
    assert!(
        !other.succeeded && other.err.contains("filter.state: must be dead or stopped"),
        "{other:?}"
    );
    let all = scene.jobs(&["delete", "--all", "--yes"]).await?;
    assert_eq!(all.out.trim(), format!("{} deleted", DEAD - 1), "{all:?}");
    scene.dead(0).await;
    let freed = full - used().await?;
    assert!(freed > 40.0 * 1000.0, "{freed} of {full} bytes");
    assert_eq!(scene.once(&runs, "running").await["id"], runs);
    Ok(())
}
