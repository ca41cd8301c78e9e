//! What flags say in place of a cluster: where the Services of a route are on this machine.
//!
//! `asyncmcp-dataplane --server, --receiver` and `asyncmcp check` apply it. Invariant: a URL from a flag obeys the rules of
//! the field that it replaces, and a Service without one is an error that names the flag.

use crate::effective::Route;
use crate::form;
use crate::problem::Problem;
use crate::validate;

/// The values of `--server` and `--receiver`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// URLs of servers, by name.
    pub servers: Vec<(String, String)>,
    /// The URL of the default receiver.
    pub receiver: Option<String>,
}

/// Why the flags do not fit the route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field names a Kubernetes Service, and no flag gives its URL on this machine.
    #[error("{field} is a Service, which only a cluster can resolve: pass {flag}")]
    NoSuchService {
        /// The field.
        field: String,
        /// The flag that gives it a URL.
        flag: String,
    },
    /// `--server` names a server that the route does not have.
    #[error("--server {name}=...: the route has no server of that name; its servers are {servers}")]
    UnknownServer {
        /// The name in the flag.
        name: String,
        /// The names in the route.
        servers: String,
    },
    /// `--server` names a server twice.
    #[error("--server {0}=... is given twice; give it once")]
    Twice(String),
    /// `--receiver` is for a route without a receiver of its own.
    #[error("--receiver: the route has no webhook.receivers.default that it could replace")]
    NoReceiver,
    /// A URL breaks a rule of its field.
    #[error("{0}")]
    Url(Problem),
}

/// Parses `NAME=URL`, a value of `--server`.
pub fn name_and_url(text: &str) -> Result<(String, String), String> {
    let (name, url) = text.split_once('=').ok_or("expected NAME=URL")?;
    match validate::url(name, url, &form::SERVER_URL) {
        None => Ok((name.to_owned(), url.to_owned())),
        Some(problem) => Err(problem.message),
    }
}

impl Overrides {
    /// Puts the given URLs in place of those of the route, and refuses a Service without one.
    pub fn apply(&self, route: &mut Route) -> Result<(), Error> {
        for (index, (name, url)) in self.servers.iter().enumerate() {
            if self.servers[..index].iter().any(|(before, _)| before == name) {
                return Err(Error::Twice(name.clone()));
            }
            check(&format!("--server {name}"), url, &form::SERVER_URL)?;
            let names: Vec<_> = route.servers.iter().map(|server| server.name.clone()).collect();
            let server = route.servers.iter_mut().find(|server| server.name == *name);
            let server = server.ok_or_else(|| Error::UnknownServer {
                name: name.clone(),
                servers: names.join(", "),
            })?;
            server.url.clone_from(url);
            server.is_service = false;
        }
        if let Some(url) = &self.receiver {
            check("--receiver", url, &form::RECEIVER_URL)?;
            let receiver = route
                .webhook
                .receivers
                .default
                .as_mut()
                .ok_or(Error::NoReceiver)?;
            receiver.url.clone_from(url);
            receiver.is_service = false;
        }
        no_such_service(route).map_or(Ok(()), Err)
    }
}

fn check(flag: &str, url: &str, form: &form::Form) -> Result<(), Error> {
    validate::url(flag, url, form).map_or(Ok(()), |problem| Err(Error::Url(problem)))
}

fn no_such_service(route: &Route) -> Option<Error> {
    let server = route.servers.iter().position(|server| server.is_service);
    let server = server.map(|at| Error::NoSuchService {
        field: format!("spec.servers[{at}].service"),
        flag: format!("--server {}=URL", route.servers[at].name),
    });
    let default = route.webhook.receivers.default.as_ref();
    let receiver = default
        .filter(|receiver| receiver.is_service)
        .map(|_| Error::NoSuchService {
            field: "spec.webhook.receivers.default.service".to_owned(),
            flag: "--receiver URL".to_owned(),
        });
    server.or(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effective;
    use crate::load::{Unknown, load};

    fn route() -> Route {
        let text = "{apiVersion: asyncmcp.dev/v1alpha1, kind: McpWebhookRoute, metadata: {name: a}, spec: {servers: \
                    [{name: ex, service: {name: ex, port: 1}}], webhook: {receivers: {default: {url: http://r/}}}}}";
        effective(&load(text, Unknown::Refuse).unwrap().route)
    }

    fn applied(servers: &[(&str, &str)], receiver: Option<&str>) -> Result<Route, Error> {
        let mut route = route();
        let pair = |(name, url): &(&str, &str)| ((*name).to_owned(), (*url).to_owned());
        let overrides = Overrides {
            servers: servers.iter().map(pair).collect(),
            receiver: receiver.map(str::to_owned),
        };
        overrides.apply(&mut route).map(|()| route)
    }

    #[test]
    fn a_flag_replaces_a_service_and_also_a_url() {
        let route = applied(&[("ex", "http://127.0.0.1:1/mcp")], Some("http://127.0.0.1:2/")).unwrap();
        assert_eq!(route.servers[0].url, "http://127.0.0.1:1/mcp");
        assert_eq!(
            route.webhook.receivers.default.unwrap().url,
            "http://127.0.0.1:2/"
        );
    }

    #[test]
    fn flags_obey_the_rules_of_the_fields_they_replace() {
        let ex = ("ex", "http://127.0.0.1:1/mcp");
        for (servers, receiver, part) in [
            (vec![], None, "pass --server ex=URL"),
            (vec![ex, ex], None, "--server ex=... is given twice"),
            (vec![("other", ex.1)], None, "its servers are ex"),
            (vec![("ex", "http://u:p@h/mcp")], None, "--server ex: "),
            (vec![("ex", "http://h/mcp#x")], None, "--server ex: "),
            (vec![("ex", "http://169.254.169.254/")], None, "--server ex: "),
            (vec![ex], Some("nonsense"), "--receiver: "),
            (vec![ex], Some("127.0.0.1:1"), "--receiver: "),
            (vec![ex], Some("ftp://x"), "--receiver: "),
        ] {
            let error = applied(&servers, receiver).unwrap_err().to_string();
            assert!(error.contains(part), "{servers:?} {receiver:?}: {error}");
        }
    }
}
