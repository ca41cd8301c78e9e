//! What status says of a server that cannot be reached as the route says: what is wrong, and which field to change.

use std::sync::Arc;

use anyhow::Result;
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::{McpServer, Reaction, Tls};
use asyncmcp_tests::session::Session;
use rustls::ServerConfig;
use serde_json::json;

use crate::{gateway, told};

const TRUSTED: &str = "caCertificateRefs: [{kind: ConfigMap, name: authority, key: ca.crt}]";

async fn behind(config: Arc<ServerConfig>) -> McpServer {
    McpServer::behind(&Tls::new(config), &["t"]).await
}

/// What status says of a server at `url` that is trusted as `tls` says.
async fn complaint(authority: &Authority, url: &str, tls: &str, state: &str, texts: &[&str]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    DataPlane::write_config_map(dir.path(), "authority", &[("ca.crt", &authority.pem())])?;
    let gateway = gateway(dir.path(), &[format!("{{name: a, url: '{url}', {tls}}}")]).await?;
    told(&gateway, state, texts).await;
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_with_what_to_change() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let trusted = format!("tls: {{{TRUSTED}}}");
    let refused = "Unreachable";
    let right = behind(authority.server("127.0.0.1")?).await;
    complaint(&authority, &right.url(), &trusted, "Ready", &[]).await?;
    let strange = behind(stranger.server("127.0.0.1")?).await;
    let words = ["an authority that is not trusted", "tls.caCertificateRefs"];
    complaint(&authority, &strange.url(), &trusted, refused, &words).await?;
    let other = behind(authority.server("mcp.example.com")?).await;
    let words = [
        "is not for \"127.0.0.1\" but for",
        "mcp.example.com",
        "tls.serverName",
    ];
    complaint(&authority, &other.url(), &trusted, refused, &words).await?;
    let named = format!("tls: {{{TRUSTED}, serverName: mcp.example.com}}");
    complaint(&authority, &other.url(), &named, "Ready", &[]).await?;
    let expired = behind(authority.expired_server("127.0.0.1")?).await;
    complaint(&authority, &expired.url(), &trusted, refused, &["has expired"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_is_asked_for_the_name_that_the_route_gives_and_still_gets_the_host_of_its_url() -> Result<()>
{
    let authority = Authority::new()?;
    let server = behind(authority.server("mcp.example.com")?).await;
    let dir = tempfile::tempdir()?;
    DataPlane::write_config_map(dir.path(), "authority", &[("ca.crt", &authority.pem())])?;
    let url = server.url();
    let given = format!("{{name: a, url: '{url}', tls: {{{TRUSTED}, serverName: mcp.example.com}}}}");
    let gateway = gateway(dir.path(), &[given]).await?;
    told(&gateway, "Ready", &[]).await;
    let host = url.trim_start_matches("https://").trim_end_matches("/mcp");
    assert_eq!(server.seen("initialize")[0].headers["host"], host);
    Ok(())
}

#[tokio::test]
async fn the_other_scheme_is_named() -> Result<()> {
    let authority = Authority::new()?;
    let plain = McpServer::start(&["t"]).await;
    let wrong = plain.url().replace("http://", "https://");
    let words = ["does not speak TLS on this port", "http://"];
    complaint(&authority, &wrong, "timeout: 5s", "Unreachable", &words).await?;
    let tls = behind(authority.server("127.0.0.1")?).await;
    let wrong = tls.url().replace("https://", "http://");
    let words = ["does not answer in HTTP on this port", "https://"];
    complaint(&authority, &wrong, "timeout: 5s", "Unreachable", &words).await?;
    let polite = "Client sent an HTTP request to an HTTPS server.\n";
    let polite = McpServer::that_says(Reaction::Status(400, polite)).await;
    let words = ["speaks TLS on this port", "https://"];
    complaint(&authority, &polite.url(), "timeout: 5s", "Rejected", &words).await
}

const DAMAGED: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[tokio::test]
async fn an_authority_that_is_no_pem_is_named_with_its_field_and_its_key() -> Result<()> {
    let authority = Authority::new()?;
    let server = behind(authority.server("127.0.0.1")?).await;
    let dir = tempfile::tempdir()?;
    let trust = |pem: &str| DataPlane::write_config_map(dir.path(), "authority", &[("ca.crt", pem)]);
    trust("not PEM at all")?;
    let given = format!("{{name: a, url: '{}', tls: {{{TRUSTED}}}}}", server.url());
    let gateway = gateway(dir.path(), &[given]).await?;
    let key = "tls.caCertificateRefs: key ca.crt of ConfigMap authority is not usable";
    told(&gateway, "Unreachable", &[key, "no certificate in PEM form"]).await;
    trust(DAMAGED)?;
    told(&gateway, "Unreachable", &[key, "its PEM is damaged"]).await;
    trust(&authority.pem())?;
    told(&gateway, "Ready", &[]).await;
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_that_is_none_is_named_with_its_field_and_its_key() -> Result<()> {
    let authority = Authority::new()?;
    let server = behind(authority.server_for("127.0.0.1", &[&authority])?).await;
    let dir = tempfile::tempdir()?;
    DataPlane::write_config_map(dir.path(), "authority", &[("ca.crt", &authority.pem())])?;
    let (mine, other) = (
        authority.certificate_of("gateway")?,
        authority.certificate_of("gateway")?,
    );
    let certificate = |certificate: &str, key: &str| {
        DataPlane::write_secrets(
            dir.path(),
            "gateway",
            &[("tls.crt", certificate), ("tls.key", key)],
        )
    };
    let own = format!("tls: {{{TRUSTED}, clientCertificateRef: {{name: gateway}}}}");
    let given = format!("{{name: a, url: '{}', {own}}}", server.url());
    let gateway = gateway(dir.path(), &[given]).await?;
    for (pem, key, words) in [
        (
            mine.certificate.as_str(),
            other.private_key(),
            "key tls.key of Secret gateway is not usable: it is not the private key of",
        ),
        (
            mine.certificate.as_str(),
            "x".to_owned(),
            "key tls.key of Secret gateway is not usable: it contains no private key",
        ),
        ("", mine.private_key(), "key tls.crt of Secret gateway is empty"),
        (
            DAMAGED,
            mine.private_key(),
            "key tls.crt of Secret gateway is not usable",
        ),
    ] {
        certificate(pem, &key)?;
        told(&gateway, "Unreachable", &["tls.clientCertificateRef: ", words]).await;
        let status = gateway.status().await?;
        let key = status["unusableKeys"][0]["key"].to_string();
        assert!(key.contains("secrets/gateway/tls."), "{status}");
    }
    certificate(&mine.certificate, &mine.private_key())?;
    told(&gateway, "Ready", &[]).await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_says_so_and_nothing_was_dispatched() -> Result<()> {
    let authority = Authority::new()?;
    let tls = Tls::new(authority.server_for("127.0.0.1", &[&authority])?);
    let server = McpServer::behind(&tls, &["t"]).await;
    let without = format!("tls: {{{TRUSTED}}}");
    let words = ["client certificate", "tls.clientCertificateRef"];
    complaint(&authority, &server.url(), &without, "Unreachable", &words).await?;
    assert_eq!(server.nature().seen.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_the_name_of_its_service_is_called_by_the_name_that_it_takes() -> Result<()> {
    for (status, body) in [
        (421, "Invalid Host header"),
        (
            403,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: 127.0.0.1"},"id":null}"#,
        ),
    ] {
        let server = McpServer::that_says(Reaction::Status(status, body)).await;
        let dir = tempfile::tempdir()?;
        let gateway = gateway(dir.path(), &[format!("{{name: a, url: '{}'}}", server.url())]).await?;
        told(
            &gateway,
            "Rejected",
            &["refuses the host header", "set host of the server"],
        )
        .await;
    }
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["t"]).await;
    let gateway = gateway(
        dir.path(),
        &[format!("{{name: a, url: '{}', host: localhost}}", server.url())],
    )
    .await?;
    let session = Session::open(&gateway.url(), None).await?;
    assert!(session.call(1, "t", &json!({})).await?.json()["result"].is_object());
    for seen in &server.nature().seen {
        assert_eq!(seen.headers["host"], "localhost", "{seen:?}");
    }
    Ok(())
}
