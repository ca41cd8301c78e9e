//! `asyncmcp completion` and `asyncmcp man`: what shells and `man` need, from the command's own definition.
//!
//! Invariant: generated at run time, so that both are of this very version.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory;
use clap_complete::Shell;

/// The arguments of `asyncmcp completion`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell that reads it, for example: source <(asyncmcp completion bash)
    shell: Shell,
}

/// The arguments of `asyncmcp man`.
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Directory that the pages are written to.
    dir: PathBuf,
}

pub(crate) fn run<C: CommandFactory>(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "asyncmcp", &mut script);
    super::print::line(String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man<C: CommandFactory>(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let dir = &args.dir;
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(C::command(), dir));
    written.with_context(|| format!("failed to write {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}
