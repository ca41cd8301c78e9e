//! When a failed attempt is repeated: arithmetic, and the `Retry-After` header.
//!
//! The engine calls it after every failed attempt. Invariant: pure; times and random numbers are arguments.

use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Millis;
use crate::job::Retry;

/// How long to wait after attempt number `attempts_made` failed, or `None` when no retry is left.
///
/// The wait is never below `retry_after` (capped by `retry_after_max`): jitter must not move an attempt before the time
/// that the receiver asked for. `random` is a number in [0, 1).
pub fn next(
    retry: &Retry,
    attempts_made: u32,
    retry_after: Option<Duration>,
    retry_after_max: Duration,
    random: f64,
) -> Option<Duration> {
    let (wait, jitter_percent) = match retry {
        Retry::Exponential {
            retries,
            initial,
            max,
            jitter_percent,
        } => {
            let wait = (attempts_made <= *retries).then(|| doubled(*initial, attempts_made, *max))?;
            (wait, *jitter_percent)
        }
        Retry::Schedule {
            waits,
            jitter_percent,
        } => {
            let index = usize::try_from(attempts_made.saturating_sub(1)).ok()?;
            (*waits.get(index)?, *jitter_percent)
        }
    };
    let asked = retry_after.unwrap_or_default().min(retry_after_max);
    Some(jittered(wait, jitter_percent, random).max(asked))
}

/// min(`initial` x 2^(n-1), `max`).
fn doubled(initial: Duration, n: u32, max: Duration) -> Duration {
    let factor = 2u32.checked_pow(n.saturating_sub(1)).unwrap_or(u32::MAX);
    initial.saturating_mul(factor).min(max)
}

/// `wait` plus or minus `percent` of itself.
pub fn jittered(wait: Duration, percent: u8, random: f64) -> Duration {
    let share = f64::from(percent.min(100)) / 100.0;
    let seconds = wait.as_secs_f64() * (1.0 + share * (2.0 * random.clamp(0.0, 1.0) - 1.0));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds, or a date, of which one in the past is zero.
/// A number that is too large becomes the maximum; anything else is ignored.
pub fn retry_after(header: &str, now: Millis) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    Some(http_date(header)?.since(now))
}

/// Reads a date as HTTP writes it (RFC 9110 §5.6.7).
pub fn http_date(header: &str) -> Option<Millis> {
    let date = httpdate::parse_http_date(header).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Millis::default().plus(since_epoch))
}

#[cfg(test)]
mod tests;
