//! The attempt that docs/reference/webhook.md shows is a real one, and its tables are what the code does.
//!
//! Invariant: the headers of the page are those of a delivery that is made here.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_client::signature::{Key, verify};
use asyncmcp_crds::effective::Waits;
use asyncmcp_crds::{Unknown, effective, load};
use asyncmcp_delivery::job::Retry;
use asyncmcp_delivery::schedule;
use asyncmcp_delivery::state::Category;
use asyncmcp_delivery::verdict::{Verdict, of_status};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::session::Session;
use http::{HeaderMap, HeaderName, StatusCode};
use regex::Regex;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PAGE: &str = "docs/reference/webhook.md";

/// A request as it is on the wire.
struct Shown {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Shown {
    fn parse(text: &str) -> Result<Self> {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").context("no body")?;
        let mut lines = head.lines();
        let line = lines.next().context("no request line")?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Self {
            line,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        })
    }

    fn of_page() -> Result<(Page, Self)> {
        let page = Page::read(PAGE)?;
        let blocks = page.blocks();
        let block = blocks
            .iter()
            .find(|block| block.language == "http")
            .context("no http block")?;
        let mut shown = Self::parse(&block.text)?;
        shown.body.truncate(shown.body.trim_end().len());
        Ok((page, shown))
    }

    fn header(&self, name: &str) -> Result<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        Ok(&found.with_context(|| name.to_owned())?.1)
    }

    fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[test]
fn the_signature_of_the_page_is_valid_for_its_key_and_body() -> Result<()> {
    let (page, shown) = Shown::of_page()?;
    let key = Regex::new("whsec_[A-Za-z0-9+/=]+")?;
    let key = key.find(&page.text).context("no key")?.as_str();
    let mut headers = HeaderMap::new();
    for (name, value) in &shown.headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
    }
    let body = shown.body.as_bytes();
    assert_eq!(shown.header("content-length")?, body.len().to_string());
    let at = shown.header("webhook-timestamp")?.parse()?;
    verify(&[Key::parse(key)?], &headers, body, at)?;
    assert!(verify(&[Key::parse(key)?], &headers, &body[1..], at).is_err());
    Ok(())
}

#[tokio::test]
async fn a_delivery_has_the_headers_of_the_page_and_no_others() -> Result<()> {
    let (page, shown) = Shown::of_page()?;
    let sent = sent().await?;
    assert_eq!(sent.line, shown.line);
    assert_eq!(sent.names(), shown.names());
    for name in [
        "content-type",
        "user-agent",
        "ce-specversion",
        "ce-type",
        "ce-source",
        "ce-subject",
        "content-length",
    ] {
        assert_eq!(sent.header(name)?, shown.header(name)?, "{name}");
    }
    assert_eq!(sent.body, shown.body);
    let table = page.table("Headers");
    let explained: BTreeSet<_> = table.iter().flat_map(|row| row[0].split(", ")).collect();
    for name in sent
        .names()
        .iter()
        .filter(|name| !["accept", "host", "content-length"].contains(name))
    {
        assert!(explained.contains(name), "{name} is not explained");
    }
    Ok(())
}

/// What one call sends to a receiver, byte for byte.
async fn sent() -> Result<Shown> {
    let dir = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let example = Example::start(dir.path()).await?;
    DataPlane::write_secret(
        dir.path(),
        "signing",
        "secret",
        "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    )?;
    let receiver = format!("http://{}/webhook", listener.local_addr()?);
    let route = json!({
        "apiVersion": "asyncmcp.dev/v1alpha1",
        "kind": "McpWebhookRoute",
        "metadata": {"name": "hello", "namespace": "tools"},
        "spec": {
            "servers": [{"name": "example", "url": example.url}],
            "webhookTools": [{"name": "process_batch"}],
            "webhook": {
                "signing": {"secretRefs": [{"name": "signing", "key": "secret"}]},
                "receivers": {"default": {"url": receiver}},
            },
        },
    });
    let gateway = DataPlane::start(dir.path(), &route.to_string(), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    session
        .call(1, "process_batch", &json!({"seconds": 0, "items": 3}))
        .await?;
    let (mut stream, _) = tokio::time::timeout(Duration::from_secs(30), listener.accept()).await??;
    let mut bytes = Vec::new();
    loop {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "it ended early");
        if let Ok(shown) = Shown::parse(std::str::from_utf8(&bytes)?)
            && shown.header("content-length")? == shown.body.len().to_string()
        {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await?;
            return Ok(shown);
        }
    }
}

#[test]
fn the_statuses_of_the_page_are_those_of_the_code() -> Result<()> {
    let table = Page::read(PAGE)?.table("What an answer means");
    let final_ones = (100..600).filter(|status| {
        let status = StatusCode::from_u16(*status).map(of_status);
        matches!(status, Ok(Verdict::Terminal(_)))
    });
    let final_ones: Vec<_> = final_ones.map(|status: u16| status.to_string()).collect();
    let row = table
        .iter()
        .find(|row| row[1].starts_with("Dead letter at once, without"))
        .context("no row")?;
    assert_eq!(row[0], final_ones.join(", "));
    let explained: BTreeSet<_> = table
        .iter()
        .filter_map(|row| row.get(2))
        .flat_map(|reasons| reasons.split(", "))
        .collect();
    // These are no outcome of an attempt, or follow from a header.
    let others = [
        Category::Blocked,
        Category::Expired,
        Category::Corrupt,
        Category::Evicted,
        Category::ReceiverAborted,
    ];
    for category in Category::ALL
        .into_iter()
        .filter(|category| !others.contains(category))
    {
        assert!(explained.contains(category.as_str()), "{}", category.as_str());
    }
    Ok(())
}

#[test]
fn the_retries_of_the_page_are_the_defaults() -> Result<()> {
    let route = r#"{"apiVersion": "asyncmcp.dev/v1alpha1", "kind": "McpWebhookRoute", "metadata": {"name": "a"},
        "spec": {"servers": [{"name": "a", "url": "http://a/mcp"}]}}"#;
    let loaded = load(route, Unknown::Refuse)?;
    let Waits::Exponential {
        retries,
        initial,
        max,
        ..
    } = effective(&loaded.route).webhook.retry.waits
    else {
        anyhow::bail!("the default is a schedule");
    };
    let waits = Retry::Exponential {
        retries,
        initial,
        max,
        jitter_percent: 0,
    };
    let total: Duration = (1..=retries)
        .filter_map(|made| schedule::next(&waits, made, None, Duration::ZERO, 0.5))
        .sum();
    let minutes = total.as_secs() / 60;
    let text = Page::read(PAGE)?.text;
    for said in [
        format!("By default {retries} retries"),
        format!("{} h {} min in all", minutes / 60, minutes % 60),
    ] {
        assert!(text.contains(&said), "the page does not say {said:?}");
    }
    Ok(())
}
