//! SIGKILL for the process of a pod, which gets no chance to say goodbye.
//!
//! Invariant: only processes in the pod's own cgroups are killed, and never the one that holds its network.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Kills the program named `program` in `pod`. The node's processes must be seen from here, as those of the local
/// cluster and of kind are; as root.
pub fn sigkill(pod: &Value, program: &str) -> Result<()> {
    let uid = pod["metadata"]["uid"].as_str().context("a pod without a uid")?;
    let processes = processes(uid, program)?;
    anyhow::ensure!(!processes.is_empty(), "no process of pod {uid} is seen from here");
    for process in processes {
        let status = Command::new("kill").args(["-KILL", &process]).status()?;
        anyhow::ensure!(status.success(), "kill -KILL {process}");
    }
    Ok(())
}

/// The process of the program named `program` in `pod`.
pub fn process(pod: &Value, program: &str) -> Result<String> {
    let uid = pod["metadata"]["uid"].as_str().context("a pod without a uid")?;
    let process = processes(uid, program)?.into_iter().next();
    process.with_context(|| format!("no process of pod {uid} is seen from here"))
}

fn processes(uid: &str, program: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(numbers.filter(|process| belongs(process, uid, program)).collect())
}

fn belongs(process: &str, uid: &str, program: &str) -> bool {
    let file = |name: &str| std::fs::read_to_string(Path::new("/proc").join(process).join(name));
    // A process that has ended meanwhile has no files.
    let cgroups = file("cgroup").unwrap_or_default();
    let command = file("cmdline").unwrap_or_default();
    let in_pod = cgroups.contains(uid) || cgroups.contains(&uid.replace('-', "_"));
    in_pod
        && command
            .split('\0')
            .next()
            .is_some_and(|first| first.ends_with(program))
}
