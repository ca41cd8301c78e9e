//! When a broken stream is resumed, and when it is given up.
//!
//! [`super::Events`] asks. Invariant: a bounded number of breaks in a row without progress,
//! and never sooner than the server's `retry` allows.

use std::time::Duration;

use tokio::time::Instant;

/// Breaks in a row without progress before the stream is given up.
const TRIES: u32 = 6;
/// The same for a stream that another process left: its server may be on its way back, too. About six minutes.
const PATIENT_TRIES: u32 = 20;
/// The first wait where the server names none.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait; a server may not ask for more.
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that held so long was progress even without an event: whatever stands between
/// us and the server closes quiet connections.
const HELD: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pace {
    retry: Option<Duration>,
    breaks: u32,
    tries: u32,
    connected: Instant,
    resume: Instant,
}

impl Pace {
    /// Of a stream that is just open.
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self {
            retry: None,
            breaks: 0,
            tries: TRIES,
            connected: now,
            resume: now,
        }
    }

    /// Of a stream that is to be opened where another process left it.
    pub(super) fn patient() -> Self {
        Self {
            tries: PATIENT_TRIES,
            ..Self::start()
        }
    }

    /// An event came, with this `retry` in milliseconds.
    pub(super) fn progressed(&mut self, retry: Option<u64>) {
        self.breaks = 0;
        self.retry = retry.map(Duration::from_millis).or(self.retry);
    }

    /// The stream is open again.
    pub(super) fn connected(&mut self) {
        self.connected = Instant::now();
    }

    /// It broke, or could not be opened. `None` when it is to be given up.
    pub(super) fn broke(&mut self) -> Option<()> {
        let now = Instant::now();
        if now.duration_since(self.connected) >= HELD {
            self.breaks = 0;
        }
        self.connected = now; // time without a connection is not holding one
        self.breaks += 1;
        let backoff = FIRST * 2u32.pow(self.breaks - 1);
        self.resume = now + self.retry.unwrap_or_default().max(backoff).min(LONGEST);
        (self.breaks < self.tries).then_some(())
    }

    /// Waits until it may be resumed. A dropped wait continues where it was.
    pub(super) async fn wait(&self) {
        tokio::time::sleep_until(self.resume).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn honours_the_server_and_gives_up_at_last() {
        let mut pace = Pace::start();
        pace.progressed(Some(3000));
        let began = Instant::now();
        let mut breaks = 0;
        while pace.broke().is_some() {
            pace.wait().await;
            breaks += 1;
        }
        assert_eq!(breaks, TRIES - 1);
        // 3 s for each wait but the last, for which doubling from 200 ms has grown past it.
        assert_eq!(began.elapsed(), Duration::from_millis(4 * 3000 + 3200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_held_or_brought_an_event_counts_as_progress() {
        let mut pace = Pace::start();
        for _ in 0..3 * TRIES {
            pace.connected();
            tokio::time::advance(HELD).await;
            assert!(pace.broke().is_some());
        }
        for _ in 0..3 * TRIES {
            pace.connected();
            pace.progressed(None);
            assert!(pace.broke().is_some());
        }
    }
}
