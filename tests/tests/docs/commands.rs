//! Every command of a page exists, with the flags that it is given.
//!
//! The pages that can be followed on one machine are run besides (`tutorial`, `howtos`), and README's section on clusters
//! is run by the end-to-end tests. Invariant: a program that this test does not know fails it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::process::binary;
use asyncmcp_tests::readme::commands;
use asyncmcp_tests::{chart, pages};
use regex::Regex;

const OURS: [&str; 3] = ["asyncmcp", "asyncmcp-dataplane", "asyncmcp-example-server"];
/// The shell's own words, and programs that every machine has.
const USUAL: [&str; 30] = [
    "base64",
    "cat",
    "cd",
    "chmod",
    "cp",
    "curl",
    "date",
    "echo",
    "export",
    "for",
    "go",
    "head",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "node",
    "openssl",
    "printf",
    "python3",
    "rm",
    "sed",
    "cosign",
    "npm",
    "npx",
    "pip",
    "sha256sum",
    "tar",
    "uname",
];
const VERBS: [&str; 14] = [
    "annotate",
    "apply",
    "create",
    "delete",
    "describe",
    "exec",
    "explain",
    "get",
    "label",
    "logs",
    "patch",
    "port-forward",
    "rollout",
    "wait",
];
const KUBECTL_FLAGS: [&str; 23] = [
    "-n",
    "-f",
    "-o",
    "-l",
    "-p",
    "-A",
    "-i",
    "-w",
    "--all-namespaces",
    "--all",
    "--namespace",
    "--from-literal",
    "--from-file",
    "--for",
    "--timeout",
    "--type",
    "--server-side",
    "--raw",
    "--since",
    "--dry-run",
    "--overwrite",
    "--tail",
    "--cert",
];
const HELM_FLAGS: [&str; 9] = [
    "--namespace",
    "--create-namespace",
    "--wait",
    "--set",
    "--values",
    "--reuse-values",
    "--reset-then-reuse-values",
    "--version",
    "--timeout",
];

#[test]
fn every_command_exists_with_its_flags() -> Result<()> {
    let mut known = Known::default();
    let mut count = 0;
    for page in pages::all()? {
        for command in typed(&page)? {
            let place = || format!("{}: {command}", page.path.display());
            for call in calls(&command) {
                known.check(&call).with_context(place)?;
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} commands");
    Ok(())
}

/// The commands of a page: those of its blocks, and those in its sentences that begin with a program.
fn typed(page: &Page) -> Result<Vec<String>> {
    let mut typed = Vec::new();
    for block in page.blocks() {
        if block.language.starts_with("sh") {
            is_shell(&block.text).with_context(|| page.path.display().to_string())?;
            typed.extend(commands(&block.text));
        }
    }
    let prose: String = page.prose().flat_map(|line| [line, " "]).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    let is_command = |span: &&str| {
        let program = span.split(' ').next().unwrap_or_default();
        span.contains(' ')
            && OURS
                .iter()
                .chain(&["kubectl", "helm", "make"])
                .any(|known| *known == program)
    };
    typed.extend(spans.filter(is_command).map(str::to_owned));
    Ok(typed)
}

fn is_shell(text: &str) -> Result<()> {
    let output = Command::new("bash").args(["-n", "-c", text]).output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The programs that a line calls, each with its words; quoted text is one word.
fn calls(line: &str) -> Vec<Vec<String>> {
    let (mut calls, mut words, mut word, mut quote) = (Vec::new(), Vec::new(), String::new(), None);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '$') if chars.peek() == Some(&'(') => {
                chars.next();
                let inner: String = chars.by_ref().take_while(|c| *c != ')').collect();
                calls.extend(self::calls(&inner));
                word.push('X');
            }
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            (None, '|' | '&' | ';' | '(' | ')') => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                calls.push(std::mem::take(&mut words));
            }
            (_, c) => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    calls.push(words);
    calls.retain(|words| !words.is_empty());
    calls.into_iter().map(without_settings).collect()
}

/// Without the variables in front of a program, and without where its output goes.
fn without_settings(words: Vec<String>) -> Vec<String> {
    let is_setting = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.starts_with('-') && name.to_uppercase() == *name)
    };
    let words = words.into_iter().skip_while(is_setting);
    words
        .take_while(|word| !word.starts_with(['>', '<']) && !word.starts_with("2>"))
        .collect()
}

/// What is known of programs, each asked once.
#[derive(Default)]
struct Known {
    helps: BTreeMap<Vec<String>, String>,
}

impl Known {
    fn check(&mut self, call: &[String]) -> Result<()> {
        let Some((program, words)) = call.split_first() else {
            return Ok(()); // nothing but a variable
        };
        match program.as_str() {
            // The plugin: the command under another name.
            "kubectl" if words.first().is_some_and(|word| word == "asyncmcp") => {
                self.ours("asyncmcp", &words[1..])
            }
            "kubectl" => {
                kubectl(words)?;
                // What a container runs.
                let inner = words.iter().skip_while(|word| *word != "--").skip(1);
                let inner: Vec<_> = inner
                    .map(|word| word.trim_start_matches('/').to_owned())
                    .collect();
                self.check(&inner)
            }
            "helm" => helm(words),
            "make" => make(words),
            "cargo" => cargo(words),
            ours if OURS.contains(&ours) => self.ours(ours, words),
            usual => {
                anyhow::ensure!(USUAL.contains(&usual), "{usual} is not known to this test");
                let programs = words.iter().filter(|word| word.starts_with("examples/"));
                exist(programs)
            }
        }
    }

    fn ours(&mut self, program: &str, words: &[String]) -> Result<()> {
        let mut path = vec![program.to_owned()];
        let mut help = self.help(&path)?;
        for word in words {
            if help
                .lines()
                .any(|line| line.trim_start().starts_with(&format!("{word} ")) && line.starts_with("  "))
                && !word.starts_with('-')
            {
                path.push(word.clone());
                help = self.help(&path)?;
            } else if word.starts_with('-') {
                let flag = word.split('=').next().unwrap_or(word);
                let exact = Regex::new(&format!(r"(^|[\s,]){}($|[\s,\[])", regex::escape(flag)))?;
                anyhow::ensure!(exact.is_match(&help), "{} has no {flag}", path.join(" "));
            }
        }
        Ok(())
    }

    fn help(&mut self, path: &[String]) -> Result<String> {
        if let Some(help) = self.helps.get(path) {
            return Ok(help.clone());
        }
        let output = Command::new(binary(&path[0])?)
            .args(&path[1..])
            .arg("--help")
            .output()?;
        anyhow::ensure!(output.status.success(), "{} --help", path.join(" "));
        let help = String::from_utf8(output.stdout)?;
        self.helps.insert(path.to_owned(), help.clone());
        Ok(help)
    }
}

fn kubectl(words: &[String]) -> Result<()> {
    let verb = words.iter().find(|word| VERBS.contains(&word.as_str()));
    anyhow::ensure!(verb.is_some(), "no verb of kubectl that this test knows");
    // What follows `--` is the container's.
    flags(words.iter().take_while(|word| *word != "--"), &KUBECTL_FLAGS)?;
    exist(after(words, "-f").filter(|file| file.contains('/')))
}

/// What follows each occurrence of a flag.
fn after<'a>(words: &'a [String], flag: &'a str) -> impl Iterator<Item = &'a String> {
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs
        .filter(move |(word, _)| *word == flag)
        .map(|(_, value)| value)
}

fn exist<'a>(mut files: impl Iterator<Item = &'a String>) -> Result<()> {
    let missing = files.find(|file| !root().join(file).exists());
    anyhow::ensure!(missing.is_none(), "there is no {missing:?}");
    Ok(())
}

fn helm(words: &[String]) -> Result<()> {
    let verb = words.first().map(String::as_str).unwrap_or_default();
    anyhow::ensure!(
        ["install", "upgrade", "uninstall", "rollback", "history"].contains(&verb),
        "helm {verb}"
    );
    flags(words.iter(), &HELM_FLAGS)?;
    let values = chart::yaml("values.yaml")?;
    for setting in after(words, "--set") {
        let path = setting.split('=').next().unwrap_or_default();
        let pointer = format!("/{}", path.replace('.', "/"));
        anyhow::ensure!(
            values.pointer(&pointer).is_some(),
            "the chart has no value {path}"
        );
    }
    Ok(())
}

fn flags<'a>(words: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<()> {
    for word in words.filter(|word| word.starts_with('-') && *word != "-") {
        let flag = word.split('=').next().unwrap_or(word);
        anyhow::ensure!(known.contains(&flag), "{flag} is not known to this test");
    }
    Ok(())
}

fn make(words: &[String]) -> Result<()> {
    let makefile = std::fs::read_to_string(root().join("Makefile"))?;
    let target = words.first().context("make without a target")?;
    anyhow::ensure!(
        makefile.contains(&format!("\n{target}:")),
        "`make {target}` does not exist"
    );
    Ok(())
}

fn cargo(words: &[String]) -> Result<()> {
    let workspace = std::fs::read_to_string(root().join("Cargo.lock"))?;
    for package in after(words, "-p") {
        anyhow::ensure!(
            workspace.contains(&format!("name = \"{package}\"")),
            "there is no package {package}"
        );
    }
    flags(words.iter(), &["-p", "--release"])
}

#[test]
fn the_words_of_a_line_are_those_of_a_shell() {
    let line = r#"A=1 x --b "c d" $(y -e) | z 'f|g' > out && w"#;
    let words: Vec<_> = calls(line).iter().map(|words| words.join("+")).collect();
    assert_eq!(words, ["y+-e", "x+--b+c d+X", "z+f|g", "w"]);
}
