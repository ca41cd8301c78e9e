//! A stock MCP client that does what a test tells it, a line at a time.
//!
//! The scripts `tests/peers/{mcp1,mcp2,fast}.py` and `{sdk1,sdk2,inspector}.mjs`, and `tests/rmcp`, are the other end. Invariant: an order
//! is answered, or the test fails within `PATIENCE` and shows what the client wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{Kind, Peers};

/// How long an order may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// A connected client. Dropping it kills it; [`Client::close`] lets it say goodbye.
pub struct Client {
    /// Which one.
    pub kind: Kind,
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

/// What a new client is told.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The MCP endpoint.
    pub url: &'a str,
    /// Whether it declares sampling, elicitation and roots.
    pub capable: bool,
    /// The route's signing key. Its own receiver, if it has one, verifies with what is derived from it.
    pub secret: &'a str,
}

impl Client {
    /// Starts one and connects it; its log goes to `dir`.
    pub async fn connect(kind: Kind, peers: &Peers, dir: &Path, options: Options<'_>) -> Result<Self> {
        let command = kind.command(peers, options.url, options.capable, options.secret)?;
        Self::start(kind, command, dir).await
    }

    /// One that gets its own tokens from `issuer`, by the flow `code` or `credentials`.
    pub async fn authorized(
        kind: Kind,
        peers: &Peers,
        dir: &Path,
        (url, issuer, flow): (&str, &str, &str),
    ) -> Result<Self> {
        let mut options = json!({"url": url, "issuer": issuer, "flow": flow});
        let mut command = match kind {
            Kind::Sdk1 => peers.node("oauth1.mjs"),
            Kind::Mcp2Legacy | Kind::Mcp2Auto => {
                options["mode"] = kind.mode_option().into();
                peers.python("mcp", "oauth2.py")
            }
            other => bail!("{other:?} has no script for it"),
        };
        command.arg(options.to_string());
        Self::start(kind, command, dir).await
    }

    async fn start(kind: Kind, command: Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{kind:?}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let mut this = Self {
            kind,
            child,
            orders,
            answers,
            log,
        };
        this.answer(&json!("connect")).await?;
        Ok(this)
    }

    /// What the client answers to `order`, which it must be able to do.
    pub async fn ask(&mut self, order: Value) -> Result<Value> {
        let answer = self.say(&order).await?;
        match answer.get("ok") {
            Some(ok) => Ok(ok.clone()),
            None => bail!("{:?}, asked {order}: {}", self.kind, answer["error"]),
        }
    }

    /// The error with which the client answers `order`.
    pub async fn fail(&mut self, order: Value) -> Result<Value> {
        let answer = self.say(&order).await?;
        match answer.get("error") {
            Some(error) => Ok(error.clone()),
            None => bail!("{:?}, asked {order}, succeeded: {}", self.kind, answer["ok"]),
        }
    }

    /// Calls `tool`: `{"result", "progress"}`.
    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        self.ask(json!({"do": "call", "tool": tool, "arguments": arguments}))
            .await
    }

    /// The tools it is shown.
    pub async fn tools(&mut self) -> Result<Vec<Value>> {
        let tools = self.ask(json!({"do": "list"})).await?;
        tools.as_array().cloned().context("no list")
    }

    /// What it heard so far: `{"listChanged", "asked", "sessions", "answers"}`.
    pub async fn heard(&mut self) -> Result<Value> {
        self.ask(json!({"do": "heard"})).await
    }

    /// The id of its session.
    pub async fn session(&mut self) -> Result<String> {
        let heard = self.heard().await?;
        let sessions = heard["sessions"].as_array().context("no sessions")?;
        anyhow::ensure!(sessions.len() == 1, "{:?} had sessions {sessions:?}", self.kind);
        sessions[0].as_str().map(str::to_owned).context("no text")
    }

    /// Ends its session as its SDK does.
    pub async fn close(mut self) -> Result<()> {
        drop(self.orders);
        let status = timeout(PATIENCE, self.child.wait()).await??;
        anyhow::ensure!(
            status.success(),
            "{:?} ended with {status}: {}",
            self.kind,
            tail(&self.log)
        );
        Ok(())
    }

    async fn say(&mut self, order: &Value) -> Result<Value> {
        let line = format!("{order}\n");
        self.orders.write_all(line.as_bytes()).await?;
        self.answer(order).await
    }

    async fn answer(&mut self, order: &Value) -> Result<Value> {
        let line = timeout(PATIENCE, self.answers.next_line()).await;
        let line =
            line.with_context(|| format!("{:?} hangs at {order}: {}", self.kind, tail(&self.log)))??;
        let line = line.with_context(|| format!("{:?} died at {order}: {}", self.kind, tail(&self.log)))?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last: Vec<_> = text.lines().rev().take(30).collect();
    last.into_iter().rev().collect::<Vec<_>>().join("\n")
}
