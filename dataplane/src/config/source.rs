//! Where the route document comes from: a file that a person wrote, or the directory that the
//! operator mounts.
//!
//! Both are the same document and go through the same loader, the same `validate` and the same
//! `effective`. Invariant: reading has no side effect, so it can be repeated at any time.

use std::path::{Path, PathBuf};

use asyncmcp_crds::effective::{Route, effective};
use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_crds::{RefusedDocument, config_hash, document, validate};

use super::{Config, Error, Refs};

/// The values of `--server` and `--receiver`.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// URLs of servers, by name.
    pub servers: Vec<(String, String)>,
    /// The URL of the default receiver.
    pub receiver: Option<String>,
}

/// Where the route document is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A laptop: `--route`, `--refs-dir`, `--server` and `--receiver`.
    File {
        /// The route, as YAML or JSON.
        route: PathBuf,
        /// The directory with `secrets/<name>/<key>` and `configmaps/<name>/<key>`.
        refs: PathBuf,
        /// Where Services are on this machine.
        overrides: Overrides,
    },
    /// A pod: the directory that the operator projects.
    Mounted {
        /// With `route.json`, `config-hash`, `last-route.json`, `last-config-hash`, `secrets/` and `configmaps/`.
        dir: PathBuf,
    },
}

impl Source {
    /// The newest document.
    pub fn read(&self) -> Result<Config, Error> {
        match self {
            Self::File {
                route,
                refs,
                overrides,
            } => {
                let mut config = read(route, refs, Unknown::Refuse)?;
                overrides.apply(&mut config.route)?;
                Ok(config)
            }
            Self::Mounted { dir } => read_mounted(dir, "route.json", "config-hash"),
        }
    }

    /// The newest document, or the last one that was Programmed where the newest is refused: a pod
    /// that starts beside a bad document serves the good one and reports it.
    pub fn read_or_last(&self) -> Result<Config, Error> {
        let error = match self.read() {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let Self::Mounted { dir } = self else {
            return Err(error);
        };
        let Ok(mut last) = read_mounted(dir, "last-route.json", "last-config-hash") else {
            return Err(error);
        };
        last.refused = Some(self.refused(&error));
        Ok(last)
    }

    /// The newest document's refusal, as `/status` reports it.
    pub fn refused(&self, error: &Error) -> RefusedDocument {
        let config_hash = match self {
            Self::File { .. } => String::new(),
            Self::Mounted { dir } => text(&dir.join("config-hash")).unwrap_or_default(),
        };
        RefusedDocument {
            config_hash,
            message: error.to_string(),
        }
    }

    /// The files that decide the configuration: when none of them changed, neither did it.
    pub fn files(&self, refs: &Refs) -> Vec<PathBuf> {
        let (mut files, dir) = match self {
            Self::File { route, refs, .. } => (vec![route.clone()], refs),
            Self::Mounted { dir } => (vec![dir.join("route.json"), dir.join("config-hash")], dir),
        };
        files.extend(refs.files(dir));
        files
    }
}

/// The operator supplies the hash of its document; it alone decides what a hash covers.
fn read_mounted(dir: &Path, route: &str, hash: &str) -> Result<Config, Error> {
    let mut config = read(&dir.join(route), dir, Unknown::Report)?;
    config.hash = text(&dir.join(hash))?;
    Ok(config)
}

fn read(path: &Path, refs: &Path, unknown: Unknown) -> Result<Config, Error> {
    let text = text(path)?;
    let path = path.display().to_string();
    let loaded = load(&text, unknown).map_err(|source| Error::Load {
        path: path.clone(),
        source,
    })?;
    validate(&loaded.route).map_err(|problems| Error::Invalid {
        path,
        problems: problems.at(&loaded.lines),
    })?;
    let route = effective(&loaded.route);
    Ok(Config {
        hash: config_hash(&document(&loaded.value)),
        refs: Refs::read(refs, &loaded.route.spec),
        unknown_fields: loaded.unknown,
        refused: None,
        route,
    })
}

fn text(path: &Path) -> Result<String, Error> {
    let read = std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    read.map_err(|source| Error::Read {
        path: path.display().to_string(),
        source,
    })
}

impl Overrides {
    /// Puts the given URLs in place of Services, and refuses a Service without one.
    fn apply(&self, route: &mut Route) -> Result<(), Error> {
        for (name, url) in &self.servers {
            let server = route.servers.iter_mut().find(|server| server.name == *name);
            let server = server.ok_or_else(|| Error::UnknownServer(name.clone()))?;
            server.url.clone_from(url);
            server.is_service = false;
        }
        if let (Some(url), Some(receiver)) = (&self.receiver, &mut route.webhook.receivers.default) {
            receiver.url.clone_from(url);
            receiver.is_service = false;
        }
        match no_such_service(route) {
            Some((field, flag)) => Err(Error::NoSuchService { field, flag }),
            None => Ok(()),
        }
    }
}

fn no_such_service(route: &Route) -> Option<(String, String)> {
    let server = route
        .servers
        .iter()
        .position(|server| server.is_service)
        .map(|at| {
            (
                format!("spec.servers[{at}].service"),
                format!("--server {}=URL", route.servers[at].name),
            )
        });
    let receiver = || {
        let receiver = route
            .webhook
            .receivers
            .default
            .as_ref()
            .filter(|receiver| receiver.is_service);
        receiver.map(|_| {
            (
                "spec.webhook.receivers.default.service".to_owned(),
                "--receiver URL".to_owned(),
            )
        })
    };
    server.or_else(receiver)
}
