//! What a client may use, counted for its principal or else its address, and what is logged of its calls.

use std::time::Instant;

use anyhow::Result;
use asyncmcp_tests::session::{Reply, Session, answer};
use serde_json::{Value, json};

use crate::scene::{PING, SOON, Scene, initialize};

const AUTH: &str = "  auth: {bearerSecretRefs: [{name: clients, key: one}, {name: clients, key: two}]}";
const ONE: &str = "token-of-the-first-client";
const TWO: &str = "token-of-the-second-client";

/// Allows each client one request in a second from now on.
async fn limit(scene: &Scene, auth: &str) -> Result<()> {
    let route = crate::scene::route(&scene.server, &scene.receiver, auth);
    let route = route.replace("webhook: {", "webhook: {perClient: {requestsPerSecond: 1}, ");
    let route = route.replace("transport: {", "transport: {trustedProxies: [127.0.0.1/32], ");
    scene.edit(&route).await
}

fn is_refused(reply: &Reply) -> bool {
    let error = &reply.json()["error"];
    let wait = error["data"]["retryAfterMs"].as_u64();
    error["code"] == -31004 && wait.is_some_and(|wait| (1..=1000).contains(&wait))
}

/// Sends so many requests at once.
async fn burst(client: &Session, requests: usize, body: &str) -> Result<Vec<Reply>> {
    let sending = (0..requests).map(|_| client.post(body.to_owned()));
    let replies = futures::future::try_join_all(sending).await?;
    assert!(replies.iter().all(|reply| reply.status == 200));
    Ok(replies)
}

/// No more than the rate allows got through since `began`; the machine may be slow.
fn within_rate(replies: &[Reply], began: Instant) {
    let passed = replies.iter().filter(|reply| !is_refused(reply)).count();
    let most = began.elapsed().as_secs() + 2;
    assert!(passed as u64 <= most, "{passed} of {} passed", replies.len());
    assert!(passed < replies.len(), "none was refused");
}

#[tokio::test]
async fn a_principal_has_one_rate_in_all_of_its_sessions_and_no_part_of_anothers() -> Result<()> {
    let scene = Scene::open(AUTH, &[("one", ONE), ("two", TWO)]).await?;
    let (one, again) = (
        scene.client(ONE)?.begin(None).await?,
        scene.client(ONE)?.begin(None).await?,
    );
    let two = scene.client(TWO)?.begin(None).await?;
    limit(&scene, AUTH).await?;
    let began = Instant::now();
    let new = scene.client(ONE)?;
    let hello = initialize();
    let (first, second, third) = tokio::try_join!(
        burst(&one, 40, PING),
        burst(&again, 40, PING),
        burst(&new, 40, &hello)
    )?;
    let refused = third.iter().find(|reply| is_refused(reply));
    assert!(refused.is_some_and(|reply| reply.headers["retry-after"] == "1"));
    within_rate(&[first, second, third].concat(), began);
    assert_eq!(
        two.post(PING).await?.json()["result"],
        json!({}),
        "another principal"
    );
    let answered = asyncmcp_tests::eventually(SOON, || async {
        let reply = one.post(PING).await.map_err(|error| error.to_string())?;
        if is_refused(&reply) {
            Err(reply.json().to_string())
        } else {
            Ok(reply.json())
        }
    });
    assert_eq!(answered.await["result"], json!({}));
    Ok(())
}

/// Sessions are free to open; addresses are not.
#[tokio::test]
async fn without_credentials_an_address_is_a_client_and_a_header_is_none() -> Result<()> {
    let scene = Scene::open("", &[]).await?;
    let (one, two) = (
        Session::open(&scene.gateway.url(), None).await?,
        Session::open(&scene.gateway.url(), None).await?,
    );
    limit(&scene, "").await?;
    let began = Instant::now();
    let forging = (0..40).map(|number| {
        let request = one.request(PING);
        answer(request.header("x-forwarded-for", format!("192.0.2.{number}")))
    });
    let forged = futures::future::try_join_all(forging).await?;
    within_rate(&forged, began);
    assert_eq!(
        two.post(PING).await?.json()["result"],
        json!({}),
        "another address"
    );
    // Behind the trusted proxy each address that it names is a client.
    let proxy = reqwest::Client::builder().no_proxy().build()?;
    for number in 0..10 {
        let request = proxy
            .post(scene.gateway.url())
            .header("content-type", "application/json");
        let request = request.header("x-forwarded-for", format!("203.0.113.9, 192.0.2.{number}"));
        let reply = answer(request.body(initialize())).await?;
        assert!(reply.json()["result"].is_object(), "{}", reply.json());
    }
    Ok(())
}

#[tokio::test]
async fn each_call_is_one_line_in_the_log_without_what_was_said() -> Result<()> {
    let scene = Scene::open(AUTH, &[("one", ONE), ("two", TWO)]).await?;
    let (one, two) = (
        scene.client(ONE)?.begin(None).await?,
        scene.client(TWO)?.begin(None).await?,
    );
    let secret = json!({"password": "hunter2"});
    one.call(1, "quick", &secret).await?;
    two.call(1, "slow", &secret).await?;
    one.call(2, "hunter2-tool", &secret).await?;
    one.call(3, "slow", &secret).await?;
    scene.receiver.answered(2, SOON).await;
    let lines = scene.gateway.process.json_lines();
    let lines: Vec<&Value> = lines
        .iter()
        .filter(|line| line["target"] == "asyncmcp::audit")
        .collect();
    let of = |line: &Value| {
        let fields = ["tool", "decision", "reason"];
        fields.map(|name| line[name].as_str().unwrap_or_default().to_owned())
    };
    let seen: Vec<_> = lines.iter().map(|line| of(line)).collect();
    let expected = [
        ["quick", "relayed", ""],
        ["slow", "accepted", ""],
        ["", "refused", "invalid_params"],
        ["slow", "accepted", ""],
    ];
    assert_eq!(seen, expected, "{lines:?}");
    let principal = |line: usize| lines[line]["principal"].as_str().unwrap_or_default();
    assert_eq!(principal(0).len(), 32, "{lines:?}");
    assert!(principal(0) == principal(3) && principal(0) != principal(1));
    let log = scene.gateway.process.output();
    assert!(
        !log.contains("hunter2") && !log.contains(ONE),
        "what was said is in the log"
    );
    Ok(())
}
