# What the node sees of the machine: the programs as they are, and directories of its own wherever a part writes.
#
# containerd and the kubelet have paths nobody can configure (/run/containerd/s, /var/log/containers, /var/lib/kubelet/device-plugins);
# in a mount namespace they may keep them, and two clusters and the machine's own containerd stay out of each other's way.
# It also gives every configuration file in conf/ constant paths: /run/cluster is the run directory, /run/bin and /run/images the cache.

arrange_view() {
    local view=$run/view
    mkdir -p "$view" "$run"/node/{lib,log}
    mount -t tmpfs -o mode=755 view "$view"
    mkdir "$view"/{bin,images,cluster,home,lock}
    mount --bind "$cache/bin" "$view/bin"
    mount --bind "$cache/images" "$view/images"
    mount --bind "$run" "$view/cluster"
    # One move at the end, so that it works even for a run directory or a cache below one of these.
    mount --no-mtab --move "$view" /run
    mount --bind /run/cluster/node/lib /var/lib
    mount --bind /run/cluster/node/log /var/log
    freeze_kernel_settings
    export HOME=/run/home PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin KUBECONFIG=/run/cluster/kubeconfig
}

# The kubelet sets these for the whole machine. It does not when it reads what it wants to read.
freeze_kernel_settings() {
    local setting
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
        kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
        [[ -e /proc/sys/${setting%=*} ]] || continue
        local file=/run/lock/${setting//\//-}
        echo "${setting#*=}" >"$file"
        mount --bind "$file" "/proc/sys/${setting%=*}"
    done
}
