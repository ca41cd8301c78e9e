//! Receivers over TLS: certificates that hold, and those that do not.

use std::path::Path;

use anyhow::Result;
use asyncmcp_tests::authority::Authority;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::fault::{Fault, FaultyReceiver};

use crate::ending::{Setting, Stage};

const NAME: &str = "localhost";
const NOT_TRUSTED: [&str; 3] = ["retry tls_error", "retry tls_error", "dead tls_error"];

/// A process that trusts this authority and no other.
fn trusting(authority: &Authority) -> impl FnOnce(&Path) -> Result<Launch> {
    |dir| {
        let roots = dir.join("roots.pem");
        authority.write(&roots)?;
        Ok(Launch {
            env: vec![("SSL_CERT_FILE".to_owned(), roots.display().to_string())],
            ..Launch::default()
        })
    }
}

async fn ends_as(
    authority: &Authority,
    receiver: &FaultyReceiver,
    story: &[&str],
    requests: usize,
) -> Result<()> {
    let stage = Stage::open_as(Setting::of(&receiver.url(NAME)), trusting(authority)).await?;
    stage.call(None).await?;
    stage.ends_as(story).await?;
    assert_eq!(receiver.seen().len(), requests);
    Ok(())
}

async fn receiver(tls: tokio_rustls::TlsAcceptor) -> Result<FaultyReceiver> {
    FaultyReceiver::start_with([Fault::status(200)], Some(tls)).await
}

#[tokio::test]
async fn a_certificate_that_holds() -> Result<()> {
    let authority = Authority::new()?;
    let receiver = receiver(authority.server(NAME)?).await?;
    ends_as(&authority, &receiver, &["delivered 200"], 1).await
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority() -> Result<()> {
    let receiver = receiver(Authority::new()?.server(NAME)?).await?;
    ends_as(&Authority::new()?, &receiver, &NOT_TRUSTED, 0).await
}

#[tokio::test]
async fn a_certificate_that_is_over() -> Result<()> {
    let authority = Authority::new()?;
    let receiver = receiver(authority.expired_server(NAME)?).await?;
    ends_as(&authority, &receiver, &NOT_TRUSTED, 0).await
}

#[tokio::test]
async fn a_certificate_of_another_host() -> Result<()> {
    let authority = Authority::new()?;
    let receiver = receiver(authority.server("elsewhere.example.com")?).await?;
    ends_as(&authority, &receiver, &NOT_TRUSTED, 0).await
}

#[tokio::test]
async fn a_server_that_speaks_no_tls() -> Result<()> {
    let plain = FaultyReceiver::start([Fault::Greeting]).await?;
    let url = plain.url(NAME).replace("http://", "https://");
    let stage = Stage::open(&url).await?;
    stage.call(None).await?;
    stage.ends_as(&NOT_TRUSTED).await
}
