//! `asyncmcp try`: a test delivery goes the way of every delivery, and leaves nothing behind.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_client::signature::{self, Key};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::receiver::Post;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scene::{SECRET, Scene};

fn is_signed(key: &Key, post: &Post) -> Result<bool> {
    let at = post.header("webhook-timestamp").parse()?;
    Ok(signature::verify(std::slice::from_ref(key), &post.headers, &post.body, at).is_ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_delivery_is_signed_and_says_what_it_is() -> Result<()> {
    let scene = Scene::open(204, "{max: 1}").await?;
    let said = scene.command(&["try"]).await?;
    assert!(said.succeeded, "{said:?}");
    assert!(
        said.out.starts_with("delivered: the receiver answered 204 ("),
        "{said:?}"
    );
    let posts = scene.receiver.posts();
    let [post] = posts.as_slice() else {
        anyhow::bail!("{posts:?}")
    };
    assert_eq!(post.path, "/hook?key=hidden", "the route's own receiver");
    assert_eq!(post.header("ce-type"), "dev.asyncmcp.test.v1");
    assert!(said.out.contains(post.webhook_id()), "{said:?}");
    let body = post.response();
    assert!(
        body["result"]["content"][0]["text"]
            .to_string()
            .contains("test delivery"),
        "{body}"
    );
    let key = Key::parse(SECRET)?;
    assert!(is_signed(&key, post)?, "{post:?}");

    // The receiver of a client gets a signature of its own.
    let url = scene.receiver.url("/of-a-client");
    let said = scene.command(&["try", &url, "-o", "json"]).await?.json()?;
    assert_eq!(
        (&said["delivered"], &said["signed"], &said["status"]),
        (&json!(true), &json!(true), &json!(204))
    );
    let posts = scene.receiver.posts();
    let post = posts.last().context("nothing came")?;
    assert!(
        !is_signed(&key, post)?,
        "the route's key signs for its own receiver alone"
    );
    assert!(is_signed(&key.for_receiver(&url.parse()?), post)?);
    let jobs = scene.jobs(&["list", "-o", "json"]).await?.json()?;
    assert_eq!(jobs["jobs"], json!([]), "no job was made");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_named() -> Result<()> {
    let scene = Scene::open(503, "{max: 1}").await?;
    let failed = scene.command(&["try"]).await?;
    assert!(
        !failed.succeeded && failed.out.contains("answered 503"),
        "{failed:?}"
    );
    let refused = scene.command(&["try", "http://elsewhere.example/"]).await?;
    assert!(
        !refused.succeeded && refused.out.contains("allowedHosts"),
        "{refused:?}"
    );
    let metadata = scene.command(&["try", "http://169.254.169.254/latest"]).await?;
    assert!(
        !metadata.succeeded && metadata.out.contains("not sent"),
        "{metadata:?}"
    );
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let said = scene
        .command(&["try", &format!("http://{nobody}/"), "-o", "json"])
        .await?
        .json()?;
    assert_eq!(
        (&said["category"], &said["status"]),
        (&json!("connection_refused"), &Value::Null),
        "{said}"
    );
    let said = scene.command(&["try", "nonsense"]).await?;
    assert!(
        !said.succeeded && said.out.contains("not an absolute http or https URL"),
        "{said:?}"
    );
    assert_eq!(scene.receiver.count(), 1, "one of them reached it");

    // It counts for nothing.
    let attempts = "asyncmcp_delivery_attempts_total";
    let counted = scene.gateway.metric(attempts, &[r#"status_class="5xx""#]).await?;
    assert!(counted < 1.0, "{counted} attempts were counted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_nothing_is_sent_and_more_than_ten_a_minute_are_refused() -> Result<()> {
    let scene = Scene::open_without_key("{max: 1}").await?;
    let said = scene.command(&["try"]).await?;
    assert!(!said.succeeded && said.err.contains("signing_key"), "{said:?}");
    assert_eq!(scene.receiver.count(), 0);
    DataPlane::write_secret(scene.dir.path(), "signing", "secret", SECRET)?;
    let token = scene.token()?;
    let send = || async {
        let request = reqwest::Client::new().post(scene.gateway.admin("/try"));
        let request = request
            .bearer_auth(&token)
            .header("content-type", "application/json");
        let request = request.body(r#"{"receiver": "default"}"#);
        request.send().await
    };
    asyncmcp_tests::eventually(Duration::from_secs(30), || async {
        let answer = send().await.map_err(|error| error.to_string())?;
        if answer.status() == StatusCode::OK {
            Ok(())
        } else {
            Err(answer.status().to_string())
        }
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(send().await?.status());
    }
    assert_eq!(statuses[..9], [StatusCode::OK; 9]);
    assert_eq!(statuses[9], StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(scene.receiver.count(), 10);
    Ok(())
}
