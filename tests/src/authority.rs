//! A certificate authority of a test's own, and the certificates it issues.
//!
//! Invariant: nothing trusts it but the processes that a test tells to.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
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

    fn issue(&self, params: &CertificateParams) -> Result<ServerConfig> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(config)
    }
}
