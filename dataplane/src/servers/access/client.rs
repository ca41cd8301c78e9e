//! The HTTP client of one server, by what the route says of TLS.
//!
//! [`super::Open`] makes one, and another when a certificate changes. Invariant: no proxy from the environment, no redirect,
//! no decompression, and no sending again; a link-local or metadata address is never dialled; a certificate is verified
//! against the route's authorities where it names any, else against the system's.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_crds::effective::Server;
use asyncmcp_delivery::egress::resolver::Guarded;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Identity};
use rustls::pki_types::CertificateDer;
use url::Url;

use super::{Closed, missing};
use crate::config::Refs;
use crate::config::certificates::Certificate;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Below the 5 s after which Node and uvicorn close an idle connection: a request must not
/// race with that, for nobody would know whether it ran.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);
/// The most headers of an answer; servers behind several proxies send more than hyper's 100.
const MAX_HEADERS: usize = 512;

/// What decides how connections are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    authorities: Vec<CertificateDer<'static>>,
    certificate: Option<Certificate>,
    server_name: Option<String>,
}

/// Connections to one server, all made in one way.
pub(super) struct Client {
    pub(super) tls: Tls,
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
}

/// Two clients are the same if they connect in the same way.
impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.tls == other.tls && self.url == other.url
    }
}

impl Tls {
    /// What the route says of the TLS of `server`; nothing where its URL is without.
    pub(super) fn read(server: &Server, url: &Url, refs: &Refs) -> Result<Self, Closed> {
        let mut tls = Self {
            authorities: Vec::new(),
            certificate: None,
            server_name: None,
        };
        if url.scheme() != "https" {
            return Ok(tls);
        }
        for key in &server.tls.authorities {
            let authorities = refs.authorities(key);
            let authorities = authorities.map_err(|unusable| missing("tls.caCertificateRefs", unusable))?;
            tls.authorities.extend(authorities);
        }
        if let Some(secret) = &server.tls.certificate {
            let certificate = refs.certificate(secret);
            let certificate =
                certificate.map_err(|unusable| missing("tls.clientCertificateRef", unusable))?;
            tls.certificate = Some(certificate);
        }
        tls.server_name.clone_from(&server.tls.server_name);
        Ok(tls)
    }

    /// A client for the server at `url`. Opens no connection yet.
    pub(super) fn connect(self, url: &Url) -> reqwest::Result<Client> {
        let mut dialled = url.clone();
        let mut builder = plain();
        if let Some(name) = &self.server_name
            && dialled.set_host(Some(name)).is_ok()
        {
            builder = builder.dns_resolver(Arc::new(Renamed::of(url)));
        }
        if !self.authorities.is_empty() {
            let authorities = self.authorities.iter();
            let authorities: reqwest::Result<Vec<_>> = authorities
                .map(|authority| reqwest::Certificate::from_der(authority))
                .collect();
            builder = builder.tls_certs_only(authorities?);
        }
        if let Some(certificate) = &self.certificate {
            builder = builder.identity(Identity::from_pem(certificate.pem())?);
        }
        Ok(Client {
            http: builder.build()?,
            tls: self,
            url: dialled,
        })
    }
}

fn plain() -> ClientBuilder {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(Guarded::of_author()))
        .user_agent(concat!("asyncmcp/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        // A frozen HTTP/2 connection would take every call of its server with it.
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_CONNECTION)
}

/// The addresses of a URL's host for a client that asks for the name in the server's certificate: no option of the client
/// separates the two.
struct Renamed {
    host: String,
    resolver: Guarded,
}

impl Renamed {
    fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            resolver: Guarded::of_author(),
        }
    }
}

impl Resolve for Renamed {
    fn resolve(&self, asked: Name) -> Resolving {
        match self.host.parse::<Name>() {
            Ok(host) => self.resolver.resolve(host),
            Err(_) => self.resolver.resolve(asked),
        }
    }
}
