//! The receiver over real connections, with an independent signer.

use std::net::Ipv4Addr;
use std::sync::OnceLock;

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const BODY: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;

fn secret() -> String {
    format!(
        "whsec_{}",
        base64::engine::general_purpose::STANDARD.encode([7; 32])
    )
}

async fn receiver(fail_first: u32) -> Receiver {
    let options = ReceiverOptions {
        keys: vec![Key::parse(&secret()).unwrap()],
        fail_first,
        ..ReceiverOptions::default()
    };
    Receiver::bind((Ipv4Addr::LOCALHOST, 0).into(), options)
        .await
        .unwrap()
}

fn signature(id: &str, at: i64, body: &str) -> String {
    standardwebhooks::Webhook::new(&secret())
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap()
}

/// One client for all tests, because creating one reads the system's certificates.
fn http() -> &'static reqwest::Client {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    HTTP.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Each test has its own runtime, so connections must not be reused.
        let builder = reqwest::Client::builder().pool_max_idle_per_host(0);
        builder.no_proxy().build().unwrap()
    })
}

/// POSTs `body` and returns the status.
async fn send(receiver: &Receiver, id: &str, body: &str) -> u16 {
    let now = unix_seconds();
    send_signed(receiver, (id, now), body, &signature(id, now, body)).await
}

async fn send_signed(receiver: &Receiver, (id, at): (&str, i64), body: &str, signature: &str) -> u16 {
    let request = http()
        .post(receiver.url())
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_signed_delivery_is_delivered_once() {
    let mut receiver = receiver(0).await;
    assert_eq!(send(&receiver, "msg_1", BODY).await, 200);
    assert_eq!(send(&receiver, "msg_1", BODY).await, 200);
    let first = receiver.next().await.unwrap();
    assert_eq!(
        (first.outcome.clone(), first.number, first.verified),
        (Outcome::Delivered, 1, true)
    );
    assert_eq!(
        first.response().unwrap().id,
        Some(asyncmcp_protocol::Id::number(7))
    );
    let second = receiver.next().await.unwrap();
    assert_eq!((second.outcome, second.number), (Outcome::Duplicate, 2));
}

#[tokio::test]
async fn attempts_that_fail_on_purpose_are_reported_and_the_next_is_delivered() {
    let mut receiver = receiver(1).await;
    assert_eq!(send(&receiver, "msg_1", BODY).await, 503);
    assert_eq!(send(&receiver, "msg_1", BODY).await, 200);
    let outcomes = [receiver.next().await.unwrap(), receiver.next().await.unwrap()];
    assert_eq!(
        outcomes.map(|attempt| attempt.outcome),
        [Outcome::FailedOnPurpose, Outcome::Delivered]
    );
}

#[tokio::test]
async fn a_forged_delivery_is_refused_and_not_counted() {
    let mut receiver = receiver(0).await;
    let now = unix_seconds();
    let forged = signature("msg_1", now, "{}");
    assert_eq!(send_signed(&receiver, ("msg_1", now), BODY, &forged).await, 401);
    let attempt = receiver.next().await.unwrap();
    assert_eq!(attempt.outcome, Outcome::Refused(signature::Error::Mismatch));
    assert!(!attempt.verified);
    assert_eq!(send(&receiver, "msg_1", BODY).await, 200);
    assert_eq!(receiver.next().await.unwrap().outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let mut receiver = receiver(0).await;
    // The content-length alone exceeds the limit.
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    let (mut connection, mut answer) = (connect(&receiver).await, [0; 12]);
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![b' '; MAX_BODY / 2]).await.unwrap();
    let rest = tokio::spawn(async move {
        let _ = connection.write_all(&vec![b' '; MAX_BODY / 2 + 1]).await;
        connection.read_exact(&mut answer).await.map(|_| answer)
    });
    let answer = rest.await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    receiver.close();
    assert!(receiver.next().await.is_none());
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let receiver = receiver(0).await;
    let mut connection = connect(&receiver).await;
    tokio::time::pause();
    connection
        .write_all(b"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123")
        .await
        .unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_full_channel_makes_the_sender_retry_and_loses_nothing() {
    let mut receiver = receiver(0).await;
    for number in 0..CAPACITY {
        assert_eq!(send(&receiver, &format!("msg_{number}"), BODY).await, 200);
    }
    assert_eq!(send(&receiver, "msg_late", BODY).await, 503);
    receiver.next().await.unwrap();
    assert_eq!(send(&receiver, "msg_late", BODY).await, 200);
    let mut last = None;
    for _ in 0..CAPACITY {
        last = receiver.next().await;
    }
    assert_eq!(last.unwrap().outcome, Outcome::Delivered);
}

#[tokio::test]
async fn an_invalid_path_is_named() {
    let options = ReceiverOptions {
        path: "webhook".into(),
        ..ReceiverOptions::default()
    };
    let refused = Receiver::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await;
    assert!(refused.err().unwrap().to_string().contains("path"));
}

async fn connect(receiver: &Receiver) -> TcpStream {
    TcpStream::connect(receiver.address()).await.unwrap()
}
