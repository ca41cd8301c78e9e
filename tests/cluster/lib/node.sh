# Process 1 of the cluster's node: arranges its view of the machine, starts every part, and ends when a part ends.
#
# Runs in network, PID and mount namespaces of its own, which launch_node in host.sh makes.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
. "$here/lib/view.sh"
. "$here/lib/control-plane.sh"
. "$here/lib/worker.sh"

declare -A parts=()

# start NAME COMMAND...
start() {
    local part=$1
    shift
    "$@" >"/run/cluster/log/$part.log" 2>&1 </dev/null &
    parts[$part]=$!
}

# await WHAT COMMAND...: until the command succeeds. A dead part fails at once, and with its name.
await() {
    local what=$1 deadline=$((SECONDS + 120)) part
    shift
    until "$@" >/dev/null 2>&1; do
        for part in "${!parts[@]}"; do
            kill -0 "${parts[$part]}" 2>/dev/null || die "$part has ended"
        done
        ((SECONDS < deadline)) || die "timed out waiting for $what"
        sleep 0.1
    done
}

main() {
    unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY # would only catch what is meant for the cluster
    arrange_view
    start_store_and_api
    start_containerd
    await "the API server" kubectl get --raw /readyz
    start_controllers
    start_node_agents
    await_controllers
    await_node
    touch /run/cluster/ready
    # A cluster that misses a part would only make tests time out one by one.
    wait -n "${parts[@]}" || true
    local part
    for part in "${!parts[@]}"; do
        kill -0 "${parts[$part]}" 2>/dev/null || say "$part has ended"
    done
}

main
