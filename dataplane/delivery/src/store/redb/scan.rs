//! Jobs by a filter, for people: one short read transaction over the smallest index that has them.
//!
//! [`View`] answers it. Invariant: reads no more headers than the scan allows, however many jobs there are.

use ::redb::TableDefinition;

use super::fault::Fault;
use super::keys;
use super::read::View;
use super::tables;
use crate::id::JobId;
use crate::job::Job;
use crate::store::scan::{Found, Order, Scan, Walk};
use crate::store::{Error, codec};

impl View {
    pub(super) fn scan(&self, scan: &Scan) -> Result<Found, Error> {
        match scan.walk() {
            Walk::Jobs(ids) => self.along_headers(scan, &ids.start.to_bytes(), &ids.end.to_bytes()),
            Walk::Inflight(ids) => {
                let (start, end) = (ids.start.to_bytes(), ids.end.to_bytes());
                self.along(scan, tables::INFLIGHT, (&start, &end), |key| *key)
            }
            Walk::Dead(times) => {
                let (start, end) = (
                    keys::timed(times.start.0, times.start.1),
                    keys::timed(times.end.0, times.end.1),
                );
                self.along(scan, tables::DEAD, (&start, &end), keys::timed_id)
            }
        }
    }

    fn along_headers(&self, scan: &Scan, start: &[u8; 16], end: &[u8; 16]) -> Result<Found, Error> {
        let rows = self.0.open_table(tables::JOB).map_err(Fault::from)?;
        let range = rows.range::<&[u8; 16]>(start..end).map_err(Fault::from)?;
        let jobs = ordered(scan.order, range).map(|row| {
            let (key, header) = row.map_err(Fault::from)?;
            codec::decode_job(JobId::from_bytes(*key.value()), header.value())
        });
        scan.collect(jobs)
    }

    fn along<const N: usize>(
        &self,
        scan: &Scan,
        table: TableDefinition<'_, &'static [u8; N], ()>,
        (start, end): (&[u8; N], &[u8; N]),
        id: impl Fn(&[u8; N]) -> [u8; 16],
    ) -> Result<Found, Error> {
        let rows = self.0.open_table(table).map_err(Fault::from)?;
        let range = rows.range::<&[u8; N]>(start..end).map_err(Fault::from)?;
        let jobs = ordered(scan.order, range).map(|row| {
            let (key, _) = row.map_err(Fault::from)?;
            self.header(JobId::from_bytes(id(key.value())))
        });
        scan.collect(jobs)
    }

    fn header(&self, id: JobId) -> Result<Job, Error> {
        let job = self.job(id)?;
        job.ok_or_else(|| Error::Corrupt(format!("an index names job {id}, which is missing")))
    }
}

fn ordered<'a, I>(order: Order, rows: I) -> Box<dyn Iterator<Item = I::Item> + 'a>
where
    I: DoubleEndedIterator + 'a,
{
    match order {
        Order::Newest => Box::new(rows.rev()),
        Order::Oldest => Box::new(rows),
    }
}
