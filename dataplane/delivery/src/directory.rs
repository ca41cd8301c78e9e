//! A directory for what has to outlive a power cut.
//!
//! Whoever keeps files makes theirs with it. Invariant: once it returns, the directory is there after a power cut, too,
//! and, if it was made here, open to this user only.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Makes `dir`, with all above it that is missing.
///
/// # Errors
/// It cannot be made.
pub fn make(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|above| is_missing(above)).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in &missing {
        sync(made)?;
    }
    if missing.is_empty() {
        // A process may have made it that died here. Where what is above may not be read, somebody else made it.
        let _not_ours = sync(dir);
    }
    Ok(())
}

/// The entry of a directory is in the one above it.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(above(dir))?.sync_all()
}

fn is_missing(dir: &Path) -> bool {
    !dir.as_os_str().is_empty() && !dir.exists()
}

fn above(dir: &Path) -> &Path {
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn all_that_is_missing_is_made_for_this_user_only() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("one/two");
        make(&dir).unwrap();
        make(&dir).unwrap();
        for made in [&dir, dir.parent().unwrap()] {
            let mode = made.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
        let file = dir.join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make(&file.join("three")).is_err());
    }

    #[test]
    fn what_is_above_a_relative_path_is_here() {
        assert_eq!(above(Path::new("state")), Path::new("."));
        assert_eq!(above(Path::new("/a/b")), Path::new("/a"));
    }
}
