# Names and places, the same for every script here. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The network namespace and the cgroup carry this name. Two clusters on one machine need two names and two run directories, nothing else:
# each has its own network, processes and mounts, so addresses and paths inside never clash.
name=${ASYNCMCP_CLUSTER_NAME:-asyncmcp}
run=$(realpath -m "${ASYNCMCP_CLUSTER_DIR:-$here/../.run/cluster}")

# Programs are cached by what they are made from, outside the checkout: a second checkout, or a clean one, does not wait again.
programs_key() {
    (cd "$here" && sha256sum go.mod go.sum coredns/main.go image/Dockerfile lib/programs.sh) | sha256sum | cut -c1-16
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/asyncmcp/cluster/$(programs_key)

node_address=10.200.0.1

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

require_root() {
    ((EUID == 0)) || die "needs root: it makes namespaces, mounts and cgroups"
}
