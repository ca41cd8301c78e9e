//! Counts the attempts of each delivery, for deduplication and attempt numbers.
//!
//! Used by `receiver`, for attempts whose signature was verified.
//!
//! Invariant: the number of deliveries is bounded; the oldest is forgotten first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::Outcome;

/// Number of deliveries to remember. Standard Webhooks recommends those of five minutes.
const REMEMBERED: usize = 100_000;

/// The deliveries of one receiver.
#[derive(Debug)]
pub(super) struct Book {
    fail_first: u32,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    attempts: HashMap<String, u32>,
    order: VecDeque<String>,
}

impl Book {
    /// Creates a book that fails the first `fail_first` attempts of each delivery.
    pub(super) fn new(fail_first: u32) -> Self {
        Self {
            fail_first,
            pages: Mutex::default(),
        }
    }

    /// Counts an attempt of the delivery `id`; returns its outcome and number.
    pub(super) fn enter(&self, id: &str) -> (Outcome, u32) {
        let number = self
            .pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(id);
        let outcome = match number.checked_sub(self.fail_first) {
            None | Some(0) => Outcome::FailedOnPurpose,
            Some(1) => Outcome::Delivered,
            Some(_) => Outcome::Duplicate,
        };
        (outcome, number)
    }
}

impl Pages {
    fn count(&mut self, id: &str) -> u32 {
        if let Some(attempts) = self.attempts.get_mut(id) {
            *attempts = attempts.saturating_add(1);
            return *attempts;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.attempts.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.attempts.insert(id.to_owned(), 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delivery_fails_its_first_attempts_and_is_delivered_once() {
        let book = Book::new(1);
        assert_eq!(book.enter("a"), (Outcome::FailedOnPurpose, 1));
        assert_eq!(book.enter("a"), (Outcome::Delivered, 2));
        assert_eq!(book.enter("a"), (Outcome::Duplicate, 3));
        assert_eq!(book.enter("b"), (Outcome::FailedOnPurpose, 1));
    }

    #[test]
    fn the_oldest_delivery_is_forgotten_so_that_memory_is_bounded() {
        let book = Book::new(0);
        for number in 0..=REMEMBERED {
            book.enter(&number.to_string());
        }
        assert_eq!(book.pages.lock().unwrap().attempts.len(), REMEMBERED);
        assert_eq!(book.enter("1"), (Outcome::Duplicate, 2));
        assert_eq!(book.enter("0"), (Outcome::Delivered, 1));
    }
}
