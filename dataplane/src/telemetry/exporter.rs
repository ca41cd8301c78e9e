//! What sends spans to `telemetry.otlp`, over HTTP or gRPC.
//!
//! [`super::Telemetry`] asks for one with each new configuration. Invariant: the headers, which may be credentials, go to the
//! endpoint that the route names and nowhere else: no proxy from the environment, no redirect; a link-local or metadata
//! address is never dialled.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::egress::resolver::Guarded;
use http::{HeaderMap, HeaderName};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{
    Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::{Error, Otlp};

/// How long one export may take: the SDK's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The exporter for `otlp`. Must be called within a runtime.
pub(super) fn of(otlp: &Otlp) -> Result<SpanExporter, Error> {
    if otlp.grpc {
        let tonic = SpanExporter::builder().with_tonic().with_timeout(TIMEOUT);
        let tonic = tonic.with_channel(channel(&otlp.endpoint)?);
        return Ok(tonic.with_metadata(metadata(&otlp.headers)?).build()?);
    }
    let headers: HashMap<_, _> = otlp.headers.iter().cloned().collect();
    let http = SpanExporter::builder()
        .with_http()
        .with_http_client(client()?)
        .with_protocol(Protocol::HttpBinary);
    Ok(http
        .with_endpoint(traces_url(&otlp.endpoint))
        .with_headers(headers)
        .build()?)
}

/// The SDK exports on a thread of its own, so the client blocks. Such a client cannot be made within a runtime.
fn client() -> Result<reqwest::blocking::Client, Error> {
    let making = std::thread::spawn(|| {
        reqwest::blocking::Client::builder()
            .dns_resolver(Arc::new(Guarded::of_author()))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(TIMEOUT)
            .build()
    });
    let made = making.join().expect("making a client does not panic");
    made.map_err(Error::Client)
}

fn channel(endpoint: &str) -> Result<Channel, Error> {
    let guard = Arc::new(Guarded::of_author());
    let resolver = tower::service_fn(move |name: Name| {
        let guard = Arc::clone(&guard);
        async move {
            Ok::<_, asyncmcp_delivery::egress::resolver::Error>(
                guard.addresses(name.as_str(), 0).await?.into_iter(),
            )
        }
    });
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let mut channel = Endpoint::from_shared(endpoint.to_owned()).map_err(Error::Endpoint)?;
    if channel.uri().scheme_str() == Some("https") {
        let tls = ClientTlsConfig::new();
        channel = channel.tls_config(tls).map_err(Error::Endpoint)?;
    }
    Ok(channel.timeout(TIMEOUT).connect_with_connector_lazy(connector))
}

/// An OTLP/HTTP endpoint without a path means `/v1/traces` there (OTLP 1.x, "OTLP/HTTP Request").
fn traces_url(endpoint: &str) -> String {
    match url::Url::parse(endpoint) {
        Ok(mut url) if url.path() == "/" => {
            url.set_path("/v1/traces");
            url.into()
        }
        _ => endpoint.to_owned(),
    }
}

fn metadata(headers: &[(String, String)]) -> Result<MetadataMap, Error> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let (Ok(key), Ok(value)) = (HeaderName::from_str(name), value.parse()) else {
            return Err(Error::Header(name.clone()));
        };
        map.insert(key, value);
    }
    Ok(MetadataMap::from_headers(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_an_endpoint_without_a_path() {
        assert_eq!(traces_url("http://otel:4318"), "http://otel:4318/v1/traces");
        assert_eq!(traces_url("http://otel:4318/"), "http://otel:4318/v1/traces");
        assert_eq!(traces_url("https://otel/custom"), "https://otel/custom");
    }

    #[test]
    fn names_a_header_that_grpc_cannot_carry() {
        let error = metadata(&[("bad name".into(), "x".into())]).expect_err("a space in a name");
        assert_eq!(
            error.to_string(),
            "telemetry.otlp.headers: bad name is not valid gRPC metadata"
        );
    }
}
