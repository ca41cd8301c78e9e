//! A reader who does what a page says, step by step, and compares what it shows.
//!
//! Used by `tutorial` and `howtos`, in a network of their own, so that the page's ports are free. Invariant: steps are done in
//! the order of the page, each with the directory and the variables that the one before left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::process::{Process, binary};
use asyncmcp_tests::readme::commands;
use regex::Regex;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);
/// Runs `$3` in the shell's last directory with its last variables, and leaves both for the next one.
const SHELL: &str = r#"set -euo pipefail
state=$1; source "$state/variables"; cd "$(cat "$state/directory")"
eval "$2"
pwd >"$state/directory"; export -p >"$state/variables""#;

/// What a reader does at a place of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Types commands.
    Run(String),
    /// Starts programs that keep running, each in a terminal of its own; the one of the same name is stopped before.
    Start(String),
    /// Stops a program with Ctrl-C: `<!-- stop: NAME -->`.
    Stop(String),
    /// Saves a file: "Save this as `NAME`".
    Save(String, String),
    /// Sees this among what was printed.
    See(String),
}

/// See the module.
pub(crate) struct Reader {
    programs: Vec<(String, Process)>,
    count: usize,
    last: String,
    dir: TempDir,
}

impl Reader {
    pub(crate) fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let work = dir.path().join("work");
        std::fs::create_dir(&work)?;
        std::fs::write(dir.path().join("directory"), work.display().to_string())?;
        let binary = binary("asyncmcp")?;
        let bin = binary.parent().context("no directory")?;
        let path = format!("export PATH={}:{}\n", bin.display(), std::env::var("PATH")?);
        std::fs::write(dir.path().join("variables"), path)?;
        Ok(Self {
            programs: Vec::new(),
            count: 0,
            last: String::new(),
            dir,
        })
    }

    /// Does everything that the page says in the sections whose titles `wanted` accepts.
    pub(crate) async fn follow(&mut self, page: &Page, wanted: impl Fn(&str) -> bool) -> Result<usize> {
        let steps = steps(page, wanted)?;
        for step in &steps {
            self.take(step)
                .await
                .with_context(|| format!("{}: {step:?}", page.path.display()))?;
        }
        Ok(steps.len())
    }

    async fn take(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Run(text) => self.run(text).map(drop),
            Step::Start(text) => {
                for command in commands(text) {
                    self.start(&command).await?;
                }
                Ok(())
            }
            Step::Stop(name) => self.stop(name).await,
            Step::Save(name, text) => Ok(std::fs::write(self.directory()?.join(name), text)?),
            Step::See(text) => self.sees(text).await,
        }
    }

    /// Types commands; what they print.
    pub(crate) fn run(&mut self, text: &str) -> Result<String> {
        text.clone_into(&mut self.last);
        let output = Command::new("bash")
            .args(["-c", SHELL, "bash"])
            .arg(self.dir.path())
            .arg(text)
            .output()?;
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let mut all = std::fs::read_to_string(self.log("shell")).unwrap_or_default();
        all.push_str(&said);
        std::fs::write(self.log("shell"), all)?;
        anyhow::ensure!(output.status.success(), "{text}{said}");
        Ok(said)
    }

    /// Starts a program, and waits until it says that it listens.
    pub(crate) async fn start(&mut self, line: &str) -> Result<()> {
        let name = name(line);
        self.stop(&name).await?;
        self.count += 1;
        let mut command = Command::new("bash");
        command
            .args(["-c", SHELL, "bash"])
            .arg(self.dir.path())
            .arg(format!("exec {line}"));
        let process = Process::start(&mut command, &self.log(&self.count.to_string()))?;
        eventually(PATIENCE, || async {
            let said = process.output();
            let is_up = said.contains("listening on") || said.contains("\"serving\"");
            is_up.then_some(()).ok_or(said)
        })
        .await;
        self.programs.push((name, process));
        Ok(())
    }

    /// Stops a program as Ctrl-C does, if it runs.
    pub(crate) async fn stop(&mut self, name: &str) -> Result<()> {
        let Some(place) = self.programs.iter().position(|(known, _)| known == name) else {
            return Ok(());
        };
        let (_, mut process) = self.programs.remove(place);
        let stopped = Command::new("kill")
            .args(["-INT", &process.pid().to_string()])
            .status()?;
        anyhow::ensure!(stopped.success(), "kill {name}");
        let status = process.ended(PATIENCE).await;
        anyhow::ensure!(status.success(), "{name}: {status}");
        Ok(())
    }

    /// Waits until every line was printed, but for what differs from run to run. Whoever lists jobs lists them again.
    async fn sees(&mut self, text: &str) -> Result<()> {
        let again = self
            .last
            .trim_start()
            .starts_with("asyncmcp jobs list")
            .then(|| self.last.clone());
        let expected = masked(text)?;
        eventually(PATIENCE, || {
            let missing = self.missing(&expected);
            if let (Some(_), Some(again)) = (&missing, &again) {
                let _ = self.run(again); // its failure is printed, too
            }
            async move { missing.map_or(Ok(()), Err) }
        })
        .await;
        Ok(())
    }

    /// The first of these lines that was not printed, with what was.
    fn missing(&self, expected: &[String]) -> Option<String> {
        let printed = self
            .printed()
            .and_then(|printed| masked(&printed))
            .unwrap_or_default();
        let missing = expected.iter().find(|line| !printed.contains(line))?;
        Some(format!("{missing:?} is not among\n{}", printed.join("\n")))
    }

    /// Waits until a program has ended well by itself.
    pub(crate) async fn ended(&mut self, name: &str) -> Result<()> {
        let place = self.programs.iter().position(|(known, _)| known == name);
        let (_, mut process) = self.programs.remove(place.with_context(|| name.to_owned())?);
        let status = process.ended(PATIENCE).await;
        anyhow::ensure!(status.success(), "{name}: {status}");
        Ok(())
    }

    /// What was printed so far, in all terminals.
    fn printed(&self) -> Result<String> {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                all.push_str(&std::fs::read_to_string(path)?);
            }
        }
        Ok(all)
    }

    /// The directory that the shell is in.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        Ok(std::fs::read_to_string(self.dir.path().join("directory"))?
            .trim()
            .into())
    }

    fn log(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(format!("{name}.log"))
    }
}

/// A program and its subcommand.
fn name(line: &str) -> String {
    let words = line.split(' ').take_while(|word| !word.starts_with('-'));
    words.collect::<Vec<_>>().join(" ")
}

/// Lines without ids, times and numbers of attempts that are made meanwhile, and with single spaces.
fn masked(text: &str) -> Result<Vec<String>> {
    let differs = Regex::new(
        r"01[0-9a-hjkmnp-tv-z]{24}|msg_[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z|\d+ ms|\d+ +0 +connection_refused",
    )?;
    let lines = text
        .lines()
        .map(|line| differs.replace_all(line, "*").into_owned());
    Ok(lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect())
}

/// The steps of the wanted sections. Commands of clusters are left out here; so is building, which was done before.
fn steps(page: &Page, wanted: impl Fn(&str) -> bool) -> Result<Vec<Step>> {
    let (save, stop) = (
        Regex::new("Save this as `(.+?)`")?,
        Regex::new("<!-- stop: (.+) -->")?,
    );
    let (mut steps, mut section, mut file) = (Vec::new(), String::new(), None);
    let mut blocks = page.blocks().into_iter();
    let mut is_code = false;
    for line in page.text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            if is_code {
                let block = blocks.next().context("no block")?;
                steps.extend(step(&block.language, block.text, file.take()).filter(|_| wanted(&section)));
            }
        } else if !is_code {
            if line.starts_with('#') {
                line.trim_start_matches('#').trim().clone_into(&mut section);
            }
            file = save.captures(line).map(|found| found[1].to_owned()).or(file);
            let stopped = stop.captures(line).map(|found| Step::Stop(found[1].to_owned()));
            steps.extend(stopped.filter(|_| wanted(&section)));
        }
    }
    Ok(steps)
}

fn step(kind: &str, text: String, file: Option<String>) -> Option<Step> {
    let is_of_a_cluster = text.contains("kubectl ") || text.contains("helm ");
    match (kind, file) {
        ("sh", _) if !is_of_a_cluster => {
            let lines = text.lines().filter(|line| !line.starts_with("cargo build "));
            Some(Step::Run(lines.flat_map(|line| [line, "\n"]).collect()))
        }
        ("sh background", _) if !is_of_a_cluster => Some(Step::Start(text)),
        ("yaml", Some(file)) => Some(Step::Save(file, text)),
        ("text", _) => Some(Step::See(text)),
        _ => None,
    }
}

#[test]
fn what_differs_from_run_to_run_is_not_compared() -> Result<()> {
    let shown =
        masked("01m8hm98r0za0cn2dd2mqzhe4e  due  3  0  connection_refused  2026-11-28T17:47:10Z\n4 ms")?;
    assert_eq!(shown, ["* due * *", "*"]);
    assert_ne!(masked("answered 200")?, masked("answered 410")?);
    Ok(())
}
