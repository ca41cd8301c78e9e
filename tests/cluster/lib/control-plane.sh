# etcd, the API server, the controllers, the scheduler, cluster DNS. Sourced by node.sh; paths are those of view.sh.

start_store_and_api() {
    # The data does not outlive the cluster, so it need not reach the disk.
    start etcd etcd --data-dir /run/cluster/etcd --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
    start_apiserver
}

start_controllers() {
    # They give up when there is no API server, hence not earlier. One of each: nobody to elect a leader from, and nobody scrapes them.
    # The controllers left out need a cloud. The default rate limit spends four seconds on handing a service account to each.
    start kube-controller-manager kube-controller-manager --kubeconfig /run/cluster/pki/kube-controller-manager.kubeconfig \
        --secure-port=0 --leader-elect=false --use-service-account-credentials --kube-api-qps 200 --kube-api-burst 200 \
        --controllers=*,-node-ipam-controller,-cloud-node-lifecycle-controller,-node-route-controller,-service-lb-controller \
        --flex-volume-plugin-dir /var/lib/kubelet/volume-plugins \
        --root-ca-file /run/cluster/pki/ca.crt --service-account-private-key-file /run/cluster/pki/service-account.key
    start kube-scheduler kube-scheduler --kubeconfig /run/cluster/pki/kube-scheduler.kubeconfig --secure-port=0 --leader-elect=false
    # Rights first: CoreDNS that is refused once waits for seconds before it asks again.
    kubectl apply -f /run/cluster/conf/objects.yaml
    # A process of the node, not a pod: one image less. The Service kube-dns in objects.yaml points at it.
    start coredns coredns -conf /run/cluster/conf/Corefile
}

start_apiserver() {
    local pki=/run/cluster/pki
    local identity=(
        --tls-cert-file $pki/apiserver.crt --tls-private-key-file $pki/apiserver.key --client-ca-file $pki/ca.crt
        --service-account-issuer https://kubernetes.default.svc.cluster.local
        --service-account-key-file $pki/service-account.pub --service-account-signing-key-file $pki/service-account.key
    )
    # logs and exec: the node is not in DNS, its address is what there is.
    local kubelet=(
        --kubelet-client-certificate $pki/apiserver-kubelet-client.crt --kubelet-client-key $pki/apiserver-kubelet-client.key
        --kubelet-certificate-authority $pki/ca.crt --kubelet-preferred-address-types InternalIP
    )
    # Aggregated APIs (a metrics server, say) tell users by these.
    local aggregation=(
        --proxy-client-cert-file $pki/front-proxy.crt --proxy-client-key-file $pki/front-proxy.key
        --requestheader-client-ca-file $pki/front-proxy-ca.crt --requestheader-allowed-names front-proxy
        --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group
        --requestheader-extra-headers-prefix X-Remote-Extra-
    )
    # Tests count an operator's writes in it.
    local audit=(--audit-policy-file /run/cluster/conf/audit.yaml --audit-log-path /run/cluster/audit.log)
    start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
        --bind-address 0.0.0.0 --advertise-address "$node_address" --secure-port 6443 --service-cluster-ip-range 10.96.0.0/16 \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
        "${identity[@]}" "${kubelet[@]}" "${aggregation[@]}" "${audit[@]}"
}

await_controllers() {
    # Pods are refused until their service account exists.
    await "the controllers" kubectl get serviceaccount default --namespace default
    await "cluster DNS" nslookup -type=a kubernetes.default.svc.cluster.local "$node_address"
}

nslookup() { busybox nslookup "$@"; }
