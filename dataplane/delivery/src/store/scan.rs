//! Searching jobs for people: a filter over headers, a cursor, and a bound on the work.
//!
//! [`super::People::scan`] takes a [`Scan`]; every store walks its rows in the order that `Scan::walk` names and lets
//! `Scan::collect` decide. Invariant: a scan reads at most `rows` headers, and the next one
//! continues where it stopped, whatever was added or removed meanwhile.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::Error;
use crate::clock::Millis;
use crate::id::{JobId, WebhookId};
use crate::job::{Job, Key, Receiver};
use crate::state::{Category, Push, Stage};

/// Which jobs; `None` matches every job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Where they are.
    pub stage: Option<Stage>,
    /// On which server they run.
    pub server: Option<Key>,
    /// Whose they are.
    pub client: Option<Key>,
    /// Where they go.
    pub receiver: Option<Receiver>,
    /// Why they are dead letters.
    pub dead: Option<Category>,
    /// Why their last attempt failed.
    pub last: Option<Category>,
    /// The one with this id.
    pub id: Option<JobId>,
    /// Accepted at this time or later.
    pub since: Option<Millis>,
    /// Accepted before this time.
    pub until: Option<Millis>,
    /// Whose attempts have this `webhook-id`. It is computed for each header, which costs less than reading one.
    pub webhook: Option<WebhookId>,
}

/// Which jobs come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest.
    #[default]
    Newest,
    /// The oldest.
    Oldest,
}

/// A position in the order of a scan. Its text goes into the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the job last changed, by which dead letters are ordered.
    pub at: Millis,
    /// The job, by which all others are ordered.
    pub id: JobId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.at.0)
    }
}

/// The text is not a cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a cursor of an earlier response (a job id, a hyphen and a number)")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (id, at) = text.split_once('-').ok_or(NoCursor)?;
        let cursor = Self {
            at: Millis(at.parse().map_err(|_| NoCursor)?),
            id: id.parse().map_err(|_| NoCursor)?,
        };
        // Only one spelling is valid.
        if cursor.to_string() == text {
            Ok(cursor)
        } else {
            Err(NoCursor)
        }
    }
}

/// What to find, where to continue, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    /// Which jobs.
    pub filter: Filter,
    /// Which come first.
    pub order: Order,
    /// After this position; `None` starts at the beginning.
    pub after: Option<Cursor>,
    /// Maximum number of jobs; at least one.
    pub limit: usize,
    /// Maximum number of headers that are read; at least one.
    pub rows: usize,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The jobs, in order.
    pub jobs: Vec<Job>,
    /// Where to continue; `None` when there is no more.
    pub next: Option<Cursor>,
}

/// The rows that a scan reads: the smallest index that has all it may find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// Headers, by their ids.
    Jobs(Range<JobId>),
    /// What is running or sending, by ids.
    Inflight(Range<JobId>),
    /// Dead letters, by the time they failed.
    Dead(Range<(Millis, JobId)>),
}

impl Filter {
    /// Whether the job is one of them.
    pub fn matches(&self, job: &Job) -> bool {
        let stage = self.stage.is_none_or(|stage| stage == job.state.stage());
        let server = self.server.is_none_or(|server| server == job.server);
        let client = self.client.is_none_or(|client| client == job.client);
        let receiver = self.receiver.is_none_or(|key| job.receiver == Some(key));
        let dead = self.dead.is_none_or(|why| job.state.push == Push::Dead(why));
        let last = self.last.is_none_or(|why| job.last == Some(why));
        let is_asked = stage && server && client && receiver && dead && last;
        let seen = is_asked && self.accepted().contains(&job.id);
        seen && self.webhook.is_none_or(|webhook| job.id.webhook() == webhook)
    }

    /// The ids of jobs accepted in the filter's time span, or of the one job that is asked for.
    fn accepted(&self) -> Range<JobId> {
        let from = self.since.map_or(JobId::MIN, JobId::first_at);
        let to = self.until.map_or(JobId::MAX, JobId::first_at);
        let (from, to) = match self.id {
            Some(id) => (from.max(id), to.min(id.next())),
            None => (from, to),
        };
        from..to.max(from)
    }
}

impl Scan {
    /// Which rows to read.
    pub(super) fn walk(&self) -> Walk {
        match self.filter.stage {
            _ if self.filter.id.is_some() => Walk::Jobs(self.ids()),
            Some(Stage::Dead) => Walk::Dead(self.times()),
            Some(Stage::Running | Stage::Sending) => Walk::Inflight(self.ids()),
            _ if self.filter.dead.is_some() => Walk::Dead(self.times()),
            _ => Walk::Jobs(self.ids()),
        }
    }

    /// Filters the jobs of the walk, which come in the scan's order.
    pub(super) fn collect(&self, jobs: impl Iterator<Item = Result<Job, Error>>) -> Result<Found, Error> {
        let mut found = Found::default();
        for (seen, job) in (1..).zip(jobs) {
            let job = job?;
            let cursor = Cursor::of(&job);
            if self.filter.matches(&job) {
                found.jobs.push(job);
            }
            if found.jobs.len() >= self.limit || seen >= self.rows {
                found.next = Some(cursor);
                break;
            }
        }
        Ok(found)
    }

    fn ids(&self) -> Range<JobId> {
        let Range { start, end } = self.filter.accepted();
        let (start, end) = match (self.order, self.after) {
            (_, None) => (start, end),
            (Order::Newest, Some(after)) => (start, end.min(after.id)),
            (Order::Oldest, Some(after)) => (start.max(after.id.next()), end),
        };
        start..end.max(start)
    }

    fn times(&self) -> Range<(Millis, JobId)> {
        let (start, end) = ((Millis(0), JobId::MIN), (Millis(u64::MAX), JobId::MAX));
        match (self.order, self.after) {
            (_, None) => start..end,
            (Order::Newest, Some(after)) => start..(after.at, after.id),
            (Order::Oldest, Some(after)) => (after.at, after.id.next())..end,
        }
    }
}

impl Cursor {
    /// The position of a job as it is now.
    pub fn of(job: &Job) -> Self {
        Self {
            at: job.turn,
            id: job.id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_other_texts_are_none() {
        let (at, id) = (Millis(7), JobId::new(Millis(5), [1; 10]));
        let text = Cursor { at, id }.to_string();
        assert_eq!(text.parse(), Ok(Cursor { at, id }));
        let upper = text.to_uppercase();
        for other in [
            "",
            "-",
            "7",
            &text[1..],
            &upper,
            &format!("{text} "),
            &format!("{id}-07"),
        ] {
            assert_eq!(other.parse::<Cursor>(), Err(NoCursor), "{other:?}");
        }
    }

    #[test]
    fn no_bounds_make_a_range_that_ends_before_it_begins() {
        let (early, late) = (Millis(5), Millis(9));
        let cursor = |at| {
            Some(Cursor {
                at,
                id: JobId::first_at(at),
            })
        };
        for (order, after) in [
            (Order::Newest, cursor(Millis(0))),
            (Order::Oldest, cursor(Millis(99))),
            (Order::Newest, None),
        ] {
            let filter = Filter {
                since: Some(late),
                until: Some(early),
                ..Filter::default()
            };
            let scan = Scan {
                filter,
                order,
                after,
                limit: 1,
                rows: 1,
            };
            let Walk::Jobs(ids) = scan.walk() else {
                panic!("headers")
            };
            assert!(ids.start == ids.end, "{ids:?}");
        }
    }
}
