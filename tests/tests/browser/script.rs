//! A script of `tests/browser/` in Node, with the modules that `tests/setup/browser` installed.
//!
//! Invariant: a script that fails, or does not end in time, fails the test with all that it wrote.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_tests::command::root;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a script may take.
const PATIENCE: Duration = Duration::from_mins(4);

/// A script that runs.
pub(crate) struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Script {
    /// Starts one in `dir` with what it needs to know.
    pub(crate) async fn start(dir: &Path, name: &str, world: &Value) -> Result<Self> {
        let mut child = Command::new("node")
            .arg(laid_out(dir).await?.join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("node.log"))?)
            .kill_on_drop(true)
            .spawn()
            .context("node")?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(world.to_string().as_bytes()).await?;
        drop(stdin);
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let said = Vec::new();
        Ok(Self { child, lines, said })
    }

    /// Waits for this line.
    pub(crate) async fn says(&mut self, wanted: &str) -> Result<()> {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line())
                .await
                .context(wanted.to_owned())??;
            let line =
                line.with_context(|| format!("it ended before it said {wanted:?}: {:?}", self.said))?;
            self.said.push(line);
            if self.said.last().is_some_and(|line| line == wanted) {
                return Ok(());
            }
        }
    }

    /// Waits for its end, which must be a good one.
    pub(crate) async fn ends(mut self, dir: &Path) -> Result<()> {
        while let Some(line) = timeout(PATIENCE, self.lines.next_line())
            .await
            .context("it hangs")??
        {
            self.said.push(line);
        }
        let status = self.child.wait().await?;
        let errors = std::fs::read_to_string(dir.join("node.log"))?;
        ensure!(status.success(), "{status}: {:?}\n{errors}", self.said);
        Ok(())
    }
}

/// The scripts beside their modules, which Node looks for there.
async fn laid_out(dir: &Path) -> Result<PathBuf> {
    let scripts = dir.join("scripts");
    std::fs::create_dir_all(&scripts)?;
    for entry in std::fs::read_dir(root().join("tests/browser"))? {
        let entry = entry?;
        std::fs::copy(entry.path(), scripts.join(entry.file_name()))?;
    }
    let modules = scripts.join("node_modules");
    if !modules.exists() {
        symlink(installed().await?.join("node_modules"), modules)?;
    }
    Ok(scripts)
}

async fn installed() -> Result<PathBuf> {
    if let Some(place) = std::env::var_os("ASYNCMCP_BROWSER") {
        return Ok(PathBuf::from(place));
    }
    let output = Command::new(root().join("tests/setup/browser")).output().await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let place = String::from_utf8(output.stdout)?;
    Ok(PathBuf::from(place.trim()))
}
