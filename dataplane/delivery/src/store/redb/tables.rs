//! The tables of the file.
//!
//! The group writes them, views and the check read them. Invariant: a table's name and types never change within a
//! format.

use ::redb::TableDefinition;

use super::keys::{DeadOf, Due, Numbered, Queued, Timed};

pub(super) type Id = &'static [u8; 16];
pub(super) type Value = &'static [u8];

/// Format number and ledger.
pub(super) const META: TableDefinition<'_, &str, Value> = TableDefinition::new("meta");
/// A job's header.
pub(super) const JOB: TableDefinition<'_, Id, Value> = TableDefinition::new("job");
/// Its snapshot.
pub(super) const TARGET: TableDefinition<'_, Id, Value> = TableDefinition::new("target");
/// Its params, until the call ended.
pub(super) const ARGS: TableDefinition<'_, Id, Value> = TableDefinition::new("args");
/// The body to deliver, once the call ended.
pub(super) const RESULT: TableDefinition<'_, Id, Value> = TableDefinition::new("result");
/// The resume token of an execution in progress, where it has one.
pub(super) const RESUME_TOKEN: TableDefinition<'_, Id, Value> = TableDefinition::new("resume_token");
/// The history of its attempts.
pub(super) const ATTEMPTS: TableDefinition<'_, &Numbered, Value> = TableDefinition::new("attempts");
/// The index rows of [`crate::job::Rows`], in its order; `expire` has the settled ones.
pub(super) const EXEC: TableDefinition<'_, &Queued, ()> = TableDefinition::new("exec");
pub(super) const INFLIGHT: TableDefinition<'_, Id, ()> = TableDefinition::new("inflight");
pub(super) const DUE: TableDefinition<'_, &Due, ()> = TableDefinition::new("due");
pub(super) const WAITING: TableDefinition<'_, &Timed, ()> = TableDefinition::new("waiting");
pub(super) const DEAD: TableDefinition<'_, &Timed, ()> = TableDefinition::new("dead");
pub(super) const DEAD_OF: TableDefinition<'_, &DeadOf, ()> = TableDefinition::new("dead_of");
pub(super) const EXPIRE: TableDefinition<'_, &Timed, ()> = TableDefinition::new("expire");
/// What a client's jobs use; no row for nothing.
pub(super) const CLIENT: TableDefinition<'_, &[u8; 8], Value> = TableDefinition::new("client");
/// The job of a dedupe key.
pub(super) const DEDUPE: TableDefinition<'_, &[u8; 32], Value> = TableDefinition::new("dedupe");
/// A session's row, and when it may go.
pub(super) const SESSION: TableDefinition<'_, Id, Value> = TableDefinition::new("session");
pub(super) const SESSION_EXPIRE: TableDefinition<'_, &Timed, ()> = TableDefinition::new("session_expire");
