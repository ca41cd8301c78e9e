//! The cookie that holds a session's id.
//!
//! Browsers send a cookie to every port of a host, so its name has the port in it: two consoles on one host do not sign each
//! other out. Invariant: no script reads it, and no other site makes a browser send it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use super::sessions::SESSION_AGE;

/// The longest id that is looked at; ours have 43 characters.
const MOST: usize = 64;

/// The session's id that a request for `host` carries.
pub(super) fn read<'a>(headers: &'a HeaderMap, host: &str) -> Option<&'a str> {
    let name = name(host);
    let cookies = headers.get_all(COOKIE).iter();
    let pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    let mut values = pairs.filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty() && value.len() <= MOST).then_some(value)
    });
    values.next()
}

/// The `Set-Cookie` of a new session.
pub(super) fn set(host: &str, id: &str) -> Option<HeaderValue> {
    let (name, age) = (name(host), SESSION_AGE.as_secs());
    HeaderValue::from_str(&format!(
        "{name}={id}; Path=/console; Max-Age={age}; HttpOnly; SameSite=Strict"
    ))
    .ok()
}

/// The `Set-Cookie` that removes it.
pub(super) fn clear(host: &str) -> Option<HeaderValue> {
    let name = name(host);
    HeaderValue::from_str(&format!(
        "{name}=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict"
    ))
    .ok()
}

fn name(host: &str) -> String {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    format!("asyncmcp-console-{}", port.unwrap_or("80"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_has_a_cookie_of_its_own() {
        let mut headers = HeaderMap::new();
        let cookies =
            "other=1; asyncmcp-console-9464=one; asyncmcp-console-9465=two; asyncmcp-console-80=three";
        headers.insert(COOKIE, HeaderValue::from_static(cookies));
        for (host, id) in [
            ("127.0.0.1:9464", Some("one")),
            ("[::1]:9465", Some("two")),
            ("console.example", Some("three")),
            ("[::1]", Some("three")),
            ("127.0.0.1:9466", None),
        ] {
            assert_eq!(read(&headers, host), id, "{host}");
        }
    }
}
