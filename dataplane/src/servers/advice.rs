//! What to do about a server's HTTP error.
//!
//! [`super::http`] derives it from a response; [`super::Error`] shows it in `/status` and in the log. Invariant: for the
//! people who run the route, never for clients; what the server wrote is bounded, and no credentials are in it.

use std::fmt;

use ::http::header::{HOST, LOCATION};
use ::http::{HeaderMap, StatusCode};
use url::Url;

/// The longest URL that is shown.
const MAX_URL: usize = 500;

/// What to do; nothing that the status does not say, where it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice(String);

/// How the server was spoken to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken<'a> {
    /// Its URL.
    pub(super) url: &'a Url,
    /// The Host header that it got.
    pub(super) host: &'a str,
    /// The field and the key of the credential that it got.
    pub(super) credential: Option<&'a str>,
}

impl Advice {
    /// What this answer of the server calls for.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, spoken: &Spoken<'_>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self(match (status.as_u16(), spoken.credential) {
            (301 | 302 | 303 | 307 | 308, _) => match text(LOCATION).and_then(|to| target(spoken.url, to)) {
                Some(to) => {
                    format!(": it redirects to {to}, which is not followed; set the server's url to that")
                }
                None => {
                    ": it redirects, which is not followed; set the server's url to the new place".to_owned()
                }
            },
            (401, None) => {
                ": it asks for credentials, and the route gives none for it; set bearerTokenSecretRef or headers of \
                 the server"
                    .to_owned()
            }
            (401, Some(credential)) => {
                format!(": it refuses the credentials in {credential}; put valid ones there")
            }
            (403, None) => ": it does not let the gateway in; if it asks for credentials, set bearerTokenSecretRef or \
                            headers of the server"
                .to_owned(),
            (403, Some(credential)) => {
                format!(": it does not let the gateway in with the credentials in {credential}")
            }
            (421, _) => return Self::refused_host(spoken.host),
            _ => String::new(),
        })
    }

    /// What the body of an error calls for: of a server that refuses the Host header with a status of its own, or of one
    /// that speaks TLS where it was not spoken to in TLS.
    pub(super) fn of_body(status: u16, said: &[u8], host: &str) -> Option<Self> {
        const HOST_REFUSED: [&str; 4] = [
            "invalid host",
            "host header",
            "host not allowed",
            "host is not allowed",
        ];
        const TLS_PORT: [&str; 2] = ["to an https server", "to https port"];
        let said = String::from_utf8_lossy(said).to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
        match status {
            400 if says(&TLS_PORT) => Some(Self(
                ": it speaks TLS on this port; begin the server's url with https:// (or set service.scheme to https)"
                    .to_owned(),
            )),
            400 | 403 if says(&HOST_REFUSED) => Some(Self::refused_host(host)),
            _ => None,
        }
    }

    fn refused_host(host: &str) -> Self {
        Self(format!(
            ": it refuses the {HOST} header {host:?}; set host of the server to a name that it allows (MCP SDKs allow \
             only loopback by default, against DNS rebinding: localhost), or add {host:?} to the hosts that it allows"
        ))
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a redirect leads.
fn target(url: &Url, location: &str) -> Option<String> {
    let mut to = url.join(location).ok()?;
    let _ = to.set_username(""); // fails only where there is none
    let _ = to.set_password(None);
    Some(to.as_str().chars().take(MAX_URL).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(status: u16, header: Option<(&'static str, &str)>) -> String {
        given(status, header, None)
    }

    fn given(status: u16, header: Option<(&'static str, &str)>, credential: Option<&str>) -> String {
        let headers = header.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let url = Url::parse("http://tool.tools.svc:8080/mcp").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let spoken = Spoken {
            url: &url,
            host: "tool.tools.svc:8080",
            credential,
        };
        Advice::of(status, &headers.into_iter().collect(), &spoken).to_string()
    }

    #[test]
    fn a_redirect_names_its_target_without_credentials() {
        for (location, named) in [
            ("/mcp/", "http://tool.tools.svc:8080/mcp/"),
            ("https://a:b@tool.example/x", "https://tool.example/x"),
        ] {
            let text = advice(307, Some(("location", location)));
            assert!(text.contains(&format!("redirects to {named},")), "{text}");
        }
        assert!(advice(308, None).contains("set the server's url"));
        assert!(advice(302, Some(("location", &"x".repeat(5000)))).len() < 700);
    }

    #[test]
    fn a_refused_host_and_refused_credentials_are_told_apart() {
        assert!(advice(421, None).contains("\"tool.tools.svc:8080\""));
        assert!(advice(421, None).contains("set host of the server"));
        assert!(advice(401, Some(("www-authenticate", "Bearer"))).contains("set bearerTokenSecretRef"));
        let token = Some("bearerTokenSecretRef (key k of Secret s)");
        for (status, says) in [
            (401, "refuses the credentials in"),
            (403, "does not let the gateway in with"),
        ] {
            let text = given(status, None, token);
            assert!(
                text.contains(says) && text.contains("key k of Secret s"),
                "{text}"
            );
        }
        assert!(advice(403, None).contains("does not let the gateway in"));
        assert_eq!(advice(500, None), "");
    }

    #[test]
    fn a_mistake_that_only_the_body_names_is_recognised() {
        let of =
            |status, said: &str| Advice::of_body(status, said.as_bytes(), "tool:80").map(|it| it.to_string());
        for (status, said, advice) in [
            (
                403,
                r#"{"error":{"code":-32000,"message":"Invalid Host: tool"}}"#,
                "set host of the server",
            ),
            (
                403,
                "Forbidden: Host header is not allowed",
                "set host of the server",
            ),
            (400, "Client sent an HTTP request to an HTTPS server.", "https://"),
            (
                400,
                "<h1>The plain HTTP request was sent to HTTPS port</h1>",
                "https://",
            ),
        ] {
            assert!(
                of(status, said).is_some_and(|text| text.contains(advice)),
                "{said}"
            );
        }
        for (status, said) in [
            (500, "Invalid Host"),
            (403, "no"),
            (400, "Bad Request: no session"),
        ] {
            assert_eq!(of(status, said), None, "{said}");
        }
    }
}
