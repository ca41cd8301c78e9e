//! Waiting for something outside this process: asked again and again until it holds.
//!
//! Invariant: the last reason why it does not hold yet is in the panic.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

const ASK_EVERY: Duration = Duration::from_millis(20);

/// What `ask` answers with `Ok`, as soon as it does.
///
/// # Panics
/// When `deadline` has passed; with the last `Err`.
#[track_caller]
pub fn eventually<T, E, F, A>(deadline: Duration, ask: A) -> impl Future<Output = T>
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
    A: FnMut() -> F,
{
    let caller = std::panic::Location::caller();
    until(deadline, ask, caller)
}

async fn until<T, E, F, A>(
    deadline: Duration,
    mut ask: A,
    caller: &'static std::panic::Location<'static>,
) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
    A: FnMut() -> F,
{
    let end = Instant::now() + deadline;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if Instant::now() >= end => give_up(deadline, &why, caller),
            Err(_) => sleep(ASK_EVERY).await,
        }
    }
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn give_up(deadline: Duration, why: &dyn Debug, caller: &std::panic::Location<'_>) -> ! {
    panic!("not within {deadline:?} (asked at {caller}): {why:?}")
}
