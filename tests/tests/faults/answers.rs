//! Answers that concern more than their own delivery.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::receiver::{Answer, Receiver, following};

use crate::ending::{RETRY_AFTER_MAX, Setting, Stage};

#[tokio::test]
async fn a_redirect_is_never_followed() -> Result<()> {
    let elsewhere = Receiver::willing().await?;
    let location = format!("location: {}", elsewhere.url("/hook"));
    let receiver = Receiver::start(following([Answer::with(307, &location)])).await?;
    let stage = Stage::open(&receiver.url("/hook")).await?;
    stage.call(None).await?;
    let story = ["retry 307 http_3xx", "retry 307 http_3xx", "dead 307 http_3xx"];
    stage.ends_as(&story).await?;
    assert_eq!((receiver.count(), elsewhere.connections()), (3, 0));
    Ok(())
}

/// A frozen HTTP/2 connection carries every delivery to its host, and nothing notices that it is dead; of HTTP/1.1
/// connections each attempt that hangs has its own.
#[tokio::test]
async fn a_receiver_that_offers_http2_gets_http1() -> Result<()> {
    let authority = Authority::new()?;
    let receiver = Receiver::start_at(
        authority.http2_server("127.0.0.1")?,
        following([Answer::status(200)]),
    )
    .await?;
    let url = receiver.url("/hook");
    let stage = Stage::open_as(Setting::of(&url), |dir| {
        let roots = dir.join("roots.pem");
        authority.write(&roots)?;
        Ok(Launch {
            env: vec![("SSL_CERT_FILE".to_owned(), roots.display().to_string())],
            ..Launch::default()
        })
    })
    .await?;
    stage.call(None).await?;
    stage.ends_as(&["delivered 200"]).await?;
    Ok(())
}

#[tokio::test]
async fn retry_after_holds_back_the_receivers_other_deliveries_too() -> Result<()> {
    let busy = Answer::with(429, "retry-after: 1");
    let receiver = Receiver::start(following([busy, Answer::status(200)])).await?;
    let stage = Stage::open(&receiver.url("/hook")).await?;
    stage.call(None).await?;
    stage.attempts(1).await;
    stage.call(None).await?;
    stage.attempts(3).await;
    let seen = receiver.posts();
    let first = &seen[0];
    for later in &seen[1..] {
        let waited = later.at - first.at;
        assert!(waited >= Duration::from_secs(1), "came after {waited:?}");
    }
    let others = seen
        .iter()
        .filter(|seen| seen.header("webhook-id") != first.header("webhook-id"));
    assert_eq!((seen.len(), others.count()), (3, 1));
    Ok(())
}

/// Receivers may close idle connections at any time, so that a request meets the close.
#[tokio::test]
async fn a_connection_that_the_receiver_closed_costs_no_attempt() -> Result<()> {
    let receiver = Receiver::start(following([
        Answer::status(200),
        Answer::HangUp,
        Answer::status(200),
    ]))
    .await?;
    let stage = Stage::open(&receiver.url("/hook")).await?;
    stage.call(None).await?;
    stage.attempts(1).await;
    stage.call(None).await?;
    let attempts = stage.attempts(2).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.summary() == "delivered 200"),
        "{attempts:?}"
    );
    assert_eq!((receiver.count(), receiver.connections()), (3, 2));
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_disables_itself_gets_no_attempt_for_as_long_as_the_route_waits_at_most() -> Result<()>
{
    let disable = Answer::with(200, "webhook-delivery: disable");
    let receiver = Receiver::start(following([disable, Answer::status(200)])).await?;
    let stage = Stage::open(&receiver.url("/hook")).await?;
    stage.call(None).await?;
    stage.attempts(1).await;
    assert_eq!(stage.gateway.status().await?["disabledReceivers"], 1);
    stage.call(None).await?;
    let attempts = stage.attempts(2).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.summary() == "delivered 200"),
        "{attempts:?}"
    );
    let seen = receiver.posts();
    let waited = seen[1].at - seen[0].at;
    assert!(waited >= RETRY_AFTER_MAX, "came after {waited:?}");
    Ok(())
}
