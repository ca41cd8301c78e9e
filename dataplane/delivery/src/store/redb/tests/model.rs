//! The embedded store against the memory store: the same operations, the same answers, through
//! groups, restarts and power cuts.

use futures::future::join_all;
use proptest::prelude::*;

use super::disk::Disk;
use crate::store::Store;
use crate::store::conformance::model::{Op, observe, op, run};
use crate::store::memory::Memory;
use crate::store::metrics::Metrics;
use crate::store::redb::{Embedded, Options};

#[derive(Clone, Debug)]
enum Act {
    /// Operations sent together.
    Together(Vec<Op>),
    Restart,
    /// A power cut while nothing is under way.
    Cut(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec(op(), 1..12).prop_map(Act::Together),
        1 => Just(Act::Restart),
        2 => any::<u64>().prop_map(Act::Cut),
    ]
}

fn start(disk: &Disk) -> Embedded {
    Embedded::start(Box::new(disk.clone()), Options::default()).unwrap()
}

/// Sends all at once, in order; the writer groups them as it likes.
async fn run_together(store: &Embedded, ops: Vec<Op>) -> Vec<String> {
    join_all(ops.into_iter().map(|op| run(store, op))).await
}

async fn run_in_turn(store: &Memory, ops: Vec<Op>) -> Vec<String> {
    let mut answers = Vec::new();
    for op in ops {
        answers.push(run(store, op).await);
    }
    answers
}

async fn compare(acts: Vec<Act>) {
    let (disk, model) = (Disk::default(), Memory::new(Metrics::default()));
    let mut store = start(&disk);
    for act in acts {
        match act {
            Act::Together(ops) => {
                let expected = run_in_turn(&model, ops.clone()).await;
                assert_eq!(run_together(&store, ops).await, expected);
            }
            Act::Restart => {
                store.close().await.unwrap();
                store = start(&disk);
            }
            Act::Cut(seed) => {
                disk.cut(seed);
                drop(store);
                disk.power_on();
                store = start(&disk);
            }
        }
        store.check().unwrap();
        assert_eq!(observe(&store).await, observe(&model).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_answers_as_the_model_does(acts in prop::collection::vec(act(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(acts));
    }
}
