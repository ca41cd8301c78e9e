//! The first thing that a newcomer runs: `make run`.
//!
//! Needs make and what `tests/setup/build` installs. Invariant: the command of README is run, only on other ports.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;
use asyncmcp_tests::eventually;
use asyncmcp_tests::process::{Process, free_port};
use tempfile::TempDir;

/// Longer than a cold build of three programs on two cores that others use too.
const BUILD: Duration = Duration::from_mins(15);

/// `make run` in a directory of its own for what it leaves behind.
struct Demonstration {
    make: Process,
    ports: [u16; 4],
    /// Its TMPDIR.
    dir: TempDir,
}

impl Demonstration {
    fn start(arguments: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let make = Self::make(dir.path(), ports, arguments)?;
        Ok(Self { make, ports, dir })
    }

    fn make(dir: &Path, ports: [u16; 4], arguments: &[&str]) -> Result<Process> {
        let scratch = dir.join("tmp");
        std::fs::create_dir(&scratch)?;
        let names = ["GATEWAY_PORT", "ADMIN_PORT", "SERVER_PORT", "RECEIVER_PORT"];
        let ports = names
            .iter()
            .zip(ports)
            .map(|(name, port)| format!("{name}={port}"));
        // A shell in the background has its children ignore SIGINT, and what is ignored cannot be trapped.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT", "make", "run"])
            .args(ports)
            .args(arguments)
            .current_dir(root())
            .env("TMPDIR", scratch)
            // A group of its own, which gets the SIGINT that a terminal would send.
            .process_group(0);
        for name in about_this_package() {
            command.env_remove(name);
        }
        Process::start(&mut command, &dir.join("make.log"))
    }

    async fn ended(&mut self) -> i32 {
        self.make.ended(BUILD).await.code().unwrap_or(-1)
    }

    /// Nothing is left of it: no file, and no program that listens.
    fn is_gone(&self) -> Result<()> {
        let files = std::fs::read_dir(self.dir.path().join("tmp"))?.count();
        assert_eq!(files, 0, "files are left");
        for port in self.ports {
            let connected = std::net::TcpStream::connect(("127.0.0.1", port));
            assert!(connected.is_err(), "something listens on {port} still");
        }
        Ok(())
    }
}

/// What cargo tells a test of its package. A newcomer's shell has none of it, and build scripts that look at it would
/// have everything compiled anew.
fn about_this_package() -> impl Iterator<Item = String> {
    let told = |name: &String| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars().map(|(name, _)| name).filter(told)
}

#[tokio::test]
async fn make_run_shows_both_tools_a_retry_and_where_to_look() {
    let mut shown = Demonstration::start(&["ONCE=1"]).unwrap();
    let code = shown.ended().await;
    let output = shown.make.output();
    assert_eq!(code, 0, "{output}");
    in_order(
        &output,
        &[
            "asyncmcp quick start",
            "tools/call echo",
            "1 of 3",
            "3 of 3",
            "result        hello",
            "tools/call process_batch",
            "acknowledged  202 Accepted",
            "attempt 1     signature valid, answered 503 on purpose",
            "attempt 2     signature valid, answered 200",
            "processed 5 items in 2 s",
            "webhook-id    msg_",
            "/metrics",
            "/status",
        ],
    );
    shown.is_gone().unwrap();
}

#[tokio::test]
async fn make_run_fails_when_a_signature_does_not_hold() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "whsec_bm90IHRoZSBrZXkgdGhhdCB0aGUgcm91dGUgaGFzIQ==").unwrap();
    let key = format!("RECEIVER_KEY={}", key.path().display());
    let mut shown = Demonstration::start(&["ONCE=1", &key]).unwrap();
    assert_ne!(shown.ended().await, 0);
    in_order(
        &shown.make.output(),
        &[
            "acknowledged  202 Accepted",
            "attempt 0     refused with 401",
            "a webhook was refused",
        ],
    );
    shown.is_gone().unwrap();
}

#[tokio::test]
async fn make_run_names_the_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut shown = Demonstration::start(&["ONCE=1", &format!("ADMIN_PORT={port}")]).unwrap();
    assert_ne!(shown.ended().await, 0);
    in_order(
        &shown.make.output(),
        &[
            &format!("Port {port} is already in use"),
            "make run ADMIN_PORT=<port>",
        ],
    );
}

#[tokio::test]
async fn ctrl_c_ends_make_run_and_leaves_nothing() {
    let mut shown = Demonstration::start(&[]).unwrap();
    eventually(BUILD, || async {
        let output = shown.make.output();
        if output.contains("Receiving until Ctrl-C") {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await;
    what_to_try_works(&shown.make.output()).unwrap();
    an_edit_is_picked_up(&shown.make.output()).await.unwrap();
    let group = format!("-{}", shown.make.pid());
    let status = Command::new("kill")
        .args(["-INT", "--", &group])
        .status()
        .unwrap();
    assert!(status.success());
    shown.make.ended(Duration::from_secs(30)).await;
    shown.is_gone().unwrap();
}

/// The command lines that are shown can be pasted into a shell.
fn what_to_try_works(output: &str) -> Result<()> {
    let (_, shown) = output.split_once("Try in another terminal").unwrap_or_default();
    let commands = shown
        .lines()
        .skip(1)
        .map(str::trim)
        .take_while(|line| !line.starts_with("Edit "));
    let commands: Vec<_> = commands
        .filter(|line| line.contains(' ') && !line.ends_with(':'))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    let script = format!("set -e\n{}", commands.join("\n"));
    let ran = Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .output()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    anyhow::ensure!(
        ran.status.success(),
        "{script}\n{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    in_order(
        &said,
        &["hello", "acknowledged", "asyncmcp_delivery", "dev.asyncmcp/job"],
    );
    Ok(())
}

/// The edit that is suggested turns echo into a webhook tool while everything runs.
async fn an_edit_is_picked_up(output: &str) -> Result<()> {
    let (_, after) = output.split_once("Edit ").context("no edit is suggested")?;
    let (route, _) = after
        .split_once(": add `- {name: echo}`")
        .context("another edit")?;
    let written = std::fs::read_to_string(route)?;
    let edited = written.replace("  webhookTools:\n", "  webhookTools:\n  - {name: echo}\n");
    assert_ne!(edited, written);
    std::fs::write(route, edited)?;
    let call = output
        .lines()
        .map(str::trim)
        .find(|line| line.contains(" call echo "));
    let call = call.context("no call of echo is suggested")?;
    eventually(Duration::from_secs(20), || async {
        let ran = Command::new("bash").args(["-c", call]).output();
        let said = ran.map_err(|error| error.to_string())?.stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        if said.contains("acknowledged") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    Ok(())
}

/// All of it was said, and in this order.
fn in_order(output: &str, lines: &[&str]) {
    let mut rest = output;
    for line in lines {
        let found = rest.split_once(line);
        assert!(
            found.is_some(),
            "{line:?} is missing, or out of order, in:\n{output}"
        );
        rest = found.map_or("", |(_, after)| after);
    }
}
