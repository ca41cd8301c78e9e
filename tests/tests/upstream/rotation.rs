//! Tokens, authorities and certificates that change while calls are made: none fails, and what was before is not used any
//! more.

use std::path::Path;

use anyhow::Result;
use asyncmcp_tests::authority::{Authority, Issued};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Tls};

use crate::{Load, SOON, gateway, told};

const GIVEN: &str = "tls: {caCertificateRefs: [{kind: Secret, name: authority, key: ca.crt}], clientCertificateRef: \
                     {name: gateway}}, bearerTokenSecretRef: {name: upstream, key: token}";

/// Waits until the newest call has this token.
async fn sends(server: &McpServer, token: &str) {
    let bearer = format!("Bearer {token}");
    eventually(SOON, || async {
        let newest = server.seen("tools/call").pop().ok_or("no call")?;
        let is_new = newest.headers["authorization"] == bearer.as_str();
        is_new.then_some(()).ok_or("the token before")
    })
    .await;
}

/// Waits until there are connections that were not there before.
async fn connects_again(tls: &Tls) {
    let before = tls.clients().len();
    eventually(SOON, || async {
        let is_new = tls.clients().len() > before;
        is_new.then_some(()).ok_or("the connections before")
    })
    .await;
}

fn identify(dir: &Path, issued: &Issued) -> Result<()> {
    let key = issued.private_key();
    let files = [("tls.crt", issued.certificate.as_str()), ("tls.key", &key)];
    DataPlane::write_secrets(dir, "gateway", &files)
}

#[tokio::test]
async fn everything_rotates_under_load_without_a_failed_call() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (old, new) = (Authority::new()?, Authority::new()?);
    let (first, second) = (old.certificate_of("gateway")?, new.certificate_of("gateway")?);
    let tls = Tls::new(old.server_for("127.0.0.1", &[&old, &new])?);
    let server = McpServer::behind(&tls, &["t"]).await;
    let trust = |pem: &str| DataPlane::write_secrets(dir.path(), "authority", &[("ca.crt", pem)]);
    let token = |token: &str| DataPlane::write_secrets(dir.path(), "upstream", &[("token", token)]);
    trust(&old.pem())?;
    token("one")?;
    identify(dir.path(), &first)?;
    let given = format!("{{name: a, url: '{}', {GIVEN}}}", server.url());
    let gateway = gateway(dir.path(), &[given]).await?;
    told(&gateway, "Ready", &[]).await;
    let load = Load::begin(&gateway, "t").await?;

    sends(&server, "one").await;
    token("two")?;
    sends(&server, "two").await;

    identify(dir.path(), &second)?;
    eventually(SOON, || async {
        let newest = tls.clients().pop().unwrap_or_default();
        let is_new = newest == second.der.as_ref();
        is_new.then_some(()).ok_or("the certificate before")
    })
    .await;
    assert!(tls.clients().contains(&first.der.to_vec()));

    // As it is done: both authorities are trusted, the server changes, the old one is not trusted any more.
    trust(&format!("{}{}", old.pem(), new.pem()))?;
    connects_again(&tls).await;
    tls.replace(new.server_for("127.0.0.1", &[&new])?);
    trust(&new.pem())?;
    connects_again(&tls).await;

    let calls = load.end().await?;
    assert!(calls > 10, "{calls} calls");
    let ran = server.ran("t");
    assert_eq!(ran, usize::try_from(calls)?, "sent twice, or not at all");
    let opened = server.seen("initialize").into_iter();
    let of_client = opened.filter(|seen| seen.body["params"]["clientInfo"]["name"] == "asyncmcp-tests");
    assert_eq!(of_client.count(), 1, "new credentials cost a client its session");
    Ok(())
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_any_more_is_not_used_on_open_connections_either() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (old, new) = (Authority::new()?, Authority::new()?);
    let tls = Tls::new(old.server("127.0.0.1")?);
    let server = McpServer::behind(&tls, &["t"]).await;
    let trust = |pem: &str| DataPlane::write_config_map(dir.path(), "authority", &[("ca.crt", pem)]);
    trust(&old.pem())?;
    let given = "tls: {caCertificateRefs: [{kind: ConfigMap, name: authority, key: ca.crt}]}";
    let gateway = gateway(
        dir.path(),
        &[format!("{{name: a, url: '{}', {given}}}", server.url())],
    )
    .await?;
    told(&gateway, "Ready", &[]).await;
    trust(&new.pem())?;
    // Nothing but the trust changed: the server is there, and its connections were open.
    told(&gateway, "Unreachable", &["an authority that is not trusted"]).await;
    tls.replace(new.server("127.0.0.1")?);
    told(&gateway, "Ready", &[]).await;
    Ok(())
}
