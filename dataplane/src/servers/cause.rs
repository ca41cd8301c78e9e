//! What went wrong with a connection to a server, in words that say what to change.
//!
//! [`super::Error`] shows it in `/status` and in the log, [`super::http`] decides by it whether a request went out.
//! Invariant: what is not known to be a mistake in the setup is told in the words of whoever noticed it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// The innermost cause, which is the informative one: `Connection refused (os error 111)`.
pub(super) fn words(error: &reqwest::Error) -> String {
    if let Some(words) = tls(error).and_then(of_tls) {
        return words;
    }
    if is_no_http(error) {
        return "the server does not answer in HTTP on this port; if it speaks TLS there, begin its url with https://"
            .to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Whether the server ended the connection because of the gateway's certificate, or because there was none. With TLS 1.3
/// it says so after the request was sent, but it reads no request before it has verified the certificate.
pub(super) fn is_refused_certificate(error: &reqwest::Error) -> bool {
    matches!(tls(error), Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert))
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, UnknownCA, UnsupportedCertificate,
    };
    matches!(
        alert,
        AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate
    )
}

/// The TLS error below it. An I/O error does not show what it was made of as its source.
fn tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: &dyn Error = error;
    loop {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => inner,
            None => cause.source()?,
        };
    }
}

fn is_no_http(error: &reqwest::Error) -> bool {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        if cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
        {
            return true;
        }
    }
    false
}

fn of_tls(error: &rustls::Error) -> Option<String> {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(
            "the server does not speak TLS on this port: begin its url with http:// (or set service.scheme to http), or use its TLS port"
                .to_owned(),
        ),
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Some("the server asks for a client certificate: set tls.clientCertificateRef".to_owned())
        }
        rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => Some(format!(
            "the server refuses the certificate in tls.clientCertificateRef ({alert:?}), or asks for one"
        )),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            Some("the server has no certificate for this name: set tls.serverName to one that it has".to_owned())
        }
        _ => None,
    }
}

fn of_certificate(error: &CertificateError) -> Option<String> {
    match error {
        // An authority that was made anew under its old name fails by the signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
            "the server's certificate was issued by an authority that is not trusted: name the authority in \
             tls.caCertificateRefs"
                .to_owned(),
        ),
        CertificateError::NotValidForName => Some(
            "the server's certificate is for another name: set tls.serverName to one that it has".to_owned(),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => Some(format!(
            "the server's certificate is not for {:?} but for {}: set tls.serverName to a name that it has",
            expected.to_str(),
            if presented.is_empty() {
                "no name".to_owned()
            } else {
                presented.join(", ")
            }
        )),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("the server's certificate has expired: renew it at the server".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("the server's certificate is not valid yet: check the clocks of both sides".to_owned())
        }
        _ => None,
    }
}
