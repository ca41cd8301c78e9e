//! How a client that knows nothing but the URL finds out where to get a token (RFC 9728).

use anyhow::Result;
use asyncmcp_fakes::issuer::Issuer;
use asyncmcp_tests::session::answer;
use serde_json::json;

use crate::scene::{Scene, jwt, of_issuer};

#[tokio::test]
async fn metadata_is_where_clients_look_for_it_and_needs_no_token() -> Result<()> {
    let issuer = Issuer::start().await;
    let scene = Scene::open(&of_issuer(&issuer), &[]).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = scene.gateway.url();
    let host = url.trim_end_matches("/mcp");
    let expected = json!({
        "resource": url,
        "authorization_servers": [issuer.url()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp"],
    });
    let challenge = answer(http.post(&url)).await?.headers["www-authenticate"].clone();
    let named = challenge
        .to_str()?
        .split("resource_metadata=\"")
        .nth(1)
        .unwrap_or_default();
    let named = named.split('"').next().unwrap_or_default().to_owned();
    let origin = ("origin", "https://app.example.com");
    for place in [
        named,
        format!("{host}/.well-known/oauth-protected-resource"),
        format!("{host}/.well-known/oauth-protected-resource/mcp/"),
    ] {
        let reply = answer(http.get(&place).header(origin.0, origin.1)).await?;
        assert_eq!((reply.status, reply.json()), (200, expected.clone()), "{place}");
        assert_eq!(reply.headers["access-control-allow-origin"], origin.1);
        assert_eq!(answer(http.post(&place)).await?.status, 405);
    }
    let elsewhere = format!("{host}/.well-known/oauth-protected-resource/other");
    assert_eq!(answer(http.get(elsewhere)).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_known_by_another_url_says_so() -> Result<()> {
    let issuer = Issuer::start().await;
    let outside = "https://mcp.example.com/team/mcp";
    let entry = jwt(issuer.url(), &format!(", resource: '{outside}'"));
    let scene = Scene::open(&format!("  auth: {{jwt: [{entry}]}}"), &[]).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = scene.gateway.url();
    let challenge = answer(http.post(&url)).await?.headers["www-authenticate"].clone();
    let metadata =
        "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/team/mcp\"";
    assert!(challenge.to_str()?.contains(metadata), "{challenge:?}");
    let place = url.replace("/mcp", "/.well-known/oauth-protected-resource/team/mcp");
    assert_eq!(answer(http.get(place)).await?.json()["resource"], outside);
    Ok(())
}

#[tokio::test]
async fn a_route_without_issuers_has_no_metadata() -> Result<()> {
    let scene = Scene::open("  auth: {bearerSecretRefs: [{name: clients, key: one}]}", &[]).await?;
    let url = scene
        .gateway
        .url()
        .replace("/mcp", "/.well-known/oauth-protected-resource");
    assert_eq!(reqwest::get(url).await?.status(), 404);
    let refused = reqwest::get(scene.gateway.url()).await?;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"mcp\"");
    Ok(())
}
