//! TLS of the MCP endpoint: certificates come and change while clients are connected, and nothing is served without one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_tests::authority::{Authority, Issued};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::session::Session;
use futures::{Stream, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::{SOON, route};

const TLS: &str = "  store: {memory: {}}\n  transport: {tls: {certificateRef: {name: endpoint}}}";

fn write(dir: &Path, certificate: &str, key: &str) -> Result<()> {
    DataPlane::write_secrets(dir, "endpoint", &[("tls.crt", certificate), ("tls.key", key)])
}

fn present(dir: &Path, issued: &Issued) -> Result<()> {
    write(dir, &issued.certificate, &issued.private_key())
}

/// A handshake by a client that trusts this authority and offers this protocol: the certificate and the protocol of the
/// endpoint.
async fn shaken(port: u16, authority: &Authority, offer: &'static str) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![offer.as_bytes().to_vec()];
    tokio::task::spawn_blocking(move || {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(SOON))?;
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let certificate = stream.conn.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.context("no certificate")?.to_vec();
        Ok((certificate, stream.conn.alpn_protocol().map(<[u8]>::to_vec)))
    })
    .await?
}

/// Waits until new connections get this certificate.
async fn presents(gateway: &DataPlane, authority: &Authority, issued: &Issued) {
    eventually(SOON, || async {
        let shaken = shaken(gateway.port(), authority, "http/1.1").await;
        let (certificate, _) = shaken.map_err(|error| error.to_string())?;
        let is_it = certificate == issued.der.as_ref();
        is_it.then_some(()).ok_or("another certificate".to_owned())
    })
    .await;
}

async fn brings(
    server: &McpServer,
    stream: &mut (impl Stream<Item = Value> + Unpin),
    text: &str,
) -> Result<()> {
    server.push(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": text}}));
    let message = tokio::time::timeout(SOON, stream.next()).await?;
    assert_eq!(message.context("the stream has ended")?["params"]["data"], text);
    Ok(())
}

async fn reports(gateway: &DataPlane, list: &str, key: &str) {
    eventually(SOON, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        let named = status[list].to_string().contains(key);
        named.then_some(()).ok_or(status.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_replaced_under_an_open_stream_and_a_bad_one_changes_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["t"]).await;
    let (old, new) = (Authority::new()?, Authority::new()?);
    let (first, second) = (old.certificate_of("localhost")?, new.certificate_of("localhost")?);
    present(dir.path(), &first)?;
    let servers = [format!("{{name: a, url: '{}'}}", server.url())];
    let gateway = DataPlane::start(dir.path(), &route(&servers, TLS), &[]).await?;
    let session = Session::open_with(old.client(&[&new])?, &gateway.url_over_tls()).await?;
    assert!(session.call(1, "t", &json!({})).await?.json()["result"].is_object());
    let mut stream = Box::pin(session.stream().await?);
    let listening = || async { (server.listeners() > 1).then_some(()).ok_or("not attached") };
    eventually(SOON, listening).await;
    brings(&server, &mut stream, "before").await?;

    present(dir.path(), &second)?;
    presents(&gateway, &new, &second).await;
    brings(&server, &mut stream, "after").await?;
    assert!(session.call(2, "t", &json!({})).await?.json()["result"].is_object());

    write(dir.path(), &first.certificate, &second.private_key())?;
    reports(&gateway, "unusableKeys", "secrets/endpoint/tls.key").await;
    presents(&gateway, &new, &second).await;
    std::fs::remove_file(dir.path().join("refs/secrets/endpoint"))?;
    reports(&gateway, "missingKeys", "secrets/endpoint/tls.crt").await;
    presents(&gateway, &new, &second).await;
    present(dir.path(), &first)?;
    presents(&gateway, &old, &first).await;
    brings(&server, &mut stream, "still").await?;
    for offer in ["h2", "http/1.1"] {
        let (_, protocol) = shaken(gateway.port(), &old, offer).await?;
        assert_eq!(protocol.as_deref(), Some(offer.as_bytes()));
    }
    let log = std::fs::read_to_string(dir.path().join("dataplane.log"))?;
    assert!(!log.contains("PRIVATE KEY"), "a private key is in the log");
    Ok(())
}

#[tokio::test]
async fn without_a_certificate_nothing_is_served_and_nothing_in_the_clear() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let servers = ["{name: away, url: 'http://127.0.0.1:9/mcp'}".to_owned()];
    let gateway = DataPlane::start(dir.path(), &route(&servers, TLS), &[]).await?;
    reports(&gateway, "missingKeys", "secrets/endpoint/tls.crt").await;
    assert!(
        Session::open(&gateway.url(), None).await.is_err(),
        "served in the clear"
    );
    assert!(shaken(gateway.port(), &authority, "h2").await.is_err());
    let issued = authority.certificate_of("localhost")?;
    present(dir.path(), &issued)?;
    presents(&gateway, &authority, &issued).await;
    Session::open_with(authority.client(&[])?, &gateway.url_over_tls()).await?;
    Ok(())
}

#[tokio::test]
async fn tls_is_turned_on_and_off_while_the_process_runs_and_a_client_without_it_is_answered() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let issued = authority.certificate_of("localhost")?;
    present(dir.path(), &issued)?;
    let servers = ["{name: away, url: 'http://127.0.0.1:9/mcp'}".to_owned()];
    let clear = route(&servers, "  store: {memory: {}}");
    let gateway = DataPlane::start(dir.path(), &clear, &[]).await?;
    Session::open(&gateway.url(), None).await?;
    gateway.edit(&route(&servers, TLS))?;
    presents(&gateway, &authority, &issued).await;
    let told = Session::nowhere(&gateway.url())?.post("{}").await?;
    let body = String::from_utf8_lossy(&told.body).into_owned();
    assert_eq!(told.status, 400, "{body}");
    assert!(body.contains("begin the URL with https://"), "{body}");
    gateway.edit(&clear)?;
    eventually(SOON, || async {
        let opened = Session::open(&gateway.url(), None).await;
        opened.map(drop).map_err(|error| error.to_string())
    })
    .await;
    Ok(())
}

/// A connection counts from its first byte on, so one that never shakes hands must end like one that sends no request.
#[tokio::test]
async fn a_handshake_that_is_never_finished_is_given_up() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::new()?;
    present(dir.path(), &authority.certificate_of("localhost")?)?;
    let servers = ["{name: away, url: 'http://127.0.0.1:9/mcp'}".to_owned()];
    let gateway = DataPlane::start(dir.path(), &route(&servers, TLS), &[]).await?;
    let port = gateway.port();
    let begun = Instant::now();
    let silent = |sends: &'static [u8]| {
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_mins(1)))?;
            stream.write_all(sends)?;
            let mut all = Vec::new();
            let _reset = stream.read_to_end(&mut all);
            anyhow::Ok(all)
        })
    };
    // Nothing, and the beginning of a record.
    let (nothing, half) = tokio::join!(silent(b""), silent(&[22, 3, 1, 2, 0]));
    let (nothing, half) = (nothing??, half??);
    assert!(nothing.is_empty() && half.is_empty());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    Ok(())
}
