//! Access tokens of a real issuer on loopback: which let somebody in, and whom.

use std::time::Duration;

use asyncmcp_fakes::issuer::{Issuer, Key, compact, now};
use asyncmcp_fakes::{eventually, unused_port};
use serde_json::{Value, json};

use super::*;
use crate::caller::principal::Principal;
use crate::caller::respond::access::Flaw;
use crate::tests::route::SOON;

const AUDIENCE: &str = "https://mcp.example.com/mcp";

struct Door {
    issuer: Issuer,
    auth: Auth,
    config: std::sync::Arc<Config>,
}

/// A door that takes tokens of `issuer`, found by its metadata, with the scope `read`.
fn door(issuer: Issuer) -> Door {
    let spec = format!(
        "servers: [{{name: a, url: \"http://a\"}}]\nauth: {{jwt: [{{issuer: \"{}\", audiences: [{AUDIENCE:?}], scopes: [read]}}]}}",
        issuer.url()
    );
    door_of(issuer, &spec)
}

fn door_of(issuer: Issuer, spec: &str) -> Door {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = crate::tests::route::config(spec);
    let (_, live) = tokio::sync::watch::channel(config.clone());
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Door {
        issuer,
        auth: Auth::start(live, metrics).unwrap(),
        config,
    }
}

impl Door {
    async fn knock(&self, token: &str, at: u64) -> Result<Access, Refusal> {
        let header = format!("Bearer {token}").parse().unwrap();
        let headers = [(AUTHORIZATION, header)].into_iter().collect();
        let head = (&Uri::from_static("/mcp"), &headers);
        self.auth.admit(&self.config, head, Millis(at * 1000)).await
    }

    async fn refused(&self, token: &str) -> Error {
        self.knock(token, now()).await.unwrap_err().error
    }

    fn claims(&self, change: &Value) -> Value {
        let mut claims = self.issuer.claims("alice", AUDIENCE);
        claims["scope"] = "read write".into();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn principal(&self, change: &Value) -> Option<Principal> {
        let token = self.issuer.sign(&self.claims(change));
        self.knock(&token, now()).await.unwrap().principal
    }
}

#[tokio::test]
async fn a_token_signed_in_any_accepted_way_lets_its_subject_in() {
    let door = door(Issuer::start().await);
    for (number, key) in Key::of_each_kind("k").into_iter().enumerate() {
        let key = key.with_id(&format!("k{number}"));
        let token = key.sign(&door.claims(&json!({})));
        let algorithm = key.algorithm();
        door.issuer.rotate(key);
        // A new key every time, faster than unknown keys may cause requests: a new door.
        let door = self::door(door.issuer.clone());
        assert!(door.knock(&token, now()).await.is_ok(), "{algorithm}");
        let mut forged = token.into_bytes();
        let last = forged.len() - 10;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(
            door.refused(&forged).await,
            Error::Token(Flaw::Signature),
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn whoever_is_not_the_same_issuer_subject_and_client_is_another_principal() {
    let door = door(Issuer::start().await);
    let alice = door.principal(&json!({})).await;
    assert_eq!(
        alice,
        door.principal(&json!({"jti": "x", "aud": ["other", AUDIENCE]}))
            .await
    );
    for change in [
        json!({"sub": "bob"}),
        json!({"client_id": "other"}),
        json!({"client_id": null}),
    ] {
        assert_ne!(alice, door.principal(&change).await, "{change}");
    }
    let of_itself = json!({"sub": null, "client_id": null, "azp": "service"});
    assert!(door.principal(&of_itself).await.is_some());
    for scopes in [
        json!({"scope": null, "scp": ["read"]}),
        json!({"scope": ["read"]}),
        json!({"scope": "", "scp": "x read"}),
    ] {
        assert_eq!(alice, door.principal(&scopes).await, "{scopes}");
    }
}

#[tokio::test]
async fn each_flaw_of_a_token_is_named() {
    let door = door(Issuer::start().await);
    let key = door.issuer.key();
    let other = Key::es256("first");
    let good = door.claims(&json!({}));
    let header = |change: (&str, Value)| {
        let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": "first"});
        header[change.0] = change.1;
        key.sign_as(&header, &good)
    };
    let claims = |change: Value| key.sign(&door.claims(&change));
    let mut cases = vec![
        ("no.jwt".to_owned(), Flaw::Malformed),
        ("a.b.c".to_owned(), Flaw::Malformed),
        ("x".repeat(20_000), Flaw::Malformed),
        (
            compact(&json!({"alg": "none"}), &good, |_| Vec::new()),
            Flaw::Malformed,
        ),
        (
            compact(&json!({"alg": "None", "typ": "JWT"}), &good, |_| Vec::new()),
            Flaw::Malformed,
        ),
        (header(("typ", json!("logout+jwt"))), Flaw::Type),
        (header(("kid", json!("unknown"))), Flaw::Key),
        (header(("crit", json!(["exp"]))), Flaw::Malformed),
        (header(("alg", json!("ES384"))), Flaw::Signature),
        (other.sign(&good), Flaw::Signature),
        (claims(json!({"iss": "https://evil.example"})), Flaw::Issuer),
        (claims(json!({"iss": [door.issuer.url()]})), Flaw::Malformed),
        (claims(json!({"aud": "https://other.example"})), Flaw::Audience),
        (claims(json!({"aud": null})), Flaw::Claims),
        (claims(json!({"exp": null})), Flaw::Claims),
        (claims(json!({"exp": "tomorrow"})), Flaw::Claims),
        (claims(json!({"sub": null, "client_id": null})), Flaw::Claims),
        (claims(json!({"exp": now() - 61})), Flaw::Expired),
        (claims(json!({"nbf": now() + 65})), Flaw::NotYet),
    ];
    cases.extend(
        key.confused(&good)
            .into_iter()
            .map(|token| (token, Flaw::Algorithm)),
    );
    for (token, flaw) in cases {
        assert_eq!(door.refused(&token).await, Error::Token(flaw), "{token}");
    }
    let unscoped = claims(json!({"scope": "readwrite write"}));
    assert_eq!(
        door.refused(&unscoped).await,
        Error::Scope(vec!["read".to_owned()])
    );
    for fine in [
        json!({"exp": now() - 55}),
        json!({"nbf": now() + 55}),
        json!({"exp": 4e9, "nbf": 0.5}),
    ] {
        assert!(door.knock(&claims(fine.clone()), now()).await.is_ok(), "{fine}");
    }
}

#[tokio::test]
async fn a_rotated_key_is_read_when_a_token_names_it_and_inventions_cause_one_request() {
    let door = door(Issuer::start().await);
    assert!(
        door.knock(&door.issuer.sign(&door.claims(&json!({}))), now())
            .await
            .is_ok()
    );
    let retired = door.issuer.sign(&door.claims(&json!({})));
    door.issuer.rotate(Key::es256("second"));
    let rotated = door.issuer.sign(&door.claims(&json!({})));
    assert!(door.knock(&rotated, now()).await.is_ok());
    assert_eq!(door.refused(&retired).await, Error::Token(Flaw::Key));
    let reads = door.issuer.reads();
    for number in 0..20 {
        let invented = Key::es256(&format!("invented-{number}")).sign(&door.claims(&json!({})));
        assert_eq!(door.refused(&invented).await, Error::Token(Flaw::Key));
    }
    assert_eq!(door.issuer.reads(), reads);
}

#[tokio::test]
async fn known_keys_outlive_the_issuer_and_unknown_ones_are_not_the_clients_fault() {
    let port = unused_port();
    let spec = format!(
        "servers: [{{name: a, url: \"http://a\"}}]\n\
         auth: {{jwt: [{{issuer: \"http://127.0.0.1:{port}/tenant\", jwksUri: \"http://127.0.0.1:{port}/tenant/keys\", audiences: [{AUDIENCE:?}]}}]}}"
    );
    let somebody = Issuer::start().await;
    let door = door_of(somebody, &spec);
    let mut claims = door.claims(&json!({}));
    claims["iss"] = format!("http://127.0.0.1:{port}/tenant").into();
    let early = Key::es256("first").sign(&claims);
    let refusal = door.knock(&early, now()).await.unwrap_err();
    assert_eq!(refusal.error, Error::NoKeys);
    let issuer = Issuer::at(port).await;
    let token = issuer.sign(&claims);
    eventually(SOON, async || door.knock(&token, now()).await.ok()).await;
    issuer.go_away(true);
    issuer.rotate(Key::es256("second"));
    assert_eq!(door.refused(&issuer.sign(&claims)).await, Error::Token(Flaw::Key));
    assert!(
        door.knock(&token, now()).await.is_ok(),
        "its keys are still known"
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let issuer = Issuer::start().await;
    issuer.pretend("https://other.example");
    let door = door(issuer);
    let token = door.issuer.sign(&door.claims(&json!({})));
    assert_eq!(door.refused(&token).await, Error::NoKeys);
    assert_eq!(door.issuer.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_again_without_anybody_asking() {
    let issuer = Issuer::start().await;
    let door = door(issuer);
    eventually(SOON, async || (door.issuer.reads() == 1).then_some(())).await;
    tokio::time::sleep(Duration::from_mins(11)).await;
    eventually(SOON, async || (door.issuer.reads() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_challenge_says_where_to_get_which_token() {
    let door = door(Issuer::start().await);
    let ask = |host: &str, proto: Option<&str>| {
        let mut headers: HeaderMap = [(http::header::HOST, host.parse().unwrap())]
            .into_iter()
            .collect();
        if let Some(proto) = proto {
            headers.insert("x-forwarded-proto", proto.parse().unwrap());
        }
        headers
    };
    for (host, proto, metadata) in [
        (
            "mcp.example.com",
            Some("https"),
            r#"resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", "#,
        ),
        (
            "127.0.0.1:8080",
            None,
            r#"resource_metadata="http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp", "#,
        ),
        ("evil\"@a.example/x", None, ""),
        ("a.example/x?y", None, ""),
    ] {
        let head = (&Uri::from_static("/mcp"), &ask(host, proto));
        let refusal = door.auth.admit(&door.config, head, Millis(0)).await.unwrap_err();
        let expected = format!(r#"Bearer realm="mcp", {metadata}scope="read""#);
        assert_eq!(refusal.challenge.to_str().unwrap(), expected, "{host}");
    }
}
