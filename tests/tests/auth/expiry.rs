//! Streams that stay open end when the token that opened them expires.
//!
//! Clocks of issuers may differ by a minute, which is added. Invariant: what ended is opened again with another token.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_fakes::issuer::{Issuer, now};
use asyncmcp_tests::modern::{Modern, meta};
use futures::{Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::scene::{AUDIENCE, Scene, jwt};

/// From before the token expires until long after it.
const LONG: Duration = Duration::from_secs(40);
/// A token of so many seconds' age since it expired is good for the rest of a minute.
const EXPIRED: u64 = 50;

fn token(issuer: &Issuer, left: Option<u64>) -> String {
    let mut claims = issuer.claims("alice", AUDIENCE);
    if let Some(left) = left {
        claims["exp"] = json!(now() - 60 + left);
    }
    issuer.sign(&claims)
}

/// The messages until the stream ends.
async fn to_the_end(said: impl Stream<Item = Value>) -> Result<Vec<Value>> {
    timeout(LONG, said.collect())
        .await
        .context("the stream does not end")
}

#[tokio::test]
async fn streams_end_with_the_token_that_opened_them_and_others_do_not() -> Result<()> {
    let issuer = Issuer::start().await;
    let auth = format!("  auth: {{jwt: [{}]}}", jwt(issuer.url(), ""));
    let scene = Scene::open(&auth, &[]).await?;
    let lasting = scene.client(&token(&issuer, None))?.begin(None).await?;
    let listen = json!({"jsonrpc": "2.0", "id": "mine", "method": "subscriptions/listen",
        "params": {"notifications": {"toolsListChanged": true}, "_meta": meta(&json!({}))}});
    let short = token(&issuer, Some(60 - EXPIRED));
    let modern = Modern::at(&scene.gateway.url())?.with_token(&short);
    let (standing, listening) = (
        lasting.with_token(&short).stream().await?,
        modern.stream(&listen).await?,
    );
    assert!(to_the_end(standing).await?.is_empty());
    let said = to_the_end(listening).await?;
    let last = said.last().context("nothing was said")?;
    assert_eq!(
        (&last["id"], &last["result"]["resultType"]),
        (&json!("mine"), &json!("complete"))
    );
    let again = lasting.stream().await?;
    assert!(
        timeout(Duration::from_secs(1), again.collect::<Vec<_>>())
            .await
            .is_err(),
        "it stays open"
    );
    let refused = lasting.with_token(&short).stream().await;
    assert!(refused.is_err(), "401");
    Ok(())
}
