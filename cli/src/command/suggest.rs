//! What somebody may have meant who typed a command at the wrong level, such as `asyncmcp list`.
//!
//! Called by `main`; misspelt names are clap's own business. Invariant: only commands that exist are named.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// A line about the commands of this name elsewhere.
pub(crate) fn elsewhere(error: &Error, mut command: Command) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    command.build();
    let mut found = Vec::new();
    collect(&command, typed, &mut found);
    let found: Vec<_> = found.iter().map(|name| format!("`{name}`")).collect();
    (!found.is_empty()).then(|| format!("Did you mean {}?", found.join(" or ")))
}

fn collect(command: &Command, typed: &str, found: &mut Vec<String>) {
    for child in command
        .get_subcommands()
        .filter(|child| child.get_name() != "help")
    {
        let is_of_name = child.get_name() == typed || child.get_all_aliases().any(|alias| alias == typed);
        if is_of_name {
            found.extend(child.get_bin_name().map(str::to_owned));
        }
        collect(child, typed, found);
    }
}
