//! The numbers of docs/reference/limits.md are the code's.
//!
//! Invariant: where a number is no value that can be asked for, the line of the source that has it is named here beside the
//! row of the page. When the line changes, the page has to follow.

use anyhow::{Context as _, Result};
use asyncmcp_tests::pages::Page;

use crate::facts::source;

const LIMITS: &str = "docs/reference/limits.md";

#[test]
fn the_defaults_of_limits_are_the_reference_s() -> Result<()> {
    let reference = Page::read("crds/REFERENCE.md")?;
    for row in Page::read(LIMITS)?.table("Limits that a route sets") {
        let [field, default] = &row[..2] else { continue };
        let (section, name) = match field.rsplit_once('.') {
            Some((section, name)) => (format!("spec.{section}"), name),
            None => ("spec".to_owned(), field.as_str()),
        };
        let rows = reference.table(&section);
        let known = rows
            .iter()
            .find(|row| row[0] == name)
            .with_context(|| format!("no field {field}"))?;
        assert_eq!(&known[2], default, "the default of {field}");
    }
    Ok(())
}

/// The row of the page, the file that has the number, and the line in it.
const FIXED: [(&str, &str, &str); 39] = [
    (
        "16,384",
        "dataplane/src/ports/limits.rs",
        "const MOST: u64 = 16_384;",
    ),
    (
        "three quarters of these",
        "dataplane/src/ports/limits.rs",
        "from_one: in_all / 4 * 3,",
    ),
    (
        "| connections to the admin port | 64 |",
        "dataplane/src/ports/limits.rs",
        "const ADMIN: usize = 64;",
    ),
    (
        "75 s",
        "dataplane/src/ports/connection.rs",
        "const IDLE: Duration = Duration::from_secs(75);",
    ),
    (
        "HTTP/2 connection | 128",
        "dataplane/src/ports/connection.rs",
        "const STREAMS: u32 = 128;",
    ),
    (
        "handshake | 10 s",
        "dataplane/src/ports/tls.rs",
        "const HANDSHAKE: Duration = Duration::from_secs(10);",
    ),
    (
        "body of a request | 30 s",
        "dataplane/src/caller/respond/door.rs",
        "BODY_TIME: Duration = Duration::from_secs(30);",
    ),
    (
        "batch (2025-03-26) | 32",
        "dataplane/protocol/src/batch.rs",
        "MAX_MESSAGES: usize = 32;",
    ),
    (
        "depth of JSON | 128",
        "dataplane/protocol/src/depth.rs",
        "MAX_DEPTH: usize = 128;",
    ),
    (
        "JSON-RPC id | 1,024 bytes",
        "dataplane/protocol/src/id.rs",
        "MAX_LEN: usize = 1024;",
    ),
    (
        "`webhookUrl` | 1,024 bytes",
        "dataplane/protocol/src/initialize.rs",
        "MAX_WEBHOOK_URL: usize = 1024;",
    ),
    (
        "call's receiver | 2,048 bytes",
        "dataplane/src/calls/accept/named.rs",
        "MAX_URL: usize = 2048;",
    ),
    (
        "1,024, of them 256",
        "dataplane/src/calls/bound.rs",
        "count: 256,",
    ),
    (
        "| ordinary calls at the same time | 1,024",
        "dataplane/src/calls/bound.rs",
        "count: 1024,",
    ),
    ("512, of them 64", "dataplane/src/calls/bound.rs", "count: 64,"),
    (
        "| notifications on their way to servers | 512",
        "dataplane/src/calls/bound.rs",
        "count: 512,",
    ),
    (
        "kept open | 4,096",
        "dataplane/src/servers/lines.rs",
        "const MOST: usize = 4096;",
    ),
    (
        "templates of one server | 4,096",
        "dataplane/protocol/src/listing.rs",
        "MAX_ENTRIES: usize = 4096;",
    ),
    (
        "server's list | 100",
        "dataplane/src/servers/catalogue/defects.rs",
        "MAX_PAGES: usize = 100;",
    ),
    (
        "passed on | 4,096 bytes",
        "dataplane/src/servers/catalogue/cursor.rs",
        "MAX_CURSOR: usize = 4096;",
    ),
    (
        "compared with | 256",
        "dataplane/src/servers/catalogue/directory/lists.rs",
        "MAX_TEMPLATES: usize = 256;",
    ),
    (
        "prompt's name | 128 bytes",
        "dataplane/src/servers/catalogue/directory.rs",
        "MAX_PROMPT: usize = 128;",
    ),
    (
        "`resources/read` | 8,192 bytes",
        "dataplane/src/calls/ask.rs",
        "MAX_URI: usize = 8192;",
    ),
    (
        "tool's name | 128",
        "dataplane/protocol/src/tools.rs",
        "MAX_NAME: usize = 128;",
    ),
    (
        "all receivers | 1,024",
        "dataplane/delivery/src/engine/receivers.rs",
        "OVERALL: usize = 1024;",
    ),
    (
        "16 KiB, for 250 ms",
        "dataplane/delivery/src/sender.rs",
        "BODY_TIME: Duration = Duration::from_millis(250);",
    ),
    (
        "answer of a receiver that is read | 16 KiB",
        "dataplane/delivery/src/sender.rs",
        "BODY_LIMIT: usize = 16 * 1024;",
    ),
    (
        "running calls | 32 MiB",
        "dataplane/delivery/src/engine/memory_budget.rs",
        "const ARGUMENTS: usize = 32 << 20;",
    ),
    (
        "results that are read | 32 MiB",
        "dataplane/delivery/src/engine/memory_budget.rs",
        "const READING: usize = 32 << 20;",
    ),
    (
        "are delivered | 48 MiB",
        "dataplane/delivery/src/engine/memory_budget.rs",
        "const DELIVERING: usize = 48 << 20;",
    ),
    (
        "history of a job | 64",
        "dataplane/delivery/src/history.rs",
        "pub const KEPT: u32 = 64;",
    ),
    (
        "are interrupted | 3",
        "dataplane/delivery/src/engine/finish.rs",
        "POISONED: u8 = 3;",
    ),
    (
        "jobs API | 500",
        "dataplane/delivery/src/engine/jobs.rs",
        "pub const MOST: usize = 500;",
    ),
    (
        "access token | 16 KiB",
        "dataplane/src/auth/jwt.rs",
        "MAX_TOKEN: usize = 16 << 10;",
    ),
    (
        "one issuer | 32",
        "dataplane/src/auth/keys.rs",
        "MAX_KEYS: usize = 32;",
    ),
    (
        "bearerSecretRefs` | 16 characters",
        "dataplane/src/config/keys.rs",
        "MIN_TOKEN: usize = 16;",
    ),
    (
        "| signing key | 24 to",
        "dataplane/delivery/src/signature.rs",
        "SHORTEST: usize = 24;",
    ),
    (
        "to 64 bytes",
        "dataplane/delivery/src/signature.rs",
        "LONGEST: usize = 64;",
    ),
    (
        "name of a route | 40",
        "operator/src/names.rs",
        "MAX_ROUTE: usize = 40;",
    ),
];

const STORE: [(&str, &str, &str); 13] = [
    (
        "is 80 %",
        "dataplane/delivery/src/store/redb/disk_budget.rs",
        "SHARE: u64 = 80;",
    ),
    (
        "| 60 %",
        "dataplane/delivery/src/store/space.rs",
        "ROOMY: u64 = 60;",
    ),
    (
        "| 69 %",
        "dataplane/delivery/src/store/space.rs",
        "FOR_THE_NEXT: u64 = 1;",
    ),
    (
        "| 70 %",
        "dataplane/delivery/src/store/space.rs",
        "NO_JOBS: u64 = 70;",
    ),
    (
        "| 85 %",
        "dataplane/delivery/src/store/space.rs",
        "NO_EXECUTIONS: u64 = 85;",
    ),
    (
        "at most 75 %",
        "dataplane/delivery/src/store/space.rs",
        "ONE_CLIENT: u64 = 75;",
    ),
    (
        "at most 10 %",
        "dataplane/delivery/src/store/space.rs",
        "SESSIONS: u64 = 10;",
    ),
    (
        "and 64 MiB. Further",
        "dataplane/delivery/src/store/space.rs",
        "MOST_SESSIONS: u64 = 64 << 20;",
    ),
    (
        "up to 64 MiB is",
        "dataplane/src/app/state.rs",
        "const BALLAST: u64 = 64 << 20;",
    ),
    (
        "256 KiB",
        "dataplane/delivery/src/store/redb/options.rs",
        "LARGE: usize = 256 << 10;",
    ),
    (
        "(5 s;",
        "dataplane/src/caller/respond.rs",
        "const PAUSE: Duration = Duration::from_secs(5);",
    ),
    (
        "30 s where the store is",
        "dataplane/src/caller/respond.rs",
        "const LONG_PAUSE: Duration = Duration::from_secs(30);",
    ),
    (
        "`retryAfterMs` of 30 s",
        "dataplane/src/caller/respond.rs",
        "Self::StoreFull | Self::ClientStoreFull(_) =>",
    ),
];

const SIZES: [(&str, &str, &str); 6] = [
    (
        "rows of a job | 512",
        "dataplane/delivery/src/store/redb/usage.rs",
        "const JOB: u64 = 512;",
    ),
    (
        "1.5 times its size",
        "dataplane/delivery/src/store/redb/usage.rs",
        "row + row / 2 //",
    ),
    (
        "the next power of two",
        "dataplane/delivery/src/store/redb/usage.rs",
        "row.next_power_of_two() //",
    ),
    (
        "waits or runs | 4 KiB",
        "dataplane/delivery/src/store/space.rs",
        "const QUEUED: u64 = 4 << 10;",
    ),
    (
        "job that runs | 64 KiB",
        "dataplane/delivery/src/store/space.rs",
        "const RUNNING: u64 = 64 << 10;",
    ),
    (
        "cache of the store (at most 128 MiB)",
        "dataplane/delivery/src/store/redb/file.rs",
        "const CACHE: usize = 128 << 20;",
    ),
];

/// The benchmark's numbers are repeated from ARCHITECTURE, which is where they are measured anew.
const MEASURED: [&str; 9] = ["4530", "4076", "317", "10.3", "25927", "245", "253", "33", "44"];

#[test]
fn the_sizes_are_the_sources_and_the_measurements_those_of_architecture() -> Result<()> {
    let pages = ["docs/how-to/size-a-route.md", "docs/explanation/availability.md"];
    let text: String = pages
        .iter()
        .map(|page| Ok(Page::read(page)?.text))
        .collect::<Result<_>>()?;
    for (said, file, line) in &SIZES {
        assert!(text.contains(said), "no page says {said:?}");
        assert_eq!(source(file)?.matches(line).count(), 1, "{file}: {line:?}");
    }
    let architecture = source("ARCHITECTURE.md")?;
    let (_, table) = architecture
        .split_once("## What a delivery costs")
        .context("no section")?;
    let (table, _) = table.split_once("\n## ").context("no next section")?;
    for number in MEASURED {
        let is_in = |text: &str| text.split_whitespace().any(|word| word == number);
        assert!(is_in(&text) && is_in(table), "{number}");
    }
    Ok(())
}

#[test]
fn the_fixed_limits_are_the_sources() -> Result<()> {
    let page = Page::read(LIMITS)?;
    for (said, file, line) in FIXED.iter().chain(&STORE) {
        assert!(page.text.contains(said), "the page does not say {said:?}");
        let count = source(file)?.matches(line).count();
        assert_eq!(
            count, 1,
            "{file} has {line:?} {count} times; what is true of {said:?}?"
        );
    }
    for row in page
        .prose()
        .skip_while(|line| *line != "## Fixed limits")
        .skip(4)
        .take_while(|line| line.starts_with('|'))
    {
        let is_held = FIXED.iter().any(|(said, ..)| row.contains(said));
        assert!(is_held, "no line of the source is named for {row}");
    }
    Ok(())
}
