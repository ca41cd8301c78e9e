//! A certificate authority of a test's own, and the certificates it issues.
//!
//! Invariant: nothing trusts it but the processes that a test tells to.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Client, ClientBuilder};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// A client that trusts it, and `others`.
    pub fn client(&self, others: &[&Self]) -> Result<ClientBuilder> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = others.iter().chain([&self]);
        let trusted: Result<Vec<_>, _> = trusted
            .map(|authority| reqwest::Certificate::from_pem(authority.pem().as_bytes()))
            .collect();
        Ok(Client::builder().tls_certs_only(trusted?))
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes its own certificate to `path`, as PEM.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, self.0.pem())?)
    }

    /// A TLS server of this name.
    pub fn server(&self, name: &str) -> Result<Arc<ServerConfig>> {
        Ok(self
            .issue(&CertificateParams::new(vec![name.to_owned()])?)?
            .into())
    }

    /// The same, offering HTTP/2 before HTTP/1.1.
    pub fn http2_server(&self, name: &str) -> Result<Arc<ServerConfig>> {
        let mut config = self.issue(&CertificateParams::new(vec![name.to_owned()])?)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config.into())
    }

    /// The same, with a certificate of the past.
    pub fn expired_server(&self, name: &str) -> Result<Arc<ServerConfig>> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        Ok(self.issue(&params)?.into())
    }

    /// A TLS server of this name that lets in only whom one of `clients` issued a certificate to.
    pub fn server_for(&self, name: &str, clients: &[&Self]) -> Result<Arc<ServerConfig>> {
        let issued = self.certificate(&CertificateParams::new(vec![name.to_owned()])?)?;
        let mut roots = RootCertStore::empty();
        for client in clients {
            roots.add(client.0.der().clone())?;
        }
        let verifier = WebPkiClientVerifier::builder(roots.into()).build()?;
        let config = ServerConfig::builder().with_client_cert_verifier(verifier);
        Ok(config
            .with_single_cert(vec![issued.der.clone()], issued.key())?
            .into())
    }

    /// A certificate for this name, and its private key.
    pub fn certificate_of(&self, name: &str) -> Result<Issued> {
        self.certificate(&CertificateParams::new(vec![name.to_owned()])?)
    }

    fn certificate(&self, params: &CertificateParams) -> Result<Issued> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pair = KeyPair::generate()?;
        let certificate = params.signed_by(&pair, &self.0)?;
        Ok(Issued {
            der: certificate.der().clone(),
            certificate: certificate.pem(),
            pair,
        })
    }

    fn issue(&self, params: &CertificateParams) -> Result<ServerConfig> {
        let issued = self.certificate(params)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![issued.der.clone()], issued.key())?;
        Ok(config)
    }
}

/// A certificate and its private key.
pub struct Issued {
    /// The certificate, as DER.
    pub der: CertificateDer<'static>,
    /// The certificate, as PEM.
    pub certificate: String,
    pair: KeyPair,
}

impl Issued {
    /// The private key, as PEM.
    pub fn private_key(&self) -> String {
        self.pair.serialize_pem()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pair.serialize_der()))
    }
}
