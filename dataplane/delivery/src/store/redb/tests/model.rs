//! The embedded store against the memory store: the same operations, the same answers, through
//! groups, restarts and power cuts.

use std::sync::Arc;

use futures::future::join_all;
use proptest::prelude::*;

use super::disk::Disk;
use crate::store::conformance::model::{Op, observe, op, run};
use crate::store::memory::Memory;
use crate::store::metrics::Metrics;
use crate::store::redb::{Embedded, Options};
use crate::store::roles::*;
use crate::store::seal::Sealer;

/// Of the model's bodies, of up to 1.5 KiB, some are files.
const LARGE: usize = 600;

#[derive(Clone, Debug)]
enum Act {
    /// Operations sent together.
    Together(Vec<Op>),
    Restart,
    /// A power cut while nothing is in progress.
    Cut(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec(op(), 1..12).prop_map(Act::Together),
        1 => Just(Act::Restart),
        2 => any::<u64>().prop_map(Act::Cut),
    ]
}

fn options(sealed: bool) -> Options {
    Options {
        sealer: Arc::new(if sealed {
            Sealer::of(&[1, 2])
        } else {
            Sealer::default()
        }),
        large: LARGE,
        ..Options::default()
    }
}

fn start(disk: &Disk, sealed: bool) -> Embedded {
    Embedded::start(Box::new(disk.clone()), options(sealed)).unwrap()
}

/// Sends all at once, in order; the writer groups them as it likes. One with a large body comes to
/// the writer later than its neighbours, so it goes alone.
async fn run_together(store: &Embedded, ops: Vec<Op>) -> Vec<String> {
    let (mut answers, mut together) = (Vec::new(), Vec::new());
    for op in ops {
        if op.payload() > LARGE {
            answers.extend(join_all(together.drain(..).map(|op| run(store, op))).await);
            answers.push(run(store, op).await);
        } else {
            together.push(op);
        }
    }
    answers.extend(join_all(together.into_iter().map(|op| run(store, op))).await);
    answers
}

async fn run_in_turn(store: &Memory, ops: Vec<Op>) -> Vec<String> {
    let mut answers = Vec::new();
    for op in ops {
        answers.push(run(store, op).await);
    }
    answers
}

async fn compare(acts: Vec<Act>, sealed: bool) {
    let (disk, model) = (Disk::default(), Memory::new(Metrics::default()));
    let mut store = start(&disk, sealed);
    for act in acts {
        match act {
            Act::Together(ops) => {
                let expected = run_in_turn(&model, ops.clone()).await;
                assert_eq!(run_together(&store, ops).await, expected);
            }
            Act::Restart => {
                store.close().await.unwrap();
                model.restart();
                store = start(&disk, sealed);
            }
            Act::Cut(seed) => {
                disk.cut(seed);
                drop(store);
                model.restart();
                disk.power_on();
                store = start(&disk, sealed);
            }
        }
        store.check().unwrap();
        assert_eq!(observe(&store).await, observe(&model).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_answers_as_the_model_does(acts in prop::collection::vec(act(), 1..12), sealed: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(acts, sealed));
    }
}
