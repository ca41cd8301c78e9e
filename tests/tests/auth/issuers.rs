//! Authorization servers that change their keys, go away, and were never there; and what is each principal's own.

use anyhow::Result;
use asyncmcp_fakes::issuer::{Issuer, Key};
use asyncmcp_fakes::unused_port;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::Reaction;
use serde_json::json;

use crate::scene::{AUDIENCE, PING, SOON, Scene, initialize, jwt, of_issuer};

fn token(issuer: &Issuer, subject: &str) -> String {
    let mut claims = issuer.claims(subject, AUDIENCE);
    claims["scope"] = "mcp".into();
    issuer.sign(&claims)
}

#[tokio::test]
async fn a_rotated_key_is_known_at_once_and_the_old_one_is_not_any_more() -> Result<()> {
    let issuer = Issuer::start().await;
    let scene = Scene::open(&of_issuer(&issuer), &[]).await?;
    let before = scene.client(&token(&issuer, "alice"))?.begin(None).await?;
    issuer.rotate(Key::es256("second"));
    let after = before.with_token(&token(&issuer, "alice"));
    assert_eq!(
        after.post(PING).await?.status,
        200,
        "the session is still its own"
    );
    assert_eq!(before.post(PING).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn tokens_are_verified_while_their_issuer_is_away() -> Result<()> {
    let issuer = Issuer::start().await;
    let scene = Scene::open(&of_issuer(&issuer), &[]).await?;
    let session = scene.client(&token(&issuer, "alice"))?.begin(None).await?;
    issuer.go_away(true);
    let unknown = Key::es256("second").sign(&issuer.claims("alice", AUDIENCE));
    assert_eq!(
        session.with_token(&unknown).post(PING).await?.status,
        401,
        "nobody vouches for that key"
    );
    assert_eq!(session.post(PING).await?.status, 200);
    let other = format!("{} [{}]", "  auth: {jwt:", jwt(issuer.url(), "")) + "}";
    scene
        .edit(&crate::scene::route(&scene.server, &scene.receiver, &other))
        .await?;
    assert_eq!(
        session.post(PING).await?.status,
        200,
        "another setting costs no key"
    );
    Ok(())
}

#[tokio::test]
async fn while_no_key_was_ever_read_a_token_is_neither_right_nor_wrong() -> Result<()> {
    let port = unused_port();
    let issuer = format!("http://127.0.0.1:{port}/tenant");
    let auth = format!("  auth: {{jwt: [{}]}}", jwt(&issuer, ""));
    let scene = Scene::open(&auth, &[]).await?;
    let somebody = Issuer::start().await;
    let mut claims = somebody.claims("alice", AUDIENCE);
    claims["iss"] = issuer.into();
    let early = scene.client(&somebody.sign(&claims))?.post(initialize()).await?;
    assert_eq!(early.status, 503);
    assert_eq!(early.headers["retry-after"], "5");
    assert_eq!(scene.client("no-jwt")?.post(initialize()).await?.status, 401);
    let unread = scene.gateway.status().await?["issuersWithoutKeys"].clone();
    assert_eq!(unread[0]["issuer"], claims["iss"], "{unread}");
    assert_eq!(unread[0]["message"], "it does not answer");
    let issuer = Issuer::at(port).await;
    let client = scene.client(&issuer.sign(&claims))?;
    eventually(SOON, || async {
        match client.post(initialize()).await.map(|reply| reply.status) {
            Ok(200) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(scene.gateway.status().await?.get("issuersWithoutKeys").is_none());
    Ok(())
}

/// Two issuers may name the same subject; they mean two people.
#[tokio::test]
async fn sessions_and_cancellations_are_an_issuers_subjects_own() -> Result<()> {
    let (one, two) = (Issuer::start().await, Issuer::start().await);
    let auth = format!(
        "  auth: {{jwt: [{}, {}]}}",
        jwt(one.url(), ""),
        jwt(two.url(), &format!(", jwksUri: '{}'", two.jwks_uri()))
    );
    let scene = Scene::open(&auth, &[]).await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let alice = scene.client(&token(&one, "alice"))?.begin(None).await?;
    let job = alice.call(1, "slow", &json!({})).await?.job();
    assert!(job.is_some());
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        .to_string();
    for stranger in [token(&one, "bob"), token(&two, "alice")] {
        let thief = alice.with_token(&stranger);
        assert_eq!(thief.post(cancel.clone()).await?.status, 404);
        assert_eq!(thief.post(PING).await?.status, 404);
        let own = scene.client(&stranger)?.begin(None).await?;
        assert_eq!(own.post(cancel.clone()).await?.status, 202);
    }
    assert_eq!(
        alice.call(1, "slow", &json!({})).await?.job(),
        job,
        "it still runs"
    );
    assert_eq!(alice.post(cancel).await?.status, 202);
    let posts = scene.receiver.answered(1, SOON).await;
    assert_eq!(posts[0].response()["error"]["code"], -31006);
    Ok(())
}
