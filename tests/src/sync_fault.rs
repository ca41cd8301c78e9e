//! A sync of the store that is done and reports failure.
//!
//! `sync_fault.c` is preloaded into the data plane and fails the sync that a test chooses. A commit is two syncs; the second
//! one of a commit is what makes it durable. Invariant: only syncs of the store's file fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::dataplane::Launch;
use crate::eventually;

/// How long a chosen sync may take to come.
const PATIENCE: Duration = Duration::from_mins(1);
/// Syncs of one commit.
const COMMIT: u32 = 2;

/// Where a test says which sync fails.
pub struct SyncFault {
    control: PathBuf,
    shim: PathBuf,
    _dir: TempDir,
}

impl SyncFault {
    /// Compiles the shim, once in each process, in `place`.
    pub fn new(place: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self {
            control: dir.path().join("fails"),
            shim: shim(place)?,
            _dir: dir,
        })
    }

    /// How the data plane is started whose syncs are to fail.
    pub fn launch(&self) -> Launch {
        let shim = self.shim.display().to_string();
        let control = self.control.display().to_string();
        Launch {
            env: vec![
                ("LD_PRELOAD".to_owned(), shim),
                ("SYNC_FAULT".to_owned(), control),
            ],
            ..Launch::default()
        }
    }

    /// The sync that makes the `commits`-th commit from now durable fails after it was done.
    pub fn fail(&self, commits: u32) -> Result<()> {
        Ok(std::fs::write(&self.control, (commits * COMMIT).to_string())?)
    }

    /// No sync ever works again.
    pub fn fail_for_good(&self) -> Result<()> {
        Ok(std::fs::write(&self.control, "-1")?)
    }

    /// Returns when the sync has failed.
    pub async fn happened(&self) {
        eventually(PATIENCE, || async {
            if self.control.exists() {
                Err("no sync has failed")
            } else {
                Ok(())
            }
        })
        .await;
    }
}

fn shim(place: &Path) -> Result<PathBuf> {
    static SHIM: std::sync::OnceLock<std::result::Result<PathBuf, String>> = std::sync::OnceLock::new();
    let compile = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promise/sync_fault.c");
        let shim = place.join("sync_fault.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&shim)
            .arg(source)
            .arg("-ldl")
            .status();
        match status {
            Ok(status) if status.success() => Ok(shim),
            status => Err(format!("cc: {status:?}")),
        }
    };
    SHIM.get_or_init(compile).clone().map_err(anyhow::Error::msg)
}
