//! The page `docs/reference/cli.md`, from the command's own definition.
//!
//! `make generate` writes it, and a test in `main` fails when it is stale. Invariant: every command and every option that help
//! shows is on the page, and nothing else.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory};

use super::print;

const HEAD: &str = "# The asyncmcp command

Generated from the command by `make generate`. `asyncmcp man DIR` writes the same as manual pages, and `asyncmcp completion SHELL`
prints a completion script. As `kubectl-asyncmcp` on PATH, the command is a plugin of kubectl.
";

pub(crate) fn run<C: CommandFactory>() -> anyhow::Result<ExitCode> {
    print::line(page(C::command()).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// The whole page.
pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut text = HEAD.to_owned();
    if let Some(codes) = command.get_after_help() {
        push(&mut text, format_args!("\n{codes}\n"));
    }
    for child in shown(&command) {
        section(child, false, &mut text);
    }
    text
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

/// Options that a command shares with those below it are listed once, with it.
fn section(command: &Command, is_below: bool, text: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    push(text, format_args!("\n## {name}\n\n{}\n", sentence(&about)));
    let aliases: Vec<_> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        push(text, format_args!("\nAlso: `{}`.\n", aliases.join("`, `")));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    push(text, format_args!("\n```text\n{usage}\n```\n"));
    rows(command, is_below, text);
    examples(command, text);
    for child in shown(command) {
        section(child, true, text);
    }
}

fn rows(command: &Command, is_below: bool, text: &mut String) {
    let listed = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .filter(|arg| !(is_below && arg.is_global_set()));
    let rows: Vec<_> = listed.map(row).collect();
    if !rows.is_empty() {
        let title = if command.has_subcommands() {
            "option, also of the commands below"
        } else {
            "argument"
        };
        push(
            text,
            format_args!("\n| {title} | meaning |\n|---|---|\n{}", rows.concat()),
        );
    }
}

fn examples(command: &Command, text: &mut String) {
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let lines: Vec<_> = help.lines().skip(1).map(str::trim).collect();
    if !lines.is_empty() {
        push(text, format_args!("\n```sh\n{}\n```\n", lines.join("\n")));
    }
}

fn row(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut meaning = sentence(&help.map(ToString::to_string).unwrap_or_default());
    let values: Vec<_> = arg.get_possible_values();
    let values: Vec<_> = values
        .iter()
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let takes_value = arg.get_action().takes_values();
    if takes_value && !values.is_empty() {
        push(&mut meaning, format_args!(" One of {}.", values.join(", ")));
    }
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if takes_value && !defaults.is_empty() {
        push(&mut meaning, format_args!(" Default: `{}`.", defaults.join(" ")));
    }
    if let Some(variable) = arg.get_env() {
        push(
            &mut meaning,
            format_args!(" Variable: `{}`.", variable.to_string_lossy()),
        );
    }
    format!(
        "| `{}` | {} |\n",
        spelling(arg).replace('|', "\\|"),
        meaning.replace('|', "\\|")
    )
}

/// `-n, --namespace NAMESPACE`, or `TOOL` of an argument without a flag.
fn spelling(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flags: Vec<_> = short.into_iter().chain(long).collect();
    let value = arg.get_action().takes_values().then(|| {
        let names = arg.get_value_names().unwrap_or_default();
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let parts = [Some(flags.join(", ")), value];
    let parts: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

/// clap takes the full stop from the end of a help text.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with(['.', '!', '?']) || text.is_empty() {
        text
    } else {
        format!("{text}.")
    }
}

/// Writing to a String cannot fail.
fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(more);
}
