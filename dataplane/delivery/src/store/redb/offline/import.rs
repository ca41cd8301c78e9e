//! Imports an export's lines into a new store.
//!
//! Invariant: never into an existing store; everything in one commit, so that the store is complete.

use std::fs;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use super::lines::{Head, JobLine, Line, SessionLine, VERSION};
use super::{Failure, existing};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::Owner;
use crate::store::redb::fault::Fault;
use crate::store::redb::file::{Directory, Media as _};
use crate::store::redb::group::Group;
use crate::store::redb::keys::Timed;
use crate::store::redb::vault::Vault;
use crate::store::redb::{format, group};
use crate::store::seal::Sealer;
use crate::store::{Error, Space, codec};

/// What was imported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Jobs.
    pub jobs: u64,
    /// Sessions.
    pub sessions: u64,
    /// Jobs that were skipped because a required part is missing, and why.
    pub skipped: Vec<String>,
}

/// Creates a store from the lines in `dir`, which must have none.
pub fn import(dir: &Path, lines: &mut dyn BufRead) -> Result<Imported, Failure> {
    if existing(dir).is_ok() {
        return Err(Failure::Occupied(dir.display().to_string()));
    }
    let mut lines = lines.lines().enumerate();
    let first = lines.next();
    let (_, first) = first.ok_or_else(|| Failure::NoLine(1, "there is none".to_owned()))?;
    let head: Head = parse(1, &first.map_err(Failure::Lines)?)?;
    if head.asyncmcp_store != VERSION {
        let (found, known) = (head.asyncmcp_store, VERSION);
        return Err(Error::NewerFormat { found, known }.into());
    }
    let directory = Directory::open(dir)?;
    let imported = fill(&directory, &head, &mut lines);
    if imported.is_err() {
        // It is ours and empty: the next try must not find it.
        let _ = fs::remove_file(dir.join(super::FILE));
    }
    imported
}

fn parse<T: serde::de::DeserializeOwned>(number: usize, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::NoLine(number, error.to_string()))
}

fn fill(
    directory: &Directory,
    head: &Head,
    lines: &mut dyn Iterator<Item = (usize, std::io::Result<String>)>,
) -> Result<Imported, Failure> {
    let (db, mut ledger) = directory.open()?;
    ledger.high_water = Millis(head.high_water);
    let vault = Vault {
        blobs: directory.blobs(),
        sealer: Arc::new(Sealer::default()),
        route: format::route(&db, &head.route)?,
        large: super::super::options::LARGE,
    };
    let txn = format::begin(&db).map_err(Error::from)?;
    let state = (ledger, Space::default(), Timed::default());
    let mut files = Vec::new();
    let mut group = Group::open(&txn, (&vault, Owner::default()), state, &mut files).map_err(Error::from)?;
    let mut imported = Imported::default();
    for (index, line) in lines {
        match parse(index + 1, &line.map_err(Failure::Lines)?)? {
            Line::Job(job) => add_job(&mut group, &vault, *job, &mut imported)?,
            Line::Session(session) => add_session(&mut group, session, &mut imported)?,
        }
    }
    group.finish().map_err(Error::from)?;
    txn.commit().map_err(Fault::from).map_err(Error::from)?;
    db.close().map_err(Fault::from).map_err(Error::from)?;
    Ok(imported)
}

fn add_job(
    group: &mut Group<'_>,
    vault: &Vault,
    line: JobLine,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let name = line.job.clone();
    match restored(vault, line) {
        Ok(job) => {
            group.restore(job).map_err(Error::from)?;
            imported.jobs += 1;
        }
        Err(Error::Corrupt(why)) => imported.skipped.push(format!("job {name}: {why}")),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn restored(vault: &Vault, line: JobLine) -> Result<group::Restored, Error> {
    let lacks = |what: &str| Error::Corrupt(format!("it lacks its {what}"));
    let id: JobId = line.job.parse().map_err(|_| lacks("id"))?;
    let dedupe = line.dedupe.ok_or_else(|| lacks("dedupe row"))?.0;
    let call = line.call.ok_or_else(|| lacks("call"))?.value.0;
    let job = codec::decode_job(id, &line.header.0)?;
    codec::decode_dedupe(&dedupe)?;
    let attempts = line.attempts.into_iter();
    group::Restored::new(
        job,
        (dedupe, call),
        [line.params, line.body, line.token].map(|value| value.map(|value| value.value.0)),
        attempts
            .map(|attempt| (attempt.number, attempt.value.0))
            .collect(),
        vault,
    )
}

fn add_session(group: &mut Group<'_>, line: SessionLine, imported: &mut Imported) -> Result<(), Failure> {
    let sid = <[u8; 16]>::try_from(line.session.0);
    let sid = sid.map_err(|_| Error::Corrupt("a session's id has 16 bytes".to_owned()))?;
    let row = (sid, Millis(line.expires), line.row.value.0);
    group.restore_session(row).map_err(Error::from)?;
    imported.sessions += 1;
    Ok(())
}
