//! Where the route document comes from: a file that a person wrote, or the directory that the
//! operator mounts.
//!
//! Both are the same document and go through the same loader, the same `validate` and the same
//! `effective`. Invariant: reading has no side effect, so it can be repeated at any time.

use std::io;
use std::path::{Path, PathBuf};

use asyncmcp_crds::effective::effective;
use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_crds::{Overrides, RefusedDocument, config_hash, document, validate};

use super::{Config, Error, Refs};

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

    /// Why no key can be read, if the directory of a laptop is to blame.
    pub fn directory_trouble(&self) -> Option<String> {
        let Self::File { refs, .. } = self else {
            return None;
        };
        let trouble = match std::fs::metadata(refs) {
            Ok(data) if data.is_dir() => return None,
            Ok(_) => "it is not a directory".to_owned(),
            Err(error) => error.to_string(),
        };
        Some(format!("--refs-dir {}: {trouble}", refs.display()))
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
    let utf8 = |bytes| {
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it is not UTF-8 (at byte {at})"),
            )
        })
    };
    let read = std::fs::read(path).and_then(utf8);
    let read = read.map(|text| text.trim().to_owned());
    read.map_err(|source| Error::Read {
        path: path.display().to_string(),
        source,
    })
}
