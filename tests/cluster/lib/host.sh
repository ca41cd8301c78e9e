# What the cluster borrows from the machine: one network namespace, one cgroup and one process tree. Sourced by `up` and `down`.

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
        find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d ! -name unified # v1: one hierarchy per controller
    fi
}

make_cgroup() {
    local hierarchy
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
        bash "$here/lib/node.sh" >"$run/log/node.log" 2>&1 </dev/null &
    record "$!"
    local child=
    until [[ -n $child ]]; do
        is_running "$!" || return 1
        child=$(cat "/proc/$!/task/$!/children" 2>/dev/null || true)
        sleep 0.01
    done
    record "${child% }"
}

# A pid alone may be somebody else's by tomorrow; together with its start time it is not.
record() {
    echo "$1 $(start_time "$1")" >>"$run/pids"
}

start_time() {
    local stat
    read -r -a stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat[2]} != Z ]] && echo "${stat[21]}"
}

# is_running PID [START-TIME]
is_running() {
    local now
    now=$(start_time "$1") && [[ $now == "${2:-$now}" ]]
}

# The recorded processes that still are the ones recorded, process 1 of the node first.
running_processes() {
    local pid started
    [[ -e $run/pids ]] || return 0
    tac "$run/pids" | while read -r pid started; do
        ! is_running "$pid" "$started" || echo "$pid"
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
