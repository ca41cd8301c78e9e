//! What the maintenance commands say of their results, for people.
//!
//! Printed by `asyncmcp-dataplane store` and `asyncmcp store`. Invariant: both say the same.

use std::fmt;
use std::path::Path;

use super::{Exported, Imported, KEYS, Report};

impl Report {
    /// The number of all jobs.
    pub fn jobs(&self) -> u64 {
        self.stages.iter().map(|(_, jobs)| jobs).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stage, jobs) in self.stages {
            writeln!(f, "{} {jobs}", stage.as_str())?;
        }
        writeln!(f, "jobs {}", self.jobs())?;
        let (rows, files) = self.taken;
        writeln!(f, "bytes of rows {rows}, of files {files}")?;
        writeln!(f, "newest time {}", self.high_water)?;
        for (key, values) in &self.keys {
            writeln!(f, "values sealed with key {key}: {values}")?;
        }
        for finding in &self.findings {
            writeln!(f, "finding: {finding}")?;
        }
        write!(f, "findings {}", self.findings.len())
    }
}

impl Exported {
    /// Whether everything could be read.
    pub fn is_whole(&self) -> bool {
        !self.damaged && self.incomplete == 0
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            jobs,
            incomplete,
            sessions,
            damaged,
        } = self;
        write!(
            f,
            "exported {jobs} jobs, {incomplete} of them incomplete, and {sessions} sessions"
        )?;
        if *damaged {
            write!(f, "\nparts of the store could not be read")?;
        }
        Ok(())
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for skipped in &self.skipped {
            writeln!(f, "skipped {skipped}")?;
        }
        write!(f, "imported {} jobs and {} sessions", self.jobs, self.sessions)
    }
}

/// What has to be copied to an imported store before a data plane can use it.
pub fn missing_files(dir: &Path) -> Option<String> {
    (!dir.join(KEYS).exists()).then(|| {
        format!(
            "now copy store.json, and clock.json if there is one, from the directory of the exported store to {}: without \
             store.json nothing can be decrypted, and no data plane starts",
            dir.display()
        )
    })
}
