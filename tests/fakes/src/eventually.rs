//! Waiting for something that happens elsewhere: asked again and again until it holds.
//!
//! Real time and tokio's paused clock are the same to it. Invariant: the last reason why it does not hold yet is in the
//! panic.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

const ASK_EVERY: Duration = Duration::from_millis(20);

/// Whether something holds.
pub trait Holds {
    /// What is there once it holds.
    type Found;

    /// What was found, or why it does not hold yet.
    fn found(self) -> Result<Self::Found, String>;
}

impl Holds for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "it does not hold".to_owned())
    }
}

impl<T> Holds for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "it is not there".to_owned())
    }
}

impl<T, E: Debug> Holds for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|why| format!("{why:?}"))
    }
}

/// What `ask` finds, as soon as it does.
///
/// # Panics
/// When `deadline` has passed; with the last answer.
#[track_caller]
pub fn eventually<H: Holds, F: Future<Output = H>>(
    deadline: Duration,
    ask: impl FnMut() -> F,
) -> impl Future<Output = H::Found> {
    until(deadline, ask, Location::caller())
}

async fn until<H: Holds, F: Future<Output = H>>(
    deadline: Duration,
    mut ask: impl FnMut() -> F,
    caller: &'static Location<'static>,
) -> H::Found {
    let end = Instant::now() + deadline;
    loop {
        match ask().await.found() {
            Ok(found) => return found,
            Err(why) if Instant::now() >= end => give_up(deadline, &why, caller),
            Err(_) => sleep(ASK_EVERY).await,
        }
    }
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn give_up(deadline: Duration, why: &str, caller: &Location<'_>) -> ! {
    panic!("not within {deadline:?} (asked at {caller}): {why}")
}
