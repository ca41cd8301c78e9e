//! Tokens that the route names: who has one comes in, everybody else gets 401, and each sees only its own.

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::session::{Reply, Session, answer};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::json;

use crate::scene::{PING, SOON, Scene, initialize, secret};

const AUTH: &str = "  auth: {bearerSecretRefs: [{name: clients, key: one}, {name: clients, key: two}]}";
const ONE: &str = "token-of-the-first-client";
const TWO: &str = "token-of-the-second-client";

async fn scene() -> Result<Scene> {
    Scene::open(AUTH, &[("one", ONE), ("two", &format!("{TWO}\n"))]).await
}

fn challenge(headers: &HeaderMap) -> &str {
    let challenge = headers.get("www-authenticate");
    challenge
        .and_then(|challenge| challenge.to_str().ok())
        .unwrap_or_default()
}

/// Waits until this client gets 401.
async fn refused(client: &Session, body: &str) {
    eventually(SOON, || async {
        match client.post(body.to_owned()).await.map(|reply| reply.status) {
            Ok(401) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// Posts `initialize` with these headers.
async fn knock(scene: &Scene, headers: &[(&str, &str)]) -> Result<Reply> {
    let mut request = Session::nowhere(&scene.gateway.url())?.request(initialize());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(answer(request).await?)
}

#[tokio::test]
async fn nothing_but_a_listed_token_lets_anybody_in() -> Result<()> {
    let scene = scene().await?;
    for token in [ONE, TWO] {
        assert_eq!(
            knock(&scene, &[("authorization", &format!("bEARER {token}"))])
                .await?
                .status,
            200
        );
    }
    let basic = format!("Basic {ONE}");
    let longer = format!("Bearer {ONE}x");
    let shorter = format!("Bearer {}", &ONE[1..]);
    let good = format!("Bearer {ONE}");
    for (headers, error) in [
        (vec![], false),
        (vec![("authorization", "Bearer ")], false),
        (vec![("authorization", basic.as_str())], false),
        (
            vec![("authorization", good.as_str()), ("authorization", good.as_str())],
            false,
        ),
        (vec![("authorization", longer.as_str())], true),
        (vec![("authorization", shorter.as_str())], true),
        (vec![("authorization", "Bearer one")], true),
    ] {
        let reply = knock(&scene, &headers).await?;
        assert_eq!(reply.status, 401, "{headers:?}");
        let challenge = challenge(&reply.headers);
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert_eq!(
            challenge.contains("invalid_token"),
            error,
            "{headers:?} {challenge}"
        );
        assert!(reply.json()["error"]["message"].is_string(), "{}", reply.json());
    }
    assert!(
        scene
            .server
            .seen("initialize")
            .iter()
            .all(|seen| !seen.headers.contains_key(AUTHORIZATION))
    );
    Ok(())
}

#[tokio::test]
async fn a_browser_asks_before_it_sends_a_token_and_can_read_why_it_was_refused() -> Result<()> {
    let scene = scene().await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = scene.gateway.url();
    let origin = ("origin", "https://app.example.com");
    let preflight = http
        .request(reqwest::Method::OPTIONS, &url)
        .header(origin.0, origin.1);
    let reply = answer(preflight.header("access-control-request-headers", "authorization")).await?;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.headers["vary"], "Origin");
    let allowed = reply.headers["access-control-allow-headers"].to_str()?;
    assert!(allowed.contains("Authorization"), "{allowed}");
    for request in [http.post(&url), http.get(&url), http.delete(&url)] {
        let reply = answer(request.header(origin.0, origin.1)).await?;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.headers["access-control-allow-origin"], origin.1);
        let exposed = reply.headers["access-control-expose-headers"].to_str()?;
        for name in [
            "Mcp-Session-Id",
            "MCP-Protocol-Version",
            "WWW-Authenticate",
            "Retry-After",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    let foreign = answer(http.post(&url).header("origin", "https://evil.example")).await?;
    assert_eq!(
        foreign.status, 403,
        "a foreign page is refused before anything else"
    );
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    Ok(())
}

/// Stock clients send the session id first and the token with it; a thief of the id alone has neither.
#[tokio::test]
async fn a_session_is_unknown_to_everybody_but_its_principal() -> Result<()> {
    let scene = scene().await?;
    let one = scene.client(ONE)?.begin(None).await?;
    assert_eq!(one.post(PING).await?.status, 200);
    let thief = one.with_token(TWO);
    assert_eq!(thief.post(PING).await?.status, 404);
    let url = scene.gateway.url();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let id = one.request("").build()?.headers()["mcp-session-id"].clone();
    for request in [http.get(&url), http.delete(&url)] {
        let request = request
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &id);
        assert_eq!(answer(request.bearer_auth(TWO)).await?.status, 404);
    }
    assert_eq!(one.post(PING).await?.status, 200, "nobody else ended it");
    Ok(())
}

/// Ids of requests begin at 1 in every client.
#[tokio::test]
async fn a_cancellation_reaches_the_jobs_of_its_own_session_alone() -> Result<()> {
    let scene = scene().await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let (one, two) = (
        scene.client(ONE)?.begin(None).await?,
        scene.client(TWO)?.begin(None).await?,
    );
    let job = one.call(1, "slow", &json!({})).await?.job();
    assert!(job.is_some());
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        .to_string();
    let another = scene.client(ONE)?.begin(None).await?;
    for client in [&two, &another] {
        assert_eq!(client.post(cancel.clone()).await?.status, 202);
    }
    assert_eq!(one.call(1, "slow", &json!({})).await?.job(), job, "it still runs");
    assert_eq!(one.post(cancel).await?.status, 202);
    let post = scene.receiver.answered(1, SOON).await;
    assert_eq!(post[0].response()["error"]["code"], -31006);
    Ok(())
}

#[tokio::test]
async fn the_same_idempotency_key_is_one_job_of_a_principal_and_another_of_the_next() -> Result<()> {
    let scene = scene().await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let call = |id: u64| {
        let meta = json!({"dev.asyncmcp/idempotencyKey": "order-7"});
        let params = json!({"name": "slow", "arguments": {}, "_meta": meta});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    let mut jobs = Vec::new();
    for (id, token) in [(1, ONE), (2, ONE), (3, TWO)] {
        let session = scene.client(token)?.begin(None).await?;
        jobs.push(session.post(call(id)).await?.job().unwrap());
    }
    assert_eq!(jobs[0], jobs[1], "also in another session");
    assert_ne!(jobs[0], jobs[2]);
    Ok(())
}

#[tokio::test]
async fn a_new_token_is_live_and_a_bad_one_is_named_and_never_shown() -> Result<()> {
    let scene = scene().await?;
    let one = scene.client(ONE)?.begin(None).await?;
    let rotated = "hunter2-hunter2-hunter2";
    secret(scene.dir.path(), "one", rotated)?;
    refused(&one, PING).await;
    assert_eq!(
        one.with_token(rotated).post(PING).await?.status,
        200,
        "the session is still its own"
    );
    for (value, words) in [("", "is empty"), ("hunter2", "at least 16 characters")] {
        secret(scene.dir.path(), "one", value)?;
        eventually(SOON, || async {
            let status = scene.gateway.status().await.map_err(|error| error.to_string())?;
            let message = status["unusableKeys"][0]["message"].as_str().unwrap_or_default();
            if message.contains(words) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        })
        .await;
        for token in [value, rotated, ONE] {
            assert_eq!(
                one.with_token(token).post(PING).await?.status,
                401,
                "{value:?} {token:?}"
            );
        }
    }
    std::fs::remove_file(scene.dir.path().join("refs/secrets/clients/one"))?;
    std::fs::remove_file(scene.dir.path().join("refs/secrets/clients/two"))?;
    let two = scene.client(TWO)?;
    refused(&two, &initialize()).await;
    assert_eq!(
        knock(&scene, &[]).await?.status,
        401,
        "without any key nobody comes in"
    );
    let log = scene.gateway.process.output();
    assert!(
        log.contains("every request is refused") && log.contains("key one of Secret clients"),
        "{log}"
    );
    assert!(
        !log.contains("hunter2") && !log.contains(ONE),
        "a token is in the log"
    );
    Ok(())
}
