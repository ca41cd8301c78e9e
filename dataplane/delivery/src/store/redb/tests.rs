//! The embedded store: under the suite, and what only a file can get wrong.

mod blobs;
mod disk;
mod faults;
mod files;
mod groups;
mod model;
mod offline;
mod power;
mod room;
mod sealing;

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::store::conformance::{Subject, suite};
use crate::store::roles::*;

struct Subjected {
    store: Arc<Embedded>,
    _dir: TempDir,
}

impl Subject for Subjected {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<Embedded>::clone(&self.store)
    }

    fn verify(&self) {
        if self.store.is_up() {
            self.store.check().unwrap();
        }
    }
}

fn open() -> Subjected {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path(), Options::default()).unwrap();
    Subjected {
        store: Arc::new(store),
        _dir: dir,
    }
}

fn open_small() -> Subjected {
    let dir = TempDir::new().unwrap();
    let options = Options {
        size: crate::store::conformance::space::BUDGET / 80 * 100 + 100,
        ..Options::default()
    };
    let store = Embedded::open(dir.path(), options).unwrap();
    Subjected {
        store: Arc::new(store),
        _dir: dir,
    }
}

suite!(open(), small: open_small());
