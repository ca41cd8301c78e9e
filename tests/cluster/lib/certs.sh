# Keys, certificates and kubeconfigs, made anew for every cluster. Sourced by `up`.

pki=$run/pki

certificates() {
    mkdir -p "$pki"
    authority ca
    authority front-proxy-ca # apart from `ca`, or every client certificate could speak for other users
    certificate apiserver ca /CN=kube-apiserver \
        "IP:127.0.0.1,IP:$node_address,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    certificate front-proxy front-proxy-ca /CN=front-proxy
    certificate apiserver-kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client
    # The kubelet serves logs and exec with the certificate it logs in with.
    certificate kubelet ca /O=system:nodes/CN=system:node:node1 "IP:$node_address"
    certificate admin ca /O=system:masters/CN=admin
    local component
    for component in kube-controller-manager kube-scheduler kube-proxy coredns; do
        certificate "$component" ca "/CN=system:$component"
    done
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/service-account.key" 2>/dev/null
    openssl pkey -in "$pki/service-account.key" -pubout -out "$pki/service-account.pub"
}

kubeconfigs() {
    local user
    for user in kubelet kube-controller-manager kube-scheduler kube-proxy coredns; do
        kubeconfig "$user" >"$pki/$user.kubeconfig"
    done
    (umask 077 && kubeconfig admin >"$run/kubeconfig")
}

authority() {
    make_certificate "$1" "/CN=$1" -addext keyUsage=critical,keyCertSign,cRLSign
}

# certificate NAME AUTHORITY SUBJECT [NAMES]
certificate() {
    make_certificate "$1" "$3" -CA "$pki/$2.crt" -CAkey "$pki/$2.key" \
        -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth,clientAuth ${4:+-addext "subjectAltName=$4"}
}

make_certificate() {
    local file=$pki/$1 subject=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj "$subject" \
        -keyout "$file.key" -out "$file.crt" "$@" 2>/dev/null
}

# The context is called like the cluster, so that a test can refuse any other.
kubeconfig() {
    cat <<EOF
apiVersion: v1
kind: Config
clusters:
- {name: $name, cluster: {server: "https://$node_address:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}
users:
- {name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}
contexts:
- {name: $name, context: {cluster: $name, user: $1}}
current-context: $name
EOF
}
