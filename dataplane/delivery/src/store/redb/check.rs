//! Whether the file is consistent: every row and count is recomputed from the jobs' headers and
//! compared with the tables.
//!
//! `store check` and tests call it. Invariant: reads everything in one transaction and keeps only a number
//! per client: each expected row is looked up, and the number of expected rows must be the table's length, so
//! there is no other row.

use std::collections::BTreeMap;

use ::redb::{ReadableTableMetadata, TableDefinition, TableError, Value};

use super::fault::Fault;
use super::format;
use super::group::may_lack_its_body;
use super::keys;
use super::read::{View, table};
use super::tables;
use super::usage::Usage;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Job, Key};
use crate::state::Exec;
use crate::store::codec::wrap::Wrapped;
use crate::store::queue_counts::QueueCounts;
use crate::store::seal::Field;
use crate::store::{ClientUse, Counts, Error, codec};

/// Where a check stops.
const FINDINGS: usize = 100;

/// How many rows each table should have.
#[derive(Default)]
struct Expected {
    jobs: u64,
    args: u64,
    results: u64,
    tokens: u64,
    names: u64,
    attempts: u64,
    exec: u64,
    inflight: u64,
    due: u64,
    waiting: u64,
    dead: u64,
    dead_of: u64,
    expire: u64,
    sessions: u64,
    clients: BTreeMap<Key, ClientUse>,
    counts: Counts,
    queues: QueueCounts,
    stages: BTreeMap<&'static str, u64>,
}

/// Compares everything; the first finding is the error.
pub(super) fn check(view: &View) -> Result<(), Error> {
    match look(view).findings.into_iter().next() {
        Some(finding) => Err(Error::Corrupt(finding)),
        None => Ok(()),
    }
}

/// What a look through everything found.
#[derive(Default)]
pub(super) struct Checked {
    /// At most [`FINDINGS`] of what is inconsistent.
    pub(super) findings: Vec<String>,
    /// Jobs by their stage's name, as their headers say.
    pub(super) stages: BTreeMap<&'static str, u64>,
}

/// Compares everything, and continues after a finding.
pub(super) fn look(view: &View) -> Checked {
    let (mut expected, mut found) = (Expected::default(), Vec::new());
    let mut note = |part: Result<(), Error>| match part {
        Err(error) if found.len() < FINDINGS => found.push(error.to_string()),
        _ => {}
    };
    let looked_through = jobs(view, &mut expected, &mut note);
    note(looked_through);
    note(clients(view, &expected));
    note(sessions(view, &mut expected));
    note(lengths(view, &expected));
    note(ledger(view, &expected));
    note(plain(view));
    Checked {
        findings: found,
        stages: expected.stages,
    }
}

/// A plain value beside encrypted ones was written by somebody without the key. With the key at hand, each is found where
/// it is read.
fn plain(view: &View) -> Result<(), Error> {
    let seals = !format::ledger(&view.0)?.usage.keys.is_empty();
    let mut values = 0;
    for field in Field::ALL {
        let rows = match view.0.open_table(table(field)) {
            Err(TableError::TableDoesNotExist(_)) => continue, // of an earlier version
            rows => rows.map_err(Fault::from)?,
        };
        for row in rows.range::<&[u8; 16]>(..).map_err(Fault::from)? {
            let (_, value) = row.map_err(Fault::from)?;
            values += u64::from(matches!(Wrapped::read(value.value())?, Wrapped::Plain(_)));
        }
    }
    agree(!seals || values == 0, || {
        format!("{values} values are not encrypted, and others are: somebody without the key wrote them")
    })
}

fn jobs(view: &View, expected: &mut Expected, note: &mut impl FnMut(Result<(), Error>)) -> Result<(), Error> {
    let jobs = view.0.open_table(tables::JOB).map_err(Fault::from)?;
    for row in jobs.range::<&[u8; 16]>(..).map_err(Fault::from)? {
        let (id, header) = row.map_err(Fault::from)?;
        match codec::decode_job(JobId::from_bytes(*id.value()), header.value()) {
            Err(error) => note(Err(error)),
            Ok(job) => {
                note(payloads(view, &job, expected));
                note(rows(view, &job, expected));
            }
        }
    }
    Ok(())
}

fn payloads(view: &View, job: &Job, expected: &mut Expected) -> Result<(), Error> {
    let ended = matches!(job.state.exec, Exec::Ended(_));
    expected.jobs += 1;
    *expected.stages.entry(job.state.stage().as_str()).or_default() += 1;
    expected.args += u64::from(!ended);
    expected.results += u64::from(ended);
    expected.tokens += u64::from(job.has_resume_token);
    for name in &job.names {
        expected.names += u64::from(view.find(*name)? == Some(job.id));
    }
    expected.attempts += view.history(job.id)?.len() as u64;
    expected.counts.shift(None, Some(job.state));
    expected.queues.shift(None, Some(job));
    let client = expected.clients.entry(job.client).or_default();
    client.shift(None, Some(job));
    let fits = is_there(view.call(job.id))?
        && is_there(view.payload(Field::Params, job.id))? != ended
        && has_body(view, job)? == ended
        && is_there(view.resume_token(job.id))? == job.has_resume_token
        && view.find(job.dedupe)? == Some(job.id);
    agree(fits, || {
        format!(
            "job {} lacks its call, arguments, result, resume token or dedupe row",
            job.id
        )
    })
}

fn rows(view: &View, job: &Job, expected: &mut Expected) -> Result<(), Error> {
    let (id, rows) = (job.id, job.rows());
    let queue = rows
        .queued
        .map(|(server, client)| keys::queued(server, client, id));
    let due = rows.due.map(|(to, rank, at)| keys::due(to, rank, at, id));
    let timed = |at: Option<Millis>| at.map(|at| keys::timed(at, id));
    let dead_of = rows.dead_of.map(|(client, at)| keys::dead_of(client, at, id));
    let inflight = rows.inflight.then_some(id.to_bytes());
    row(view, tables::EXEC, queue, &mut expected.exec)?;
    row(view, tables::INFLIGHT, inflight, &mut expected.inflight)?;
    row(view, tables::DUE, due, &mut expected.due)?;
    row(view, tables::WAITING, timed(rows.waiting), &mut expected.waiting)?;
    row(view, tables::DEAD, timed(rows.dead), &mut expected.dead)?;
    row(view, tables::DEAD_OF, dead_of, &mut expected.dead_of)?;
    row(view, tables::EXPIRE, timed(rows.settled), &mut expected.expire)
}

fn row<const N: usize>(
    view: &View,
    table: TableDefinition<'_, &'static [u8; N], ()>,
    key: Option<[u8; N]>,
    expected: &mut u64,
) -> Result<(), Error> {
    let Some(key) = key else {
        return Ok(());
    };
    *expected += 1;
    agree(view.has(table, &key)?, || {
        format!("table {table} lacks the row {key:02x?}")
    })
}

fn clients(view: &View, expected: &Expected) -> Result<(), Error> {
    for (client, used) in &expected.clients {
        let found = view.client_use(*client)?;
        agree(found == *used, || {
            format!(
                "the jobs of client {:02x?} use {used:?}, and its row says {found:?}",
                client.0
            )
        })?;
    }
    Ok(())
}

fn sessions(view: &View, expected: &mut Expected) -> Result<(), Error> {
    let sessions = view.0.open_table(tables::SESSION).map_err(Fault::from)?;
    for row in sessions.range::<&[u8; 16]>(..).map_err(Fault::from)? {
        let (sid, session) = row.map_err(Fault::from)?;
        expected.sessions += 1;
        let session = match view.1.open(Field::Session, *sid.value(), session.value()) {
            Err(Error::Sealed { .. }) => continue, // its expiry is encrypted, too
            session => codec::decode_session(&session?)?,
        };
        let key = keys::expiry(session.expires, *sid.value());
        let there = view.has(tables::SESSION_EXPIRE, &key)?;
        agree(there, || format!("table session_expire lacks the row {key:02x?}"))?;
    }
    Ok(())
}

fn lengths(view: &View, expected: &Expected) -> Result<(), Error> {
    length(view, tables::TARGET, expected.jobs)?;
    length(view, tables::DEDUPE, expected.jobs + expected.names)?;
    length(view, tables::ARGS, expected.args)?;
    length(view, tables::RESULT, expected.results)?;
    if view.has_resume_tokens()? {
        length(view, tables::RESUME_TOKEN, expected.tokens)?;
    }
    length(view, tables::ATTEMPTS, expected.attempts)?;
    length(view, tables::EXEC, expected.exec)?;
    length(view, tables::INFLIGHT, expected.inflight)?;
    length(view, tables::DUE, expected.due)?;
    length(view, tables::WAITING, expected.waiting)?;
    length(view, tables::DEAD, expected.dead)?;
    length(view, tables::DEAD_OF, expected.dead_of)?;
    length(view, tables::EXPIRE, expected.expire)?;
    let clients = expected.clients.values().filter(|used| !used.is_nothing());
    length(view, tables::CLIENT, clients.count() as u64)?;
    length(view, tables::SESSION_EXPIRE, expected.sessions)
}

fn length<const N: usize, V: Value + 'static>(
    view: &View,
    table: TableDefinition<'_, &'static [u8; N], V>,
    expected: u64,
) -> Result<(), Error> {
    let found = match view.0.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => 0, // of an earlier version
        rows => rows.map_err(Fault::from)?.len().map_err(Fault::from)?,
    };
    agree(found == expected, || {
        format!("table {table} has {found} rows, and the jobs account for {expected}")
    })
}

fn ledger(view: &View, expected: &Expected) -> Result<(), Error> {
    let ledger = format::ledger(&view.0)?;
    let Expected { counts, queues, .. } = expected;
    agree(ledger.counts == *counts, || {
        format!("the ledger says {:?}, and the jobs are {counts:?}", ledger.counts)
    })?;
    agree(ledger.queues == *queues, || {
        format!(
            "the ledger says {:?}, and the queues are {queues:?}",
            ledger.queues
        )
    })?;
    let usage = Usage::recount(&view.0)?;
    agree(ledger.usage == usage, || {
        format!("the ledger says {:?}, and the rows have {usage:?}", ledger.usage)
    })
}

/// A body that was deleted early counts as present.
fn has_body(view: &View, job: &Job) -> Result<bool, Error> {
    let gone = job.size == 0 && may_lack_its_body(job.state.push) && view.gave_back(job.id)?;
    Ok(gone || is_there(view.payload(Field::Body, job.id))?)
}

/// Whether a value is present, also if its key is missing.
fn is_there<T>(value: Result<Option<T>, Error>) -> Result<bool, Error> {
    match value {
        Err(Error::Sealed { .. }) => Ok(true),
        value => Ok(value?.is_some()),
    }
}

fn agree(agrees: bool, otherwise: impl FnOnce() -> String) -> Result<(), Error> {
    if agrees {
        Ok(())
    } else {
        Err(Error::Corrupt(otherwise()))
    }
}
