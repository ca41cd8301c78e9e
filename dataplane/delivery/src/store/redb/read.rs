//! Queries, each from one read transaction.
//!
//! The store's methods and the check use it. Invariant: the cost of a query depends on the length of its answer, not on
//! the number of jobs.

use std::ops::Bound::{Excluded, Unbounded};

use ::redb::{ReadTransaction, TableDefinition, TableError};
use bytes::Bytes;

use super::blob::Name;
use super::fault::Fault;
use super::keys;
use super::tables::{self, Id, Value};
use super::vault::{Vault, file_of};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Call, Job, Key, Rank, Receiver};
use crate::store::Waiting;
use crate::store::codec::wrap::GIVEN_BACK;
use crate::store::seal::Field;
use crate::store::{ClientUse, Error, SessionRow, codec};
use std::sync::Arc;

const LAST_KEY: Key = Key([255; 8]);
const FIRST_KEY: Key = Key([0; 8]);
const END: Millis = Millis(u64::MAX);

/// The rows of a field.
pub(super) fn table(field: Field) -> TableDefinition<'static, Id, Value> {
    match field {
        Field::Call => tables::TARGET,
        Field::Params => tables::ARGS,
        Field::Body => tables::RESULT,
        Field::Session => tables::SESSION,
        Field::ResumeToken => tables::RESUME_TOKEN,
    }
}

/// A payload, as its row shows it.
pub(super) enum Near {
    /// It is in the row.
    Row(Bytes),
    /// It is in a file.
    File,
}

/// The store as one commit left it.
pub(super) struct View(pub(super) ReadTransaction, pub(super) Arc<Vault>);

impl View {
    pub(super) fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.value(tables::JOB, &id.to_bytes(), |value| codec::decode_job(id, value))
    }

    pub(super) fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        let Some(value) = self.opened(Field::Call, id.to_bytes())? else {
            return Ok(None);
        };
        let (call, dedupe) = codec::decode_call(&value)?;
        match self.job(id)? {
            Some(job) if !job.is_of(&call, dedupe) => Err(Error::Corrupt(
                "a job's header names another client, server, receiver or dedupe key than its call: \
                 somebody without the key changed it"
                    .to_owned(),
            )),
            _ => Ok(Some(call)),
        }
    }

    /// Arguments or a body; `None`, too, if it was deleted early.
    pub(super) fn payload(&self, field: Field, id: JobId) -> Result<Option<Bytes>, Error> {
        let id = id.to_bytes();
        let value = self.value(table(field), &id, |value| match value {
            value if value == GIVEN_BACK => Ok(None),
            value => codec::decode_blob(self.1.open(field, id, value)?).map(Some),
        })?;
        Ok(value.flatten())
    }

    /// [`Self::payload`], but for one that is a file: [`Near::File`].
    pub(super) fn near(&self, field: Field, id: JobId) -> Result<Option<Near>, Error> {
        let id = id.to_bytes();
        let near = self.value(table(field), &id, |value| match value {
            value if value == GIVEN_BACK => Ok(None),
            value if file_of(field, id, value).is_some() => Ok(Some(Near::File)),
            value => codec::decode_blob(self.1.open(field, id, value)?).map(|row| Some(Near::Row(row))),
        })?;
        Ok(near.flatten())
    }

    /// Whether the body was deleted early.
    pub(super) fn gave_back(&self, id: JobId) -> Result<bool, Error> {
        let body = self.value(tables::RESULT, &id.to_bytes(), |value| Ok(value == GIVEN_BACK))?;
        Ok(body == Some(true))
    }

    /// `None`, too, if the file has no such table yet.
    pub(super) fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        if !self.has_resume_tokens()? {
            return Ok(None);
        }
        let value = self.opened(Field::ResumeToken, id.to_bytes())?;
        value.map(codec::decode_blob).transpose()
    }

    pub(super) fn has_resume_tokens(&self) -> Result<bool, Error> {
        match self.0.open_table(tables::RESUME_TOKEN) {
            Err(TableError::TableDoesNotExist(_)) => Ok(false),
            table => Ok(table.map(|_| true).map_err(Fault::from)?),
        }
    }

    pub(super) fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        let value = self.opened(Field::Session, sid)?;
        value.map(|value| codec::decode_session(&value)).transpose()
    }

    /// Whether the file's row still names it.
    pub(super) fn names(&self, file: Name) -> Result<bool, Error> {
        let id = file.id.to_bytes();
        let named = self.value(table(file.field), &id, |value| Ok(file_of(file.field, id, value)))?;
        Ok(named.flatten() == Some(file))
    }

    /// A value, unwrapped and decrypted.
    fn opened(&self, field: Field, id: [u8; 16]) -> Result<Option<Vec<u8>>, Error> {
        self.value(table(field), &id, |value| self.1.open(field, id, value))
    }

    pub(super) fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        let row = self.value(tables::DEDUPE, &dedupe, codec::decode_dedupe)?;
        Ok(row.map(|(id, _)| id))
    }

    /// The row as it is.
    pub(super) fn dedupe_row(&self, dedupe: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        self.value(tables::DEDUPE, &dedupe, |value| Ok(value.to_vec()))
    }

    pub(super) fn queued_servers(&self) -> Result<Vec<Key>, Error> {
        let last = |row: &_| keys::queued(keys::server(row), LAST_KEY, JobId::MAX);
        let firsts = self.first_of_each(tables::EXEC, last)?;
        Ok(firsts.iter().map(keys::server).collect())
    }

    pub(super) fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        let first = keys::queued(server, FIRST_KEY, JobId::MIN);
        let last = keys::queued(server, LAST_KEY, JobId::MAX);
        // No job has the largest id, so the row after it is the next client's.
        let past = after.map_or(first, |client| keys::queued(server, client, JobId::MAX));
        let row = self.first_in(tables::EXEC, &past, &last)?;
        let row = match row {
            None if after.is_some() => self.first_in(tables::EXEC, &first, &last)?,
            row => row,
        };
        Ok(row.map(|row| (keys::client(&row), keys::id(&row))))
    }

    pub(super) fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        let first = keys::queued(server, client, JobId::MIN);
        let last = keys::queued(server, client, JobId::MAX);
        self.ids(tables::EXEC, (&first, &last), limit)
    }

    pub(super) fn client_use(&self, client: Key) -> Result<ClientUse, Error> {
        let used = self.value(tables::CLIENT, &client.0, ClientUse::decode)?;
        Ok(used.unwrap_or_default())
    }

    pub(super) fn in_flight(&self) -> Result<Vec<Job>, Error> {
        let table = self.0.open_table(tables::INFLIGHT).map_err(Fault::from)?;
        let rows = table.range::<&[u8; 16]>(..).map_err(Fault::from)?;
        let mut jobs = Vec::new();
        for row in rows {
            let id = JobId::from_bytes(*row.map_err(Fault::from)?.0.value());
            match self.job(id) {
                Ok(Some(job)) => jobs.push(job),
                Ok(None) => damaged(id, "it is in flight, but missing"),
                Err(Error::Corrupt(why)) => damaged(id, &why),
                Err(error) => return Err(error),
            }
        }
        Ok(jobs)
    }

    pub(super) fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error> {
        let mut receivers = Vec::new();
        let last = |row: &_| keys::due(keys::receiver(row), Rank::Replayed, END, JobId::MAX);
        for row in self.first_of_each(tables::DUE, last)? {
            let (receiver, (rank, at)) = (keys::receiver(&row), keys::due_at(&row));
            receivers.push((receiver, rank, at));
            if rank == Rank::Live {
                let replayed = self.next_due(receiver, Rank::Replayed)?;
                receivers.extend(replayed.map(|at| (receiver, Rank::Replayed, at)));
            }
        }
        Ok(receivers)
    }

    pub(super) fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        let first = keys::due(receiver, rank, Millis(0), JobId::MIN);
        let last = keys::due(receiver, rank, now, JobId::MAX);
        self.ids(tables::DUE, (&first, &last), limit)
    }

    pub(super) fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error> {
        let first = keys::due(receiver, rank, Millis(0), JobId::MIN);
        let last = keys::due(receiver, rank, END, JobId::MAX);
        let row = self.first_in(tables::DUE, &first, &last)?;
        Ok(row.map(|row| keys::due_at(&row).1))
    }

    pub(super) fn oldest_queued(&self) -> Result<Option<Millis>, Error> {
        let last = |row: &_| keys::queued(keys::server(row), keys::client(row), JobId::MAX);
        let firsts = self.first_of_each(tables::EXEC, last)?;
        // Ids grow with time.
        let oldest = firsts.iter().map(keys::id).min();
        let job = oldest.map(|id| self.job(id)).transpose()?;
        Ok(job.flatten().map(|job| job.accepted))
    }

    pub(super) fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        let table = self.0.open_table(tables::WAITING).map_err(Fault::from)?;
        let after = after.map(|(at, id)| keys::timed(at, id));
        let first = after.as_ref().map_or(Unbounded, Excluded);
        let last = keys::timed(before, JobId::MIN);
        let rows = table
            .range::<&[u8; 24]>((first, Excluded(&last)))
            .map_err(Fault::from)?;
        let waiting = rows.take(limit).map(|row| {
            let (key, _) = row.map_err(Fault::from)?;
            Ok((keys::at(key.value()), keys::id(key.value())))
        });
        waiting.collect()
    }

    /// One value, decoded.
    fn value<const N: usize, T>(
        &self,
        table: TableDefinition<'_, &'static [u8; N], Value>,
        key: &[u8; N],
        decode: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let table = self.0.open_table(table).map_err(Fault::from)?;
        let row = table.get(key).map_err(Fault::from)?;
        row.map(|row| decode(row.value())).transpose()
    }

    /// The jobs of the first rows of a range.
    fn ids<const N: usize>(
        &self,
        table: TableDefinition<'_, &'static [u8; N], ()>,
        (first, last): (&[u8; N], &[u8; N]),
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        let table = self.0.open_table(table).map_err(Fault::from)?;
        let rows = table.range::<&[u8; N]>(first..=last).map_err(Fault::from)?;
        let ids = rows.take(limit).map(|row| {
            let (key, _) = row.map_err(Fault::from)?;
            Ok(keys::id(key.value()))
        });
        ids.collect()
    }

    /// The first row from `first` to `last`.
    fn first_in<const N: usize>(
        &self,
        table: TableDefinition<'_, &'static [u8; N], ()>,
        first: &[u8; N],
        last: &[u8; N],
    ) -> Result<Option<[u8; N]>, Error> {
        let table = self.0.open_table(table).map_err(Fault::from)?;
        let mut rows = table.range::<&[u8; N]>(first..=last).map_err(Fault::from)?;
        let row = rows.next().transpose().map_err(Fault::from)?;
        Ok(row.map(|(key, _)| *key.value()))
    }

    /// The first row of each server, client or receiver; skips over all others, up to the `last` that may be.
    fn first_of_each<const N: usize>(
        &self,
        table: TableDefinition<'_, &'static [u8; N], ()>,
        last: impl Fn(&[u8; N]) -> [u8; N],
    ) -> Result<Vec<[u8; N]>, Error> {
        let table = self.0.open_table(table).map_err(Fault::from)?;
        let mut firsts: Vec<[u8; N]> = Vec::new();
        loop {
            let past = firsts.last().map(&last);
            let from = past.as_ref().map_or(Unbounded, Excluded);
            let mut rows = table.range::<&[u8; N]>((from, Unbounded)).map_err(Fault::from)?;
            match rows.next().transpose().map_err(Fault::from)? {
                Some((key, _)) => firsts.push(*key.value()),
                None => return Ok(firsts),
            }
        }
    }
}

/// A job whose header cannot be read holds up no other.
pub(super) fn damaged(id: JobId, why: &str) {
    let webhook_id = id.webhook_id();
    tracing::error!(target: "asyncmcp::store", webhook_id, error = why, "the header of a job is damaged: it is left out; `asyncmcp-dataplane store check` lists it");
}

/// What the check reads in addition.
impl View {
    pub(super) fn has<const N: usize, V: ::redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, &'static [u8; N], V>,
        key: &[u8; N],
    ) -> Result<bool, Error> {
        let table = self.0.open_table(table).map_err(Fault::from)?;
        Ok(table.get(key).map_err(Fault::from)?.is_some())
    }
}
