//! One group of operations inside one write transaction: which rows each of them changes.
//!
//! Called by the writer only; one file an operation. When to commit, and what a failed commit means, is the writer's.
//! Invariant: an operation reads and decodes everything it needs before its first write, so one that fails has written
//! nothing.

mod accept;
mod claims;
mod evict;
mod notes;
mod notify;
mod reclaim;
mod remove;
mod restore;
mod run;

use std::iter::repeat;

use ::redb::{ReadableTable, Table, WriteTransaction};

pub(super) use self::restore::{Restored, may_lack_its_body};
use super::blob::{Draft, Name};
use super::disk_budget::used;
use super::fault::Fault;
use super::format::Ledger;
use super::history;
use super::hooks::{CommitInfo, Kind};
use super::keys::{self, DeadOf, Due, Queued, Timed};
use super::op::{Apply, Swap};
use super::read::damaged;
use super::tables::{self, Id, Value};
use super::usage;
use super::vault::{Stowed, Vault, file_of};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Applied, Change, Job, Key, Owner, Rows};
use crate::store::notices::NoticeCounts;
use crate::store::seal::Field;
use crate::store::{ClientUse, Error, HEARTBEAT, Space, Sweep, codec};

/// The tables of a write transaction, and what was changed so far.
pub(super) struct Group<'txn> {
    txn: &'txn WriteTransaction,
    vault: &'txn Vault,
    /// This process.
    owner: Owner,
    job: Table<'txn, Id, Value>,
    target: Table<'txn, Id, Value>,
    args: Table<'txn, Id, Value>,
    result: Table<'txn, Id, Value>,
    attempts: history::Rows<'txn>,
    exec: Table<'txn, &'static Queued, ()>,
    inflight: Table<'txn, Id, ()>,
    due: Table<'txn, &'static Due, ()>,
    waiting: Table<'txn, &'static Timed, ()>,
    dead: Table<'txn, &'static Timed, ()>,
    dead_of: Table<'txn, &'static DeadOf, ()>,
    expire: Table<'txn, &'static Timed, ()>,
    client: Table<'txn, &'static [u8; 8], Value>,
    dedupe: Table<'txn, &'static [u8; 32], Value>,
    session: Table<'txn, Id, Value>,
    session_expire: Table<'txn, &'static Timed, ()>,
    /// The space when the group began.
    space: Space,
    /// Before this row of `expire`, all delivered results were reclaimed.
    reclaimed: Timed,
    /// Files that rows of this group name. The caller's, so that it knows them however the group ends.
    written: &'txn mut Vec<Name>,
    done: Done,
}

/// The result of a group.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) info: CommitInfo,
    pub(super) ledger: Ledger,
    /// Files that rows no longer name.
    pub(super) dropped: Vec<Name>,
    /// What became of events.
    pub(super) notices: NoticeCounts,
}

impl<'txn> Group<'txn> {
    /// An empty group on top of the commit that left `ledger`.
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        (vault, owner): (&'txn Vault, Owner),
        (ledger, space, reclaimed): (Ledger, Space, Timed),
        written: &'txn mut Vec<Name>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            txn,
            vault,
            owner,
            job: txn.open_table(tables::JOB)?,
            target: txn.open_table(tables::TARGET)?,
            args: txn.open_table(tables::ARGS)?,
            result: txn.open_table(tables::RESULT)?,
            attempts: txn.open_table(tables::ATTEMPTS)?,
            exec: txn.open_table(tables::EXEC)?,
            inflight: txn.open_table(tables::INFLIGHT)?,
            due: txn.open_table(tables::DUE)?,
            waiting: txn.open_table(tables::WAITING)?,
            dead: txn.open_table(tables::DEAD)?,
            dead_of: txn.open_table(tables::DEAD_OF)?,
            expire: txn.open_table(tables::EXPIRE)?,
            client: txn.open_table(tables::CLIENT)?,
            dedupe: txn.open_table(tables::DEDUPE)?,
            session: txn.open_table(tables::SESSION)?,
            session_expire: txn.open_table(tables::SESSION_EXPIRE)?,
            space,
            reclaimed,
            written,
            done: Done {
                ledger,
                ..Done::default()
            },
        })
    }

    /// Writes the ledger and closes the tables; the commit follows.
    pub(super) fn finish(self) -> Result<Done, Fault> {
        let Self { txn, done, .. } = self;
        done.ledger.write(txn)?;
        Ok(done)
    }

    /// Where the next reclaiming continues.
    pub(super) fn reclaimed(&self) -> Timed {
        self.reclaimed
    }

    /// Whether nothing was changed, so that there is nothing to commit.
    pub(super) fn is_idle(&self) -> bool {
        self.done.info.total() == 0
    }

    /// `body` is present exactly if a change finishes the call.
    pub(super) fn apply(&mut self, apply: Apply) -> Result<Applied, Fault> {
        let Apply {
            id,
            step,
            body,
            token,
            notice,
        } = apply;
        if step.stamp.by != self.owner {
            return Ok(Applied::Fenced);
        }
        let Some(before) = self.job(id)? else {
            return Ok(Applied::Gone);
        };
        let Some(after) = before.after_step(&step) else {
            return Ok(Applied::Moved(before));
        };
        if before.version == after.version {
            return Ok(Applied::Applied(after));
        }
        let notice = self.admit(notice.filter(|_| !before.is_notice()))?;
        let used = self.client_use(before.client)?;
        if let Some(body) = body {
            take(&mut self.args, Field::Params, &id.to_bytes(), &mut self.done)?;
            put(&mut self.result, &id.to_bytes(), &body.value, &mut self.done)?;
            self.adopt(body);
        }
        if step.changes.contains(&Change::Evict) {
            self.give_back(&id.to_bytes())?;
        }
        if before.names.len() < after.names.len() {
            self.find_by(&after)?;
        }
        if before.has_resume_token || after.has_resume_token {
            self.hold(id, token.filter(|_| after.has_resume_token), &after)?;
        }
        let entries = step.changes.iter().filter_map(Change::entry);
        history::add(&mut self.attempts, id, entries, &mut self.done.ledger.usage)?;
        self.refile(id, &before.rows(), &after.rows())?;
        self.job
            .insert(&id.to_bytes(), codec::encode_job(&after).as_slice())?;
        self.note(kind(&step.changes), step.stamp.at);
        self.count(Some(&before), Some(&after), used)?;
        if let Some(admitted) = notice {
            self.notify(admitted, step.stamp.at)?;
        }
        Ok(Applied::Applied(after))
    }

    pub(super) fn sweep(&mut self, sweep: &Sweep) -> Result<usize, Fault> {
        let sessions = before(&self.session_expire, sweep.now, sweep.limit)?;
        let left = sweep.limit - sessions.len();
        let settled = before(&self.expire, sweep.settled_before, left)?;
        let dead = before(&self.dead, sweep.dead_before, left - settled.len())?;
        for row in &sessions {
            self.session_expire.remove(row)?;
            self.take_session(keys::timed_id(row))?;
        }
        for (row, is_dead) in settled
            .iter()
            .zip(repeat(false))
            .chain(dead.iter().zip(repeat(true)))
        {
            match self.remove(JobId::from_bytes(keys::timed_id(row))) {
                Err(Fault::Row(error @ Error::Corrupt(_))) => {
                    damaged(JobId::from_bytes(keys::timed_id(row)), &error.to_string());
                    let rows = if is_dead { &mut self.dead } else { &mut self.expire };
                    rows.remove(row)?;
                }
                removed => removed?,
            }
        }
        let gone = sessions.len() + settled.len() + dead.len();
        if gone > 0 || sweep.now >= self.done.ledger.high_water.plus(HEARTBEAT) {
            self.note(Kind::Sweep, sweep.now);
        }
        Ok(gone)
    }

    pub(super) fn swap_session(&mut self, swap: &Swap) -> Result<bool, Fault> {
        let sid = swap.sid;
        let before = self.session.get(&sid)?.map(|row| {
            let value = self.vault.open(Field::Session, sid, row.value())?;
            Ok::<_, Error>((codec::decode_session(&value)?, usage::of_value(row.value())))
        });
        let before = before.transpose()?;
        let version = before.as_ref().map_or(0, |(before, _)| before.version);
        if version.checked_add(1) != Some(swap.version) {
            return Ok(false);
        }
        let (size, known) = (
            usage::of_value(&swap.value),
            before.as_ref().map_or(0, |(_, size)| *size),
        );
        let others = self.done.ledger.usage.sessions.saturating_sub(known);
        if size > known && !self.space().holds_sessions(others + size) {
            return Err(Error::SessionsFull.into());
        }
        if let Some((before, _)) = before {
            self.session_expire.remove(&keys::expiry(before.expires, sid))?;
        }
        self.session_expire.insert(&keys::expiry(swap.expires, sid), ())?;
        self.take_session(sid)?;
        put(&mut self.session, &sid, &swap.value, &mut self.done)?;
        self.done.ledger.usage.add_session(&swap.value);
        self.done.info.note(Kind::Other);
        Ok(true)
    }

    /// Removes a session's row, if there is one.
    fn take_session(&mut self, sid: [u8; 16]) -> Result<(), Fault> {
        if let Some(row) = self.session.get(&sid)? {
            self.done.ledger.usage.remove_session(row.value());
        }
        take(&mut self.session, Field::Session, &sid, &mut self.done)
    }

    /// Updates the index rows of a job.
    fn refile(&mut self, id: JobId, before: &Rows, after: &Rows) -> Result<(), Fault> {
        let queue = |rows: &Rows| {
            rows.queued
                .map(|(server, client)| keys::queued(server, client, id))
        };
        let inflight = |rows: &Rows| rows.inflight.then_some(id.to_bytes());
        let due = |rows: &Rows| rows.due.map(|(to, rank, at)| keys::due(to, rank, at, id));
        let dead_of = |rows: &Rows| rows.dead_of.map(|(client, at)| keys::dead_of(client, at, id));
        let timed = |at: Option<Millis>| at.map(|at| keys::timed(at, id));
        swap(&mut self.exec, queue(before), queue(after))?;
        swap(&mut self.inflight, inflight(before), inflight(after))?;
        swap(&mut self.due, due(before), due(after))?;
        swap(&mut self.waiting, timed(before.waiting), timed(after.waiting))?;
        swap(&mut self.dead, timed(before.dead), timed(after.dead))?;
        swap(&mut self.dead_of, dead_of(before), dead_of(after))?;
        let settled = timed(after.settled);
        self.reclaimed = settled.map_or(self.reclaimed, |row| self.reclaimed.min(row));
        swap(&mut self.expire, timed(before.settled), settled)
    }

    /// The space after what the group did so far.
    fn space(&self) -> Space {
        Space {
            used: used(&self.done.ledger),
            ..self.space
        }
    }

    fn job(&self, id: JobId) -> Result<Option<Job>, Fault> {
        let row = self.job.get(&id.to_bytes())?;
        let job = row.map(|row| codec::decode_job(id, row.value()));
        Ok(job.transpose()?)
    }

    fn note(&mut self, kind: Kind, now: Millis) {
        self.done.info.note(kind);
        self.done.ledger.high_water = self.done.ledger.high_water.max(now);
    }

    /// Counts a changed job in the ledger and for its client, whose jobs used `used` so far.
    fn count(&mut self, before: Option<&Job>, after: Option<&Job>, mut used: ClientUse) -> Result<(), Fault> {
        let state = |job: Option<&Job>| job.map(|job| job.state);
        self.done.ledger.counts.shift(state(before), state(after));
        self.done.ledger.queues.shift(before, after);
        let known = used;
        used.shift(before, after);
        match before.or(after) {
            Some(job) if used != known => self.set_client_use(job.client, used),
            _ => Ok(()),
        }
    }

    fn client_use(&self, client: Key) -> Result<ClientUse, Fault> {
        let row = self.client.get(&client.0)?;
        let used = row.map(|row| ClientUse::decode(row.value()));
        Ok(used.transpose()?.unwrap_or_default())
    }

    fn set_client_use(&mut self, client: Key, used: ClientUse) -> Result<(), Fault> {
        if used.is_nothing() {
            self.client.remove(&client.0)?;
        } else {
            self.client.insert(&client.0, used.encode().as_slice())?;
        }
        Ok(())
    }

    /// A row names the file now. Whether the commit succeeds decides whether it stays.
    fn adopt(&mut self, stowed: Stowed) {
        self.written.extend(stowed.draft.and_then(Draft::keep));
    }
}

/// The kind of the changes: that of the last one that has its own.
fn kind(changes: &[Change]) -> Kind {
    let mut kinds = changes.iter().rev().filter_map(|change| match change {
        Change::Start => Some(Kind::Start),
        Change::Finish { .. } => Some(Kind::Finish),
        Change::Retry { .. } => Some(Kind::Retry),
        Change::Evict => Some(Kind::Sweep),
        Change::Deliver | Change::Bury { .. } | Change::Stop => Some(Kind::Settle),
        _ => None,
    });
    kinds.next().unwrap_or(Kind::Other)
}

/// The first rows of a time index that are earlier than `time`.
fn before(rows: &Table<'_, &'static Timed, ()>, time: Millis, limit: usize) -> Result<Vec<Timed>, Fault> {
    let end = keys::timed(time, JobId::MIN);
    let rows = rows.range::<&Timed>(..&end)?.take(limit);
    rows.map(|row| Ok(*row?.0.value())).collect()
}

/// Replaces an index row with another; either may be absent.
fn swap<const N: usize>(
    rows: &mut Table<'_, &'static [u8; N], ()>,
    before: Option<[u8; N]>,
    after: Option<[u8; N]>,
) -> Result<(), Fault> {
    if before == after {
        return Ok(());
    }
    if let Some(row) = before {
        rows.remove(&row)?;
    }
    if let Some(row) = after {
        rows.insert(&row, ())?;
    }
    Ok(())
}

/// Writes a value and counts it. There must be none under this key.
fn put(rows: &mut Table<'_, Id, Value>, key: &[u8; 16], value: &[u8], done: &mut Done) -> Result<(), Fault> {
    rows.insert(key, value)?;
    done.ledger.usage.add(value);
    Ok(())
}

/// Removes a value, if there is one, and counts that; its file is removed after the commit.
fn take(rows: &mut Table<'_, Id, Value>, field: Field, key: &[u8; 16], done: &mut Done) -> Result<(), Fault> {
    if let Some(value) = rows.remove(key)? {
        done.ledger.usage.remove(value.value());
        done.dropped.extend(file_of(field, *key, value.value()));
    }
    Ok(())
}
