//! Certificates, and the private keys to them, in the PEM form that Secrets and ConfigMaps hold.
//!
//! `servers::access` reads them for connections to servers, `ports::tls` for those of clients, and `/status` what is wrong
//! with them. Invariant: what is handed out parses, and a
//! private key belongs to its certificate; nothing of a key is in an error or in `Debug`.

use std::fmt;
use std::sync::Arc;

use asyncmcp_crds::ObjectKey;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::Refs;
use super::keys::{Error, Unusable};

/// A certificate with those that issued it, and its private key.
#[derive(Clone)]
pub struct Certificate {
    pem: Zeroizing<Vec<u8>>,
    certified: Arc<CertifiedKey>,
}

impl Certificate {
    /// Private key and certificates, in one piece of PEM.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// Both, as a TLS server uses them.
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl Refs {
    /// The certificates of authorities that a key holds; at least one.
    pub fn authorities(&self, key: &ObjectKey) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        let of = |error: Error| error.of(key.clone());
        let certificates = certificates(self.bytes(key)?).map_err(of)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            let added = store.add(certificate.clone());
            added.map_err(|_| of(Error::BadCertificate))?;
        }
        Ok(certificates)
    }

    /// The certificate in a `kubernetes.io/tls` Secret.
    pub fn certificate(&self, secret: &str) -> Result<Certificate, Unusable> {
        let [certificate, key] = ObjectKey::certificate(secret);
        let (chain, private) = (self.bytes(&certificate)?, self.bytes(&key)?);
        let certificates = certificates(chain).map_err(|error| error.of(certificate.clone()))?;
        let parsed = PrivateKeyDer::from_pem_slice(private).map_err(|error| match error {
            pem::Error::NoItemsFound => Error::NoPrivateKey.of(key.clone()),
            _ => Error::BadPrivateKey.of(key.clone()),
        })?;
        let certified = CertifiedKey::from_der(certificates, parsed, &ring::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Error::OtherPrivateKey.of(key.clone()),
            rustls::Error::InvalidCertificate(_) => Error::BadCertificate.of(certificate.clone()),
            _ => Error::BadPrivateKey.of(key.clone()),
        })?;
        let pem = Zeroizing::new([private, b"\n", chain].concat());
        let certified = Arc::new(certified);
        Ok(Certificate { pem, certified })
    }

    fn bytes(&self, key: &ObjectKey) -> Result<&[u8], Unusable> {
        let value = self.get(key).ok_or_else(|| Error::Missing.of(key.clone()))?;
        match value.bytes() {
            [] => Err(Error::Empty.of(key.clone())),
            bytes => Ok(bytes),
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(none) if none.is_empty() => Err(Error::NoCertificate),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(Error::BadCertificate),
    }
}
