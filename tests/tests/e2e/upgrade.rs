//! An upgrade of the release changes the pods of all routes.

use anyhow::Result;
use asyncmcp_tests::cluster::space::{condition, holds};
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, path, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

const ROUTES: [&str; 3] = ["one", "two", "three"];

async fn images(space: &Space) -> Result<Vec<String>> {
    let list = space.cluster.find(&path("statefulsets", &space.name, "")).await?;
    let items = list.unwrap_or_default()["items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let image = |set: &Value| {
        set["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .map(str::to_owned)
    };
    Ok(items.iter().filter_map(image).collect())
}

#[tokio::test]
async fn a_wrong_default_image_takes_down_one_route_and_a_right_one_repairs_it() -> Result<()> {
    let release = Release::own("upgrade", &[]).await?;
    let space = release.space("upgrade").await?;
    space.example(KEY)?;
    for name in ROUTES {
        space.apply(&space::route(|route| route["metadata"]["name"] = json!(name))?)?;
    }
    for name in ROUTES {
        space.ready(name).await;
    }

    release.upgrade(&["--set=dataplane.image.tag=nope"])?;
    eventually(PATIENCE, || async { waiting(&space, 2).await }).await;
    release.renewals(&space.cluster, 5).await?;
    waiting(&space, 2).await.map_err(anyhow::Error::msg)?;
    let images = images(&space).await?;
    let changed = images.iter().filter(|image| image.ends_with(":nope")).count();
    assert_eq!(changed, 1, "{images:?}");

    release.upgrade(&["--set=dataplane.image.tag=dev"])?;
    for name in ROUTES {
        space.ready(name).await;
    }
    eventually(PATIENCE, || async { waiting(&space, 0).await }).await;
    space.done()
}

/// So many routes are ready and say that they wait.
async fn waiting(space: &Space, expected: usize) -> Result<(), String> {
    let mut said = Vec::new();
    for name in ROUTES {
        let route = space
            .get("mcpwebhookroutes", name)
            .await
            .map_err(|error| error.to_string())?;
        let message = condition(&route, "Ready").map(|ready| ready["message"].to_string());
        said.push((holds(&route, "Ready"), message.unwrap_or_default()));
    }
    let waits = said
        .iter()
        .filter(|(ready, message)| *ready && message.contains("tried on route"));
    if waits.count() == expected {
        Ok(())
    } else {
        Err(format!("{said:?}"))
    }
}
