# What the cluster borrows from the machine, and how it gives it back: a network namespace, a cgroup, a process tree, a directory.
# Sourced by `up` and `down`.

# One `up` or `down` at a time for a run directory. A lock on the directory above it leaves no file.
lock_run_directory() {
    mkdir -p "$(dirname "$run")"
    exec {lock}<"$(dirname "$run")"
    flock "$lock"
}

tear_down() {
    name=$(<"$run/name") # as it was started, whatever the environment says now
    kill_node
    remove_network
    remove_cgroup
    rm -rf --one-file-system "$run"
}

# === network ===

# A namespace with no way out: a test that reaches the Internet by mistake fails here as it would fail elsewhere.
make_network() {
    ip netns add "$name"
    ip -n "$name" link set lo up
    # veth, because kernels come without `dummy` devices; the other end only has to exist.
    ip -n "$name" link add node0 type veth peer name node0-peer
    ip -n "$name" link set node0-peer up
    ip -n "$name" link set node0 up
    ip -n "$name" address add "$node_address/24" dev node0
    # Leads nowhere, but the kubelet and kube-proxy look up their address by it.
    ip -n "$name" route add default via 10.200.0.254
}

remove_network() {
    [[ ! -e /run/netns/$name ]] || ip netns delete "$name"
}

# === cgroup ===

# The kubelet kills what it does not know under its root. A root of its own lets two clusters live side by side.
cgroup_hierarchies() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        echo /sys/fs/cgroup
    else
        find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d # v1: one hierarchy per controller
    fi
}

make_cgroup() {
    local hierarchy root=/sys/fs/cgroup
    [[ ! -e $root/cgroup.controllers ]] || sed 's/[a-z]*/+&/g' $root/cgroup.controllers >$root/cgroup.subtree_control
    for hierarchy in $(cgroup_hierarchies); do
        mkdir -p "$hierarchy/$name"
    done
}

remove_cgroup() {
    local hierarchy
    for hierarchy in $(cgroup_hierarchies); do
        [[ ! -d $hierarchy/$name ]] || find "$hierarchy/$name" -depth -type d -exec rmdir {} +
    done
}

# === processes ===

# The whole node lives in a PID namespace and a mount namespace. Its process 1 (lib/node.sh) takes everything along when it dies,
# containers and mounts included, so there is one thing to stop and nothing to forget.
# --kill-child ties it to the `unshare` that waits for it: whichever of the two is killed, and however, both end.
launch_node() {
    setsid nsenter --net="/run/netns/$name" \
        unshare --mount --pid --fork --mount-proc --kill-child \
        bash "$here/lib/node.sh" >"$run/log/node.log" 2>&1 </dev/null {lock}<&- &
    disown
    record "$!"
    local child=
    until [[ -n $child ]]; do
        start_time "$!" >/dev/null
        child=$(cat "/proc/$!/task/$!/children")
        sleep 0.01
    done
    record "${child% }"
}

# A pid alone may be somebody else's by tomorrow; together with its start time it is not.
record() {
    local started
    started=$(start_time "$1") && echo "$1 $started" >>"$run/pids"
}

start_time() {
    local stat
    read -r -a stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat[2]} != Z ]] && echo "${stat[21]}"
}

# The recorded processes that still are the ones recorded, process 1 of the node first.
running_processes() {
    local pid started
    [[ -e $run/pids ]] || return 0
    tac "$run/pids" | while read -r pid started; do
        [[ $(start_time "$pid") != "$started" ]] || echo "$pid"
    done
}

# SIGKILL, because nothing in there is worth saving and process 1 of a namespace obeys nothing less.
kill_node() {
    local pids
    for _ in $(seq 100); do
        pids=$(running_processes)
        [[ -n $pids ]] || return 0
        kill -KILL $pids 2>/dev/null || true
        sleep 0.05
    done
    die "cannot kill $pids"
}
