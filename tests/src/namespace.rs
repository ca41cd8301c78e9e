//! What a process sees of the machine: other name-resolution files, or an empty root.
//!
//! Commands to stand before a program ([`crate::dataplane::Launch::around`]); they give their place to it, so
//! that its process id is the one that was started. Invariant: nothing outside that process changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Binds `hosts` and `resolv` over `/etc/hosts` and `/etc/resolv.conf`.
const BIND: &str =
    r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;

/// With these files as `/etc/hosts` and `/etc/resolv.conf`.
pub fn with_names(hosts: &Path, resolv: &Path) -> Vec<String> {
    let mut line = words("unshare --mount");
    line.extend(as_root());
    line.extend(words("sh -c"));
    line.push(BIND.to_owned());
    line.extend([hosts, resolv].map(|file| file.display().to_string()));
    line
}

/// With `root` as the root directory.
pub fn within(root: &Path) -> Vec<String> {
    let namespace = as_root();
    let mut line = if namespace.is_empty() {
        Vec::new()
    } else {
        words("unshare")
    };
    line.extend(namespace);
    line.extend(["chroot".to_owned(), root.display().to_string()]);
    line
}

/// Who is not root becomes it in a user namespace of its own.
fn as_root() -> Vec<String> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
    if is_root {
        Vec::new()
    } else {
        words("--map-root-user")
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
