//! What the gateway itself asks callers, and has no answer to yet.
//!
//! [`super::Lines::ask`] adds one, [`super::Lines::answer`] brings its answer. Invariant: a question is answered at most once,
//! and only while somebody waits for the answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use asyncmcp_protocol::{Id, Outcome};
use tokio::sync::oneshot;

use super::entry::lock;

/// The questions that are open. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions(Arc<Mutex<HashMap<u64, oneshot::Sender<Outcome>>>>);

/// A question. Dropping it says that nobody waits for the answer any more.
#[derive(Debug)]
pub struct Question {
    /// The id to ask under.
    pub id: Id,
    number: u64,
    open: Questions,
    answer: oneshot::Receiver<Outcome>,
}

impl Questions {
    /// One more, under the id that `spell` makes of its number. By chance: an answer to what an earlier process asked must
    /// not pass for the answer to another question.
    pub(super) fn add(&self, spell: impl FnOnce(u64) -> Id) -> Question {
        let number = rand::random();
        let (sender, answer) = oneshot::channel();
        lock(&self.0).insert(number, sender);
        Question {
            id: spell(number),
            number,
            open: self.clone(),
            answer,
        }
    }

    /// Brings an answer; `false` where nobody waits for it.
    pub(super) fn answer(&self, number: u64, outcome: Outcome) -> bool {
        let asked = lock(&self.0).remove(&number);
        asked.is_some_and(|asked| asked.send(outcome).is_ok())
    }
}

impl Question {
    /// The caller's answer, when it comes.
    pub async fn answered(&mut self) -> Outcome {
        match (&mut self.answer).await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await, // the sender is kept as long as this is
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.open.0).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> Outcome {
        Outcome::Result(asyncmcp_protocol::RawObject::new().to_raw())
    }

    #[tokio::test]
    async fn a_question_is_answered_once_and_only_while_somebody_waits() {
        let questions = Questions::default();
        let mut question = questions.add(|_| Id::number(1));
        assert!(!questions.answer(question.number.wrapping_add(1), result()));
        assert!(questions.answer(question.number, result()));
        assert!(!questions.answer(question.number, result()));
        assert!(matches!(question.answered().await, Outcome::Result(_)));
        let left = questions.add(|_| Id::number(2));
        let number = left.number;
        drop(left);
        assert!(!questions.answer(number, result()));
        assert!(lock(&questions.0).is_empty());
    }
}
