//! What a process takes of the machine, as the kernel counts it (proc(5)).
//!
//! Invariant: bytes, always.

use anyhow::{Context as _, Result};

/// What a process takes.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Memory that is resident now.
    pub memory: u64,
    /// The most that ever was.
    pub peak: u64,
    /// What it wrote, to files and pipes, whether the disk has it yet or not.
    pub written: u64,
}

impl Usage {
    /// What the process of this id takes.
    pub fn of(pid: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
        Ok(Self {
            memory: field(&status, "VmRSS:")? << 10,
            peak: field(&status, "VmHWM:")? << 10,
            written: field(&io, "wchar:")?,
        })
    }
}

fn field(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("no {name}"))?.parse()?)
}
