//! How long the load test goes on, and by which random numbers.
//!
//! [`crate::load`] asks it before every kill. Invariant: with a number of kills the test also makes 50 acknowledged calls
//! per kill, however long that takes; without one it ends by the clock.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long the kills go on that nobody counts: a part of `make test`.
const SHORT: Duration = Duration::from_secs(80);
/// Faults that the process survives, where nobody counts: a part of `make test`.
const FAULTS: usize = 60;
/// Acknowledged calls per kill, where kills are counted.
const CALLS_PER_KILL: usize = 50;

/// What the environment asks for: `CRASH_KILLS` (without it, for 80 s), `CRASH_FAULTS` (60) and `CRASH_SEED` (drawn).
#[derive(Debug)]
pub(crate) struct Plan {
    kills: Option<usize>,
    faults: Option<usize>,
    pub(crate) seed: u64,
}

impl Plan {
    pub(crate) fn of_environment() -> Result<Self> {
        let kills = number("CRASH_KILLS")?.map(usize::try_from).transpose()?;
        let faults = number("CRASH_FAULTS")?.map(usize::try_from).transpose()?;
        let seed = number("CRASH_SEED")?.unwrap_or_else(rand::random);
        Ok(Self { kills, faults, seed })
    }

    /// How many faults there are that the process survives.
    pub(crate) fn faults(&self) -> usize {
        self.faults.unwrap_or(FAULTS)
    }

    /// Whether there is to be another kill.
    pub(crate) fn goes_on(&self, kills: usize, acknowledged: usize, after: Duration) -> bool {
        match self.kills {
            None => after < SHORT,
            Some(enough) => kills < enough || acknowledged < self.calls(kills),
        }
    }

    /// How many calls must have been acknowledged over `kills` kills: fewer where the clock ends the test, since a
    /// machine may be slow.
    pub(crate) fn calls(&self, kills: usize) -> usize {
        match self.kills {
            None => 5 * kills,
            Some(enough) => CALLS_PER_KILL * enough,
        }
    }
}

fn number(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().map(Some).with_context(|| format!("{name}={text}")),
        _ => Ok(None),
    }
}
