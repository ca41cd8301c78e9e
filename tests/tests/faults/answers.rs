//! Receivers that answer, but not with 2xx, or not with that at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use asyncmcp_tests::fault::{Fault, FaultyReceiver};

use futures::StreamExt as _;

use crate::ending::{RETRY_AFTER_MAX, Stage, are_one_delivery};

/// Cases at work at the same time.
const AT_ONCE: usize = 4;

/// What a receiver does, and the story of the delivery.
struct Case {
    name: &'static str,
    script: Vec<Fault>,
    story: &'static [&'static str],
    /// How long the second attempt must wait for.
    wait: Duration,
}

fn case(name: &'static str, script: impl Into<Vec<Fault>>, story: &'static [&'static str]) -> Case {
    Case {
        name,
        script: script.into(),
        story,
        wait: Duration::ZERO,
    }
}

/// Statuses that end a delivery at once, and some that do not.
fn statuses() -> Vec<Case> {
    let once = |status| [Fault::status(status)];
    vec![
        case("gone", once(410), &["dead 410 http_4xx"]),
        case("bad request", once(400), &["dead 400 http_4xx"]),
        case("too large for it", once(413), &["dead 413 http_4xx"]),
        case(
            "not found, perhaps not yet",
            once(404),
            &["retry 404 http_4xx", "retry 404 http_4xx", "dead 404 http_4xx"],
        ),
        case(
            "failing",
            once(503),
            &["retry 503 http_5xx", "retry 503 http_5xx", "dead 503 http_5xx"],
        ),
        case(
            "failing once",
            [Fault::status(500), Fault::status(200)],
            &["retry 500 http_5xx", "delivered 200"],
        ),
        case("taking it with 204", once(204), &["delivered 204"]),
        case(
            "redirecting to a metadata address",
            [Fault::Answer(
                302,
                "location: http://169.254.169.254/latest/meta-data\r\n".to_owned(),
            )],
            &["retry 302 http_3xx", "retry 302 http_3xx", "dead 302 http_3xx"],
        ),
    ]
}

/// `Retry-After` in its forms. A date has no fractions of a second, so it may come up to one early.
fn retry_afters() -> Vec<Case> {
    let after = |status, value: String| {
        let header = format!("retry-after: {value}\r\n");
        [Fault::Answer(status, header), Fault::status(200)]
    };
    let waiting = |wait, case| Case { wait, ..case };
    vec![
        waiting(
            Duration::from_secs(1),
            case(
                "busy for a second",
                after(429, "1".to_owned()),
                &["retry 429 http_4xx", "delivered 200"],
            ),
        ),
        waiting(
            Duration::from_millis(500),
            case(
                "busy until a date",
                [Fault::BusyFor(503, RETRY_AFTER_MAX), Fault::status(200)],
                &["retry 503 http_5xx", "delivered 200"],
            ),
        ),
        waiting(
            RETRY_AFTER_MAX,
            case(
                "busy for ever, which is capped",
                after(503, "99999999999999999999".to_owned()),
                &["retry 503 http_5xx", "delivered 200"],
            ),
        ),
        case(
            "busy until a date that is past",
            after(429, "Wed, 21 Oct 2015 07:28:00 GMT".to_owned()),
            &["retry 429 http_4xx", "delivered 200"],
        ),
    ]
}

async fn hold(case: Case) -> Result<()> {
    let receiver = FaultyReceiver::start(case.script).await?;
    let stage = Stage::open(&receiver.url("127.0.0.1")).await?;
    stage.call(None).await?;
    stage.ends_as(case.story).await?;
    let seen = receiver.seen();
    ensure!(seen.len() == case.story.len(), "{} requests", seen.len());
    are_one_delivery(&seen)?;
    if let [first, second, ..] = &seen[..] {
        let waited = second.at - first.at;
        ensure!(waited >= case.wait, "came again after {waited:?}");
    }
    Ok(())
}

async fn all(cases: Vec<Case>) {
    let held = futures::stream::iter(cases).map(|case| async move {
        let name = case.name;
        hold(case).await.err().map(|wrong| format!("{name}: {wrong:#}"))
    });
    let wrong: Vec<_> = held.buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_status_has_its_ending() {
    all(statuses()).await;
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_its_limit() {
    all(retry_afters()).await;
}

#[tokio::test]
async fn a_redirect_is_never_followed() -> Result<()> {
    let elsewhere = FaultyReceiver::start([Fault::status(200)]).await?;
    let location = format!("location: {}\r\n", elsewhere.url("127.0.0.1"));
    let receiver = FaultyReceiver::start([Fault::Answer(307, location)]).await?;
    let stage = Stage::open(&receiver.url("127.0.0.1")).await?;
    stage.call(None).await?;
    let story = ["retry 307 http_3xx", "retry 307 http_3xx", "dead 307 http_3xx"];
    stage.ends_as(&story).await?;
    assert_eq!((receiver.seen().len(), elsewhere.connections()), (3, 0));
    Ok(())
}

#[tokio::test]
async fn retry_after_holds_back_the_receivers_other_deliveries_too() -> Result<()> {
    let busy = Fault::Answer(429, "retry-after: 1\r\n".to_owned());
    let receiver = FaultyReceiver::start([busy, Fault::status(200)]).await?;
    let stage = Stage::open(&receiver.url("127.0.0.1")).await?;
    stage.call(None).await?;
    stage.attempts(1).await;
    stage.call(None).await?;
    stage.attempts(3).await;
    let seen = receiver.seen();
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
