//! What a process sees of the machine: other files for name resolution, an empty root, a network of its own.
//!
//! Commands to stand before a program ([`crate::dataplane::Launch::around`]); they give their place to it, so
//! that its process id is the one that was started. Invariant: nothing outside that process changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Set in a run of a test that has a network of its own.
const INSIDE: &str = "ASYNCMCP_TEST_OWN_NETWORK";

/// Raises loopback, gives it the addresses up to `--`, and goes on as the rest of the line.
const OWN_NETWORK: &str = r#"ip link set lo up
while [ "$1" != -- ]; do ip address add "$1/32" dev lo || exit; shift; done
shift && exec "$@""#;

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

/// Runs the test of this name once more, alone, in a network namespace of its own in which loopback also has
/// `addresses`. In that run it returns true at once; in the first it returns false when that run succeeded.
pub fn in_own_network(test: &str, addresses: &[&str]) -> Result<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    let mut line = words("unshare --net");
    line.extend(as_root());
    line.extend(["sh", "-ec", OWN_NETWORK, "sh"].map(str::to_owned));
    line.extend(addresses.iter().map(|address| (*address).to_owned()));
    line.extend(["--", &std::env::current_exe()?.to_string_lossy()].map(str::to_owned));
    line.extend([test, "--exact", "--nocapture"].map(str::to_owned));
    let run = Command::new(&line[0]).args(&line[1..]).env(INSIDE, "1").output();
    let run = run.context("unshare is missing")?;
    let said = String::from_utf8_lossy(&run.stdout);
    let passed = run.status.success() && said.contains("1 passed");
    ensure!(passed, "{said}{}", String::from_utf8_lossy(&run.stderr));
    Ok(false)
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
