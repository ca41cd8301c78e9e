//! What a process has used so far, as the kernel counts it (proc(5)).
//!
//! Invariant: the process's own figures; its client, receivers and tool are in another process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Ticks of `utime` and `stime`: `USER_HZ`, which Linux fixes at 100 for everything it shows.
const TICK: Duration = Duration::from_millis(10);

/// One reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
    /// Bytes that went, or will go, to the disk.
    pub(crate) written: u64,
}

impl Usage {
    /// Reads what process `pid` has used.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The command's name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').context("no command in stat")?;
        let mut ticks = fields.split_whitespace().skip(11).take(2);
        let (user, system) = (ticks.next().context("utime")?, ticks.next().context("stime")?);
        let ticks = user.parse::<u32>()? + system.parse::<u32>()?;
        Ok(Self {
            cpu: TICK * ticks,
            written: number(&format!("/proc/{pid}/io"), "write_bytes:")?,
        })
    }
}

/// The most memory that the process had at once, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    Ok(number(&format!("/proc/{pid}/status"), "VmHWM:")? << 10)
}

/// The memory that the process has now, in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    Ok(number(&format!("/proc/{pid}/status"), "VmRSS:")? << 10)
}

/// The number behind `name` in a file of names and numbers.
fn number(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let number = rest.and_then(|rest| rest.split_whitespace().next());
    Ok(number.with_context(|| format!("no {name} in {file}"))?.parse()?)
}
