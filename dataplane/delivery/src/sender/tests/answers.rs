//! What receivers answer, in full and in part, and on connections that they close.

use super::*;

#[tokio::test]
async fn honours_retry_after() {
    for header in ["retry-after: 120", "retry-after: Wed, 21 Oct 2015 07:30:00 GMT"] {
        let receiver = Receiver::start(following([Answer::with(429, header)]))
            .await
            .unwrap();
        let attempt = world().send(&receiver.url("/hook"), NamedBy::Session).await;
        assert_eq!(attempt.retry_after, Some(Duration::from_mins(2)), "{header}");
        assert_eq!(attempt.verdict, Verdict::Retry(Category::Http4xx));
    }
}

#[tokio::test]
async fn hears_what_the_receiver_wants_of_further_deliveries() {
    let aborted = Verdict::Terminal(Category::ReceiverAborted);
    for (status, header, verdict, disables) in [
        (503, "webhook-delivery: abort-message", aborted, false),
        (200, "webhook-delivery: abort-message", Verdict::Delivered, false),
        (200, "webhook-delivery: disable", Verdict::Delivered, true),
    ] {
        let receiver = Receiver::start(following([Answer::with(status, header)]))
            .await
            .unwrap();
        let world = world();
        let attempt = world.send(&receiver.url("/hook"), NamedBy::Session).await;
        assert_eq!(attempt.verdict, verdict, "{status} {header}");
        let longest = disables.then_some(world.policy.retry_after_max);
        assert_eq!(
            (attempt.disables, attempt.retry_after),
            (disables, longest),
            "{status} {header}"
        );
    }
}

#[tokio::test]
async fn switching_protocols_is_a_failure_of_its_own_kind() {
    let switching = Answer::with(101, "connection: upgrade\r\nupgrade: x");
    assert_eq!(verdict(switching).await, Verdict::Retry(Category::Http1xx));
}

#[tokio::test]
async fn the_head_decides_whatever_becomes_of_the_body() {
    for answer in [
        Answer::Flood(1 << 30),
        Answer::Drip,
        Answer::NoBody,
        Answer::Short,
        Answer::Reset,
        Answer::Status(200, "x-many: 1\r\n".repeat(150)),
    ] {
        let receiver = Receiver::start(following([answer.clone()])).await.unwrap();
        let mut world = world();
        world.policy.attempt_timeout = Duration::from_millis(200);
        let attempt = world.send(&receiver.url("/hook"), NamedBy::Session).await;
        assert_eq!(
            (attempt.status, attempt.verdict),
            (Some(200), Verdict::Delivered),
            "{answer:?}"
        );
    }
}

/// Verdict, requests and connections of a second attempt, after a first one that was answered.
async fn second(script: impl IntoIterator<Item = Answer>) -> (Verdict, usize, usize) {
    let script = std::iter::once(Answer::status(200)).chain(script);
    let receiver = Receiver::start(following(script)).await.unwrap();
    let (world, url) = (world(), receiver.url("/hook"));
    world.send(&url, NamedBy::Session).await;
    let attempt = world.send(&url, NamedBy::Session).await;
    (attempt.verdict, receiver.count(), receiver.connections())
}

#[tokio::test]
async fn a_reused_connection_that_fails_is_replaced_at_once_and_a_new_one_is_not() {
    let reset = Verdict::Retry(Category::ConnectionReset);
    assert_eq!(
        second([Answer::HangUp, Answer::status(200)]).await,
        (Verdict::Delivered, 3, 2)
    );
    assert_eq!(second([Answer::HangUp, Answer::HangUp]).await, (reset, 3, 2));
    assert_eq!(
        second([Answer::Noise]).await,
        (reset, 2, 1),
        "an answer, if not HTTP"
    );
}
