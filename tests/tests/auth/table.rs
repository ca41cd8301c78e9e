//! Everything that may be wrong with an access token, a row each: its status, and what the client is told.
//!
//! Invariant: each row differs from the token that is let in by the one thing that its name says.

use anyhow::Result;
use asyncmcp_fakes::issuer::{Issuer, Key, compact, now};
use serde_json::{Value, json};

use crate::scene::{AUDIENCE, Scene, initialize, of_issuer};

/// What is wrong, the token, the status, and a part of the challenge.
type Row = (&'static str, String, u16, &'static str);

/// Good claims with a change.
fn claims(issuer: &Issuer, change: &Value) -> Value {
    let mut claims = issuer.claims("alice", AUDIENCE);
    claims["scope"] = "mcp".into();
    for (name, value) in change.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

/// What a token says.
fn of_claims(issuer: &Issuer) -> Vec<Row> {
    let other = "https://other.example";
    let no_scope = r#"scope="mcp", error="insufficient_scope""#;
    let rows = [
        ("issuer", json!({"iss": other}), 401, "its issuer is not accepted"),
        ("audience", json!({"aud": other}), 401, "another audience"),
        ("no audience", json!({"aud": null}), 401, "lacks a claim"),
        ("expired", json!({"exp": now() - 120}), 401, "has expired"),
        ("no expiry", json!({"exp": null}), 401, "lacks a claim"),
        ("not valid yet", json!({"nbf": now() + 120}), 401, "not valid yet"),
        (
            "nobody's",
            json!({"sub": null, "client_id": null}),
            401,
            "lacks a claim",
        ),
        ("missing scope", json!({"scope": "other"}), 403, no_scope),
    ];
    let signed = |(name, change, status, words)| {
        let token = issuer.sign(&claims(issuer, &change));
        (name, token, status, words)
    };
    rows.map(signed).into()
}

/// How it is signed.
fn of_signatures(issuer: &Issuer) -> Vec<Row> {
    let (key, good) = (issuer.key(), claims(issuer, &json!({})));
    let none = json!({"typ": "at+jwt", "alg": "none", "kid": "first"});
    let none = compact(&none, &good, |_| Vec::new());
    let id_token = key.sign_as(&json!({"typ": "JWT+id", "alg": "ES256", "kid": "first"}), &good);
    let (another, unknown) = (Key::es256("first"), Key::es256("unknown"));
    let mut rows = vec![
        ("algorithm none", none, 401, "not a JWT"),
        (
            "no signature",
            strip(&key.sign(&good)),
            401,
            "its signature is not valid",
        ),
        (
            "another's key",
            another.sign(&good),
            401,
            "its signature is not valid",
        ),
        ("unknown key", unknown.sign(&good), 401, "no such key"),
        ("an id token", id_token, 401, "not an access token"),
    ];
    for token in key.confused(&good) {
        rows.push((
            "HS256 with the public key",
            token,
            401,
            "algorithm is not accepted",
        ));
    }
    rows
}

/// The token without its signature.
fn strip(token: &str) -> String {
    let end = token.rfind('.').unwrap_or_default();
    token[..=end].to_owned()
}

#[tokio::test]
async fn each_flaw_of_a_token_is_refused_with_its_status_and_named() -> Result<()> {
    let issuer = Issuer::start().await;
    let scene = Scene::open(&of_issuer(&issuer), &[]).await?;
    let good = issuer.sign(&claims(&issuer, &json!({})));
    assert_eq!(scene.client(&good)?.post(initialize()).await?.status, 200);
    let mut wrong = Vec::new();
    for (name, token, status, words) in of_claims(&issuer).into_iter().chain(of_signatures(&issuer)) {
        let reply = scene.client(&token)?.post(initialize()).await?;
        let challenge = reply.headers.get("www-authenticate");
        let challenge = challenge.and_then(|text| text.to_str().ok()).unwrap_or_default();
        let is_named = challenge.contains(words) && challenge.contains("resource_metadata=\"http");
        if reply.status != status || !is_named {
            wrong.push(format!("{name}: {} {challenge}", reply.status));
        }
        assert!(
            !challenge.contains(&token) && !reply.json().to_string().contains(&token),
            "{name}"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refused = "asyncmcp_unauthorized_requests_total";
    let count = scene.gateway.metric(refused, &[]).await?;
    assert!((count - 16.0).abs() < 0.1, "{count}");
    assert!((scene.gateway.metric(refused, &["reason=\"expired\""]).await? - 1.0).abs() < 0.1);
    assert!(
        !scene.gateway.process.output().contains(&good),
        "a token is in the log"
    );
    let nature = scene.server.nature();
    let forwarded = nature
        .seen
        .iter()
        .any(|seen| seen.headers.contains_key("authorization"));
    assert!(!forwarded, "a server got a client's token");
    Ok(())
}
