# containerd, the kubelet, kube-proxy: the half that runs pods. Sourced by node.sh; paths are those of view.sh.

start_containerd() {
    start containerd containerd --config /run/cluster/conf/containerd.toml
    await containerd ctr --address /run/cluster/containerd.sock version
    ctr --address /run/cluster/containerd.sock --namespace k8s.io images import /run/images/busybox.tar
}

start_node_agents() {
    start kubelet kubelet --config /run/cluster/conf/kubelet.yaml --kubeconfig /run/cluster/pki/kubelet.kubeconfig \
        --hostname-override node1 --node-ip "$node_address" --cgroup-root "/$name"
    start kube-proxy kube-proxy --config /run/cluster/conf/kube-proxy.yaml
}

await_node() {
    # `kubectl wait` fails for a node that does not exist yet.
    await "the node" kubectl get node node1
    kubectl wait --for condition=Ready --timeout 60s node/node1
}
