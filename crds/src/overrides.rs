//! What flags say in place of a cluster: where the Services of a route are on this machine.
//!
//! `asyncmcp-dataplane --server, --receiver, --notify-receiver` and `asyncmcp check` apply it. Invariant: a URL from a flag obeys the rules of
//! the field that it replaces, and a Service without one is an error that names the flag.

use crate::effective::{DefaultReceiver, Route};
use crate::form;
use crate::problem::Problem;
use crate::validate;

/// The values of `--server`, `--receiver` and `--notify-receiver`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// URLs of servers, by name.
    pub servers: Vec<(String, String)>,
    /// The URL of the default receiver.
    pub receiver: Option<String>,
    /// The URL of the receiver of events about dead letters.
    pub notify_receiver: Option<String>,
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
    /// `--receiver` or `--notify-receiver` is for a route without a receiver of its own.
    #[error("{flag}: the route has no {field} that it could replace")]
    NoReceiver {
        /// The flag.
        flag: &'static str,
        /// The field.
        field: &'static str,
    },
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
        let webhook = &mut route.webhook;
        replace(
            DEFAULT,
            self.receiver.as_ref(),
            webhook.receivers.default.as_mut(),
        )?;
        replace(NOTIFY, self.notify_receiver.as_ref(), webhook.notify.as_mut())?;
        no_such_service(route).map_or(Ok(()), Err)
    }
}

/// A flag, and the field that it replaces.
type Replaces = (&'static str, &'static str);

const DEFAULT: Replaces = ("--receiver", "webhook.receivers.default");
const NOTIFY: Replaces = ("--notify-receiver", "webhook.deadLetter.notify");

fn replace(
    (flag, field): Replaces,
    url: Option<&String>,
    receiver: Option<&mut DefaultReceiver>,
) -> Result<(), Error> {
    let Some(url) = url else {
        return Ok(());
    };
    check(flag, url, &form::RECEIVER_URL)?;
    let receiver = receiver.ok_or(Error::NoReceiver { flag, field })?;
    receiver.url.clone_from(url);
    receiver.is_service = false;
    Ok(())
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
    let of_author = [
        (DEFAULT, &route.webhook.receivers.default),
        (NOTIFY, &route.webhook.notify),
    ];
    let mut services = of_author
        .into_iter()
        .filter(|(_, receiver)| receiver.as_ref().is_some_and(|receiver| receiver.is_service));
    server.or_else(|| {
        let ((flag, field), _) = services.next()?;
        Some(Error::NoSuchService {
            field: format!("spec.{field}.service"),
            flag: format!("{flag} URL"),
        })
    })
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
            notify_receiver: None,
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

    #[test]
    fn the_receiver_of_events_has_a_flag_of_its_own() {
        let flag = Overrides {
            servers: vec![("ex".to_owned(), "http://127.0.0.1:1/mcp".to_owned())],
            notify_receiver: Some("http://127.0.0.1:3/".to_owned()),
            ..Overrides::default()
        };
        let text = flag.apply(&mut route()).unwrap_err().to_string();
        assert!(text.contains("no webhook.deadLetter.notify"), "{text}");
        let service = DefaultReceiver {
            url: "http://ops.default.svc:80/".to_owned(),
            is_service: true,
            headers: Vec::new(),
        };
        let with_service = || {
            let mut route = route();
            route.webhook.notify = Some(service.clone());
            route
        };
        let mut given = with_service();
        flag.apply(&mut given).unwrap();
        assert_eq!(given.webhook.notify.unwrap().url, "http://127.0.0.1:3/");
        let without = Overrides {
            notify_receiver: None,
            ..flag
        };
        let text = without.apply(&mut with_service()).unwrap_err().to_string();
        assert!(
            text.contains("spec.webhook.deadLetter.notify.service")
                && text.contains("pass --notify-receiver URL"),
            "{text}"
        );
    }
}
