//! Work that runs within its client's request for as long as the client waits, and as a task of its own after that.
//!
//! [`super`] runs each call in one. Most calls end while their client waits, and need no task, nor a thread that is woken for
//! it. Invariant: the work ends, whatever becomes of the request; only the end of the process interrupts it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// The work.
pub(super) struct Attended(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Attended {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }

    /// Waits, and works meanwhile. Once there is nothing to wait for, or nobody waits any more, the work goes its own way.
    pub(super) async fn until<T>(mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = pin!(waiting);
        std::future::poll_fn(|context| {
            self.work(context);
            waiting.as_mut().poll(context)
        })
        .await
    }

    fn work(&mut self, context: &mut Context<'_>) {
        if let Some(work) = &mut self.0
            && let Poll::Ready(()) = work.as_mut().poll(context)
        {
            self.0 = None;
        }
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn work_that_is_waited_for_runs_meanwhile() {
        let (done, answer) = oneshot::channel();
        let work = Attended::new(async {
            sleep(LONG).await;
            done.send(1).unwrap();
        });
        assert_eq!(work.until(answer).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn work_continues_when_the_wait_ends_before_it_and_when_nobody_waits_any_more() {
        for is_left in [false, true] {
            let (done, answer) = oneshot::channel();
            let work = Attended::new(async {
                sleep(LONG).await;
                done.send(1).unwrap();
            });
            if is_left {
                let left = timeout(LONG / 2, work.until(std::future::pending::<()>()));
                assert!(left.await.is_err());
            } else {
                work.until(sleep(LONG / 2)).await;
            }
            assert_eq!(answer.await, Ok(1));
        }
    }
}
