//! `asyncmcp receive` as a process: its output and exit code.
//!
//! Invariant: the signer is independent of this project, and every wait has a deadline.

#![expect(
    clippy::unwrap_used,
    reason = "all of this file is a test; clippy allows it in test functions only"
)]

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const BODY: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"done"}]}}"#;
const EVENT: &str = r#"{"type":"dev.asyncmcp.job.dead.v1","timestamp":"2026-11-18T11:06:49Z","data":{"webhookId":"msg_9","tool":"batch","reason":"http_5xx","attempts":17}}"#;
const DEADLINE: Duration = Duration::from_secs(20);

struct Running {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

async fn start(arguments: &[&str]) -> Running {
    let mut process = Command::new(env!("CARGO_BIN_EXE_asyncmcp"))
        .args(["receive", "--listen", "127.0.0.1:0", "--secret", SECRET])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = timeout(DEADLINE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let url = first
        .split(['"', ' '])
        .find(|word| word.starts_with("http://"))
        .unwrap();
    Running {
        process,
        lines,
        url: url.to_owned(),
    }
}

impl Running {
    async fn send(&self, secret: &str) -> u16 {
        self.send_body(secret, BODY).await
    }

    async fn send_body(&self, secret: &str, body: &'static str) -> u16 {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let signer = standardwebhooks::Webhook::new(secret).unwrap();
        let signature = signer
            .sign("msg_1", i64::try_from(at).unwrap(), body.as_bytes())
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .post(&self.url)
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .body(body);
        let answer = timeout(DEADLINE, request.send()).await.unwrap().unwrap();
        answer.status().as_u16()
    }

    async fn line(&mut self) -> String {
        timeout(DEADLINE, self.lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    async fn ends_well(&mut self) -> bool {
        timeout(DEADLINE, self.process.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    }
}

#[tokio::test]
async fn every_attempt_is_a_line_and_the_command_exits_after_the_counted_delivery() {
    let mut receiver = start(&["--fail-first", "1", "--fail-status", "429", "--count", "1"]).await;
    assert_eq!(receiver.send(SECRET).await, 429);
    assert_eq!(receiver.send(SECRET).await, 200);
    assert_eq!(
        receiver.line().await,
        "attempt 1  msg_1  signature valid, answered 429 on purpose  trace 0af7651916cd43dd8448eb211c80319c"
    );
    assert!(
        receiver
            .line()
            .await
            .starts_with("attempt 2  msg_1  signature valid, answered 200")
    );
    assert_eq!(receiver.line().await.trim(), "done");
    assert!(receiver.ends_well().await);
}

#[tokio::test]
async fn the_event_of_a_dead_letter_is_verified_and_read() {
    let mut receiver = start(&["--count", "1"]).await;
    assert_eq!(receiver.send_body(SECRET, EVENT).await, 200);
    assert!(receiver.line().await.contains("signature valid, answered 200"));
    let line = receiver.line().await;
    assert_eq!(
        line.trim(),
        "dead letter msg_9 of batch: http_5xx after 17 attempts"
    );
    assert!(receiver.ends_well().await);
}

#[tokio::test]
async fn a_forged_attempt_makes_a_counting_receiver_exit_with_an_error() {
    let mut receiver = start(&["--count", "1", "-o", "json"]).await;
    let other = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
    assert_eq!(receiver.send(other).await, 401);
    let line: serde_json::Value = serde_json::from_str(&receiver.line().await).unwrap();
    assert_eq!(
        (&line["outcome"], &line["verified"]),
        (&"refused".into(), &false.into())
    );
    assert_eq!(line["body"], BODY);
    assert!(!receiver.ends_well().await);
}
