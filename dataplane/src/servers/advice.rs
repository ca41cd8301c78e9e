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

impl Advice {
    /// What this answer of the server at `url` calls for.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, url: &Url) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self(match status.as_u16() {
            301 | 302 | 303 | 307 | 308 => match text(LOCATION).and_then(|to| target(url, to)) {
                Some(to) => {
                    format!(": it redirects to {to}, which is not followed; set the server's url to that")
                }
                None => {
                    ": it redirects, which is not followed; set the server's url to the new place".to_owned()
                }
            },
            401 => ": it asks for credentials, and the gateway has none for it; let the server accept this client without"
                .to_owned(),
            403 => ": it does not let the gateway in".to_owned(),
            421 => format!(
                ": it refuses the {HOST} header {:?}; add that to the hosts that the server allows (MCP SDKs allow only \
                 loopback by default, against DNS rebinding)",
                host(url)
            ),
            _ => String::new(),
        })
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

/// The Host header that goes to this URL.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(status: u16, header: Option<(&'static str, &str)>) -> String {
        let headers = header.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let url = Url::parse("http://tool.tools.svc:8080/mcp").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        Advice::of(status, &headers.into_iter().collect(), &url).to_string()
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
        assert!(advice(401, Some(("www-authenticate", "Bearer"))).contains("credentials"));
        assert!(advice(401, None).contains("credentials"));
        assert!(advice(403, None).contains("does not let the gateway in"));
        assert_eq!(advice(500, None), "");
    }
}
