//! README says beside its `retry:` how long deliveries are retried, and by default.

use anyhow::Result;
use asyncmcp_crds::summary::retry_total;
use asyncmcp_crds::{Unknown, effective, load};
use asyncmcp_tests::readme;

#[test]
fn retries_are_totalled_as_they_are() -> Result<()> {
    let blocks = readme::blocks()?;
    let mut count = 0;
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let Some(line) = block
            .text
            .lines()
            .find(|line| line.trim_start().starts_with("retry:"))
        else {
            continue;
        };
        let mut route = load(&block.text, Unknown::Refuse)?.route;
        let total = retry_total(&effective(&route).webhook.retry.waits);
        assert!(line.contains(&total), "{line}: {total}");
        route.spec.webhook = None;
        let default = retry_total(&effective(&route).webhook.retry.waits);
        assert!(line.contains(&default), "{line}: {default}");
        count += 1;
    }
    assert!(count > 0, "README shows no retries");
    Ok(())
}
