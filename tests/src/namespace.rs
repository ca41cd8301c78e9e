//! What a process sees of the machine: other files for name resolution, or an empty root.
//!
//! Commands to stand before a program ([`crate::dataplane::Launch::around`]); they give their place to it, so
//! that its process id is the one that was started. Invariant: nothing outside that process changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Binds `hosts` and `resolv` over `/etc/hosts` and `/etc/resolv.conf`.
const BIND: &str =
    r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;

/// Gives a root the devices that every container has (OCI runtime specification, "Default Devices"): a static
/// binary reads its randomness from one.
const ENTER: &str = r#"mount --rbind /dev "$0/dev" && exec chroot "$0" "$@""#;

/// With these files as `/etc/hosts` and `/etc/resolv.conf`.
pub fn with_names(hosts: &Path, resolv: &Path) -> Vec<String> {
    let mut line = in_mount_namespace(BIND);
    line.extend([hosts, resolv].map(|file| file.display().to_string()));
    line
}

/// With `root` as the root directory; it needs an empty `dev` in it.
pub fn within(root: &Path) -> Vec<String> {
    let mut line = in_mount_namespace(ENTER);
    line.push(root.display().to_string());
    line
}

/// A shell that runs `script` where its mounts are nobody else's.
fn in_mount_namespace(script: &str) -> Vec<String> {
    let mut line = words("unshare --mount");
    line.extend(as_root());
    line.extend(words("sh -c"));
    line.push(script.to_owned());
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
