//! The memory store under the suite, and its index against its jobs.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::store::conformance::model::{op, run};
use crate::store::conformance::{Subject, suite};
use crate::store::roles::*;

impl Memory {
    /// Panics if the index or the counts differ from the jobs.
    fn check(&self) {
        let state = self.lock();
        let (mut index, mut counts) = (Index::default(), Counts::default());
        let mut clients = BTreeMap::<Key, ClientUse>::new();
        let mut queues = QueueCounts::default();
        for record in state.jobs.values() {
            index.insert(&record.job);
            counts.shift(None, Some(record.job.state));
            queues.shift(None, Some(&record.job));
            let client = clients.entry(record.job.client).or_default();
            client.shift(None, Some(&record.job));
            let payloads = [&record.params, &record.body].into_iter().flatten();
            let size: usize = payloads.map(Bytes::len).sum();
            assert_eq!(record.job.size as usize, size);
            assert_eq!(state.dedupe[&record.job.dedupe], record.job.id);
        }
        assert_eq!(state.index, index);
        assert_eq!(state.counts, counts);
        clients.retain(|_, used| !used.is_nothing());
        assert_eq!(state.clients, clients);
        assert_eq!(state.queues, queues);
        assert_eq!(state.taken, state.jobs.values().map(Record::weight).sum::<u64>());
        let names = state.jobs.values().map(|record| {
            let own = |name: &&[u8; 32]| state.dedupe.get(*name) == Some(&record.job.id);
            record.job.names.iter().filter(own).count()
        });
        assert_eq!(state.dedupe.len(), state.jobs.len() + names.sum::<usize>());
        let expiring = state.sessions.iter().map(|(sid, row)| (row.expires, *sid));
        assert_eq!(state.expiring, expiring.collect());
        let bytes = state.sessions.values().map(SessionRow::weight).sum::<u64>();
        assert_eq!(state.session_bytes, bytes);
    }
}

struct Subjected(Arc<Memory>);

impl Subject for Subjected {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<Memory>::clone(&self.0)
    }

    fn verify(&self) {
        self.0.check();
    }
}

fn open() -> Subjected {
    Subjected(Arc::new(Memory::new(Metrics::default())))
}

fn open_small() -> Subjected {
    let budget = Some(crate::store::conformance::space::BUDGET);
    Subjected(Arc::new(Memory::bounded(budget, Metrics::default())))
}

suite!(open(), small: open_small());

proptest! {
    #[test]
    fn the_index_and_the_counts_follow_the_jobs(ops in prop::collection::vec(op(), 0..60)) {
        let store = Memory::new(Metrics::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for op in ops {
                run(&store, op).await;
                store.check();
            }
        });
    }
}
