//! A real process of ours, started by a test.
//!
//! Invariant: it does not outlive its [`Process`]; what it wrote is shown when a test fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::eventually;

/// Where the kernel takes no ports from by itself (`ip_local_port_range` begins at 32768).
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A running process, its output in a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// The binary `name`, built beside this test (`cargo build --workspace --bins` comes first).
pub fn binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory = test
        .parent()
        .and_then(Path::parent)
        .context("a test binary lies in target/debug/deps")?;
    let path = directory.join(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: cargo build --workspace --bins",
        path.display()
    );
    Ok(path)
}

/// The locks of this process's ports.
static PORT_LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A loopback port that is free now, below the ports that the kernel gives to outgoing connections: while
/// a process is down, one of these could take its port, or a client that knocks there meet itself. No other test gets the
/// same port as long as this test process runs, even while nobody listens on it.
pub fn free_port() -> Result<u16> {
    let locks = std::env::temp_dir().join("asyncmcp-test-ports");
    std::fs::create_dir_all(&locks)?;
    let mut tries = (0..100).map(|_| rand::random_range(PORTS));
    tries
        .find(|port| is_free(*port) && lock(&locks.join(port.to_string())))
        .context("no port is free")
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Locks a file until this process ends; `false` if somebody else has.
fn lock(path: &Path) -> bool {
    let file = File::options().create(true).append(true).open(path);
    let locked = file.ok().filter(|file| file.try_lock().is_ok());
    let is_locked = locked.is_some();
    PORT_LOCKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(locked);
    is_locked
}

impl Process {
    /// Starts `command`; its output goes to `log`, after what is there.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The lines of JSON among what it wrote so far.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let output = self.output();
        output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        // An error here means that it ended by itself.
        let _ = self.child.kill();
        Ok(self.child.wait()?)
    }

    /// SIGTERM; the end is for [`Process::ended`] to see.
    pub fn terminate(&self) -> Result<()> {
        let status = Command::new("kill").arg(self.pid().to_string()).status()?;
        anyhow::ensure!(status.success(), "kill {}", self.pid());
        Ok(())
    }

    /// SIGINT, as Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        self.signal("INT")
    }

    /// Sends it the signal of this name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        anyhow::ensure!(status.success(), "kill -s {name} {pid}");
        Ok(())
    }

    /// Waits until it has written this.
    pub async fn said(&self, text: &str, deadline: Duration) {
        eventually(deadline, || async {
            let is_said = self.output().contains(text);
            is_said.then_some(()).ok_or_else(|| format!("no {text:?}"))
        })
        .await;
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Its exit status, once it ended by itself.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let child = std::cell::RefCell::new(&mut self.child);
        eventually(deadline, || async {
            child
                .borrow_mut()
                .try_wait()
                .map_err(|error| error.to_string())?
                .ok_or_else(|| "still running".to_owned())
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<_> = output.lines().rev().take(40).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            show(&self.log, &tail.join("\n"));
        }
    }
}

#[expect(clippy::print_stderr, reason = "shown by the test runner when a test fails")]
fn show(log: &Path, tail: &str) {
    eprintln!("--- {}\n{tail}", log.display());
}
