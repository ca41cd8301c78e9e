//! The how-to pages that can be followed on one machine, one after the other, after the beginning of the tutorial.
//!
//! Needs `unshare` and `ip`. Invariant: after each page, what it promises is looked at.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use asyncmcp_tests::namespace::in_own_network;
use asyncmcp_tests::pages::Page;

use crate::reader::Reader;

const LIST: &str = "asyncmcp jobs list --token-file state/adminToken";
const CALL: &str = "asyncmcp call process_batch --arg seconds=0 --arg items=1";
const HASH: &str = "curl -sS http://127.0.0.1:9464/status | grep -o 'configHash[^,]*'";
const DATA_PLANE: &str = "asyncmcp-dataplane --route route.yaml --state-dir state";

#[tokio::test]
async fn what_the_how_to_pages_say_works_on_a_laptop() -> Result<()> {
    if !in_own_network("howtos::what_the_how_to_pages_say_works_on_a_laptop", &[])? {
        return Ok(());
    }
    let mut reader = Reader::new()?;
    let tutorial = Page::read("docs/tutorials/laptop.md")?;
    reader
        .follow(&tutorial, |section| section.starts_with(['1', '2', '3', '4']))
        .await?;
    a_refused_receiver_is_explained(&mut reader)?;
    rotate_the_admin_token(&mut reader).await?;
    replay_dead_letters(&mut reader).await?;
    rotate_a_signing_key(&mut reader).await?;
    back_up_and_restore(&mut reader).await
}

async fn everything(reader: &mut Reader, page: &str) -> Result<()> {
    let steps = reader.follow(&Page::read(page)?, |_| true).await?;
    assert!(steps > 0, "{page} has no step for a laptop");
    Ok(())
}

fn a_refused_receiver_is_explained(reader: &mut Reader) -> Result<()> {
    let blocks = Page::read("docs/how-to/allow-a-private-receiver.md")?.section("Try it");
    let text = |kind: &str| {
        blocks
            .iter()
            .find(|block| block.language == kind)
            .map(|block| block.text.trim())
    };
    let said = reader
        .run(text("sh").context("no command")?)
        .err()
        .context("it is allowed")?
        .to_string();
    assert!(said.contains(text("text").context("nothing is shown")?), "{said}");
    Ok(())
}

async fn rotate_the_admin_token(reader: &mut Reader) -> Result<()> {
    reader.run("cp state/adminToken before")?;
    everything(reader, "docs/how-to/rotate-the-admin-token.md").await?;
    reader.run(LIST)?;
    let old = reader.run("asyncmcp jobs list --token-file before");
    let said = old.err().context("the old token is valid still")?.to_string();
    assert!(said.contains("wrong bearer token"), "{said}");
    Ok(())
}

async fn replay_dead_letters(reader: &mut Reader) -> Result<()> {
    reader
        .start("asyncmcp receive --fail-first 1 --fail-status 410")
        .await?;
    reader.run(CALL)?;
    let job = once(reader, "dead").await?;
    reader.run(&format!(
        "export JOB={job} ASYNCMCP_ADMIN_TOKEN=$(cat state/adminToken)"
    ))?;
    everything(reader, "docs/how-to/replay-dead-letters.md").await?;
    let shown = eventually(Duration::from_secs(30), || {
        let shown = reader.run("asyncmcp jobs show $JOB").unwrap_or_default();
        async move {
            if shown.contains("delivered") {
                Ok(shown)
            } else {
                Err(shown)
            }
        }
    })
    .await;
    assert!(shown.contains("replays         1"), "{shown}");
    Ok(())
}

/// The id of the newest job, once it is in this state.
async fn once(reader: &mut Reader, state: &str) -> Result<String> {
    let line = eventually(Duration::from_secs(30), || {
        let listed = reader.run(&format!("{LIST} --limit 1")).unwrap_or_default();
        let line = listed.lines().nth(1).map(str::to_owned);
        let found = line.filter(|line| line.contains(&format!(" {state} ")));
        async move { found.ok_or(listed) }
    })
    .await;
    Ok(line.split(' ').next().context("no id")?.to_owned())
}

/// The route's key is called as in the page from here on.
async fn rotate_a_signing_key(reader: &mut Reader) -> Result<()> {
    reader.run("cp -r refs/secrets/hello-signing refs/secrets/analytics-signing")?;
    let page = Page::read("docs/how-to/rotate-a-signing-key.md")?;
    let part = page
        .blocks()
        .into_iter()
        .find(|block| block.language == "yaml")
        .context("no YAML")?;
    let route = std::fs::read_to_string(reader.directory()?.join("route.yaml"))?;
    let lines: Vec<_> = part.text.lines().skip(3).collect();
    let keys = format!("      {}\n", lines.join("\n  ").trim_start());
    let edited = route.replace("      - {name: hello-signing, key: secret}\n", &keys);
    assert_ne!(edited, route);
    everything(reader, "docs/how-to/rotate-a-signing-key.md").await?;
    let before = reader.run(HASH)?;
    std::fs::write(reader.directory()?.join("route.yaml"), edited)?;
    eventually(Duration::from_secs(30), || {
        let now = reader.run(HASH).unwrap_or_default();
        std::future::ready(now != before)
    })
    .await;
    // A receiver that has the new key only, and one that has the old one only.
    for key in ["next", "secret"] {
        let receive = "asyncmcp receive --count 1 --secret-file refs/secrets/analytics-signing";
        reader.start(&format!("{receive}/{key}")).await?;
        reader.run(CALL)?;
        once(reader, "delivered").await?;
        reader.ended("asyncmcp receive").await?;
    }
    Ok(())
}

async fn back_up_and_restore(reader: &mut Reader) -> Result<()> {
    let before = reader.run(LIST)?;
    reader.stop("asyncmcp-dataplane").await?;
    everything(reader, "docs/how-to/back-up-and-restore.md").await?;
    for state in ["state", "rescued"] {
        let checked = reader.run(&format!("asyncmcp-dataplane store check --state-dir {state}"))?;
        assert!(checked.contains("findings 0"), "{state}: {checked}");
    }
    reader.start(DATA_PLANE).await?;
    assert_eq!(reader.run(LIST)?, before);
    // What was rescued is served, too.
    reader.stop("asyncmcp-dataplane").await?;
    reader.run("cp state/adminToken state/sessions.json rescued/ && mv state other && mv rescued state")?;
    reader.start(DATA_PLANE).await?;
    assert_eq!(reader.run(LIST)?, before);
    Ok(())
}
