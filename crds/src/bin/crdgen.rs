//! Writes the generated files; with `--check` it only lists those that are stale. Called by `make generate`.
//!
//! Invariant: everything it writes comes from `asyncmcp_crds::generate`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use asyncmcp_crds::generate::generate;

fn main() -> io::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let check = match std::env::args().nth(1).as_deref() {
        None | Some("write") => false,
        Some("--check") => true,
        Some(other) => {
            writeln!(
                io::stderr(),
                "unknown argument {other:?}; use `crdgen` or `crdgen --check`"
            )?;
            return Ok(ExitCode::from(2));
        }
    };
    let mut stale = generate();
    stale.retain(|file| !file.matches_disk(&root));
    for file in &stale {
        writeln!(
            io::stdout(),
            "{}: {}",
            if check { "stale" } else { "written" },
            file.path
        )?;
        if !check {
            file.write(&root)?;
        }
    }
    Ok(if check && !stale.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
